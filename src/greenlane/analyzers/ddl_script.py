"""SQL of several statements: where each begins and ends, and what it does in the company of the others.

What is built on a table that was created before it locks nobody, a view that is dropped and created again is replaced,
and a temporary table is nobody's data. Called by `schema.py` for files of SQL and for strings of the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from greenlane.analyzers import ddl, ddl_words
from greenlane.analyzers.ddl_words import Effect
from greenlane.domain.findings import Severity

_PIECE = re.compile(
    r"--[^\n]*|/\*(?!!).*?\*/"  # comments; `/*! ... */` is code to MySQL
    r"|'(?:[^'\\]|''|\\.)*'|\"[^\"]*\"|`[^`]*`"
    r"|(?:\b(?:as|do)\s+)(?P<tag>\$\w*\$).*?(?P=tag)"  # bodies, as PostgreSQL quotes them
    r"|;",
    re.DOTALL | re.IGNORECASE,
)
_LEAD = re.compile(r"(\s+|--[^\n]*\n|/\*(?!!).*?\*/)*", re.DOTALL)
"""White space and comments before a statement."""
_ROUTINE = re.compile(
    r"\s*create\s+(or\s+replace\s+)?(definer\s*=\s*\S+\s+)?(temp(orary)?\s+)?(trigger|procedure|function)\b",
    re.IGNORECASE,
)
_FOR_MYSQL = re.compile(r"/\*!\d*(.*?)\*/", re.DOTALL)
"""What only looks like a comment: MySQL executes it."""
_DO = re.compile(r"\s*do\s+(?P<tag>\$\w*\$)(?P<body>.*)(?P=tag)\s*\Z", re.IGNORECASE | re.DOTALL)
_CLAUSE = re.compile(
    r"\s*(declare\b.*?\bbegin\b|begin\b|if\b.*?\bthen\b|else\b|execute\s+')", re.IGNORECASE | re.DOTALL
)
"""What stands before a statement within a block."""
_NAME = r"(?:if\s+(?:not\s+)?exists\s+)?(?:only\s+)?([\w.\"`]+)"
_CREATES = re.compile(rf"\bcreate\s+(?P<temp>temp(?:orary)?\s+)?table\s+{_NAME}", re.IGNORECASE)
_REPLACEABLE = r"(?:materialized\s+)?(?:view|function|procedure|trigger)"
_MAKES = re.compile(rf"\bcreate\s+(?:or\s+replace\s+)?{_REPLACEABLE}\s+{_NAME}", re.IGNORECASE)
_UNMAKES = re.compile(rf"\s*drop\s+{_REPLACEABLE}\s+{_NAME}", re.IGNORECASE)
_DROPS_TABLE = re.compile(rf"\s*drop\s+table\s+{_NAME}", re.IGNORECASE)
_WORKS_ON = re.compile(
    r"\bcreate\s+(?:unique\s+)?index\b.*?\bon\s+(?:only\s+)?([\w.\"`]+)"
    rf"|\balter\s+table\s+{_NAME}|\b(?:update|delete\s+from)\s+(?:only\s+)?([\w.\"`]+)",
    re.IGNORECASE | re.DOTALL,
)
_MAX_BLOCKS = 3
"""Blocks within blocks that are read."""


class Statement(msgspec.Struct, frozen=True):
    """One statement, and the line of the script (from 0) on which its first word stands."""

    text: str
    line: int


class Script:
    """Judges statements in the order of their execution, over as many texts as belong together."""

    def __init__(self) -> None:
        self._created: set[str] = set()
        self._temporary: set[str] = set()

    def judge(self, text: str, *, data: bool) -> Iterator[tuple[Statement, Effect]]:
        """What each statement does; with `data` also what changes rows."""
        made_again = {_plain(m[1]) for m in _MAKES.finditer(text)}
        for statement in split_statements(text):
            for effect in self._effects(statement.text, data=data):
                dropped = _UNMAKES.match(statement.text)
                if dropped and _plain(dropped[1]) in made_again:
                    words = "is replaced by another of its name, in the same transaction where there is one"
                    yield statement, Effect("replace", Severity.LOW, words)
                else:
                    yield statement, effect

    def _effects(self, statement: str, *, data: bool, depth: int = 0) -> Iterator[Effect]:
        block = _DO.match(statement)
        if block and depth < _MAX_BLOCKS:
            for inner in split_statements(block["body"]):
                yield from self._effects(_without_clauses(inner.text), data=data, depth=depth + 1)
            return
        fresh = self._is_own(statement)
        for effect in self._plain_effects(statement, data=data):
            if fresh and effect.severity in (Severity.MEDIUM, Severity.HIGH):
                yield Effect(
                    effect.rule, Severity.LOW, f"on a table that is created here: {effect.message.partition(':')[0]}"
                )
            else:
                yield effect

    def _plain_effects(self, statement: str, *, data: bool) -> Iterator[Effect]:
        statement = _FOR_MYSQL.sub(r" \1 ", statement)
        if _ROUTINE.match(statement):
            yield Effect("create-routine", Severity.LOW, "makes a routine, which does nothing until it is called")
        elif ddl_words.STARTS_WITH_DDL.match(statement):
            yield from ddl.effects_of(statement)
        elif data and (on_rows := ddl_words.judge_data(statement)):
            yield on_rows

    def _is_own(self, statement: str) -> bool:
        """Whether it works on a table that these statements created; remembers what this one creates."""
        created = _CREATES.search(statement)
        if created:
            (self._temporary if created["temp"] else self._created).add(_plain(created[2]))
            return False
        dropped = _DROPS_TABLE.match(statement)
        if dropped:
            return _plain(dropped[1]) in self._temporary
        on = _WORKS_ON.search(statement)
        return on is not None and _plain(next(g for g in on.groups() if g)) in self._created | self._temporary


def split_statements(text: str) -> Iterator[Statement]:
    """The statements of an SQL text: cut at each `;` outside of quotes, comments and bodies of functions."""
    begin, line = 0, 0
    for end in (*_ends(text), len(text)):
        piece = text[begin:end]
        lead = _LEAD.match(piece)
        at = lead.end() if lead else 0
        if piece[at:].strip():
            yield Statement(piece[at:], line + piece[:at].count("\n"))
        line += text[begin : end + 1].count("\n")
        begin = end + 1


def _ends(text: str) -> Iterator[int]:
    """Where statements end. A routine with `BEGIN ... END` has semicolons of its own; one that never ends has none."""
    begin = 0
    cuts = [m.start() for m in _PIECE.finditer(text) if m[0] == ";"]
    for index, cut in enumerate(cuts):
        if cut < begin:
            continue
        piece = text[begin:cut]
        if _ROUTINE.match(piece[_LEAD.match(piece).end() :]) and _is_open(piece):  # type: ignore[union-attr]  # it always matches
            cut = next((c for c in cuts[index:] if not _is_open(text[begin:c])), cut)
        yield cut
        begin = cut + 1


def _is_open(text: str) -> bool:
    return len(re.findall(r"\b(?:begin|case)\b", text, re.IGNORECASE)) > len(
        re.findall(r"\bend\b(?!\s+(?:if|loop|while|repeat)\b)", text, re.IGNORECASE)
    )


def _without_clauses(text: str) -> str:
    """A statement of a block without what opens blocks and conditions before it."""
    for _ in range(_MAX_BLOCKS):
        clause = _CLAUSE.match(text)
        text = text[clause.end() :] if clause else text
    return text


def _plain(name: str) -> str:
    return name.rpartition(".")[2].strip('"`').lower()
