"""What an environment gets besides its dependencies: pytest and coverage, and the metadata of the project itself.

The project is not installed: its sources are on the import path, and they are those of the change at hand, whatever
environment it shares with others. What an installation would add (its name, version and entry points) is written
here, from its own words, without running its build.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import shutil
import venv
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from greenlane.domain.errors import FinalError
from greenlane.suite.project import Plan

TOOLS = ("pytest", "coverage")


def tool_versions() -> tuple[str, ...]:
    """What `add_tools` copies, as pinned requirements."""
    return tuple(f"{name}=={importlib.metadata.version(name)}" for name in TOOLS)


def make_environment(folder: Path, *, with_pip: bool) -> None:
    """A virtual environment; its pip is a copy of Greenlane's own, compiled files included, which takes a tenth of the
    time of an installation. Where there is none, one is installed."""
    own = with_pip and _is_installed("pip")
    venv.EnvBuilder(symlinks=True, with_pip=with_pip and not own).create(folder)
    if own:
        _copy_distribution("pip", _site(folder), compiled=True)


def _is_installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.distribution(name).files)
    except importlib.metadata.PackageNotFoundError:
        return False


def add_tools(environment: Path) -> None:
    """Put copies of pytest and coverage behind the project's own packages: what the project installed comes first.

    Of coverage the newer one does: it is Greenlane that measures, and one that a project pinned long ago may be older
    than the interpreter, and end every process that it is started in.
    """
    site = _site(environment)
    tools = environment / "greenlane-tools"
    for name in _closure(TOOLS):
        _copy_distribution(name, tools)
    lines = [str(tools)]
    if _is_outdated(site, "coverage"):
        measure = environment / "greenlane-measure"
        for name in _closure(("coverage",)):
            _copy_distribution(name, measure)
        lines.append(f"import sys; sys.path.insert(0, {str(measure)!r})")
    (site / "zz-greenlane-tools.pth").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _is_outdated(site: Path, name: str) -> bool:
    """Whether a distribution is there in an older version than the one beside Greenlane."""
    found = importlib.metadata.distributions(name=name, path=[str(site)])
    own = Version(importlib.metadata.version(name))
    with contextlib.suppress(InvalidVersion):
        return any(Version(distribution.version) < own for distribution in found)
    return True


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


def _copy_distribution(name: str, into: Path, *, compiled: bool = False) -> None:
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or ():
        if ".." in file.parts or ("__pycache__" in file.parts and not compiled) or file.suffix == ".pth":
            continue
        source, target = Path(str(distribution.locate_file(file))), into / file
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def add_metadata(environment: Path, plan: Plan) -> None:
    """Let the environment know the project's name, version and entry points, and give its console scripts."""
    if not plan.name:
        return
    site = _site(environment)
    folder = site / f"{plan.name.replace('-', '_')}-{plan.version}.dist-info"
    if folder.exists():
        return  # the project is among its own dependencies
    folder.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {plan.name}\nVersion: {plan.version}\n"
    (folder / "METADATA").write_text(metadata, encoding="utf-8")
    (folder / "INSTALLER").write_text("greenlane\n", encoding="utf-8")
    lines: list[str] = []
    for group in dict.fromkeys(group for group, _, _ in plan.entry_points):
        lines += [f"[{group}]", *(f"{name} = {target}" for g, name, target in plan.entry_points if g == group)]
    (folder / "entry_points.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    for group, name, target in plan.entry_points:
        if group == "console_scripts":
            _write_script(environment / "bin" / name, environment / "bin" / "python", target)


def _write_script(path: Path, python: Path, target: str) -> None:
    """A script that calls an object. Its second line starts the interpreter to a shell, and is a text to Python: the
    first alone may hold no long path."""
    if path.exists() or path.is_symlink():
        return  # what a dependency installed, or the interpreter itself
    module, _, attribute = target.partition(":")
    lines = ("#!/bin/sh", f'"exec" "{python}" "$0" "$@"', "import sys", f"import {module}")
    path.write_text("\n".join([*lines, f"sys.exit({module}.{attribute or 'main'}())", ""]), encoding="utf-8")
    path.chmod(0o755)


def _site(environment: Path) -> Path:
    site = next(environment.glob("lib/python*/site-packages"), None)
    if site is None:
        raise FinalError(f"{environment} has no site-packages folder")
    return site
