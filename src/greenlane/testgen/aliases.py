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
from greenlane.testgen.inputs import Constructors

_DEEPEST, _LONGEST = 3, 300
_WORD = re.compile(r"(?<![\w.'\"])[A-Z]\w*")
_KINDS = frozenset({"tuple", "list", "dict", "set", "str", "int", "float", "bool", "bytes", "complex", "frozenset"})


def with_aliases(
    functions: Iterable[Function], tree: ast.Module, path: str, module: str, read: ReadModule
) -> tuple[Function, ...]:
    """The functions with what such names stand for in the annotations of their parameters."""
    functions = tuple(functions)
    known = _aliases_for([p for f in functions for p in f.params], tree, path, module, read)
    return tuple(msgspec.structs.replace(f, params=_whole(f.params, known)) for f in functions) if known else functions


def constructors_with_aliases(
    constructors: Constructors, tree: ast.Module, path: str, module: str, read: ReadModule
) -> Constructors:
    """The same of what classes take."""
    known = _aliases_for([p for params in constructors.values() for p in params], tree, path, module, read)
    return {name: _whole(params, known) for name, params in constructors.items()} if known else constructors


def _whole(params: Sequence[Param], known: Mapping[str, str]) -> tuple[Param, ...]:
    return tuple(msgspec.structs.replace(p, annotation=_written_out(p.annotation, known)) for p in params)


def _aliases_for(params: Sequence[Param], tree: ast.Module, path: str, module: str, read: ReadModule) -> dict[str, str]:
    """By name what it stands for, of the names in these annotations and in those that they stand for."""
    found: dict[str, str] = {}
    asked = [word for p in params for word in _WORD.findall(p.annotation)]
    places = dict.fromkeys(asked, (tree, module, path))
    for _ in range(_DEEPEST):
        new: dict[str, tuple[ast.Module, str, str]] = {}
        for name, (parsed, home, file) in places.items():
            known = _aliases_in(parsed)
            for _ in range(_DEEPEST if name not in known else 0):  # a package hands on what its modules bind
                source = imported_from(parsed, package_of(home, file)).get(name)
                there = read(source) if source else None
                if source is None or there is None:
                    break
                file, parsed, home = there[0], there[1], source
                if name in (known := _aliases_in(parsed)):
                    break
            if name not in known:
                continue
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
