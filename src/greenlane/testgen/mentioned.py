"""Values that a text of the code gives as an example: `"must be host:port (e.g. 127.0.0.1:1080)"`. Pure; for
`constants.py` and `consoles.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_SAID = r"(?:\be\.g\.,?|\bfor example,?:?|\bfor instance,?:?|\bexample:|\bsuch as)\s+"
_QUOTED = re.compile(_SAID + r"(['\"`]{1,2})([^'\"`\n]{1,60})\1", re.IGNORECASE)
_PLAIN = re.compile(_SAID + r"([^\s'\"`(),;<>{}\[\]]{2,60})", re.IGNORECASE)
_MOST = 4


def mentioned_in(text: str) -> list[str]:
    """In quotes anything; without them what is no plain word."""
    quoted = [match[2] for match in _QUOTED.finditer(text)]
    plain = [match[1].rstrip(".:") for match in _PLAIN.finditer(text)]
    return list(dict.fromkeys([*quoted, *(one for one in plain if re.search(r"\w\W|\W\w|\d", one))]))[:_MOST]


def mentioned_by(node: ast.AST) -> Iterator[str]:
    """By the texts of a function: its docstring, and what it says of an error."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield from mentioned_in(part.value)
