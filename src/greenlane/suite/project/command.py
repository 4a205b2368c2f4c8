"""Commands that run tests, as tools' files have them, and in the form in which Greenlane runs them.

Only runners that are known are taken: pytest, unittest, Django's. Their words come from a change, so each is quoted,
and what spreads, measures or reports on its own is left out: the runner does that itself.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

_PYTHONS = re.compile(r"(?:\{env_?bin_?dir\}/|.*/bin/)?(?:python[\d.]*|\{env_?python\}|pypy3?|coverage)")
_LAUNCHERS = ("uv", "poetry", "pdm", "hatch", "pipenv", "-")
_OWN_OPTIONS = re.compile(
    r"-v+|-q+|-s|-n\d*|-n=?auto|--(?:cov|no-cov|junit\S*|html|xml|numprocesses|dist|basetemp|durations|color|tb|verbose"
    r"|quiet|parallel|memray|hide-memray|report-log|capture|failfast|keepdb|timing)\b.*"
)
_VALUED = (
    "-n",
    "--cov",
    "--cov-report",
    "--cov-config",
    "--cov-fail-under",
    "--cov-context",
    "--junitxml",
    "--junit-xml",
    "--junit-prefix",
    "--basetemp",
    "--dist",
    "--numprocesses",
    "--parallel",
    "--durations",
    "--durations-min",
    "--color",
    "--tb",
    "--capture",
    "--html",
    "--report-log",
)
"""Options that are left out and may have their value in the next word."""
_NEVER = re.compile(r"--(?:collect-only|co|setup-plan|setup-only|setup-show|fixtures|version|help|markers)|-h|-V")
_COVERAGE_FLAGS = re.compile(
    r"-p|-a|--(?:parallel-mode|append|branch|source|include|omit|rcfile|concurrency|context)\b.*"
)


def is_test_command(words: Iterable[str]) -> bool:
    """Whether a command line runs tests by a runner that is known."""
    return normalise(tuple(words)) is not None


def choose_command(commands: Iterable[Sequence[str]]) -> str | None:
    """The first of these command lines that runs tests, as the text of a shell command with `{python}` in it; None if
    there is none."""
    for words in commands:
        if (found := normalise(tuple(words))) is not None:
            return "{python} " + shlex.join(found)
    return None


def normalise(words: tuple[str, ...]) -> tuple[str, ...] | None:
    """What stands behind the interpreter, if this runs tests: `-m pytest tests`."""
    words = _without_launcher(words)
    if words and _PYTHONS.fullmatch(words[0]):
        words = _behind_python(words)
    elif words and re.fullmatch(r"(?:.*/)?(?:pytest|py\.test)", words[0]):
        words = ("-m", "pytest", *words[1:])
    elif words and words[0] == "django-admin":
        words = ("-m", "django", *words[1:])
    else:
        return None
    if words[:2] in {("-m", "pytest"), ("-m", "py.test")}:
        return ("-m", "pytest", "-q", *_kept(words[2:]))
    if words[:2] == ("-m", "unittest"):
        return ("-m", "unittest", *_kept(words[2:]))
    if words[:3] == ("-m", "django", "test"):
        return ("-m", "django", "test", *_kept(words[3:]))
    if len(words) > 1 and re.fullmatch(r"(?:[\w./-]+/)?manage\.py", words[0]) and words[1] == "test":
        return (words[0], "test", *_kept(words[2:]))
    if words and re.fullmatch(r"(?:[\w-]+/)*(?:run_?tests?|quicktest|test_?runner)\.py", words[0]):
        return (words[0], *_kept(words[1:]))
    return None


def _without_launcher(words: tuple[str, ...]) -> tuple[str, ...]:
    if words and words[0] == "-":
        words = words[1:]
    if len(words) > 2 and words[0] in _LAUNCHERS and words[1] == "run":
        words = words[2:]
        while words and words[0].startswith("-"):
            words = words[2:] if words[0] in {"--group", "--extra", "--with", "-p", "--python"} else words[1:]
    return words


def _behind_python(words: tuple[str, ...]) -> tuple[str, ...]:
    """Options of the interpreter are left out; `coverage run` is looked through."""
    measured = words[0].endswith("coverage")
    rest = list(words[1:])
    while rest:
        if rest[0] in {"-W", "-X"}:
            rest = rest[2:]
        elif rest[0] == "-m" and rest[1:2] == ["coverage"]:
            measured, rest = True, rest[2:]
        elif measured and (rest[0] == "run" or _COVERAGE_FLAGS.fullmatch(rest[0])):
            takes_value = re.fullmatch(r"--(?:source|include|omit|rcfile|concurrency|context)", rest[0])
            rest = rest[2:] if takes_value else rest[1:]
        elif re.fullmatch(r"-[bBdEIOsSuvW]+\S*", rest[0]) and rest[0] != "-m":
            rest = rest[1:]
        else:
            break
    return tuple(rest)


def _kept(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    value_of = ""
    for word in words:
        if value_of and not word.startswith("-"):
            value_of = ""
            continue
        value_of = word if word in _VALUED else ""
        if value_of:
            continue
        if not (_OWN_OPTIONS.fullmatch(word) or _NEVER.fullmatch(word) or re.search(r"\{[^}]*\}", word)):
            kept.append(word)
    return kept
