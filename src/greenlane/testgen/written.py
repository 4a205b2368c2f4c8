"""What a test does to files: a look at a file after it needs the calls that may have made it so. Pure; for `scripts.py`
and `slicing.py`.

    path.write_text("b\\na")
    assert main([str(path)]) == 1        ->      main([str(path)])
    assert path.read_text() == "a\\nb"            path.read_text()

    args = ["-o", tmp_path]
    run("pack", *args)                   ->      stays before
    assert (tmp_path / "a.zip").is_file()
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence, Set

_PLACE = re.compile(r"\b(tmp_?path(_factory)?|tmp_?dir(_factory)?|tempfile|mkdtemp|mkstemp)\b")
"""Where a test keeps a file of its own."""
_FIXTURES = ("tmp_path", "tmpdir", "tmp_path_factory", "tmpdir_factory")
_SAME = frozenset({"str", "os.fspath", "fspath", "Path", "pathlib.Path"})
_READING = ("os.", "open", "len", "sorted", "list")
_OF_DISK = frozenset({
    "open", "read_text", "read_bytes", "read_binary", "exists", "is_file", "isfile", "is_dir", "isdir", "listdir",
    "iterdir", "scandir", "walk", "glob", "rglob", "stat", "getsize", "samefile", "cmp", "ZipFile",
})  # fmt: skip
_MOVING = frozenset({"chdir", "as_cwd", "isolated_filesystem"})


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


def reads_disk(node: ast.AST) -> bool:
    """Whether it looks at a file, or whether there is one."""
    return any(isinstance(n, ast.Call) and _called(n) in _OF_DISK for n in ast.walk(node))


def places_in(statements: Sequence[ast.stmt]) -> Set[str]:
    """The names for files and folders of the test, and for what holds such: `args = ["-o", tmp_path]`."""
    return _paths(statements) | {name for name in _FIXTURES if any(_names_one(node, {name}) for node in statements)}


def given_in(node: ast.AST, places: Set[str]) -> Set[str]:
    """Those of these names that something in it is given: `Archive(path)`."""
    return {name for call in ast.walk(node) if isinstance(call, ast.Call) for name in given_to(call)} & places


def acts_on(node: ast.stmt, places: Set[str], *, moved: bool = False) -> bool:
    """Whether a statement, or one in its block, calls something with one of these; `moved`: or anything at all, where
    the test works in a folder of its own."""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    block = isinstance(node, ast.Expr | ast.With | ast.AsyncWith | ast.For | ast.If | ast.Try)
    return block and bool(calls) and (moved or _names_one(node, places))


def moves(statements: Sequence[ast.stmt]) -> bool:
    """Whether a test goes into a folder."""
    return any(isinstance(n, ast.Call) and _called(n) in _MOVING for node in statements for n in ast.walk(node))


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).split(".")[-1]


def _names_one(node: ast.AST, names: Set[str]) -> bool:
    return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node))


def _paths(before: Sequence[ast.stmt]) -> set[str]:
    """Names for files of the test."""
    names: set[str] = set()
    for node in before:
        value = ast.unparse(node.value) if isinstance(node, ast.Assign) else ""
        if value and (_PLACE.search(value) or any(re.search(rf"\b{name}\b", value) for name in names)):
            names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names
