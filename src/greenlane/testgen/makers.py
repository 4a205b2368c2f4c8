"""Objects of a class as other functions of its module give them: where no test makes one, and its constructor asks for
what is hard to guess, that is how a colleague comes by one. Pure; for `search.py`.

    class Table:                                  class Field:
        def field(self, name):                        def is_empty(self): ...
            return Field(name, table=self)
                                                  Table().field("a").is_empty()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence, Set

from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.guesses import described, guess_values
from greenlane.testgen.inputs import Constructors, Description, Receiver
from greenlane.testgen.madeup import objects_of
from greenlane.testgen.uses import nodes_by_line

_MAX_HOPS, _MAX_GIVEN, _MAX_REQUIRED = 3, 3, 3
_FACTORIES = frozenset({"cls", "self.__class__", "type(self)"})


def given_objects(
    entry: Function, functions: Sequence[Function], tree: ast.Module, constructors: Constructors
) -> list[Receiver]:
    """Objects of the class of a method, each by another function that gives one; none for other functions."""
    if entry.kind not in {"method", "property"} or entry.owner is None:
        return []
    givers = _givers(functions, tree)
    found = _given(entry.owner, entry, givers, constructors, frozenset())
    return [Receiver(one) for one in dict.fromkeys(found)][:_MAX_GIVEN]


def _given(
    name: str, entry: Function, givers: Mapping[str, list[Function]], constructors: Constructors, above: frozenset[str]
) -> Iterator[Description]:
    """Expressions for objects of a class; `above` are the classes that they are to lead to."""
    for giver in givers.get(name, ()) if name not in above and len(above) < _MAX_HOPS else ():
        required = [param for param in giver.params if param.default is None]
        if len(required) > _MAX_REQUIRED:
            continue
        guessed = [(param, guess_values(param, giver)[0]) for param in required]
        given = ", ".join(f"{param.name}={value}" if param.keyword_only else value for param, value in guessed)
        holders = [Description("")]
        if giver.kind in {"static", "class"}:
            holders = [Description(giver.owner or "", ((giver.module, giver.owner or ""),))]
        elif giver.kind == "method" and giver.owner is not None:
            objects = objects_of(giver.owner, giver, constructors)
            further = _given(giver.owner, entry, givers, constructors, above | {name})
            holders = [*objects[:1], *further][:_MAX_GIVEN]
        for holder in holders:
            call = f"{holder.text}.{giver.name}({given})" if holder.text else f"{giver.name}({given})"
            made = described(call, entry)
            imports = {*holder.imports, *made.imports} | ({(giver.module, giver.name)} if not holder.text else set())
            fixtures = {*holder.fixtures, *made.fixtures}
            yield Description(call, tuple(sorted(imports)), tuple(sorted(fixtures)))


def _givers(functions: Sequence[Function], tree: ast.Module) -> dict[str, list[Function]]:
    """By the name of a class of the module, the public functions and methods that give an object of it."""
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    nodes = nodes_by_line(tree)
    found: dict[str, list[Function]] = {}
    for function in functions:
        told = function.kind in {"function", "static", "class", "method"} and not function.name.startswith("_")
        node = nodes.get(function.first)
        given = _gives(node, function.owner, classes) if told and node and not function.asynchronous else ""
        if given and not (given == function.owner and function.kind == "method"):
            found.setdefault(given, []).append(function)
    return found


def _gives(node: FunctionNode, owner: str | None, classes: Set[str]) -> str:
    """The class of what a function gives, by what it makes as it returns, or by its annotation; empty if neither
    tells."""
    calls = [n.value for n in ast.walk(node) if isinstance(n, ast.Return) and isinstance(n.value, ast.Call)]
    made = [(owner or "") if called in _FACTORIES else called for called in (ast.unparse(one.func) for one in calls)]
    said = ast.unparse(node.returns).strip("'\"") if node.returns is not None else ""
    named = [*made, (owner or "") if said in {"Self", "typing.Self"} else said]
    return next((name for name in named if name in classes), "")
