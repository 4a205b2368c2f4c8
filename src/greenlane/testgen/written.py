"""What a test does to a file by a call that it asserts on: a look at the file after it needs the call. Pure; for
`scripts.py`.

    path.write_text("b\\na")
    assert main([str(path)]) == 1        ->      main([str(path)])
    assert path.read_text() == "a\\nb"            path.read_text()
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

_PLACE = re.compile(r"\b(tmp_?path|tmp_?dir|tempfile|mkdtemp|mkstemp)\b")
"""Where a test keeps a file of its own."""
_SAME = frozenset({"str", "os.fspath", "fspath", "Path", "pathlib.Path"})
_READING = ("os.", "open", "len", "sorted", "list")


def done_to_files(look: ast.expr, before: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The call that is looked at, as a statement, where it is given a file of the test; nothing otherwise."""
    if not isinstance(look, ast.Call) or ast.unparse(look.func).startswith(_READING):
        return []
    paths = _paths(before)
    return [ast.copy_location(ast.Expr(value=look), look)] if paths & set(given_to(look)) else []


def given_to(call: ast.Call) -> Iterator[str]:
    """The names that a call is given, also in a list or as a text: `main([str(path)])`."""
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        yield from _names(argument)


def _names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Tuple | ast.List):
        for one in node.elts:
            yield from _names(one)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in _SAME:
        for one in node.args:
            yield from _names(one)


def _paths(before: Sequence[ast.stmt]) -> set[str]:
    """Names for files of the test."""
    names: set[str] = set()
    for node in before:
        value = ast.unparse(node.value) if isinstance(node, ast.Assign) else ""
        if value and (_PLACE.search(value) or any(re.search(rf"\b{name}\b", value) for name in names)):
            names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names
