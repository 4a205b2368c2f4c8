"""The distributions that a repository declares: what its manifests and lock files name, on one side of a change.

Names are compared, not versions: a version bump is no new dependency. Development tools (test, docs and lint groups)
are told apart from what production runs.
"""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from greenlane.analyzers import files

_DEVELOPMENT = re.compile(r"dev|test|doc|lint|typing|mypy|style|ci$|bench|check|format|build", re.IGNORECASE)
_REQUIREMENTS = re.compile(
    r"(^|/)([\w.-]*requirements?[\w.-]*|constraints[\w.-]*)\.(txt|in|lock)$|(^|/)requirements/[^/]+\.(txt|in)$"
)
_TOML_LOCKS = frozenset({"poetry.lock", "uv.lock", "pdm.lock"})


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution that a file names. `source` is its direct address, if it has one; `locked` comes from a lock
    file, so it may only be there because something else needs it."""

    name: str
    line: int = 0
    quotation: str = ""
    development: bool = False
    locked: bool = False
    source: str = ""


def is_manifest(path: str) -> bool:
    name = PurePosixPath(path).name
    return name in _TOML_LOCKS | {"pyproject.toml", "setup.cfg", "setup.py", "Pipfile"} or bool(
        _REQUIREMENTS.search(path)
    )


def declared_in(path: str, text: str) -> tuple[Declared, ...]:
    """What this manifest declares. Raises ValueError if it can't be read."""
    name = PurePosixPath(path).name
    if _REQUIREMENTS.search(path):
        return _from_requirements(path, text)
    if name == "setup.py":
        found = _from_setup_py(text)
    elif name == "setup.cfg":
        found = _from_setup_cfg(text)
    else:
        try:
            document = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ValueError(f"not valid TOML: {error}") from error
        if name in _TOML_LOCKS:
            found = [
                Declared(name=canonicalize_name(str(p.get("name", ""))), locked=True)
                for p in document.get("package", ())
                if isinstance(p, dict)
            ]
        else:
            found = _from_pyproject(document) if name == "pyproject.toml" else _from_pipfile(document)
    return tuple(_with_place(d, text) for d in found)


def index_addresses(text: str) -> dict[str, int]:
    """Package indexes that a requirements file names, with their lines."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*(-i|--index-url|--extra-index-url|--find-links|-f)[=\s]+(\S+)", line)
        if match:
            found[match[2]] = number
    return found


def _with_place(declared: Declared, text: str) -> Declared:
    wanted = re.compile(
        r"(?<![\w.-])" + re.sub(r"[-_.]+", "[-_.]+", re.escape(declared.name).replace("\\-", "-")) + r"(?![\w-])", re.I
    )
    for number, line in enumerate(text.splitlines(), 1):
        if wanted.search(line):
            return msgspec.structs.replace(declared, line=number, quotation=line.strip()[:200])
    return declared


def _requirement(text: str) -> tuple[str, str] | None:
    """(canonical name, direct address) of a requirement; None if it is none."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        match = re.match(r"(?:-e\s+)?((?:git|hg|svn|bzr)\+\S+|https?://\S+)", text)
        if not match:
            return None
        egg = re.search(r"[#&]egg=([\w.-]+)", match[1])
        name = egg[1] if egg else PurePosixPath(match[1].split("@")[0].split("#")[0]).stem
        return canonicalize_name(name), match[1]
    return canonicalize_name(requirement.name), requirement.url or ""


def _from_requirements(path: str, text: str) -> tuple[Declared, ...]:
    locked = path.endswith(".lock") or "--hash=" in text or bool(re.search(r"^\s+# via ", text, re.MULTILINE))
    development = bool(_DEVELOPMENT.search(PurePosixPath(path).stem))
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).split("--hash")[0].strip().rstrip("\\").strip()
        if not line or (line.startswith("-") and not line.startswith("-e ")):
            continue
        read = _requirement(line)
        if read:
            found.append(
                Declared(
                    name=read[0], source=read[1], line=number, quotation=raw.strip()[:200],
                    development=development, locked=locked,
                )
            )  # fmt: skip
    return tuple(found)


def _group(items: Iterable[object], *, development: bool) -> list[Declared]:
    read = [_requirement(item) for item in items if isinstance(item, str)]
    return [Declared(name=r[0], source=r[1], development=development) for r in read if r]


def _table(node: object, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _from_pyproject(document: Mapping[str, Any]) -> list[Declared]:
    project = _table(document, "project")
    found = _group(_items(project.get("dependencies")), development=False)
    for name, items in _table(project, "optional-dependencies").items():
        found += _group(_items(items), development=bool(_DEVELOPMENT.search(name)))
    for items in _table(document, "dependency-groups").values():
        found += _group(_items(items), development=True)
    found += _group(_items(_table(document, "build-system").get("requires")), development=True)
    poetry = _table(document, "tool", "poetry")
    found += _poetry(_table(poetry, "dependencies"), development=False)
    found += _poetry(_table(poetry, "dev-dependencies"), development=True)
    for name, group in _table(poetry, "group").items():
        found += _poetry(_table(group, "dependencies"), development=bool(_DEVELOPMENT.search(name)))
    return found


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _poetry(table: Mapping[str, Any], *, development: bool) -> list[Declared]:
    found = []
    for name, wanted in table.items():
        source = str(wanted.get("git") or wanted.get("url") or "") if isinstance(wanted, dict) else ""
        if name.lower() != "python":
            found.append(Declared(name=canonicalize_name(name), source=source, development=development))
    return found


def _from_pipfile(document: Mapping[str, Any]) -> list[Declared]:
    return _poetry(_table(document, "packages"), development=False) + _poetry(
        _table(document, "dev-packages"), development=True
    )


def _from_setup_cfg(text: str) -> list[Declared]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(f"not a valid setup.cfg: {error}") from error
    found = _group(parser.get("options", "install_requires", fallback="").splitlines(), development=False)
    if parser.has_section("options.extras_require"):
        for name, value in parser.items("options.extras_require"):
            found += _group(value.splitlines(), development=bool(_DEVELOPMENT.search(name)))
    return found


def _from_setup_py(text: str) -> list[Declared]:
    """Literal lists only: `setup.py` is never run."""
    try:
        tree = files.parse_python(text)
    except files.UnreadableError as error:
        raise ValueError(str(error)) from error
    lists = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: list[Declared] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("install_requires", "setup_requires", "tests_require"):
            value = lists.get(node.value.id, node.value) if isinstance(node.value, ast.Name) else node.value
            if isinstance(value, ast.List | ast.Tuple):
                texts = [e.value for e in value.elts if isinstance(e, ast.Constant)]
                found += _group(texts, development=node.arg != "install_requires")
    return found
