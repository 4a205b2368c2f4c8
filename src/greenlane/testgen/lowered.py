"""Calls under a limit that is lower than the code's own: what no short input comes to, a plain one exceeds then. Pure;
for `search.py`.

    MAX_DEPTH = 100                              monkeypatch.setattr("shop.parser.MAX_DEPTH", 1)
    def parse(self, text, depth):        ->      parse("((a))")
        if depth > MAX_DEPTH:
            raise TooDeep
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from greenlane.testgen.choose import is_tellable
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import conditions_near
from greenlane.testgen.inputs import Case
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.under import Placed, under

_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_LEAST = 3
"""A limit below is none that an input has to be long for."""
_NEAR, _CALLS = 2, 4
_VALUES = ("0", "1", "2")


def lowered(observed: Sequence[Observed], source: Source, left: Targets, *, unittest: bool) -> list[Case]:
    """What ran a comparison with a limit right before something open, or on it, with that limit set low; of each line
    the plainest few calls. `unittest`: without fixtures."""
    limits = dict(_imported(source.tree, source.module)) | dict(_limits(source.tree, source.module))
    found: dict[str, Case] = {}
    for line in sorted({line_of(target) for target in left}) if limits else ():
        for place, compared in _held_against(source, line, limits):
            near = [o.case for o in observed if is_tellable(o) and compared in o.lines.get(source.path, frozenset())]
            near = [case for case in near if not (unittest and case.fixtures)]
            for case in sorted(near, key=lambda c: (c.steps, len(c.fixtures), c.length, c.key))[:_CALLS]:
                made = (under(case, Placed(place=place, value=value), unittest=unittest) for value in _VALUES)
                found |= {one.key: one for one in made if one is not None}
    return list(found.values())


def _limits(tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    """Constants of the module and of its classes that are whole numbers, or such another one, by name, each with its
    dotted place."""
    known: set[str] = set()
    for node in tree.body:
        bodies = [(module, [node])]
        if isinstance(node, ast.ClassDef):
            bodies = [(f"{module}.{node.name}", node.body)]
        for place, body in bodies:
            for part in body:
                targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", None)]
                value = part.value if isinstance(part, ast.Assign | ast.AnnAssign) else None
                if value is not None and (_is_number(value) or (isinstance(value, ast.Name) and value.id in known)):
                    names = [target.id for target in targets if isinstance(target, ast.Name)]
                    known.update(names)
                    yield from ((name, f"{place}.{name}") for name in names)


def _imported(tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    """Names of constants that the module has from others of the project, each with its dotted place here."""
    for node in tree.body:
        own = isinstance(node, ast.ImportFrom) and (
            node.level or (node.module or "").split(".")[0] == module.split(".")[0]
        )
        for alias in node.names if isinstance(node, ast.ImportFrom) and own else ():
            name = alias.asname or alias.name
            if name.isupper():
                yield name, f"{module}.{name}"


def _is_number(value: ast.expr) -> bool:
    """A whole number, or what is calculated of such: `100`, `1 << 20`."""
    parts = list(ast.walk(value))
    numbers = [part.value for part in parts if isinstance(part, ast.Constant)]
    plain = all(isinstance(part, ast.Constant | ast.BinOp | ast.operator) for part in parts)
    return (
        plain
        and all(type(n) is int for n in numbers)
        and max((n for n in numbers if isinstance(n, int)), default=0) >= _LEAST
    )


def _held_against(source: Source, line: int, limits: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The limits that something is held against before a line or on it: (place, line of that)."""
    for test, compared in conditions_near(source.tree, line, _NEAR, met=True):
        for part in ast.walk(test):
            if isinstance(part, ast.Compare) and any(isinstance(op, _ORDER) for op in part.ops):
                for side in (part.left, *part.comparators):
                    name = getattr(side, "attr", None) or getattr(side, "id", "")
                    if name in limits:
                        yield limits[name], compared
