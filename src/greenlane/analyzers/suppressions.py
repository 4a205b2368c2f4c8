"""Suppressions: comments and settings that a change adds to keep a checker quiet.

None of them reaches Greenlane's own analyzers, which read no configuration of the change and no comment of a checker.
But they reach the tools that the project itself runs, so each is a finding that a reader of the decision sees.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.analyzers.files import is_document, is_support
from greenlane.domain.diff import FileDiff, Line
from greenlane.domain.findings import Category, Finding, Severity

NAME = "suppressions"
_INLINE = (
    ("bandit", re.compile(r"#.*?\bnosec\b", re.IGNORECASE)),
    ("semgrep", re.compile(r"\bnosem(grep)?\b", re.IGNORECASE)),
    ("secrets", re.compile(r"pragma:\s*(allow|white)list|\bgitleaks:allow\b|\bggignore\b", re.IGNORECASE)),
    ("file", re.compile(r"#\s*(ruff|flake8):\s*(noqa\s*(:.*\bS\d|$)|disable\b.*\bS\d)", re.IGNORECASE)),
    ("ruff", re.compile(r"#\s*noqa\s*(:\s*[A-Z0-9, ]*\bS\d{3}\b|$)", re.IGNORECASE)),
    ("codeql", re.compile(r"\b(lgtm|codeql)\s*\[[\w/-]+\]|\bNOSONAR\b")),
    ("eslint", re.compile(r"\beslint-disable\b[^*]*\b(security|no-eval|no-unsanitized|no-implied-eval|no-new-func)\b")),
    ("shellcheck", re.compile(r"#\s*shellcheck\s+disable=")),
)
"""By checker. Of ruff only what can hide a rule on security: a bare `noqa`, or one with a code of S."""
_CONFIGURATION = re.compile(
    r"(^|/)(\.bandit|bandit\.ya?ml|\.secrets\.baseline|\.semgrepignore|\.gitleaksignore|\.gitleaks\.toml|\.trivyignore"
    r"|\.snyk|\.?ruff\.toml|\.flake8|setup\.cfg|tox\.ini|pyproject\.toml|\.eslintignore)$"
)
_WHOLE = re.compile(
    r"(^|/)(\.bandit|bandit\.ya?ml|\.secrets\.baseline|\.semgrepignore|\.gitleaks(ignore|\.toml)|\.trivyignore|\.snyk)$"
)
_SETTING = re.compile(
    r"^\s*(skips|exclude_dirs)\s*[=:]|\b(ignore|extend-ignore|per-file-ignores|exclude|extend-exclude)\b.*"
    r"""(['"\s,=](S\d*|ALL)['"\s,]|['"]\*)""",
)
_ATTRIBUTE = re.compile(
    r"\blinguist-(generated|vendored)\b|\s(-diff|binary|export-ignore)(\s|$)|\bworking-tree-encoding="
)


def analyze(review: ReviewInput) -> AnalysisResult:
    findings = [f for file in review.readable for f in _of_file(file)]
    return AnalysisResult(findings=tuple(findings), read=())


def _of_file(file: FileDiff) -> Iterator[Finding]:
    """Lines that were there before, only elsewhere or with other spaces, are no addition."""
    before = Counter(_suppression(file, line) for line in file.removed)
    for line in file.added:
        what = _suppression(file, line)
        if not what:
            continue
        if before[what]:
            before[what] -= 1
            continue
        yield _finding(what, file.path, line)
        if _WHOLE.search(file.path):
            return  # the file is one suppression; its lines are not counted


def _suppression(file: FileDiff, line: Line) -> str:
    """The checker that this line keeps quiet; empty if none."""
    name = file.path.rpartition("/")[2]
    if name == ".gitattributes":
        return "attributes" if _ATTRIBUTE.search(line.text) else ""
    if _WHOLE.search(file.path):
        return "configuration" if line.text.strip() else ""
    if _CONFIGURATION.search(file.path) and _SETTING.search(line.text + " "):
        return "configuration"
    if is_document(file.path):
        return ""
    return next((checker for checker, pattern in _INLINE if pattern.search(line.text)), "")


def _finding(what: str, path: str, line: Line) -> Finding:
    message = {
        "attributes": "an attribute of git hides files from review or checkers",
        "configuration": "the settings of a checker of security change",
    }.get(what, f"a comment keeps a checker quiet ({what}); it does not count here")
    return Finding(
        rule=f"suppressions.{what}",
        category=Category.SECURITY,
        severity=Severity.LOW if is_support(path) or what == "ruff" else Severity.MEDIUM,
        message=message,
        path=path,
        line=line.number,
        quotation=line.text.strip()[:200],
    )
