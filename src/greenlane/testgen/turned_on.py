"""Flags of objects that another one holds, or is given: a condition before something open asks for one, and no call on
that other object sets it. Pure; for `search.py`.

    class Client:                                client = Client("ua")
        def __init__(self, agent):               client.trust = False
            self._trust = True           ->      client.search("a")[0]
        @trust.setter
        def trust(self, value): ...

    class Results:
        def __getitem__(self, index):
            if self.client._trust: ...
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.testgen.code import Function, FunctionNode, enclosing
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import conditions_near
from greenlane.testgen.guesses import needs_of
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, Script
from greenlane.testgen.siblings import family_of
from greenlane.testgen.source import Source
from greenlane.testgen.staged import before_and_call_of
from greenlane.testgen.switched import flags_of, objects_kept, with_flag
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn

_NEAR, _CALLS, _MOST = 2, 24, 120


class _Flag(msgspec.Struct, frozen=True):
    """What is set from outside, to which other values, on objects of which classes."""

    name: str
    values: tuple[str, ...]
    classes: tuple[str, ...]
    needed: frozenset[Import] = frozenset()
    """What the values import."""


def turned_on(observed: Sequence[Observed], source: Source, left: Targets, beside: Sequence[Source] = ()) -> list[Case]:
    """What came near something open, with a flag set that is asked of another object there: on that object, where a
    script makes it, or by the way to it; scripts and what is plainest first. The classes are those of the changed
    files."""
    rows: dict[tuple[str, str], list[Case]] = {}
    trees = [source.tree, *(one.tree for one in beside)]
    for line in sorted({line_of(target) for target in left}):
        function = enclosing(source.functions, line)
        for way, name, place in _asked(source.tree, line):
            near = [o.case for o in observed if place in o.lines.get(source.path, frozenset())]
            near.sort(key=lambda case: case.plainness)
            for flag in (found for tree in trees for found in _flags(tree, name, function, source)):
                for value in flag.values:
                    made = (other for case in near for other in _with_flag(case, flag, value, way))
                    row = rows.setdefault((f"{way}.{flag.name}", value), [])
                    row += itertools.islice(made, _CALLS)
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _asked(tree: ast.Module, line: int) -> Iterator[tuple[str, str, int]]:
    """The attributes that the conditions right before a line, or on it, ask of something else than the object itself:
    the way to that (`self.client`), the attribute, and the line."""
    for test, place in conditions_near(tree, line, _NEAR):
        for part in ast.walk(test):
            way = ast.unparse(part.value) if isinstance(part, ast.Attribute) else ""
            if (
                isinstance(part, ast.Attribute)
                and way not in {"", "self", "cls"}
                and way.replace(".", "").isidentifier()
            ):
                yield way, part.attr, place


def _flags(tree: ast.Module, name: str, function: Function | None, source: Source) -> Iterator[_Flag]:
    """The classes of a file whose objects have such an attribute, under the name by which it is set from outside: its
    own, or that of a property that sets it."""
    for owner in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        values = dict(flags_of(tree, [owner.name])).get(name, ())
        outside = next(_setting(owner, name), "") if name.startswith("_") else name
        family = family_of(tree, owner.name)
        if values and outside and function is not None:
            for value in objects_kept(tree, [owner.name], function, source.constructors).get(name, ()):
                yield _Flag(outside, (value,), family, needs_of(value, function)[0])
        if values and outside:
            yield _Flag(outside, values, family)


def _setting(owner: ast.ClassDef, name: str) -> Iterator[str]:
    """The properties whose setter assigns to this attribute."""
    for member in owner.body:
        marks = [ast.unparse(one) for one in member.decorator_list] if isinstance(member, FunctionNode) else []
        if isinstance(member, FunctionNode) and f"{member.name}.setter" in marks and not member.name.startswith("_"):
            stored = {
                ast.unparse(n)
                for n in ast.walk(member)
                if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
            }
            yield from [member.name] if f"self.{name}" in stored else []


def _with_flag(case: Case, flag: _Flag, value: str, way: str) -> Iterator[Case]:
    if case.script is not None:
        yield from with_flag(case, flag.name, value, flag.classes, flag.needed)
        return
    names = way.split(".")
    public = names[0] == "self" and not any(name.startswith("_") for name in names)
    gives = case.entry.returns_value or case.entry.kind == "property"
    if not case.receiver or not public or not gives:
        return
    holder = case.entry.holder
    before, look = before_and_call_of(holder, case)
    setup = (*before, f"{'.'.join([holder, *names[1:]])}.{flag.name} = {value}")
    if all(len(text) <= MAX_STATEMENT for text in setup):
        yield case.with_script(Script(imports=case.imports | flag.needed, setup=setup, look=look))
