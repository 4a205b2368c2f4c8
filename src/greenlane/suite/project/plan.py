"""What a project's own files say of how it is tested: a decision from their texts, with its reasons.

Nothing is run for it. What it gives is a list of requirements that an installer gets, and the words of a command that
runs tests: both end in the sandbox. What can't be understood is said, together with the setting that says it instead.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from packaging.utils import canonicalize_name

from greenlane.suite.project.command import choose_command
from greenlane.suite.project.locks import LOCKS, Environment, Graph, fits_python, pick_packages, read_lock
from greenlane.suite.project.manifest import read_manifest
from greenlane.suite.project.nox import read_nox
from greenlane.suite.project.requirements import read_requirements
from greenlane.suite.project.tox import TREE, read_tox
from greenlane.suite.project.words import (
    MAX_NOTES,
    Needs,
    Read,
    Suite,
    chosen_names,
    inside,
    join_needs,
    parse_requirement,
    table,
    texts,
    written,
)  # fmt: skip

_TEST_FILES = (
    "requirements-test.txt", "requirements-tests.txt", "requirements-testing.txt", "requirements_test.txt",
    "requirements_tests.txt", "requirements_testing.txt", "test-requirements.txt", "test_requirements.txt",
    "tests/requirements.txt", "test/requirements.txt", "requirements/test.txt", "requirements/tests.txt",
    "requirements/testing.txt",
)  # fmt: skip
_DEV_FILES = (
    "requirements-dev.lock", "requirements-dev.txt", "requirements_dev.txt", "dev-requirements.txt",
    "requirements/dev.txt", "requirements/development.txt", "requirements/local.txt",
)  # fmt: skip
_BASE_FILES = ("requirements.lock", "requirements.txt", "requirements/base.txt", "requirements/requirements.txt")
_DJANGO_FOLDERS = ("", "src", "app", "backend", "server", "project")
_OWN_VARIABLES = ("GREENLANE_", "COVERAGE_", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "LD_", "PYTHONPATH", "PYTHONHOME")
_OWN_NAMES = frozenset({"PATH", "HOME", "TMPDIR", "PYTHONHASHSEED", "TZ", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"})
SET_SETUP = "set commands.setup where the tests need it"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a project's tests get what they need, and how they are run. Texts are safe to hand on: parsed and written
    anew, or quoted."""

    folder: str = ""
    """Of the project in the tree; empty: the tree itself."""
    pinned: tuple[str, ...] = ()
    """Lines with hashes, installed as they are, without looking for what they need."""
    loose: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    test: str | None = None
    """The command that runs the tests; None: pytest, as always."""
    variables: tuple[tuple[str, str], ...] = ()
    """`{tree}` in a value stands for the folder of the sources."""
    source_roots: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """What the project's build would write into the tree (a module with the version)."""
    name: str = ""
    version: str = ""
    entry_points: tuple[tuple[str, str, str], ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be understood or can't be done, for people."""

    @property
    def installs(self) -> bool:
        return bool(self.pinned or self.loose)


def plan_project(folders: Iterable[str], read: Read, environment: Environment) -> Plan | None:
    """The plan for the first of these folders of the tree that holds a project; None where there is nothing to go by.

    `environment` holds the values of markers on the machine that will install.
    """
    for folder in folders:
        plan = _Planner(folder, read, environment).plan()
        if plan is not None:
            return plan
    return None


class _Planner:
    def __init__(self, folder: str, read: Read, environment: Environment) -> None:
        self._folder = folder
        self._read = read
        self._environment = environment
        self._manifest = read_manifest(folder, read)
        self._manage = self._find_manage()
        self._reasons: list[str] = []

    def plan(self) -> Plan | None:
        manifest = self._manifest
        python = self._environment["python_version"]
        suites = [
            s
            for s in (read_tox(self._folder, self._read, python, manifest.settings), read_nox(self._folder, self._read))
            if s
        ]
        lock = self._lock()
        needs = self._needs(suites, locked=lock is not None)
        wanted, self_notes = self._resolved(needs)
        pinned = tuple(line for line in wanted if " --hash=" in line)
        loose = tuple(line for line in wanted if " --hash=" not in line)
        local, notes = needs.local, [*manifest.notes, *needs.notes, *self_notes]
        if lock is not None:
            picked = pick_packages(lock[1], loose, self._environment)
            pinned, loose, local = (*pinned, *picked.pins), picked.unlocked, (*local, *picked.local)
            notes += picked.notes
            self._reasons.append(f"{lock[0]}: {len(picked.pins)} packages by their hashes")
        test = self._test(suites, (*pinned, *loose))
        if not (manifest.name or pinned or loose or test or self._reasons):
            return None
        return Plan(
            folder=self._folder,
            pinned=pinned,
            loose=loose,
            constraints=needs.constraints,
            test=test,
            variables=tuple((self._django_settings() | dict(_variables(suites))).items()),
            source_roots=self._roots(local),
            files=manifest.written_files,
            name=manifest.name,
            version=manifest.version,
            entry_points=manifest.entry_points,
            reasons=tuple(self._reasons),
            notes=tuple(dict.fromkeys((*notes, *self._doubts())))[:MAX_NOTES],
        )

    def _at(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def _lock(self) -> tuple[str, Graph] | None:
        """The nearest lock file, of this folder or one above."""
        folder = self._folder
        while True:
            for name in LOCKS:
                path = f"{folder}/{name}" if folder else name
                text = self._read(path)
                if text is not None and (graph := read_lock(name, text)):
                    return path, graph
            if not folder:
                return None
            folder = folder.rpartition("/")[0]

    # -------------------------------------------------------------- what is needed

    def _needs(self, suites: list[Suite], *, locked: bool) -> Needs:
        """What the tests need: by the tool that runs them, if it says so, else by groups, extras or files named so."""
        manifest = self._manifest
        own = Needs(requirements=manifest.dependencies.requirements, notes=manifest.dependencies.notes)
        if manifest.dependencies:
            self._reasons.append(f"{manifest.source}: the project's own dependencies")
        asked = next((suite for suite in suites if suite.needs), None)
        if asked:
            self._reasons.append(f"{asked.source}: {_described(asked.needs)}")
        if asked and (asked.needs.extras or asked.needs.groups or _has_pytest(asked.needs)):
            named = Needs()
        else:
            named = self._named()
        if not locked and not (named or (asked and manifest.declares)):
            named = self._from_files()
        elif not locked and not manifest.declares:
            named = join_needs(named, self._from_files(_BASE_FILES))
        return join_needs(own, asked.needs if asked else Needs(), named)

    def _named(self) -> Needs:
        """Groups and extras that are made for tests, all of them; else those for developers."""
        groups, extras = self._manifest.groups, self._manifest.extras
        chosen = chosen_names(dict.fromkeys((*groups, *extras)))
        found = Needs(groups=tuple(n for n in chosen if n in groups), extras=tuple(n for n in chosen if n in extras))
        found = found or self._from_hatch()
        if found:
            self._reasons.append(f"{self._manifest.source}: {_described(found)}")
        return found

    def _from_hatch(self) -> Needs:
        environments = table(table(self._manifest.settings.get("hatch")).get("envs"))
        for name in ("hatch-test", "test", "tests", "default", "dev"):
            given = table(environments.get(name))
            words = [*texts(given.get("dependencies")), *texts(given.get("extra-dependencies"))]
            good = tuple(written(found) for word in words if (found := parse_requirement(word)))
            if good or given.get("features"):
                return Needs(requirements=good, extras=tuple(texts(given.get("features"))))
        return Needs()

    def _from_files(self, only: tuple[str, ...] = ()) -> Needs:
        """Requirements files with the names that people give them."""
        found: list[Needs] = []
        used: list[str] = []

        def take(names: Iterable[str]) -> None:
            for name in names:
                needs = read_requirements(self._at(name), self._folder, self._read)
                if needs is not None:
                    found.append(needs)
                    used.append(name)
                    return

        take(only or (*_TEST_FILES, *_DEV_FILES))
        if not only and (not used or not (self._manifest.dependencies or used[0].endswith(".lock"))):
            take(_BASE_FILES)
        if used:
            self._reasons.append(f"{' and '.join(used)}: requirements")
        return join_needs(*found)

    def _resolved(self, needs: Needs) -> tuple[tuple[str, ...], list[str]]:
        """All requirements, with those of the extras and groups that were asked for; and names that nobody offers."""
        manifest = self._manifest
        offered: dict[str, dict[str, Needs]] = {
            "extra": {canonicalize_name(n): v for n, v in manifest.extras.items()},
            "group": {canonicalize_name(n): v for n, v in manifest.groups.items()},
        }
        waiting = [("extra", n) for n in needs.extras] + [("group", n) for n in needs.groups]
        lines = list(needs.requirements)
        seen: set[tuple[str, str]] = set()
        notes: list[str] = []
        done: dict[str, None] = {}
        while waiting or lines:
            if not lines:
                kind, name = waiting.pop(0)
                key = (kind, canonicalize_name(name))
                if key in seen:
                    continue
                seen.add(key)
                found = offered[kind].get(key[1])
                if found is None:
                    notes.append(f"the project has no {kind} {name!r}, which its tests ask for")
                else:
                    lines += found.requirements
                    notes += found.notes
                continue
            line = lines.pop(0)
            requirement = parse_requirement(line.partition(" --hash=")[0])
            if requirement and manifest.name and canonicalize_name(requirement.name) == manifest.name:
                waiting += [("extra", extra) for extra in requirement.extras]  # the project, with extras of its own
            else:
                done[line] = None
        return tuple(done), notes

    # -------------------------------------------------------------- how it is run

    def _test(self, suites: list[Suite], installed: tuple[str, ...]) -> str | None:
        for suite in suites:
            command = choose_command(suite.commands)
            if command is not None:
                self._reasons.append(f"{suite.source}: tests run by `{command}`")
                return _within(self._at(suite.folder) if suite.folder else self._folder, command)
        if self._manage is not None and not any(line.startswith("pytest-django") for line in installed):
            self._reasons.append("manage.py: Django's own runner")
            return _within(self._at(self._manage[0]) if self._manage[0] else self._folder, "{python} manage.py test")
        return _within(self._folder, "{python} -m pytest -q") if self._folder else None

    def _find_manage(self) -> tuple[str, str] | None:
        """The folder of Django's `manage.py` and the settings that it names, if there is one."""
        for folder in dict.fromkeys((*_DJANGO_FOLDERS, self._manifest.name.replace("-", "_"))):
            text = self._read(self._at(f"{folder}/manage.py" if folder else "manage.py"))
            if text and "django" in text:
                named = re.search(r"""DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""", text)
                return folder, named[1] if named else ""
        return None

    def _django_settings(self) -> dict[str, str]:
        """The settings that `manage.py` names, unless pytest's configuration names some."""
        named = self._manage[1] if self._manage else ""
        configured = ("pytest.ini", "pyproject.toml", "setup.cfg", "tox.ini", ".pytest.ini")
        if not named or any("DJANGO_SETTINGS_MODULE" in (self._read(self._at(name)) or "") for name in configured):
            return {}
        return {"DJANGO_SETTINGS_MODULE": named}

    def _roots(self, local: Iterable[str]) -> tuple[str, ...]:
        """Folders that go on the import path, besides the tree's own and its `src`."""
        tool = self._manifest.settings
        setuptools = table(tool.get("setuptools"))
        find = (
            table(table(setuptools.get("packages")).get("find")) if isinstance(setuptools.get("packages"), dict) else {}
        )
        named = [*texts(find.get("where")), table(setuptools.get("package-dir")).get("")]
        packages: Any = table(tool.get("poetry")).get("packages")
        named += [table(item).get("from") for item in packages] if isinstance(packages, list) else []
        pdm = table(table(table(tool.get("pdm")).get("build")))
        named.append(pdm.get("package-dir"))
        found = [inside(self._folder, name) for name in named if isinstance(name, str)]
        folders = [self._folder] if self._folder else []
        folders += [self._at(self._manage[0])] if self._manage and self._manage[0] else []
        return tuple(dict.fromkeys(path for path in (*found, *folders, *local) if path and path != "."))

    def _doubts(self) -> Iterable[str]:
        manifest = self._manifest
        if manifest.compiled:
            yield f"the project has compiled parts, which are not built: {SET_SETUP}"
        if manifest.requires_python and not fits_python(manifest.requires_python, self._environment):
            here = self._environment["python_version"]
            yield f"the project asks for Python {manifest.requires_python}, and Greenlane runs on {here}"
        if self._read(".gitmodules") is not None:
            yield "the project has git submodules, which are not fetched"
        for name in ("environment.yml", "environment.yaml", "pixi.lock", "Pipfile.lock"):
            if not self._reasons and self._read(self._at(name)) is not None:
                yield f"{name} is not understood: {SET_SETUP}"


def _within(folder: str, command: str) -> str:
    return f"cd {shlex.quote(folder)} && {command}" if folder else command


def _has_pytest(needs: Needs) -> bool:
    return any(line.startswith("pytest") for line in needs.requirements)


def _described(needs: Needs) -> str:
    parts = [f"group {name}" for name in needs.groups] + [f"extra {name}" for name in needs.extras]
    parts += [f"{len(needs.requirements)} requirements"] if needs.requirements else []
    return ", ".join(parts)


def _variables(suites: Iterable[Suite]) -> Iterable[tuple[str, str]]:
    """Variables that the tool sets for tests, without those that are Greenlane's own to set."""
    first: Mapping[str, str] = next((dict(s.variables) for s in suites if choose_command(s.commands)), {})
    for name, value in first.items():
        good = name.isidentifier() and name not in _OWN_NAMES and not name.startswith(_OWN_VARIABLES)
        if good and "\0" not in value and len(value) < 2000:
            yield name, value


__all__ = ["TREE", "Plan", "plan_project"]
