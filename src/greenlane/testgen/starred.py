"""What `from ... import *` brings into a test file, by reading the project's modules. Reads files, runs nothing.
Called by `testmodules.py`.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from greenlane.testgen.classes import absolute_module
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.inputs import Import
from greenlane.testgen.reading import parse_text, read_inside

_MAX_MODULES = 8
_DEEP = 2
_ROOTS = ("", "src", "lib")


def starred(tree: Path, parsed: ast.Module, package: str) -> dict[str, Import]:
    """By name that the file uses, where it is imported from. Where no module binds a name in so many words (a table of
    names becomes some), it is of one that mentions it."""
    stars = [n for n in parsed.body if isinstance(n, ast.ImportFrom) and any(alias.name == "*" for alias in n.names)]
    modules = [absolute_module(node, package) for node in stars]
    used = {node.id for node in ast.walk(parsed) if isinstance(node, ast.Name)} if modules else set()
    found: dict[str, Import] = {}
    mentioned: dict[str, Import] = {}
    for module in modules[:_MAX_MODULES]:
        text = _text_of(tree, module) if module else None
        known = parse_text(text)
        if module and text is not None and known is not None:
            found |= {name: (module, name) for name in _offered_through(tree, module, known) if name in used}
            words = set(re.findall(r"\w+", text))
            mentioned |= {name: (module, name) for name in used & words if not hasattr(builtins, name)}
    return mentioned | found


def _text_of(tree: Path, module: str) -> str | None:
    path = _file_of(tree, module)
    return read_inside(tree, path) if path is not None else None


def _file_of(tree: Path, module: str) -> Path | None:
    below = PurePosixPath(*module.split("."))
    paths = (path for root in _ROOTS for path in (tree / root / f"{below}.py", tree / root / below / "__init__.py"))
    return next((path for path in paths if path.is_file()), None)


def _offered_through(tree: Path, module: str, known: ast.Module, deep: int = _DEEP) -> list[str]:
    """What a module offers, with what it brings in by a star itself."""
    names = _offered(known)
    file = _file_of(tree, module)
    package = module if file is not None and file.name == "__init__.py" else module.rpartition(".")[0]
    stars = [n for n in known.body if isinstance(n, ast.ImportFrom) and any(alias.name == "*" for alias in n.names)]
    for node in stars[:_MAX_MODULES] if deep else ():
        inner = absolute_module(node, package)
        parsed = parse_text(_text_of(tree, inner)) if inner else None
        if inner and parsed is not None:
            names += _offered_through(tree, inner, parsed, deep - 1)
    return names


def _offered(tree: ast.Module) -> list[str]:
    """The names in `__all__`, or else those that begin with no underscore."""
    bound: list[str] = []
    for node in tree.body:
        names = list(_bound(node))
        if "__all__" in names:
            value = getattr(node, "value", None)
            constants = [n.value for n in ast.walk(value) if isinstance(n, ast.Constant)] if value is not None else []
            listed = [text for text in constants if isinstance(text, str)]
            if listed:
                return listed
        bound += names
    return [name for name in dict.fromkeys(bound) if not name.startswith("_")]


def _bound(node: ast.stmt) -> Iterator[str]:
    """Names that a statement at the top of a module binds."""
    if isinstance(node, FunctionNode | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names if alias.name != "*")
    elif isinstance(node, ast.If | ast.Try):
        for inner in (*node.body, *node.orelse):
            yield from _bound(inner)
    else:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (n.id for t in targets if t is not None for n in ast.walk(t) if isinstance(n, ast.Name))
