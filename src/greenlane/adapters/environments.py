"""`VenvEnvironments`: an interpreter with a project's dependencies, built once per set of dependency files and cached.

Without `commands.setup` it is Greenlane's own interpreter, which has pytest and coverage. With it, a virtual
environment is made and the setup command runs in it, in the sandbox, with the network on for that step only.

What is trusted: the setup command comes from the base's configuration, but `pip install .` runs the change's own build
code with the network on and with the package index's settings in reach. A project that minds installs from a lock file.
"""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import fcntl
import hashlib
import importlib.metadata
import io
import os
import shlex
import shutil
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement

from greenlane.domain.errors import ChangeError, FinalError
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.ports.environments import PythonEnvironment
from greenlane.ports.sandbox import Sandbox, SandboxJob, SandboxResult
from greenlane.suite.runner import copy_tree, remove_tree

_DEPENDENCY_FILES = (
    "requirements*.txt", "requirements*.in", "constraints*.txt", "requirements/**/*.txt", "requirements/**/*.in",
    "pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "*.lock", "pylock*.toml",
    "package.json", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.mod", "go.sum", "Cargo.toml",
    "Gemfile", "composer.json", "cpanfile", "pom.xml", "build.gradle", "build.gradle.kts", "gradle.lockfile",
)  # fmt: skip
_TOOLS = ("pytest", "coverage")
_SETUP_TIMEOUT_S = 900.0
_OUTPUT_LINES = 25
_READY = "ready"
_PIP_PATHS = ("cert", "client_cert", "client-cert")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


class VenvEnvironments:
    """Implements `ports.environments.Environments`. `cache_dir` may be shared by several processes."""

    def __init__(self, cache_dir: Path, sandbox: Sandbox, settings: Settings) -> None:
        self._cache = cache_dir
        self._sandbox = sandbox
        self._settings = settings

    async def prepare(self, service: Service, source: Path) -> PythonEnvironment:
        """The environment for this tree. Raises ChangeError, with the last lines of output, if it can't be made."""
        if not service.commands.setup:
            return own_environment()
        digest = await asyncio.to_thread(_digest_of, service.commands.setup, source)
        folder = self._cache.resolve() / digest[:24]
        async with _locked(folder.with_suffix(".lock")):
            if not (folder / _READY).is_file():
                await self._build(service.commands.setup, source, folder)
        return PythonEnvironment(
            python=folder / "venv" / "bin" / "python",
            read_only=(folder, Path(sys.base_prefix)),
            digest=f"sha256:{digest}",
            folder=folder / "source",
        )

    async def _build(self, setup: str, source: Path, folder: Path) -> None:
        """Build in place, since an environment can't be moved; the marker comes last, so half a one never counts."""
        await asyncio.to_thread(_lay_out, folder, source)
        result = await self._sandbox.run(self._setup_job(setup, folder))
        if result.exit_code != 0 or result.stopped:
            await asyncio.to_thread(remove_tree, folder)
            raise ChangeError(_explain(setup, result), hint="the setup command has to work on a clean checkout")
        await asyncio.to_thread(_add_tools, folder / "venv")
        await asyncio.to_thread(shutil.rmtree, folder / "index", ignore_errors=True)  # it may hold a password
        (folder / _READY).touch()

    def _setup_job(self, setup: str, folder: Path) -> SandboxJob:
        python = folder / "venv" / "bin" / "python"
        command = setup.replace("{python}", shlex.quote(str(python)))
        variables, files = _index_settings(os.environ, folder / "index")
        limits = self._settings.sandbox
        return SandboxJob(
            argv=("/bin/sh", "-c", f"cd source && {command}"),
            workdir=folder,
            read_only=(*own_environment().read_only, *files),
            env=(
                ("PATH", f"{python.parent}:/usr/local/bin:/usr/bin:/bin"),
                ("VIRTUAL_ENV", str(folder / "venv")),
                *variables.items(),
            ),
            timeout_s=_SETUP_TIMEOUT_S,
            memory_mb=limits.memory_mb,
            max_processes=limits.max_processes,
            max_file_mb=limits.max_file_mb,
            max_output_bytes=limits.max_output_kb << 10,
            network=True,
        )


def own_environment() -> PythonEnvironment:
    """Greenlane's own interpreter, and the folders that it reads."""
    folders = dict.fromkeys(Path(path) for path in (sys.prefix, sys.base_prefix, *_library_folders()))
    versions = [f"{name}=={importlib.metadata.version(name)}" for name in _TOOLS]
    identity = "\n".join([sys.version, sys.executable, *versions])
    return PythonEnvironment(
        python=Path(sys.executable),
        read_only=tuple(folders),
        digest=f"sha256:{hashlib.sha256(identity.encode()).hexdigest()}",
    )


def _library_folders() -> list[str]:
    """Where the tools really lie: a system's interpreter may keep packages outside its prefix."""
    found = [sysconfig.get_paths()[name] for name in ("purelib", "platlib", "stdlib")]
    for name in _TOOLS:
        found.append(str(Path(str(importlib.metadata.distribution(name).locate_file(""))).resolve()))
    return [path for path in found if Path(path).is_dir() and not Path(path).is_relative_to(sys.prefix)]


def _digest_of(setup: str, source: Path) -> str:
    """What the environment depends on: the interpreter, the command, and the content of the dependency files."""
    digest = hashlib.sha256(f"{sys.version}\n{sys.base_prefix}\n{setup}\n".encode())
    paths = {path for pattern in _DEPENDENCY_FILES for path in source.glob(pattern) if path.is_file()}
    for path in sorted(paths):
        if path.resolve().is_relative_to(source.resolve()):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(source)}\0{content}\n".encode())
    return digest.hexdigest()


@contextlib.asynccontextmanager
async def _locked(path: Path):  # type: ignore[no-untyped-def]  # an async context manager of nothing
    """One builder at a time, over all processes; a killed one lets go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield


def _lay_out(folder: Path, source: Path) -> None:
    if folder.exists():
        remove_tree(folder)
    folder.mkdir(parents=True)
    copy_tree(source, folder / "source")
    (folder / "index").mkdir()
    venv.EnvBuilder(symlinks=True, with_pip=True).create(folder / "venv")


def _explain(setup: str, result: SandboxResult) -> str:
    lines = (result.stdout + result.stderr).strip().splitlines()[-_OUTPUT_LINES:]
    how = f"was stopped ({result.stopped})" if result.stopped else f"ended with {result.exit_code}"
    return "\n".join([f"the dependencies can't be installed: `{setup}` {how}", *lines])


# ------------------------------------------------------------------ pytest and coverage


def _add_tools(environment: Path) -> None:
    """Put copies of pytest and coverage behind the project's own packages: what the project installed comes first."""
    site = next(environment.glob("lib/python*/site-packages"), None)
    if site is None:
        raise FinalError(f"{environment} has no site-packages folder")
    tools = environment / "greenlane-tools"
    for name in _closure(_TOOLS):
        _copy_distribution(name, tools)
    (site / "zz-greenlane-tools.pth").write_text(f"{tools}\n", encoding="utf-8")


def _closure(names: tuple[str, ...]) -> tuple[str, ...]:
    """These distributions and all that they need, as they are installed beside Greenlane."""
    waiting, found = list(names), dict[str, None]()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = None
        for line in importlib.metadata.requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return tuple(found)


def _copy_distribution(name: str, into: Path) -> None:
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or ():
        if ".." in file.parts or "__pycache__" in file.parts or file.suffix == ".pth":
            continue
        source, target = Path(str(distribution.locate_file(file))), into / file
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


# ------------------------------------------------------------------ the package index


def _index_settings(environ: Mapping[str, str], folder: Path) -> tuple[dict[str, str], tuple[Path, ...]]:
    """The user's own pip settings for the network step: variables, and the files (certificates) that they name.

    The user's configuration files are not visible inside, so they are merged into one that is (later ones win, as pip
    has it). They may hold a password for the index: nothing else may.
    """
    names = {*_CERTIFICATES, *_PROXIES, *(n.lower() for n in _PROXIES)}
    variables = {n: v for n, v in environ.items() if n in names or (n.startswith("PIP_") and n != "PIP_CONFIG_FILE")}
    merged = configparser.RawConfigParser()
    for path in _pip_files(environ):
        with contextlib.suppress(configparser.Error, OSError, UnicodeDecodeError):
            merged.read(path, encoding="utf-8")
    text = io.StringIO()
    merged.write(text)
    configuration = folder / "pip.conf"
    configuration.write_text(text.getvalue(), encoding="utf-8")
    variables |= {"PIP_CONFIG_FILE": str(configuration), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1"}
    named = [variables[n] for n in _CERTIFICATES if n in variables]
    named += [
        merged.get(section, option)
        for section in merged.sections()
        for option in merged.options(section)
        if option in _PIP_PATHS
    ]
    links = [variables.get("PIP_FIND_LINKS", ""), *_options(merged, "find-links")]
    named += [word for line in links for word in line.split() if word.startswith("/")]
    return variables, tuple(dict.fromkeys(Path(n) for n in named if n and Path(n).exists()))


def _options(merged: configparser.RawConfigParser, name: str) -> Iterator[str]:
    for section in merged.sections():
        if merged.has_option(section, name):
            yield merged.get(section, name)


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Where pip looks, in its order (https://pip.pypa.io/en/stable/topics/configuration/)."""
    home = Path(environ.get("HOME", "/nonexistent"))
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    named = environ.get("PIP_CONFIG_FILE")
    return [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        config_home / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
        *([Path(named)] if named else []),
    ]
