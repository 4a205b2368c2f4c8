"""Scripts that differ in plain values only: rows of one parametrised test. Pure; for `choose.py` and `render.py`."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import Function
from greenlane.testgen.inputs import Script
from greenlane.testgen.inside.greenlane_edits import name_of

_MAX_DIFFERENT = 2
_PLACE = "greenlane_place_"
_SETTERS = frozenset({"setenv", "setattr", "setitem", "patch"})


class Shape(msgspec.Struct, frozen=True):
    """A script with its literals taken out: the `statements` (the look is the last) with names for their places, and
    the literals in the order of the places, each with what a parameter for it would be called."""

    statements: tuple[str, ...]
    literals: tuple[str, ...]
    names: tuple[str, ...]


@functools.lru_cache(maxsize=4_096)
def shape_of(script: Script, entry: Function) -> Shape:
    """Raises UnreadableSourceError if it is no Python."""
    taking = _Taking(entry)
    trees = [parse_source(text) for text in (*script.setup, script.look)]  # all alive: nodes are known by their ids
    statements = tuple(ast.unparse(taking.visit(tree)) for tree in trees)
    return Shape(statements, tuple(taking.literals), tuple(taking.names))


def are_rows(one: Script, other: Script, entry: Function) -> bool:
    """Whether the two differ in one plain value or a few."""
    if (one.imports, one.marks) != (other.imports, other.marks) or len(one.setup) != len(other.setup):
        return False
    first, second = shape_of(one, entry), shape_of(other, entry)
    if first.statements != second.statements:
        return False
    return 0 < len(_differing([first, second])) <= _MAX_DIFFERENT


def differing_names(scripts: Sequence[Script], entry: Function) -> list[str]:
    """What the values are called in which these scripts differ."""
    shapes = [shape_of(script, entry) for script in scripts]
    return [shapes[0].names[place] for place in _differing(shapes)]


def parametrised(
    scripts: Sequence[Script], entry: Function, taken: Sequence[str]
) -> tuple[Script, list[tuple[str, list[str]]]]:
    """The script with names in place of what differs, and by each such name the values, script after script."""
    shapes = [shape_of(script, entry) for script in scripts]
    first = shapes[0]
    used = {*taken, *_names_in(first.statements)}
    columns: dict[int, tuple[str, list[str]]] = {}
    given: set[str] = set()
    for place in _differing(shapes):
        wanted, number = first.names[place], 2
        name, bound = wanted, f"{wanted} = {_PLACE}{place}"
        before = first.statements[: first.statements.index(bound)] if bound in first.statements else None
        if before is not None and wanted not in {*taken, *_names_in(before)}:
            given.add(bound)  # the parameter takes the place of the statement
        else:
            while name in used:
                name, number = f"{wanted}_{number}", number + 1
        used.add(name)
        columns[place] = (name, [shape.literals[place] for shape in shapes])
    filling = {f"{_PLACE}{n}": columns[n][0] if n in columns else text for n, text in enumerate(first.literals)}
    statements = [text for text in first.statements if text not in given]
    texts = [re.sub(rf"{_PLACE}\d+\b", lambda m: filling[m[0]], text) for text in statements]
    script = Script(imports=scripts[0].imports, setup=tuple(texts[:-1]), look=texts[-1])
    return script, list(columns.values())


def _names_in(statements: Sequence[str]) -> set[str]:
    """Names that mean something there; those of keywords and attributes clash with none."""
    nodes = [node for text in statements for node in ast.walk(parse_source(text))]
    found = {node.id for node in nodes if isinstance(node, ast.Name)}
    found |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return found | {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}


def _differing(shapes: Sequence[Shape]) -> list[int]:
    return [n for n, column in enumerate(zip(*(s.literals for s in shapes), strict=True)) if len(set(column)) > 1]


class _Taking(ast.NodeTransformer):
    """Takes whole literals out, and says what each would be called as a parameter."""

    def __init__(self, entry: Function) -> None:
        self.literals: list[str] = []
        self.names: list[str] = []
        self._params = [param.name for param in entry.places]
        self._called = entry.called
        self._wanted: dict[int, str] = {}
        self._kept: set[int] = set()
        """What is set, not what it is set to: another thing that is set is another test."""

    def visit(self, node: ast.AST) -> ast.AST:
        self._wanted |= {id(part): name for part, name in self._namings(node)}
        if isinstance(node, ast.JoinedStr | ast.pattern) or _is_docstring(node):
            return node
        if isinstance(node, ast.Call) and _sets(node):
            self._kept.add(id(node.args[-2]))
        if isinstance(node, ast.expr) and _is_literal(node) and id(node) not in self._kept:
            self.literals.append(ast.unparse(node))
            self.names.append(self._wanted.get(id(node), "value"))
            return ast.Name(id=f"{_PLACE}{len(self.literals) - 1}", ctx=ast.Load())
        return self.generic_visit(node)

    def _namings(self, node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
        if isinstance(node, ast.keyword) and node.arg:
            yield node.value, node.arg
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.value, node.targets[0].id
        elif isinstance(node, ast.Call):
            if name_of(node) == self._called:
                for argument, name in zip(node.args, self._params, strict=False):
                    yield from ((part, name) for part in (argument, *_only_argument(argument)))
            elif _sets(node):
                yield node.args[-1], ast.unparse(node.args[-2]).strip("'").split(".")[-1].strip("_").lower()


def _sets(node: ast.Call) -> bool:
    """Whether it is `monkeypatch.setenv("NAME", value)` or its like."""
    return name_of(node) in _SETTERS and len(node.args) > 1 and isinstance(node.args[-2], ast.Constant)


def _only_argument(node: ast.expr) -> list[ast.expr]:
    """`path` is also what `Path("a")` is made of."""
    return node.args if isinstance(node, ast.Call) and len(node.args) == 1 else []


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return all(map(_is_literal, node.elts)) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
    if isinstance(node, ast.Dict):
        return all(key is not None and _is_literal(key) for key in node.keys) and all(map(_is_literal, node.values))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)
    return isinstance(node, ast.Constant)
