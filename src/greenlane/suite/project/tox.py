"""tox's configuration (`tox.ini`, `setup.cfg`, `tox.toml`, `[tool.tox]`), read and not run: what the environment that
tests on this Python installs, sets and calls (https://tox.wiki/en/latest/config.html)."""

from __future__ import annotations

import configparser
import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from greenlane.suite.project.command import is_test_command
from greenlane.suite.project.requirements import read_words, split_words
from greenlane.suite.project.words import Needs, Read, Suite, join_needs, table, texts

_MAX_ENVIRONMENTS = 500
_FACTORS = re.compile(r"(!?[\w.{},-]+(?:\s*,\s*!?[\w.{}-]+)*)\s*:\s+(.*)|([\w.{},!-]+):\s*(.*)")
_TEST_ENVIRONMENTS = ("test", "tests", "unit", "unittest", "unittests", "pytest", "py", "py3", "coverage")
TREE = "{tree}"
"""Stands in a value for the folder of the sources, wherever they are laid out."""


def read_tox(home: str, read: Read, python: str, settings: Mapping[str, Any]) -> Suite | None:
    """How tox tests on the Python of this version (`3.11`); None if nothing in the project speaks to tox.

    `settings` is the `tool` table of pyproject.toml.
    """
    for name in ("tox.ini", "setup.cfg"):
        text = read(f"{home}/{name}" if home else name)
        parser = _parse(text) if text and (name == "tox.ini" or "[tox:tox]" in text) else None
        if parser and (parser.has_section("testenv") or any(s.startswith("testenv:") for s in parser.sections())):
            return _Ini(parser, home, read, python, name).suite()
    native = table(settings.get("tox"))
    if isinstance(legacy := native.get("legacy_tox_ini"), str) and (parser := _parse(legacy)):
        return _Ini(parser, home, read, python, "pyproject.toml (tox)").suite()
    text = read(f"{home}/tox.toml" if home else "tox.toml")
    if text is not None:
        try:
            native = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError):
            return None
        return _from_tables(native, home, read, "tox.toml")
    return _from_tables(native, home, read, "pyproject.toml (tool.tox)") if native else None


def _parse(text: str) -> configparser.RawConfigParser | None:
    parser = configparser.RawConfigParser(
        strict=False, delimiters=("=",), comment_prefixes=("#", ";"), interpolation=None
    )
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return parser


# ------------------------------------------------------------------ the ini form


class _Ini:
    def __init__(self, parser: configparser.RawConfigParser, home: str, read: Read, python: str, source: str) -> None:
        self._parser = parser
        self._home = home
        self._read = read
        self._source = source
        self._python = python
        self._section = "testenv"
        self._factors: frozenset[str] = frozenset()

    def suite(self) -> Suite:
        self._choose()
        commands = tuple(
            words for line in self._lines("commands") if (words := tuple(split_words(_without_posargs(line))))
        )
        groups = [word for line in self._lines("dependency_groups") for word in re.split(r"[\s,]+", line)]
        extras = [word for line in self._lines("extras") for word in re.split(r"[\s,]+", line)]
        needs = [read_words([*_split_dep(line)], self._home, self._read, self._source) for line in self._lines("deps")]
        skips = " ".join(self._lines("skip_install")).lower() == "true"
        return Suite(
            source=self._source,
            needs=join_needs(*needs, Needs(extras=_good(extras), groups=_good(groups), itself=not skips)),
            variables=tuple(self._variables()),
            commands=commands,
            folder=_folder(" ".join(self._lines("changedir") or self._lines("change_dir"))),
        )

    def _choose(self) -> None:
        """The environment of the list that is for this Python; where `[testenv]` tests nothing, one that does."""
        wanted = f"py{self._python.replace('.', '')}"
        section = "tox" if self._parser.has_section("tox") else "tox:tox"
        listed = self._get(section, "envlist") or self._get(section, "env_list") or ""
        names = [n for word in _words_outside_braces(listed) for n in _expanded(word)][:_MAX_ENVIRONMENTS]
        names += [s.removeprefix("testenv:") for s in self._parser.sections() if s.startswith("testenv:")]
        mine = [n for n in names if {wanted, f"py{self._python}", self._python} & set(n.split("-"))]
        neutral = [n for n in names if n.split("-")[0] in _TEST_ENVIRONMENTS]
        other = [n for n in names if re.match(r"py\d", n)]
        for name in (*mine, *neutral, *other, wanted):
            factors = frozenset((*name.split("-"), wanted, "py", "py3"))
            for section in (f"testenv:{name}", "testenv"):
                self._section, self._factors = section, factors
                if self._parser.has_section(section) and any(
                    is_test_command(split_words(_without_posargs(line))) for line in self._lines("commands")
                ):
                    return
        self._section = "testenv"

    def _get(self, section: str, key: str) -> str | None:
        return self._parser.get(section, key) if self._parser.has_option(section, key) else None

    def _lines(self, key: str, depth: int = 0) -> list[str]:
        """The lines of a value that hold for the chosen factors, other sections that they refer to included."""
        value = self._get(self._section, key)
        if value is None and self._section != "testenv":
            value = self._get("testenv", key)
        return list(self._expand(value or "", depth))

    def _expand(self, value: str, depth: int) -> Iterator[str]:
        for raw in re.sub(r"\\\n", " ", value).splitlines():
            line = re.sub(r"(^|\s)[#;].*$", "", raw).strip()
            conditional = _FACTORS.fullmatch(line)
            if conditional:
                condition, line = (
                    (conditional[1], conditional[2]) if conditional[1] else (conditional[3], conditional[4])
                )
                if not self._holds(condition):
                    continue
            reference = re.fullmatch(r"\{\[([\w:.-]+)\]([\w.-]+)\}", line)
            if reference and depth < 5:
                yield from self._expand(self._get(reference[1], reference[2]) or "", depth + 1)
            elif line:
                yield line

    def _holds(self, condition: str) -> bool:
        alternatives = (name for word in _words_outside_braces(condition) for name in _expanded(word))
        return any(
            all((f[1:] not in self._factors) if f.startswith("!") else (f in self._factors) for f in name.split("-"))
            for name in alternatives
        )

    def _variables(self) -> Iterator[tuple[str, str]]:
        for line in (*self._lines("setenv"), *self._lines("set_env")):
            name, _, value = line.partition("=")
            if (resolved := _resolved(value.strip())) is not None:
                yield name.strip(), resolved


def _split_dep(line: str) -> Iterator[str]:
    """A line of `deps`: an option with its value, or one requirement."""
    match = re.match(r"(-r|-c|-e|--requirement|--constraint|--editable)[\s=]*(.+)", line)
    if match:
        yield from (match[1], match[2].replace("{toxinidir}/", "").replace("{tox_root}/", ""))
    else:
        yield line


def _without_posargs(line: str) -> str:
    """`{posargs:tests}` is `tests`, and `{posargs}` nothing, where nobody gave any."""
    line = re.sub(r"\{posargs:((?:[^{}]|\{[^{}]*\})*)\}", r"\1", line)
    line = re.sub(r"\{posargs\}|\[\]", "", line)
    line = re.sub(r"\{(toxinidir|tox_root)\}/?", "./", line)
    return re.sub(r"\{env:\w+:([^{}]*)\}", r"\1", line)


def _resolved(value: str) -> str | None:
    """A variable's value; None if it depends on what tox alone knows."""
    value = re.sub(r"\{(toxinidir|tox_root)\}", TREE, value)
    value = re.sub(r"\{env:\w+:([^{}]*)\}", r"\1", value)
    value = re.sub(r"\{env:\w+\}", "", value)
    return None if re.search(r"\{(?!tree\})", value) else value


def _folder(text: str) -> str:
    path = re.sub(r"\{(toxinidir|tox_root)\}/?", "", text.strip()).rstrip("/")
    return path if re.fullmatch(r"[\w][\w./-]*", path) and ".." not in path else ""


def _good(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if re.fullmatch(r"[\w.-]+", name)))


def _words_outside_braces(text: str) -> list[str]:
    return [w for w in re.split(r"[\s,]+(?![^{]*\})", re.sub(r"#.*", "", text)) if w]


def _expanded(word: str) -> list[str]:
    """`py{310,311}-{a,b}` and `py{310-312}` as the names that they stand for."""
    parts = re.split(r"(\{[^{}]*\})", word)
    choices: list[list[str]] = []
    for part in parts:
        if not part.startswith("{"):
            choices.append([part])
            continue
        options: list[str] = []
        for item in re.split(r"\s*,\s*", part[1:-1].strip()):
            bounds = re.fullmatch(r"(\d{1,4})-(\d{1,4})", item)
            numbers = range(int(bounds[1]), min(int(bounds[2]), int(bounds[1]) + 50) + 1) if bounds else ()
            options += [str(n) for n in numbers] if bounds else [item]
        choices.append(options)
    return ["".join(found) for found in itertools.islice(itertools.product(*choices), _MAX_ENVIRONMENTS)]


# ------------------------------------------------------------------ the TOML form


def _from_tables(native: Mapping[str, Any], home: str, read: Read, source: str) -> Suite | None:
    base = table(native.get("env_run_base"))
    environments = table(native.get("env"))
    candidates = [
        base,
        *({**base, **table(environments.get(name))} for name in _TEST_ENVIRONMENTS if name in environments),
    ]
    chosen = next((c for c in candidates if any(is_test_command(words) for words in _native_commands(c))), None)
    if chosen is None:
        return None
    lines = [str(item) for item in chosen.get("deps", [])] if isinstance(chosen.get("deps"), list) else []
    needs = [read_words([*_split_dep(line)], home, read, source) for line in lines]
    extras, groups = texts(chosen.get("extras")), texts(chosen.get("dependency_groups"))
    variables = table(chosen.get("set_env"))
    return Suite(
        source=source,
        needs=join_needs(
            *needs, Needs(extras=_good(extras), groups=_good(groups), itself=chosen.get("skip_install") is not True)
        ),
        variables=tuple((n, r) for n, v in variables.items() if isinstance(v, str) and (r := _resolved(v)) is not None),
        commands=tuple(tuple(words) for words in _native_commands(chosen)),
        folder=_folder(str(chosen.get("change_dir", ""))),
    )


def _native_commands(environment: Mapping[str, Any]) -> Iterator[list[str]]:
    commands = environment.get("commands")
    for command in commands if isinstance(commands, list) else []:
        words: list[str] = []
        for word in command if isinstance(command, list) else []:
            default = table(word).get("default")
            words += [_without_posargs(word)] if isinstance(word, str) else texts(default)
        if words:
            yield shlex.split(shlex.join(words))
