"""Faults for a line of any language: one operator, word or number of it is exchanged, as text. Pure.

For the tests of a program (`program.py`): Greenlane does not understand the language there. A fault that the language
itself refuses shows nothing, so the caller counts only those under which other tests still pass.
"""

from __future__ import annotations

import re

_SWAPS = (
    (r"(?<![<>=!&|+\-*/%])<=(?![=>])", "<"), (r"(?<![<>=!\-])>=(?!=)", ">"), ("===", "!=="), ("!==", "==="),
    (r"(?<![=!<>])==(?!=)", "!="), (r"!=(?!=)", "=="), (r"(?<=[\w)\]] )<(?= )", "<="), (r"(?<=[\w)\]] )>(?= )", ">="),
    ("&&", "||"), (r"\|\|", "&&"), (r"(?<=[\w)\]] )\+(?= )", "-"), (r"(?<=[\w)\]] )-(?= )", "+"),
    (r"(?<=[\w)\]] )\*(?= )", "/"), (r"\btrue\b", "false"), (r"\bfalse\b", "true"), (r"\band\b", "or"),
    (r"\bor\b", "and"), (r"\beq\b", "ne"), (r"\bne\b", "eq"), (r"\bgt\b", "le"), (r"\blt\b", "ge"),
)  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.])(\d{1,9})(?![\w.]|\s*[\"'])")
_STRING = re.compile(r"(['\"])([A-Za-z][\w ]*)\1")


def faults_of(text: str, line: int) -> tuple[str, ...]:
    """The whole text with one fault in this line (1-based), for each that can be made there; the likeliest first."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return ()
    own = lines[line - 1]
    found = [own[: match.start()] + new + own[match.end() :] for old, new in _SWAPS for match in re.finditer(old, own)]
    found += [own[: m.start()] + str(int(m[1]) + 1) + own[m.end() :] for m in _NUMBER.finditer(own)]
    found += [own[: m.start(2)] + "x" + own[m.start(2) :] for m in _STRING.finditer(own)]
    return tuple("\n".join([*lines[: line - 1], changed, *lines[line:]]) for changed in dict.fromkeys(found))
