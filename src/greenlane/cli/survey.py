"""What `greenlane init` can see of a repository without running any of it: git, layout, dependencies, how it starts.

Every answer comes with where it was found; what was not found is said, never invented.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from greenlane.adapters.project_files import read_plan
from greenlane.domain.errors import InputError
from greenlane.domain.service_settings import Service
from greenlane.suite.project import Plan

MAX_FILES = 3000
MAX_FILE_BYTES = 256 * 1024
GIT_TIMEOUT_S = 20

_FRAMEWORKS = (
    ("fastapi", re.compile(r"^\s*(?:from|import)\s+fastapi\b", re.M)),
    ("flask", re.compile(r"^\s*(?:from|import)\s+flask\b", re.M)),
    ("django", re.compile(r"^\s*(?:from|import)\s+django\b", re.M)),
    ("starlette", re.compile(r"^\s*(?:from|import)\s+starlette\b", re.M)),
    ("aiohttp", re.compile(r"^\s*(?:from|import)\s+aiohttp\b", re.M)),
    ("http.server", re.compile(r"^\s*(?:from|import)\s+http\.server\b", re.M)),
)
_APP_OBJECT = re.compile(r"^(?P<name>[a-zA-Z_]\w*)\s*(?::[^=\n]+)?=\s*(?P<kind>FastAPI|Flask|Starlette)\(", re.M)
_HEALTH = re.compile(
    r"""["'](/(?:api/)?(?:-/)?(?:healthz?|health[-_]?check|livez|readyz|ready|ping|_health|status))/?["']"""
)
_HEALTH_ORDER = ("healthz", "health", "livez", "readyz", "ready", "ping", "status")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, and where it comes from. `sure`: it may be used as it is; else a person has to check it first."""

    value: str
    source: str
    sure: bool = True


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; None or empty: nothing was."""

    name: str
    base_branch: Found | None
    source_roots: tuple[str, ...]
    packages: tuple[str, ...]
    tests_dir: Found | None
    suite: Plan | None
    """What the project's own files say of what its tests need and how they are run."""
    frameworks: tuple[str, ...]
    start: tuple[Found, ...]
    health: Found | None


def survey_repository(root: Path) -> Survey:
    """Look at the git repository that holds this folder. Raises InputError if there is none."""
    files = _tracked_files(root)
    sources = {p: _read(root / p) for p in files if p.endswith(".py")}
    packages, roots = _packages(files)
    return Survey(
        name=re.sub(r"[^a-z0-9]+", "-", root.resolve().name.lower()).strip("-")[:63] or "service",
        base_branch=_base_branch(root),
        source_roots=roots,
        packages=packages,
        tests_dir=_tests_dir(files),
        suite=read_plan(Service(name="service"), root),
        frameworks=tuple(n for n, pattern in _FRAMEWORKS if any(pattern.search(t) for t in sources.values())),
        start=tuple(_start_commands(root, files, sources, roots)),
        health=_health(sources),
    )


def _git(root: Path, *arguments: str) -> str | None:
    """The output of a git command that only reads; None if it says no."""
    try:
        done = subprocess.run(
            ("git", "-C", str(root), *arguments), capture_output=True, timeout=GIT_TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise InputError("git is not installed", hint="apt-get install git") from error
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _tracked_files(root: Path) -> list[str]:
    if _git(root, "rev-parse", "--is-inside-work-tree") is None:
        raise InputError(f"{root} is in no git repository", hint="`git init`, commit, then `greenlane init`")
    listed = _git(root, "ls-files", "-z") or ""
    files = [f for f in listed.split("\0") if f]
    if not files:
        raise InputError(f"no file in {root} is tracked by git", hint="commit something first")
    return files[:MAX_FILES]


def _read(path: Path) -> str:
    try:
        if path.is_symlink() or path.stat().st_size > MAX_FILE_BYTES:
            return ""
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _base_branch(root: Path) -> Found | None:
    remote = _git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD")
    if remote:
        return Found(value=remote.strip().removeprefix("origin/"), source="origin's default branch")
    for name in ("main", "master", "trunk"):
        if _git(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}") is not None:
            return Found(value=name, source="a branch of that name exists")
    here = _git(root, "symbolic-ref", "--short", "HEAD")
    return Found(value=here.strip(), source="the branch that is checked out") if here else None


def _packages(files: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Importable packages (dotted top level), and the folders that go on the import path."""
    inits = [f.split("/") for f in files if f.endswith("/__init__.py")]
    in_src = sorted({p[1] for p in inits if len(p) == 3 and p[0] == "src"})
    flat = sorted({p[0] for p in inits if len(p) == 2 and p[0] not in ("src", "tests", "test", "docs")})
    if in_src:
        return tuple(in_src), ("src",)
    return tuple(flat), (".",)


def _tests_dir(files: list[str]) -> Found | None:
    for name in ("tests", "test"):
        if any(f.startswith(f"{name}/") and f.endswith(".py") for f in files):
            return Found(value=name, source=f"{name}/ holds Python files")
    return None


def _start_commands(root: Path, files: list[str], sources: dict[str, str], roots: tuple[str, ...]) -> Iterator[Found]:
    """Ways in which the service may start, the best evidence first."""
    yield from _from_procfile(_read(root / "Procfile") if "Procfile" in files else "")
    yield from _from_app_objects(sources, roots)
    if "manage.py" in files and "django" in sources["manage.py"]:
        yield Found(
            value="{python} manage.py runserver --noreload {host}:{port}", source="manage.py (a development server)"
        )
    yield from _from_dockerfile(_read(root / "Dockerfile") if "Dockerfile" in files else "")
    for path in sources:
        if path.endswith("/__main__.py") and not path.startswith(("tests/", "test/")):
            module = _module_of(path, roots).removesuffix(".__main__")
            yield Found(value=f"{{python}} -m {module} --host {{host}} --port {{port}}", source=path, sure=False)


def _from_procfile(text: str) -> Iterator[Found]:
    for line in text.splitlines():
        if line.startswith("web:"):
            command = re.sub(r"\$\{?PORT\}?", "{port}", line.removeprefix("web:").strip())
            command = re.sub(r"^python3? ", "{python} ", command.replace("0.0.0.0", "{host}"))
            yield Found(value=command, source="Procfile", sure="{port}" in command)


def _from_app_objects(sources: dict[str, str], roots: tuple[str, ...]) -> Iterator[Found]:
    objects = [
        (path, m["name"], m["kind"])
        for path, text in sources.items()
        if not path.startswith(("tests/", "test/", "docs/", "examples/"))
        for m in _APP_OBJECT.finditer(text)
    ]
    for path, name, kind in objects:
        target = f"{_module_of(path, roots)}:{name}"
        if kind == "Flask":
            command = f"{{python}} -m flask --app {target} run --host {{host}} --port {{port}}"
        else:
            command = f"{{python}} -m uvicorn {target} --host {{host}} --port {{port}}"
        yield Found(value=command, source=f"{path} makes a {kind} application", sure=len(objects) == 1)


def _from_dockerfile(text: str) -> Iterator[Found]:
    for line in reversed(text.splitlines()):
        match = re.match(r"\s*(CMD|ENTRYPOINT)\s+(.*)", line, re.I)
        if match:
            words = match[2].strip()
            try:
                parts = json.loads(words)
                words = " ".join(map(str, parts)) if isinstance(parts, list) else words
            except json.JSONDecodeError:
                pass
            command = re.sub(r"^python3? ", "{python} ", re.sub(r"\$\{?PORT\}?", "{port}", words))
            yield Found(value=command, source="Dockerfile", sure=False)
            return


def _module_of(path: str, roots: tuple[str, ...]) -> str:
    for root in roots:
        path = path.removeprefix(f"{root}/")
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _health(sources: dict[str, str]) -> Found | None:
    found = [
        (match[1], path)
        for path, text in sources.items()
        if not path.startswith(("tests/", "test/"))
        for match in _HEALTH.finditer(text)
    ]
    if not found:
        return None

    def rank(item: tuple[str, str]) -> int:
        word = item[0].rsplit("/", 1)[-1]
        return _HEALTH_ORDER.index(word) if word in _HEALTH_ORDER else len(_HEALTH_ORDER)

    value, source = min(found, key=rank)
    return Found(value=value, source=source)
