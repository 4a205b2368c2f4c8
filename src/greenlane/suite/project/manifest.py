"""What a project says of itself: name, version, dependencies, extras, groups, scripts.

Read from `pyproject.toml` (PEP 621, PEP 735, Poetry's tables), `setup.cfg`, and the plain values of `setup.py`. Nothing
of it is run, so that no build code of a change has a hand in an environment that others share.
"""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.suite.project.poetry import constraint_of
from greenlane.suite.project.requirements import read_requirements
from greenlane.suite.project.words import Needs, Read, inside, is_module, needs_of, table, texts

_VERSION = re.compile(r"""^(?:__version__|version|VERSION)\s*(?::[^=\n]+)?=\s*["']([\w.+!-]{1,64})["']""", re.M)
_SCRIPT_NAME = re.compile(r"[\w.][\w.-]{0,99}")
_COMPILERS = ("maturin", "mesonpy", "scikit_build_core", "skbuild", "setuptools_rust", "enscons")
UNKNOWN_VERSION = "0.0.0"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A project by its own words. `entry_points` are (group, name, object)."""

    name: str = ""
    version: str = UNKNOWN_VERSION
    requires_python: str = ""
    dependencies: Needs = Needs()
    declares: bool = False
    """It says itself what it depends on, if only that it is nothing."""
    extras: Mapping[str, Needs] = {}
    groups: Mapping[str, Needs] = {}
    entry_points: tuple[tuple[str, str, str], ...] = ()
    written_files: tuple[tuple[str, str], ...] = ()
    """Files that its build would write (a version module), with what stands in them."""
    compiled: bool = False
    source: str = ""
    settings: Mapping[str, Any] = {}
    """The `tool` table of pyproject.toml."""
    notes: tuple[str, ...] = ()


def read_manifest(folder: str, read: Read) -> Manifest:
    """The manifest of the project in this folder of the tree; an empty one where there is none."""
    text = read(_at(folder, "pyproject.toml"))
    notes: tuple[str, ...] = ()
    data: dict[str, Any] = {}
    if text is not None:
        try:
            data = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            notes = (f"pyproject.toml can't be read: {str(error)[:120]}",)
    found = _Reader(folder, read, data).manifest()
    return msgspec.structs.replace(found, notes=(*notes, *found.notes))


def _at(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


class _Reader:
    def __init__(self, folder: str, read: Read, data: dict[str, Any]) -> None:
        self._folder = folder
        self._read = read
        self._data = data
        self._project = table(data.get("project"))
        self._tool = table(data.get("tool"))
        self._poetry = table(self._tool.get("poetry"))
        self._old = _read_setup(folder, read)

    def manifest(self) -> Manifest:
        project, old = self._project, self._old
        dynamic = set(texts(project.get("dynamic")))
        name = project.get("name") or self._poetry.get("name") or old.values.get("name") or ""
        version = self._version()
        python = project.get("requires-python") or old.values.get("python_requires") or ""
        source = "pyproject.toml" if project or self._poetry else old.source
        notes = list(old.notes) if not project or "dependencies" in dynamic else []
        return Manifest(
            name=canonicalize_name(name) if isinstance(name, str) and _SCRIPT_NAME.fullmatch(name) else "",
            version=version,
            requires_python=python if isinstance(python, str) else "",
            dependencies=self._dependencies(dynamic),
            declares="dependencies" in self._project or "dependencies" in self._poetry or bool(old.dependencies),
            extras=self._extras(dynamic),
            groups=self._groups(),
            entry_points=tuple(self._entry_points()),
            written_files=tuple(self._written_files(version)),
            compiled=old.compiled or self._is_compiled(),
            source=source,
            settings=self._tool,
            notes=tuple(notes),
        )

    def _dependencies(self, dynamic: set[str]) -> Needs:
        if "dependencies" in self._project:
            return needs_of(texts(self._project["dependencies"]), "pyproject.toml")
        if "dependencies" in dynamic and (found := self._from_files("dependencies")):
            return found
        if "dependencies" in self._poetry:
            return _of_poetry(table(self._poetry["dependencies"]), optional=False)
        return needs_of(self._old.dependencies, self._old.source)

    def _extras(self, dynamic: set[str]) -> dict[str, Needs]:
        if "optional-dependencies" in self._project:
            given = table(self._project["optional-dependencies"])
            return {name: needs_of(texts(words), "pyproject.toml") for name, words in given.items()}
        if "optional-dependencies" in dynamic:
            settings = table(table(table(self._tool.get("setuptools")).get("dynamic")).get("optional-dependencies"))
            return {name: self._from(value) for name, value in settings.items()}
        extras = table(self._poetry.get("extras"))
        if extras:
            offered = table(self._poetry.get("dependencies"))
            return {n: _of_poetry({k: offered[k] for k in texts(names) if k in offered}) for n, names in extras.items()}
        return {name: needs_of(words, self._old.source) for name, words in self._old.extras.items()}

    def _from_files(self, key: str) -> Needs | None:
        settings = table(table(self._tool.get("setuptools")).get("dynamic"))
        hatch = table(table(table(table(self._tool.get("hatch")).get("metadata")).get("hooks")).get("requirements_txt"))
        if key in settings:
            return self._from(settings[key])
        return self._from({"file": hatch["files"]}) if "files" in hatch else None

    def _from(self, value: object) -> Needs:
        """Requirements that `tool.setuptools.dynamic` names by files."""
        files = table(value).get("file")
        needs = Needs()
        for path in [files] if isinstance(files, str) else texts(files):
            target = inside(self._folder, path)
            found = read_requirements(target, self._folder, self._read) if target else None
            needs = found or needs
        return needs

    def _groups(self) -> dict[str, Needs]:
        """Dependency groups (PEP 735), their includes followed; Poetry's and uv's older tables are groups as well."""
        given: dict[str, object] = {
            canonicalize_name(name): value for name, value in table(self._data.get("dependency-groups")).items()
        }
        groups: dict[str, Needs] = {
            name: needs_of(_flattened(name, given, frozenset()), "pyproject.toml") for name in given
        }
        for name, value in table(self._poetry.get("group")).items():
            groups.setdefault(canonicalize_name(name), _of_poetry(table(table(value).get("dependencies"))))
        if "dev-dependencies" in self._poetry:
            groups.setdefault("dev", _of_poetry(table(self._poetry["dev-dependencies"])))
        uv, pdm = table(self._tool.get("uv")), table(table(self._tool.get("pdm")).get("dev-dependencies"))
        if "dev-dependencies" in uv:
            groups.setdefault("dev", needs_of(texts(uv["dev-dependencies"]), "pyproject.toml"))
        for name, words in pdm.items():
            groups.setdefault(canonicalize_name(name), needs_of(texts(words), "pyproject.toml"))
        return groups

    def _version(self) -> str:
        given = self._project.get("version") or self._poetry.get("version") or self._old.values.get("version")
        if isinstance(given, str) and _is_version(given):
            return given
        for path in self._version_files():
            text = self._read(path)
            match = _VERSION.search(text) if text else None
            if match and _is_version(match[1]):
                return match[1]
        return UNKNOWN_VERSION

    def _version_files(self) -> Iterator[str]:
        """Where a version that is not in the manifest may stand."""
        hatch = table(table(self._tool.get("hatch")).get("version")).get("path")
        if isinstance(hatch, str) and (target := inside(self._folder, hatch)):
            yield target
        attribute = table(table(table(self._tool.get("setuptools")).get("dynamic")).get("version")).get("attr")
        old = str(self._old.values.get("version") or "").removeprefix("attr:").strip()
        for dotted in (attribute, old):
            if isinstance(dotted, str) and is_module(dotted) and "." in dotted:
                stem = dotted.rpartition(".")[0].replace(".", "/")
                for root in ("", "src/"):
                    yield _at(self._folder, f"{root}{stem}.py")
                    yield _at(self._folder, f"{root}{stem}/__init__.py")
        name = self._project.get("name")
        if isinstance(name, str) and _SCRIPT_NAME.fullmatch(name):
            package = re.sub(r"[-.]", "_", name).lower()
            for root in ("", "src/"):
                yield from (
                    _at(self._folder, f"{root}{package}/{n}.py") for n in ("__init__", "_version", "__version__")
                )

    def _entry_points(self) -> Iterator[tuple[str, str, str]]:
        groups: dict[str, object] = {
            "console_scripts": self._project.get("scripts") or self._poetry.get("scripts"),
            **table(self._project.get("entry-points")),
            **table(self._poetry.get("plugins")),
            **self._old.entry_points,
        }
        for group, entries in groups.items():
            for name, target in table(entries).items():
                if isinstance(target, str) and _is_entry(group, name, target):
                    yield group, name, re.sub(r"\s|\[.*\]", "", target)

    def _written_files(self, version: str) -> Iterator[tuple[str, str]]:
        scm, pdm = table(self._tool.get("setuptools_scm")), table(table(self._tool.get("pdm")).get("version"))
        hooks = table(table(table(self._tool.get("hatch")).get("build")).get("hooks"))
        vcs = table(hooks.get("vcs"))
        named = (scm.get("version_file"), scm.get("write_to"), vcs.get("version-file"), pdm.get("write_to"))
        numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
        for path in named:
            target = inside(self._folder, path) if isinstance(path, str) and path.endswith(".py") else None
            if target and self._read(target) is None:
                yield target, f'__version__ = version = "{version}"\n__version_tuple__ = version_tuple = {numbers!r}\n'

    def _is_compiled(self) -> bool:
        backend = table(self._data.get("build-system")).get("build-backend")
        return isinstance(backend, str) and backend.partition(".")[0] in _COMPILERS


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return len(text) <= 64


def _is_entry(group: str, name: str, target: str) -> bool:
    module, _, attribute = re.sub(r"\s|\[.*\]", "", target).partition(":")
    good = is_module(module) and (not attribute or is_module(attribute))
    return good and bool(_SCRIPT_NAME.fullmatch(name) and _SCRIPT_NAME.fullmatch(group))


def _flattened(name: str, groups: Mapping[str, object], above: frozenset[str]) -> Iterator[str]:
    value = groups.get(name)
    for item in value if isinstance(value, list) else []:
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict) and isinstance(included := item.get("include-group"), str):
            inner = canonicalize_name(included)
            yield from _flattened(inner, groups, above | {name}) if inner not in above | {name} else ()


def _of_poetry(entries: Mapping[str, object], *, optional: bool = True) -> Needs:
    """Poetry's own form: a table of names and constraints (https://python-poetry.org/docs/dependency-specification/)."""
    words: list[str] = []
    notes: list[str] = []
    for name, given in entries.items():
        for value in given if isinstance(given, list) else [given]:
            settings = value if isinstance(value, dict) else {"version": value}
            if name == "python" or (settings.get("optional") is True and not optional):
                continue
            if not isinstance(version := settings.get("version"), str):
                notes.append(f"pyproject.toml: {name} does not come from an index and is left out")
                continue
            extras = ",".join(texts(settings.get("extras")))
            markers = settings.get("markers")
            words.append(
                f"{name}{f'[{extras}]' if extras else ''}{constraint_of(version)}"
                + (f" ; {markers}" if isinstance(markers, str) else "")
            )
    found = needs_of(words, "pyproject.toml")
    return msgspec.structs.replace(found, notes=(*notes, *found.notes))


# ------------------------------------------------------------------ setup.cfg and setup.py


class _Setup(msgspec.Struct):
    source: str = ""
    values: dict[str, str] = {}
    dependencies: list[str] = []
    extras: dict[str, list[str]] = {}
    entry_points: dict[str, dict[str, str]] = {}
    compiled: bool = False
    notes: list[str] = []


def _read_setup(folder: str, read: Read) -> _Setup:
    found = _Setup()
    program = read(_at(folder, "setup.py"))
    if program is not None:
        found.source = "setup.py"
        _from_program(program, found)
    text = read(_at(folder, "setup.cfg"))
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text or "")
    except configparser.Error:
        return found
    if parser.has_section("metadata") or parser.has_section("options"):
        found.source = "setup.cfg"
        found.notes = []
        found.values = {n: parser.get("metadata", n, fallback="") for n in ("name", "version")} | {
            "python_requires": parser.get("options", "python_requires", fallback="")
        }
        found.dependencies += _listed(parser.get("options", "install_requires", fallback=""))
        for name, value in _section(parser, "options.extras_require"):
            found.extras[name] = _listed(value)
        for group, value in _section(parser, "options.entry_points"):
            pairs = (line.partition("=") for line in _listed(value))
            found.entry_points[group] = {name.strip(): target.strip() for name, _, target in pairs}
    return found


def _section(parser: configparser.RawConfigParser, name: str) -> list[tuple[str, str]]:
    return list(parser.items(name)) if parser.has_section(name) else []


def _listed(value: str) -> list[str]:
    lines = value.splitlines() if "\n" in value else value.split(";" if "=" in value else ",")
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def _from_program(text: str, found: _Setup) -> None:
    """The plain values that `setup(...)` is called with, names of the module's own constants included."""
    try:
        tree = parse_source(text)
    except UnreadableSourceError:
        found.notes.append("setup.py can't be read")
        return
    constants: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = _value(node.value, constants)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) == "setup":
            given = {k.arg: k.value for k in call.keywords if k.arg}
            found.compiled = "ext_modules" in given
            for name in ("name", "version", "python_requires"):
                value = _value(given[name], constants) if name in given else None
                found.values |= {name: value} if isinstance(value, str) else {}
            wanted = _value(given["install_requires"], constants) if "install_requires" in given else []
            if isinstance(wanted, list):
                found.dependencies = texts(wanted)
            else:
                found.notes.append("setup.py: install_requires is computed, so what it holds is not known")
            extras = table(_value(given["extras_require"], constants)) if "extras_require" in given else {}
            found.extras = {str(name): texts(words) for name, words in extras.items()}
            return


def _value(node: ast.expr, constants: Mapping[str, Any]) -> Any:
    """A literal, a constant of the module, or lists of them put together; None for everything else."""
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _value(node.left, constants), _value(node.right, constants)
        return left + right if isinstance(left, list) and isinstance(right, list) else None
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return list(value) if isinstance(value, tuple) else value
