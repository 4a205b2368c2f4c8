"""Sequences of calls as numbers: statements of an existing test, and calls put after them on what is alive there. Pure.

Runs on both sides of the sandbox: inside, where very many are tried, and outside, where what was found is written anew
from its numbers, so that no text from inside is ever written down.

A *step* is the number of a statement of the program, or `[act, path, [path, ...]]`: a call from the stock, on what
object, with which others in the places that it leaves open. A *path* is `[name, attribute or [key], ...]`.
"""

from __future__ import annotations

import ast
import keyword
from typing import Any

IT, GIVEN = "greenlane_it", "greenlane_given_"
"""The names in an act that stand for its object, and for what is put into its open places."""
_MAX_PATH = 5


def written(path: list[Any]) -> str:
    """Raises ValueError for what is no path of names, attributes, and texts, numbers or names as keys."""
    if not isinstance(path, (list, tuple)) or not path or len(path) > _MAX_PATH or not _is_name(path[0]):
        raise ValueError("no path")
    text = str(path[0])
    for part in path[1:]:
        if isinstance(part, (list, tuple)):
            text += f"[{_key(part)}]"
        elif _is_name(part) and not part.startswith("_"):
            text += f".{part}"
        else:
            raise ValueError("no path")
    return text


def _key(part: Any) -> str:
    """`["text", "a"]`, `["number", 1]` or `["name", "KEY"]`."""
    if len(part) == 2 and part[0] == "text" and isinstance(part[1], str):
        return repr(part[1])
    if len(part) == 2 and part[0] == "number" and type(part[1]) is int:
        return repr(part[1])
    if len(part) == 2 and part[0] == "name" and _is_name(part[1]):
        return str(part[1])
    raise ValueError("no key")


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name) and "__" not in name


def composed(step: Any, statements: list[str], acts: list[str]) -> str:
    """A step as a statement. Raises ValueError, IndexError or TypeError if it means nothing."""
    if isinstance(step, int):
        if not 0 <= step < len(statements):
            raise ValueError("no statement")
        return statements[step]
    number, path, given = step
    if type(number) is not int or not 0 <= number < len(acts):
        raise ValueError("no act")
    filling = {f"{GIVEN}{n}": written(one) for n, one in enumerate(given)}
    if path:
        filling[IT] = written(path)
    tree = ast.parse(acts[number])
    missing = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id.startswith("greenlane_")} - set(filling)
    if missing:
        raise ValueError("an open place")
    return ast.unparse(ast.fix_missing_locations(_Filling(filling).visit(tree)))


def shown(look: Any, statements: list[str], acts: list[str]) -> str:
    """A look: a step, or a path. Raises as both do."""
    is_path = isinstance(look, (list, tuple)) and bool(look) and isinstance(look[0], str)
    return written(list(look)) if is_path else composed(look, statements, acts)


class _Filling(ast.NodeTransformer):
    def __init__(self, filling: dict[str, str]) -> None:
        self._filling = filling

    def visit_Name(self, node: ast.Name) -> ast.AST:
        text = self._filling.get(node.id)
        return ast.parse(text, mode="eval").body if text is not None else node


def open_places(act: str) -> int:
    """How many objects an act takes beside its own."""
    names = {n.id for n in ast.walk(ast.parse(act)) if isinstance(n, ast.Name)}
    return sum(name.startswith(GIVEN) for name in names)
