"""Whether a parameter is a folder or a file: what is listed, or opened, is one. Pure; for `uses.py`.

def load(source):
    for name in os.listdir(source): ...        source: a folder
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.inside.greenlane_edits import name_of

FOLDER, FILE = "Folder", "File"
_LISTING = frozenset({"listdir", "scandir", "walk", "iterdir", "rglob", "glob", "iglob", "fwalk"})
_OPENING = frozenset({"open", "read_text", "read_bytes", "ZipFile", "TarFile"})
_MODULES = frozenset({"os", "glob", "io", "codecs", "pathlib", "zipfile", "tarfile", "gzip", "bz2", "lzma"})
_SAME = frozenset({
    "Path", "PurePath", "str", "fspath", "abspath", "realpath", "normpath", "expanduser", "join", "resolve", "absolute",
    "as_posix", "joinpath",
})  # fmt: skip
"""What gives a path again, of what it is given or called on."""
_WRITING = frozenset("wax+")


def path_kind(name: str, holder: ast.ClassDef | FunctionNode) -> str:
    """What a parameter of a function, or of a class, is to be; empty for anything else."""
    names = {name}
    for node in ast.walk(holder):  # in the order of the text, as far as it matters
        if isinstance(node, ast.Assign) and _is_of(node.value, names):
            names |= {ast.unparse(target) for target in node.targets if isinstance(target, ast.Name | ast.Attribute)}
    found = set(_asked(names, holder))
    return FOLDER if FOLDER in found else FILE if FILE in found else ""


def _asked(names: Set[str], holder: ast.AST) -> Iterator[str]:
    for node in ast.walk(holder):
        if not isinstance(node, ast.Call):
            continue
        called = name_of(node)
        kind = FOLDER if called in _LISTING else FILE if called in _OPENING and not _writes(node) else ""
        if kind and any(_is_of(part, names) for part in _taken(node)):
            yield FOLDER if any(map(_goes_below, _taken(node))) else kind


def _goes_below(node: ast.expr) -> bool:
    """Whether it is something in a folder: `folder / "a"`, `os.path.join(folder, "a")`."""
    if isinstance(node, ast.BinOp):
        return True
    called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
    return isinstance(node, ast.Call) and (called == "joinpath" or (called == "join" and len(node.args) > 1))


def _taken(node: ast.Call) -> Iterator[ast.expr]:
    """What a call is about: its object, of a function of a module its first argument."""
    held = node.func.value if isinstance(node.func, ast.Attribute) else None
    if held is not None and ast.unparse(held) not in _MODULES:
        yield held
    else:
        yield from node.args[:1]


def _writes(node: ast.Call) -> bool:
    modes = [*node.args[:2], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
    said = [n.value for n in modes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return any(len(mode) <= 3 and _WRITING & set(mode) for mode in said)


def _is_of(node: ast.expr, names: Set[str]) -> bool:
    """One of the names, or what gives the same path again: `Path(source).resolve()`."""
    if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in names:
        return True
    if isinstance(node, ast.BoolOp):
        return any(_is_of(value, names) for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _is_of(node.left, names)
    if not isinstance(node, ast.Call):
        return False
    called = name_of(node)
    held = [node.func.value] if isinstance(node.func, ast.Attribute) else []
    return called in _SAME and any(_is_of(part, names) for part in (*held, *node.args[:1]))
