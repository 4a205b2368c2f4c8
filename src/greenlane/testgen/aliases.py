"""Names that stand for a longer annotation, written out: what `def shown(color: RGBA)` takes is told by
`RGBA: TypeAlias = tuple[float, float, float, float]`, here or in the module of the project that it comes from. Pure;
for `source.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from greenlane.testgen.classes import ReadModule, imported_from, package_of
from greenlane.testgen.code import Function, Param

_DEEPEST, _LONGEST = 3, 300
_WORD = re.compile(r"(?<![\w.'\"])[A-Z]\w*")
_KINDS = frozenset({"tuple", "list", "dict", "set", "str", "int", "float", "bool", "bytes", "complex", "frozenset"})


def with_aliases(
    functions: Iterable[Function], tree: ast.Module, path: str, module: str, read: ReadModule
) -> tuple[Function, ...]:
    """The functions with what such names stand for in the annotations of their parameters."""
    known = _aliases_for(list(functions := tuple(functions)), tree, path, module, read)
    if not known:
        return functions

    def whole(params: Sequence[Param]) -> tuple[Param, ...]:
        return tuple(msgspec.structs.replace(p, annotation=_written_out(p.annotation, known)) for p in params)

    return tuple(msgspec.structs.replace(f, params=whole(f.params)) for f in functions)


def _aliases_for(
    functions: Sequence[Function], tree: ast.Module, path: str, module: str, read: ReadModule
) -> dict[str, str]:
    """By name what it stands for, of the names in these annotations and in those that they stand for."""
    found: dict[str, str] = {}
    asked = [word for f in functions for p in f.params for word in _WORD.findall(p.annotation)]
    places = dict.fromkeys(asked, (tree, module, path))
    for _ in range(_DEEPEST):
        new: dict[str, tuple[ast.Module, str, str]] = {}
        for name, (parsed, home, file) in places.items():
            known = _aliases_in(parsed)
            if name not in known:
                source = imported_from(parsed, package_of(home, file)).get(name)
                there = read(source) if source else None
                if source is None or there is None or name not in (known := _aliases_in(there[1])):
                    continue
                file, parsed, home = there[0], there[1], source
            found[name] = known[name]
            new |= {word: (parsed, home, file) for word in _WORD.findall(known[name]) if word not in found}
        places = new
    return found


def _aliases_in(tree: ast.Module) -> dict[str, str]:
    """The aliases that a module binds, under `if TYPE_CHECKING:` as well."""
    found: dict[str, str] = {}
    for node in _at_top(tree.body):
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        told = isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).endswith("TypeAlias")
        if value is not None and (told or (isinstance(node, ast.Assign) and _is_annotation(value))):
            text = (
                value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ast.unparse(value)
            )
            names = [t.id for t in targets if isinstance(t, ast.Name) and t.id[:1].isupper()]
            found |= dict.fromkeys(names, text) if len(text) <= _LONGEST else {}
    return found


def _at_top(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _at_top([*node.body, *node.orelse])


def _is_annotation(value: ast.expr) -> bool:
    """`Union[str, int]`, `list[str]`, `str | None`: nothing else at the top of a module looks like it."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        sides = (value.left, value.right)
        return all(_is_kind(side) or _is_annotation(side) for side in sides)
    if not isinstance(value, ast.Subscript):
        return False
    name = ast.unparse(value.value).split(".")[-1]
    return name in _KINDS or (name[:1].isupper() and not name.isupper())


def _is_kind(node: ast.expr) -> bool:
    name = ast.unparse(node).split(".")[-1]
    return name in _KINDS or name == "None" or (name[:1].isupper() and not name.isupper())


def _written_out(annotation: str, known: Mapping[str, str]) -> str:
    for _ in range(_DEEPEST):
        other = _WORD.sub(lambda found: known.get(found[0], found[0]), annotation)
        if other == annotation or len(other) > _LONGEST:
            break
        annotation = other
    return annotation
