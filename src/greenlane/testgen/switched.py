"""Objects with a public attribute set that the code asks for right where something is open: an option that no
constructor takes. Pure; for `search.py`.

    class Reader:                                reader = Reader()
        def __init__(self):              ->      reader.strict = True
            self.strict = False                  reader.read("a")

What is None at first, but said to be of a class, is set to an object of that: `line.currency = Currency("abc")`.
What is empty at first, and gone over where something is open, gets something in it: `reader.columns = {"a": 1}`.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, nodes_of, parse_source
from greenlane.testgen.code import Function, FunctionNode, enclosing
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import conditions_near
from greenlane.testgen.guesses import kinds_of, needs_of
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Constructors, Import, Script
from greenlane.testgen.madeup import objects_of
from greenlane.testgen.siblings import family_of
from greenlane.testgen.source import Source
from greenlane.testgen.staged import before_and_call
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn
from greenlane.testgen.unpacked import unpacked

_NEAR, _CALLS, _MOST = 2, 24, 120
_OBJECTS, _FOR_NONE = 2, ("True", "'abc'")
_EMPTY = frozenset({"{}", "[]", "()", "set()", "dict()", "list()"})


def switched(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What came near something open, with an attribute set that is asked for there; scripts and what is plainest
    first."""
    rows: dict[tuple[str, str], list[Case]] = {}
    for line in sorted({line_of(target) for target in left}):
        function = enclosing(source.functions, line)
        family = family_of(source.tree, function.owner) if function is not None and function.owner else ()
        flags = dict(flags_of(source.tree, [*family]))
        kept = objects_kept(source.tree, [*family], function, source.constructors) if function is not None else {}
        values = {name: (*kept.get(name, ()), *flags.get(name, ())) for name, _ in _asked(source.tree, line)}
        asked = [(name, place, values[name]) for name, place in _asked(source.tree, line)]
        for name, place, others in (*asked, *_gone_over(source.tree, line, family)):
            near = [o.case for o in observed if place in o.lines.get(source.path, frozenset())]
            near.sort(key=lambda case: case.plainness)
            for value in others:
                needed = needs_of(value, function)[0] if function is not None else frozenset[Import]()
                made = (other for case in near for other in with_flag(case, name, value, [*family], needed))
                rows.setdefault((name, value), []).extend(itertools.islice(made, _CALLS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _asked(tree: ast.Module, line: int) -> Iterator[tuple[str, int]]:
    """The public attributes that the conditions right before a line, or on it, ask for, with the lines of these."""
    for test, place in conditions_near(tree, line, _NEAR):
        for part in ast.walk(test):
            owner = part.value.id if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) else ""
            if isinstance(part, ast.Attribute) and owner in {"self", "cls"} and not part.attr.startswith("_"):
                yield part.attr, place


def _gone_over(tree: ast.Module, line: int, family: Sequence[str]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """The public attributes, empty at first, that a loop around a line goes over, with the place of that and values."""
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name in family]
    bound = [n for owner in classes for n in ast.walk(owner) if isinstance(n, ast.Assign | ast.AnnAssign)]
    empty = {_name_of(n) for n in bound if n.value is not None and ast.unparse(n.value) in _EMPTY}
    for node in nodes_of(tree) if empty else ():
        if isinstance(node, FunctionNode) and node.lineno < line <= (node.end_lineno or line):
            loops = [n for n in ast.walk(node) if isinstance(n, ast.For) and n.lineno < line <= (n.end_lineno or line)]
            parts = ((part, loop) for loop in loops for part in ast.walk(loop.iter) if isinstance(part, ast.Attribute))
            for part, loop in parts:
                if ast.unparse(part.value) == "self" and part.attr in empty and not part.attr.startswith("_"):
                    yield part.attr, loop.lineno, unpacked({f"self.{part.attr}"}, node) or ("['a']",)


def _name_of(node: ast.Assign | ast.AnnAssign) -> str:
    """Of an attribute or a name that is bound by itself; empty for any other target."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def flags_of(tree: ast.Module, family: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What these classes give an attribute at first that nobody hands them, with other values for it."""
    for owner in [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name in family]:
        inits = [n for n in owner.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        for node in [*owner.body, *(part for one in inits for part in one.body)]:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(value, ast.Constant):
                yield from [(_name_of(node), others)] if (others := _others(value.value)) else ()


def objects_kept(
    tree: ast.Module, family: Sequence[str], function: Function, constructors: Constructors
) -> dict[str, tuple[str, ...]]:
    """By attribute that is None at first, objects of the class that these classes say it is of, as far as the function
    that asks for it knows that class."""
    known = dict(function.classes).keys() & constructors.keys()
    found: dict[str, tuple[str, ...]] = {}
    for owner in [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name in family]:
        none = {name for name, values in flags_of(tree, [owner.name]) if values == _FOR_NONE}
        for node in [n for n in ast.walk(owner) if isinstance(n, ast.AnnAssign)]:
            name = _name_of(node)
            kinds = [kind for kind in kinds_of(_unquoted(node.annotation)) if kind in known]
            made = [one.text for kind in kinds for one in objects_of(kind, function, constructors)[:_OBJECTS]]
            found |= {name: tuple(made)} if name in none and made else {}
    return found


def _unquoted(annotation: ast.expr) -> str:
    """The annotation without quotes inside of it: `Optional["Currency"]`."""
    return ast.unparse(annotation).replace("'", "").replace('"', "")


def _others(value: object) -> tuple[str, ...]:
    if isinstance(value, bool):
        return (str(not value),)
    if isinstance(value, int):
        return str(value + 1), "0"
    return _FOR_NONE if value is None else ()


def with_flag(
    case: Case, name: str, value: str, family: Sequence[str], needed: frozenset[Import] = frozenset()
) -> Iterator[Case]:
    """The case with the attribute set on the object it is about, once that is made; the value needs these imports."""
    script = case.script
    if script is None:
        made = _called_on(case, name, value, needed)
        yield from [made] if made is not None else []
        return
    for place, text in enumerate(script.setup):
        holder = _made(text, family)
        if holder is not None and holder in script.look + "".join(script.setup[place + 1 :]):
            setup = (*script.setup[: place + 1], f"{holder}.{name} = {value}", *script.setup[place + 1 :])
            other = msgspec.structs.replace(script, setup=setup, imports=script.imports | needed)
            yield msgspec.structs.replace(case, script=other, carved=False, steps=case.steps + 1)


def _made(text: str, family: Sequence[str]) -> str | None:
    """The name that a statement gives to a new object of one of these classes."""
    try:
        (node,) = parse_source(text).body
    except (UnreadableSourceError, ValueError):
        return None
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return None
    called = ast.unparse(node.value.func).split(".")[-1] if isinstance(node.value, ast.Call) else ""
    return node.targets[0].id if called in family else None


def _called_on(case: Case, name: str, value: str, needed: frozenset[Import]) -> Case | None:
    """A call of a method as a script, with its object made before."""
    entry = case.entry
    if not case.receiver or not case.receiver.endswith(")") or not (entry.returns_value or entry.kind == "property"):
        return None
    holder = entry.holder
    before, look = before_and_call(msgspec.structs.replace(case, receiver=holder))
    setup = (f"{holder} = {case.receiver}", f"{holder}.{name} = {value}", *before[1:])
    if any(len(text) > MAX_STATEMENT for text in setup):
        return None
    return case.with_script(Script(imports=case.imports | needed, setup=setup, look=look))
