"""Settings of the test suite and of coverage that demand less than before: read line by line, for `weakened.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from greenlane.analyzers.base import ReviewInput
from greenlane.domain.diff import FileDiff, Line
from greenlane.domain.findings import Category, Finding, Severity

_NAMES = frozenset({
    "pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", ".pytest.ini", ".coveragerc", "coverage.toml", "noxfile.py",
    "conftest.py", "Makefile", ".codecov.yml", "codecov.yml",
})  # fmt: skip
_LIMIT = re.compile(r"(?:fail_under|--cov-fail-under|minimum_coverage|target)\s*[=:\s]\s*[\"']?(\d+(?:\.\d+)?)")
_DESELECT = re.compile(r"--ignore(?:-glob)?[=\s]|--deselect[=\s]|collect_ignore|\bpytest\b.*\s-k\s|--no-cov\b")
_STRICT = re.compile(
    r"xfail_strict\s*=\s*[\"']?(true|1|yes)|(?:^|[\s\"'])error(?=[\"',\s]|$)|--strict-markers", re.IGNORECASE
)
_COMMANDS = frozenset({"tox.ini", "tox.toml", "noxfile.py", "setup.cfg"})
_RUNNER = re.compile(
    r"(?:^|[=\s\"'\[/}])(?:pytest|py\.test|unittest|run_?tests?\.py|manage\.py)(?=[\s\"',\]]|$)(?![^=]*==)"
)
_OMIT = re.compile(r"^\s*(omit|exclude_lines|exclude_also|exclude)\s*[=:]")


def relaxed(review: ReviewInput) -> Iterator[Finding]:
    """Low findings: a lower limit of coverage, tests that are left out, a strictness that is gone, another command."""
    for file in review.readable:
        if PurePosixPath(file.path).name in _NAMES:
            yield from _lower_limits(file)
            yield from _left_out(file)
            yield from _other_command(file)


def _lower_limits(file: FileDiff) -> Iterator[Finding]:
    before = [float(m[1]) for line in file.removed if (m := _LIMIT.search(line.text))]
    for line in file.added:
        match = _LIMIT.search(line.text)
        if match and before and float(match[1]) < max(before):
            yield _finding(
                "limit-lowered", f"the least coverage falls from {max(before):g}", file, line, Severity.MEDIUM
            )


def _left_out(file: FileDiff) -> Iterator[Finding]:
    removed = "\n".join(line.text for line in file.removed)
    for line in file.added:
        if line.text.lstrip().startswith(("#", ";")):
            continue
        if _DESELECT.search(line.text) and not _DESELECT.search(removed):
            yield _finding("tests-left-out", "tests are left out of the suite", file, line, Severity.LOW)
        elif (
            _OMIT.match(line.text)
            and file.path.endswith((".coveragerc", ".toml", ".cfg", ".ini"))
            and (_OMIT.match(line.text) and not _OMIT.search(removed))
        ):
            yield _finding("code-left-out", "code is left out of coverage", file, line, Severity.LOW)
    added = "\n".join(line.text for line in file.added)
    for line in file.removed:
        if "xfail_strict" in line.text and _STRICT.search(line.text) and not _STRICT.search(added):
            text = "a strictness of the suite is gone (line of the base)"
            yield _finding("strictness-removed", text, file, line, Severity.LOW)


def _other_command(file: FileDiff) -> Iterator[Finding]:
    """Where `commands.test` is not set, a tool's file says by which command the tests are run."""
    if PurePosixPath(file.path).name not in _COMMANDS:
        return
    before = [line.text.strip() for line in file.removed if _RUNNER.search(line.text)]
    for line in file.added:
        if before and _RUNNER.search(line.text) and line.text.strip() not in before:
            yield _finding("command-changed", f"the tests were run by: {before[0][:120]}", file, line, Severity.LOW)
            return


def _finding(rule: str, message: str, file: FileDiff, line: Line, severity: Severity) -> Finding:
    return Finding(
        rule=f"weakened.{rule}",
        category=Category.COVERAGE,
        severity=severity,
        message=message,
        path=file.path,
        line=line.number,
        quotation=line.text.strip()[:300],
    )
