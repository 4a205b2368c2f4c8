"""Security: ruff's S rules, bandit, and a rule of our own for SQL, over the Python files that a change touches.

The tools see copies under neutral names in an empty folder, so neither a configuration in the branch nor the name of a
file nor an inline comment (`# noqa`, `# nosec`) reaches them. Both sides of the change are read in one run of each
tool; what stood at the base is taken away (`subtract.py`), and the curated table (`security_rules.py`) says what a
rule is worth at this place.
"""

from __future__ import annotations

import ast
import re
import shutil
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from greenlane.analyzers import files, security_rules, sql
from greenlane.analyzers.base import EVERYTHING, AnalysisResult, ReviewInput
from greenlane.analyzers.dataflow import Flow
from greenlane.analyzers.subtract import Located, locate, subtract
from greenlane.analyzers.tools import ToolError, run_module, run_tool
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity

NAME = "security"
_TOOL_TIMEOUT_S = 100.0
_BATCH = 400
"""Files in one call of a tool: an argument list has a limit."""
_SUPPRESSION = re.compile(r"#\s*(noqa|nosec)\b", re.IGNORECASE)
_PASSWORD_RULES = frozenset({105, 106, 107})
_TEXT = re.compile(r"(['\"])(?:(?!\1).)+\1")


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One file on one side: where it stands at the head, and what was parsed of it."""

    path: str
    file: files.PythonFile
    copy: str
    at_head: bool


class RawFinding(msgspec.Struct, frozen=True):
    """What a tool says: number of the rule, place (1-based line, 0-based column), words, and which tool."""

    number: int
    line: int
    column: int
    message: str
    tool: str


class _RuffPlace(msgspec.Struct):
    row: int
    column: int


class _RuffResult(msgspec.Struct):
    filename: str
    message: str
    location: _RuffPlace
    code: str | None = None


class _BanditResult(msgspec.Struct):
    filename: str
    test_id: str
    issue_text: str
    line_number: int
    col_offset: int = 0


class _BanditError(msgspec.Struct):
    filename: str
    reason: str


class _BanditReport(msgspec.Struct):
    results: list[_BanditResult]
    errors: list[_BanditError]


def analyze(review: ReviewInput) -> AnalysisResult:
    with tempfile.TemporaryDirectory(prefix="greenlane-security-") as folder:
        sides = _copy_sides(review, Path(folder))
        if not sides:
            return AnalysisResult()
        raw, skipped = _run_tools(sides, Path(folder))
        added = {f.path: frozenset(line.number for line in f.added) for f in review.readable}
        support_counts_fully = _production_imports_support(sides)
        found: dict[bool, list[Located]] = {True: [], False: []}
        for side in sides:
            graded = _grade(side, raw.get(side.copy, []), lenient=not support_counts_fully)
            found[side.at_head] += [locate(f, side.file) for f in graded]
        fresh = subtract(found[True], found[False], added)
    by_path = {s.path: s.file for s in sides if s.at_head}
    return AnalysisResult(findings=tuple(_name_suppression(f, by_path) for f in fresh), skipped=tuple(skipped))


def _copy_sides(review: ReviewInput, folder: Path) -> list[Side]:
    """The changed Python files of both trees that can be parsed; those that can't are reported by `reading`."""
    sides = []
    for index, diff in enumerate(review.readable):
        for at_head in (True, False):
            tree = review.head if at_head else review.base
            path = diff.path if at_head else diff.old_path or diff.path
            if not at_head and (diff.status == "added" or files.begins_to_run(path, diff.path)):
                continue
            if files.kind_of(path, files.first_line(tree, path, review.max_file_bytes)) is not files.Kind.PYTHON:
                continue
            try:
                file = files.read_python(tree, path, review.max_file_bytes)
            except files.UnreadableError:
                continue
            copy = folder / f"{'head' if at_head else 'base'}{index:05d}.py"
            copy.write_text(file.text, encoding="utf-8", newline="")
            sides.append(Side(path=diff.path, file=file, copy=copy.name, at_head=at_head))
    return sides


def _run_tools(sides: list[Side], folder: Path) -> tuple[dict[str, list[RawFinding]], list[SkippedFile]]:
    """What both tools say, by copy; and what they did not read."""
    raw: dict[str, list[RawFinding]] = {}
    skipped: list[SkippedFile] = []
    origin = {side.copy: side for side in sides}
    for start in range(0, len(sides), _BATCH):
        copies = [side.copy for side in sides[start : start + _BATCH]]
        for name, tool in (("ruff", _run_ruff), ("bandit", _run_bandit)):
            try:
                found, unread = tool(copies, folder)
            except (ToolError, msgspec.MsgspecError) as error:
                skipped.append(SkippedFile(path=EVERYTHING, analyzer=NAME, reason=f"{name} failed: {error}"))
                continue
            for copy, finding in found:
                raw.setdefault(copy, []).append(finding)
            for copy, reason in unread:
                if origin[copy].at_head:
                    skipped.append(SkippedFile(path=origin[copy].path, analyzer=NAME, reason=f"{name}: {reason}"))
    return raw, skipped


def _run_ruff(copies: list[str], folder: Path) -> tuple[list[tuple[str, RawFinding]], list[tuple[str, str]]]:
    argv = (
        _ruff(), "check", "--select", "S", "--isolated", "--ignore-noqa", "--no-cache", "--no-fix", "--quiet",
        "--target-version", "py314", "--output-format", "json", *copies,
    )  # fmt: skip
    output = run_tool(argv, cwd=folder, timeout_s=_TOOL_TIMEOUT_S)
    if output.exit_code not in (0, 1):
        raise ToolError(f"exit code {output.exit_code}")
    found, unread = [], []
    for result in msgspec.json.decode(output.stdout, type=list[_RuffResult]):
        copy = Path(result.filename).name
        if result.code and re.fullmatch(r"S\d+", result.code):
            place = result.location
            found.append((copy, RawFinding(int(result.code[1:]), place.row, place.column - 1, result.message, "ruff")))
        else:
            unread.append((copy, result.message))
    return found, unread


def _run_bandit(copies: list[str], folder: Path) -> tuple[list[tuple[str, RawFinding]], list[tuple[str, str]]]:
    argv = ("--format", "json", "--ignore-nosec", "--quiet", "--exit-zero", *copies)
    output = run_module("bandit.cli.main", argv, cwd=folder, timeout_s=_TOOL_TIMEOUT_S)
    if output.exit_code != 0:
        raise ToolError(f"exit code {output.exit_code}")
    report = msgspec.json.decode(output.stdout, type=_BanditReport)
    found = [
        (Path(r.filename).name, RawFinding(int(r.test_id[1:]), r.line_number, r.col_offset, r.issue_text, "bandit"))
        for r in report.results
    ]
    return found, [(Path(e.filename).name, e.reason) for e in report.errors]


def _ruff() -> str:
    """Ruff beside the running interpreter, else on the path."""
    beside = Path(sysconfig.get_path("scripts")) / "ruff"
    return str(beside) if beside.exists() else shutil.which("ruff") or "ruff"


def _grade(side: Side, raw: Iterable[RawFinding], *, lenient: bool) -> list[Finding]:
    """Findings of one file with their severities here: one for each rule and statement, the tools' and our own."""
    flow = Flow(side.file.tree)
    own = list(sql.find_injections(side.file, flow))
    seen: set[tuple[int, int]] = set()
    graded = []
    for result in sorted(raw, key=lambda r: (r.tool != "ruff", r.line, r.column)):
        statement = side.file.statement_at(result.line)
        node = side.file.expression_at(result.line, result.column) or statement
        key = (703 if result.number == 308 else result.number, statement.lineno if statement else result.line)
        if key in seen:
            continue
        seen.add(key)
        rule = security_rules.rule_of(result.number)
        refined = rule.refine(node, statement, flow) if rule.refine and node and statement else None
        severity = refined or rule.severity
        if severity is Severity.INFO:
            continue
        quotation = side.file.quote(result.line)
        if result.number in _PASSWORD_RULES:
            quotation = _TEXT.sub("'***'", quotation)
        graded.append(
            Finding(
                rule=f"{result.tool}.{'S' if result.tool == 'ruff' else 'B'}{result.number}",
                category=Category.SECURITY,
                severity=severity,
                message=_TEXT.sub("'***'", result.message) if result.number in _PASSWORD_RULES else result.message,
                path=side.path,
                line=result.line,
                quotation=quotation,
            )
        )
    graded = _prefer_own(graded, own, side.file)
    if lenient and files.is_support(side.path):
        return [_weaken(f) for f in graded]
    return graded


def _prefer_own(graded: list[Finding], own: list[Finding], file: files.PythonFile) -> list[Finding]:
    """Our SQL finding replaces what the tools say of the same statement."""
    statements = {_statement_line(file, f.line) for f in own}
    kept = [f for f in graded if not (f.rule.endswith("608") and _statement_line(file, f.line) in statements)]
    return [*kept, *own]


def _statement_line(file: files.PythonFile, line: int) -> int:
    statement = file.statement_at(line)
    return statement.lineno if statement else line


def _weaken(finding: Finding) -> Finding:
    """Code that production does not run counts less: at most LOW."""
    lower = min(finding.severity, Severity.LOW, key=list(Severity).index)
    return msgspec.structs.replace(finding, severity=lower)


def _production_imports_support(sides: list[Side]) -> bool:
    """Whether production code of the change imports from tests or examples: then those are production code too."""
    for side in sides:
        if not side.at_head or files.is_support(side.path):
            continue
        for node in ast.walk(side.file.tree):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if any(files.is_support(name.replace(".", "/") + "/x.py") for name in names):
                return True
    return False


def _name_suppression(finding: Finding, by_path: dict[str, files.PythonFile]) -> Finding:
    """A suppression on the line does not count, and is mentioned."""
    file = by_path.get(finding.path)
    if file is None or not _SUPPRESSION.search(file.quote(finding.line)):
        return finding
    return msgspec.structs.replace(finding, message=f"{finding.message} (a suppression on this line does not count)")
