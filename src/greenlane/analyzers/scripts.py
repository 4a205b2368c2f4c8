"""Scripts and templates: JavaScript, TypeScript, shell, HTML with Django's, Jinja's or Mako's tags, and package.json.

Findings of the head without those of the base: a place is known by its rule and its text without white space. A file
whose syntax is wrong in changed lines, and a bundle that nobody can read, are analyses that did not happen.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

from greenlane.analyzers import files, javascript, markup, shell
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.analyzers.knowledge import BaseKnowledge
from greenlane.analyzers.script_hits import SANITIZER, Hit, ScriptError
from greenlane.domain.diff import FileDiff
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity

NAME = "scripts"
MAX_LINE = 5000
"""Characters of a line of script that a person may have written; a longer one is a bundle."""
_READERS = {
    files.Kind.SCRIPT: javascript.scan,
    files.Kind.SHELL: shell.scan,
    files.Kind.MARKUP: markup.scan,
}
_HARMLESS_HOST = re.compile(
    r"^(localhost|127\.|10\.|192\.168\.|0\.0\.0\.0|\[?::)|(^|\.)(localhost|local|test|invalid|example|internal)$"
    r"|(^|\.)example\.(com|org|net)$|^(www\.)?(w3\.org|github\.com|pypi\.org)$"
)
_TOKEN = re.compile(r"csrf_token|csrf\.hidden_tag|csrfmiddlewaretoken|form\.hidden_tag\(")
_GROUPS = (
    ("dependencies", Severity.MEDIUM),
    ("optionalDependencies", Severity.MEDIUM),
    ("devDependencies", Severity.LOW),
)
_LOW = (Severity.INFO, Severity.LOW)


def analyze(review: ReviewInput) -> AnalysisResult:
    known = BaseKnowledge(review.base, review.max_file_bytes)
    findings: list[Finding] = []
    skipped: list[SkippedFile] = []
    moved = _removed_elsewhere(review)
    for diff in review.readable:
        kind = files.kind_of(diff.path, files.first_line(review.head, diff.path, review.max_file_bytes))
        if diff.path.rsplit("/", 1)[-1] == "package.json":
            findings += _packages(review, diff)
        if kind not in _READERS or not (diff.added or diff.removed or diff.status in ("added", "renamed")):
            continue
        try:
            findings += _of_file(review, diff, kind, known, moved)
        except files.UnreadableError:
            continue  # `reading` names it
        except ScriptError as error:
            skipped.append(SkippedFile(path=diff.path, analyzer=NAME, reason=str(error)))
    return AnalysisResult(findings=tuple(findings), skipped=tuple(skipped))


def _of_file(
    review: ReviewInput, diff: FileDiff, kind: files.Kind, known: BaseKnowledge, moved: frozenset[str]
) -> Iterator[Finding]:
    text = files.read_text(review.head, diff.path, review.max_file_bytes)
    if kind is not files.Kind.MARKUP and any(len(line.text) > MAX_LINE for line in diff.added):
        raise ScriptError("it is minified or generated: nobody can read it")
    if kind is files.Kind.SCRIPT:
        _require_syntax(diff, text)
    head = _READERS[kind](diff.path, text)
    before = Counter(_key(hit) for hit in _at_base(review, diff, kind))
    for hit in (*head, *_removed_guards(diff, kind, text)):
        if before[_key(hit)] > 0:
            before[_key(hit)] -= 1
        elif not hit.host or (_is_service(hit.host) and not known.mentions(hit.host)):
            yield _finding(diff.path, hit, moved)


def _require_syntax(diff: FileDiff, text: str) -> None:
    """Raises ScriptError if a changed line could not be parsed (a line that was taken out breaks what follows it)."""
    touched = {line.number for line in diff.added}
    for first, last in javascript.broken_lines(diff.path, text):
        if diff.status == "renamed" or not touched or any(first - 1 <= number <= last + 1 for number in touched):
            raise ScriptError(f"syntax error in line {first}")


def _at_base(review: ReviewInput, diff: FileDiff, kind: files.Kind) -> list[Hit]:
    path = diff.old_path or diff.path
    if diff.status == "added" or files.begins_to_run(path, diff.path):
        return []
    try:
        return _READERS[kind](path, files.read_text(review.base, path, review.max_file_bytes))
    except (files.UnreadableError, ScriptError):
        return []


def _removed_elsewhere(review: ReviewInput) -> frozenset[str]:
    """Lines that the change takes out, without white space: long ones that stand again elsewhere were moved."""
    return frozenset(
        text
        for diff in review.diff.files
        if not files.is_support(diff.old_path or diff.path)
        for line in diff.removed
        if len(text := _squeeze(line.text)) >= 30
    )


def _removed_guards(diff: FileDiff, kind: files.Kind, text: str) -> Iterator[Hit]:
    """A line that stands again without the call that made its value harmless; a form without its token."""
    added = {_squeeze(line.text): line for line in diff.added}
    for line in diff.removed:
        bare = _squeeze(re.sub(r"\|\s*(escape|e|escapejs|tojson|striptags)\b", "", SANITIZER.sub(r"\2", line.text)))
        if bare != _squeeze(line.text) and bare in added:
            yield Hit(
                rule=f"{NAME}.sanitizer-removed", severity=Severity.HIGH,
                message="the value of this line is no longer made harmless", line=added[bare].number,
                text=added[bare].text,
            )  # fmt: skip
    tokens = [line for line in diff.removed if _TOKEN.search(line.text)]
    if kind is files.Kind.MARKUP and tokens and not any(_TOKEN.search(line.text) for line in diff.added):
        posts = re.findall(r"<form\b[^>]*method\s*=\s*[\"']?post", text, re.IGNORECASE)
        if len(posts) > len(_TOKEN.findall(text)):
            yield Hit(
                rule="markup.token-removed", severity=Severity.HIGH,
                message="a form no longer carries its token against forged requests", line=0, text=tokens[0].text,
            )  # fmt: skip


def _packages(review: ReviewInput, diff: FileDiff) -> Iterator[Finding]:
    """Packages that the manifest of the base does not name, and commands that npm runs by itself."""
    head, base = _manifest(review, diff, head=True), _manifest(review, diff, head=False)
    for group, severity in _GROUPS:
        for name in sorted(_table(head, group).keys() - _table(base, group).keys()):
            hit = Hit(rule="scripts.new-package", severity=severity, message=f"a new package: {name}",
                      line=_line_of(diff, name), text=name, category=Category.INTEGRATION)  # fmt: skip
            yield _finding(diff.path, hit, frozenset())
    for name in ("preinstall", "install", "postinstall", "prepare"):
        command = _table(head, "scripts").get(name)
        if command is not None and command != _table(base, "scripts").get(name):
            hit = Hit(rule="scripts.install-hook", severity=Severity.MEDIUM, message=f"npm runs this at {name}",
                      line=_line_of(diff, name), text=str(command))  # fmt: skip
            yield _finding(diff.path, hit, frozenset())


def _manifest(review: ReviewInput, diff: FileDiff, *, head: bool) -> dict[str, object]:
    if not head and diff.status == "added":
        return {}
    tree, path = (review.head, diff.path) if head else (review.base, diff.old_path or diff.path)
    try:
        read = json.loads(files.read_text(tree, path, review.max_file_bytes))
    except (files.UnreadableError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _table(manifest: dict[str, object], name: str) -> dict[str, object]:
    table = manifest.get(name)
    return table if isinstance(table, dict) else {}


def _line_of(diff: FileDiff, name: str) -> int:
    return next((line.number for line in diff.added if f'"{name}"' in line.text), 0)


def _finding(path: str, hit: Hit, moved: frozenset[str]) -> Finding:
    severity, message = hit.severity, hit.message
    if files.is_support(path) and severity not in _LOW:
        severity, message = Severity.LOW, f"{message} (production does not run this file)"
    elif hit.category is Category.SECURITY and _squeeze(hit.text) in moved and hit.rule != f"{NAME}.sanitizer-removed":
        severity, message = Severity.INFO, f"{message} (it stood elsewhere in the base: moved)"
    quotation = hit.text.strip().split("\n")[0][:300]
    return Finding(
        rule=hit.rule, category=hit.category, severity=severity, message=message, path=path, line=hit.line,
        quotation=quotation,
    )  # fmt: skip


def _key(hit: Hit) -> tuple[str, str]:
    return hit.rule, hit.host or _squeeze(hit.text)


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _is_service(host: str) -> bool:
    return "." in host and not _HARMLESS_HOST.search(host)
