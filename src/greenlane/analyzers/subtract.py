"""What a change brings: findings at the head without those that stood at the base already.

Used by the analyzers that run a tool over whole files. Lines move; so a finding is known by its rule, its file, the
function around it and its text without white space, never by its number. What only moved is kept as information: it
was in the code before, and a reader may still want to see it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from greenlane.analyzers.files import PythonFile
from greenlane.domain.findings import Finding, Severity

Scope: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Key: TypeAlias = tuple[str, ...]
_WORD = re.compile(r"[A-Za-z_]\w*")
_QUOTING = re.compile(r"quote|escape|ident", re.IGNORECASE)


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """A finding with its place in the program: the qualified name and the text of the function around it, and the
    text of its whole statement (its quotation is one line only)."""

    finding: Finding
    scope: str = ""
    body: str = ""
    statement: str = ""
    words: frozenset[str] = frozenset()
    """The words of that statement, without those of quoting helpers."""


def normalise(text: str) -> str:
    """The text without white space and without the comment of a suppression."""
    return re.sub(r"\s+", "", re.sub(r"#\s*(noqa|nosec|type:|pragma).*$", "", text, flags=re.IGNORECASE | re.MULTILINE))


def locate(finding: Finding, file: PythonFile) -> Located:
    """The finding with the function or class, and the statement, that hold its line."""
    names: list[str] = []
    scope: Scope | None = None
    statement: ast.stmt | None = None
    level: list[ast.stmt] = list(file.tree.body)
    while level:
        around = next((s for s in level if s.lineno <= finding.line <= (s.end_lineno or 0)), None)
        if around is None:
            break
        statement = around
        if isinstance(around, Scope):
            names.append(around.name)
            scope = around
        level = _statements_below(around)
    raw = _text(file, statement, _end_of_head(statement)) if statement else finding.quotation
    return Located(
        finding=finding,
        scope=".".join(names),
        body=normalise(_text(file, scope, scope.end_lineno)) if scope else "",
        statement=normalise(raw),
        words=frozenset(word for word in _WORD.findall(raw) if not _QUOTING.search(word)),
    )


def _statements_below(statement: ast.stmt) -> list[ast.stmt]:
    """The statements directly inside a compound one, those of `except` and `case` included."""
    found: list[ast.stmt] = []
    pending = list(ast.iter_child_nodes(statement))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            found.append(node)
        elif isinstance(node, ast.ExceptHandler | ast.match_case):
            pending.extend(ast.iter_child_nodes(node))
    return found


def _end_of_head(statement: ast.stmt) -> int | None:
    """The last line of a simple statement; of a compound one, the line before its body."""
    body = getattr(statement, "body", None) or getattr(statement, "cases", None)
    if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
        return max(statement.lineno, body[0].lineno - 1)
    return statement.end_lineno


def _text(file: PythonFile, node: ast.stmt, end: int | None) -> str:
    return "\n".join(file.lines[node.lineno - 1 : end])


def subtract(head: Iterable[Located], base: Iterable[Located], added: Mapping[str, frozenset[int]]) -> list[Finding]:
    """Findings of the head that the base lacks. `added` gives the added lines of each path (as at the head).

    Base findings carry the path that their file has at the head. Equal ones are paired off, unchanged lines first;
    a rest that equals one of another function of the file, or whose whole function stood elsewhere, has moved.
    """
    pool = list(base)
    before = Counter(_place(b) for b in pool)
    fresh: list[Located] = []
    for found in sorted(head, key=lambda h: h.finding.line in added.get(h.finding.path, frozenset())):
        key = _place(found)
        if before[key]:
            before[key] -= 1
        else:
            fresh.append(found)
    vanished: Counter[Key] = Counter()
    edited: dict[Key, list[Located]] = {}
    for left in pool:
        if before[_place(left)]:
            before[_place(left)] -= 1
            vanished.update([_within_file(left), _within_function(left)])
            edited.setdefault(_same_spot(left), []).append(left)
    return [_settle(found, vanished, edited.get(_same_spot(found), [])) for found in fresh]


def _settle(found: Located, vanished: Counter[Key], edited: list[Located]) -> Finding:
    for key in (_within_function(found), _within_file(found)):
        if vanished[key] and (found.body or key[0] == "file"):
            vanished[key] -= 1
            return msgspec.structs.replace(
                found.finding,
                severity=Severity.INFO,
                message=f"{found.finding.message} (it stood elsewhere in the base: moved)",
            )
    for old in edited:
        if not found.words - old.words:  # a statement with no new word lets nothing new in
            edited.remove(old)
            return msgspec.structs.replace(
                found.finding,
                severity=min(found.finding.severity, Severity.MEDIUM, key=list(Severity).index),
                message=f"{found.finding.message} (the base had it here too; its statement was edited)",
            )
    return found.finding


def _same_spot(at: Located) -> Key:
    return ("spot", at.finding.rule, at.finding.severity, at.finding.path, at.scope)


def _place(at: Located) -> Key:
    return ("place", at.finding.rule, at.finding.severity, at.finding.path, at.scope, at.statement)


def _within_file(at: Located) -> Key:
    return ("file", at.finding.rule, at.finding.severity, at.finding.path, at.statement)


def _within_function(at: Located) -> Key:
    return ("function", at.finding.rule, at.finding.severity, at.body, at.statement)
