"""`VenvEnvironments`: an interpreter with a project's dependencies, built once per set of dependency files and cached.

With `commands.setup`, a virtual environment is made and that command runs in it, in the sandbox. Without it, what the
project's own files say is installed (`suite/project`); where they say nothing, it is Greenlane's own interpreter, which
has pytest and coverage. Both builds reach the package index and nothing else (`index_gate.py`).

What is trusted: a setup command comes from the base's configuration, but `pip install .` runs the change's own build
code. What is found without one installs packages of the index alone, and runs nothing of the change.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import shlex
import shutil
import sys
import sysconfig
import venv
from pathlib import Path

import msgspec

from greenlane.adapters.environment_tools import TOOLS, add_metadata, add_tools, make_environment, tool_versions
from greenlane.adapters.index_gate import IndexGate
from greenlane.adapters.package_index import IndexSettings, read_index_settings
from greenlane.adapters.project_files import read_plan
from greenlane.domain.errors import ChangeError
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.ports.environments import FoundSuite, PythonEnvironment
from greenlane.ports.sandbox import Sandbox, SandboxJob, SandboxResult
from greenlane.suite.project import Plan, found_suite
from greenlane.suite.runner import copy_tree, remove_tree

_DEPENDENCY_FILES = (
    "requirements*.txt", "requirements*.in", "constraints*.txt", "requirements/**/*.txt", "requirements/**/*.in",
    "pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "*.lock", "pylock*.toml",
    "package.json", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.mod", "go.sum", "Cargo.toml",
    "Gemfile", "composer.json", "cpanfile", "pom.xml", "build.gradle", "build.gradle.kts", "gradle.lockfile",
)  # fmt: skip
_SETUP_TIMEOUT_S = 900.0
_OUTPUT_LINES = 25
_READY = "ready"
_GATED = ("bubblewrap", "namespaces")
"""Sandboxes whose jobs have a network of their own, so that the gate is the only way out."""
_FORWARD = Path(__file__).parent / "sandbox" / "forward.py"
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_HINT = "the setup has to work on a clean checkout; commands.setup says it where Greenlane can't find it out"
_INSTALL = """\
set -e
if [ -s plan/pinned.txt ]; then {python} -m pip install -q --no-deps --require-hashes -r plan/pinned.txt; fi
if [ -s plan/loose.txt ]; then {python} -m pip install -q -r plan/loose.txt -c plan/constraints.txt; fi
"""


class VenvEnvironments:
    """Implements `ports.environments.Environments`. `cache_dir` may be shared by several processes."""

    def __init__(self, cache_dir: Path, sandbox: Sandbox, settings: Settings) -> None:
        self._cache = cache_dir
        self._sandbox = sandbox
        self._settings = settings

    async def prepare(self, service: Service, source: Path) -> PythonEnvironment:
        """The environment for this tree. Raises ChangeError, with the last lines of output, if it can't be made."""
        plan = None
        if service.tests.kind != "command":
            plan = await asyncio.to_thread(read_plan, service, source)
        found = found_suite(plan) if plan else None
        if service.commands.setup:
            return await self._by_command(service.commands.setup, source, found)
        if plan is None or service.commands.setup is not None or not (plan.name or plan.installs):
            return msgspec.structs.replace(own_environment(), found=found)
        return await self._by_plan(plan, found)

    async def _by_command(self, setup: str, source: Path, found: FoundSuite | None) -> PythonEnvironment:
        digest = await asyncio.to_thread(_digest_of, setup, source)
        folder = self._cache.resolve() / digest[:24]
        async with _locked(folder.with_suffix(".lock")):
            if not (folder / _READY).is_file():
                await asyncio.to_thread(_lay_out, folder, source)
                what = f"the dependencies can't be installed: `{setup}`"
                await self._install(folder, f"cd source && {_with_python(setup, folder)}", what)
                await asyncio.to_thread(add_tools, folder / "venv")
                (folder / _READY).touch()
        return _environment(folder, digest, found, folder / "source")

    async def _by_plan(self, plan: Plan, found: FoundSuite | None) -> PythonEnvironment:
        digest = _digest_of_plan(plan)
        folder = self._cache.resolve() / digest[:24]
        async with _locked(folder.with_suffix(".lock")):
            if not (folder / _READY).is_file():
                await asyncio.to_thread(_lay_out_plan, folder, plan)
                if plan.installs:
                    what = (
                        f"the dependencies that the project names ({'; '.join(plan.reasons)}) can't be installed: pip"
                    )
                    await self._install(folder, _with_python(_INSTALL, folder), what)
                await asyncio.to_thread(add_tools, folder / "venv")
                await asyncio.to_thread(add_metadata, folder / "venv", plan)
                (folder / _READY).touch()
        return _environment(folder, digest, found, None)

    async def _install(self, folder: Path, script: str, what: str) -> None:
        """Build in place, since an environment can't be moved; a marker comes last, so half a one never counts."""
        index = await asyncio.to_thread(read_index_settings, os.environ, folder / "index")
        gate = IndexGate(index, frozenset(_named_hosts(self._settings.sandbox.setup_hosts)))
        async with gate.open(folder / "index" / "gate"):
            result = await self._sandbox.run(self._setup_job(script, folder, index))
        if result.exit_code != 0 or result.stopped:
            await asyncio.to_thread(remove_tree, folder)
            raise ChangeError(_explain(what, result, gate.refused), hint=_HINT)
        await asyncio.to_thread(shutil.rmtree, folder / "index", ignore_errors=True)  # it may hold a password

    def _setup_job(self, script: str, folder: Path, index: IndexSettings) -> SandboxJob:
        limits = self._settings.sandbox
        gated = self._sandbox.kind in _GATED
        forward = (sys.executable, "-I", "-S", str(folder / "index" / "forward.py"), "index/gate") if gated else ()
        proxies = () if gated or not index.proxy else _proxies(index)
        return SandboxJob(
            argv=(*forward, "/bin/sh", "-c", script),
            workdir=folder,
            read_only=(*own_environment().read_only, *index.files),
            env=(*_variables(folder).items(), *index.variables.items(), *proxies),
            timeout_s=_SETUP_TIMEOUT_S,
            memory_mb=limits.memory_mb,
            max_processes=limits.max_processes,
            max_file_mb=limits.max_file_mb,
            max_output_bytes=limits.max_output_kb << 10,
            network=not gated,
        )


def _environment(folder: Path, digest: str, found: FoundSuite | None, source: Path | None) -> PythonEnvironment:
    return PythonEnvironment(
        python=folder / "venv" / "bin" / "python",
        read_only=(folder, Path(sys.base_prefix)),
        digest=f"sha256:{digest}",
        folder=source,
        found=found,
        variables=tuple(_variables(folder).items()),
    )


def _variables(folder: Path) -> dict[str, str]:
    return {"PATH": f"{folder}/venv/bin:{_SYSTEM_PATH}", "VIRTUAL_ENV": str(folder / "venv")}


def _proxies(index: IndexSettings) -> tuple[tuple[str, str], ...]:
    """The user's own proxy, for a job that reaches the network by itself."""
    names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "PIP_PROXY")
    direct = ",".join(index.direct)
    return (*((name, index.proxy) for name in names), ("NO_PROXY", direct), ("no_proxy", direct))


def _with_python(command: str, folder: Path) -> str:
    return command.replace("{python}", shlex.quote(str(folder / "venv" / "bin" / "python")))


def _named_hosts(names: tuple[str, ...]) -> list[tuple[str, int]]:
    """`host` or `host:port` as the gate takes them."""
    pairs = (name.lower().partition(":") for name in names)
    return [(host, int(port or 443)) for host, _, port in pairs]


def own_environment() -> PythonEnvironment:
    """Greenlane's own interpreter, and the folders that it reads."""
    folders = dict.fromkeys(Path(path) for path in (sys.prefix, sys.base_prefix, *_library_folders()))
    identity = "\n".join([sys.version, sys.executable, *tool_versions()])
    return PythonEnvironment(
        python=Path(sys.executable),
        read_only=tuple(folders),
        digest=f"sha256:{hashlib.sha256(identity.encode()).hexdigest()}",
    )


def _library_folders() -> list[str]:
    """Where the tools really lie: a system's interpreter may keep packages outside its prefix."""
    found = [sysconfig.get_paths()[name] for name in ("purelib", "platlib", "stdlib")]
    for name in TOOLS:
        found.append(str(Path(str(importlib.metadata.distribution(name).locate_file(""))).resolve()))
    return [path for path in found if Path(path).is_dir() and not Path(path).is_relative_to(sys.prefix)]


def _digest_of(setup: str, source: Path) -> str:
    """What the environment depends on: the interpreter, the tools, the command, and the content of the dependency
    files."""
    digest = hashlib.sha256("\n".join([*_grounds(), setup, ""]).encode())
    paths = {path for pattern in _DEPENDENCY_FILES for path in source.glob(pattern) if path.is_file()}
    for path in sorted(paths):
        if path.resolve().is_relative_to(source.resolve()):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(source)}\0{content}\n".encode())
    return digest.hexdigest()


def _digest_of_plan(plan: Plan) -> str:
    """What such an environment depends on: the interpreter, the tools and what is installed, whatever else the project
    holds."""
    content = (plan.pinned, plan.loose, plan.constraints, plan.name, plan.version, plan.entry_points)
    return hashlib.sha256("\n".join([*_grounds(), ""]).encode() + msgspec.json.encode(content)).hexdigest()


def _grounds() -> tuple[str, ...]:
    return sys.version, sys.base_prefix, *tool_versions()


@contextlib.asynccontextmanager
async def _locked(path: Path):  # type: ignore[no-untyped-def]  # an async context manager of nothing
    """One builder at a time, over all processes; a killed one lets go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield


def _lay_out(folder: Path, source: Path) -> None:
    _clear(folder)
    copy_tree(source, folder / "source")
    venv.EnvBuilder(symlinks=True, with_pip=True).create(folder / "venv")


def _lay_out_plan(folder: Path, plan: Plan) -> None:
    _clear(folder)
    (folder / "plan").mkdir()
    for name, lines in (("pinned", plan.pinned), ("loose", plan.loose), ("constraints", plan.constraints)):
        (folder / "plan" / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    make_environment(folder / "venv", with_pip=plan.installs)


def _clear(folder: Path) -> None:
    if folder.exists():
        remove_tree(folder)
    (folder / "index").mkdir(parents=True)
    shutil.copyfile(_FORWARD, folder / "index" / "forward.py")


def _explain(what: str, result: SandboxResult, refused: tuple[str, ...]) -> str:
    lines = (result.stdout + result.stderr).strip().splitlines()[-_OUTPUT_LINES:]
    how = f"was stopped ({result.stopped})" if result.stopped else f"ended with {result.exit_code}"
    said = [f"{what} {how}", *lines]
    if refused:
        said.append(
            f"refused, since the build step reaches the package index alone: {', '.join(refused)} "
            "(sandbox.setup_hosts lets more through)"
        )
    return "\n".join(said)
