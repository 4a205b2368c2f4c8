"""Objects that tests make, used as context managers, where what enters or leaves them is open: no test has a block of
theirs yet. Pure; for `search.py`.

    class Store:                                 store = Store("a")
        def __exit__(self, *error):      ->      with store:
            self.close()                             pass
                                                 store.closed
"""

from __future__ import annotations

import ast
import builtins
import itertools
import re
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.choose import taste
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, Script
from greenlane.testgen.quarry import functions_around
from greenlane.testgen.siblings import family_of
from greenlane.testgen.source import Source
from greenlane.testgen.staged import as_script
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn
from greenlane.testgen.uses import nodes_by_line, own_attributes

_ENTERING, _LEAVING = frozenset({"__enter__", "__aenter__"}), frozenset({"__exit__", "__aexit__"})
_BASES, _LOOKS, _MOST = 8, 6, 120
_ERRORS = frozenset(n for n, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception))
_ERROR = "ValueError"
_INSIDE = "entered"


class _Made(msgspec.Struct, frozen=True):
    """An object: the statements that make it, and its name after them."""

    case: Case
    imports: frozenset[Import]
    setup: tuple[str, ...]
    holder: str


def managed(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """The objects in blocks of their own, plain ones and such that an error ends, and then looked at; one object and
    one look by turns with the others."""
    rows: list[list[Case]] = []
    nodes = nodes_by_line(source.tree)
    for function in functions_around(source, left):
        if function.owner is None or function.name not in _ENTERING | _LEAVING or function.first not in nodes:
            continue
        family = family_of(source.tree, function.owner)
        members = [f for f in source.functions if f.owner in family]
        looks = _looks(function, members, nodes)[:_LOOKS]
        errors = _errors_of(nodes[function.first]) if function.name in _LEAVING else []
        made = list(itertools.islice(_made(observed, family, waits=function.name.startswith("__a")), _BASES))
        rows += [list(_managed(one, function, looks, errors)) for one in made]
    found = {case.key: case for case in in_turn(rows)}
    return list(found.values())[:_MOST]


# ------------------------------------------------------------------ the objects


def _made(observed: Sequence[Observed], family: tuple[str, ...], *, waits: bool) -> Iterator[_Made]:
    """Objects of these classes that were made, the plainest first, each once; `waits`: where one may await."""
    seen: set[tuple[str, ...]] = set()
    as_tests_do = [one for one in observed if not one.case.steps]  # others may lean on what those left behind
    for one in sorted(as_tests_do or observed, key=taste, reverse=True):
        awaits = one.case.script is not None and one.case.script.marks is not None
        found = _made_by(one, family) if waits == awaits else None
        if found is not None and found.setup not in seen:
            seen.add(found.setup)
            yield found


def _made_by(one: Observed, family: tuple[str, ...]) -> _Made | None:
    """The object that a call is made on, or that a script makes and names."""
    case = one.case
    if case.script is not None:
        texts = (*case.script.setup, case.script.look)
        for place, text in enumerate(texts):
            holder = _named_in(text, family)
            if holder and place < len(case.script.setup):
                return _Made(case, case.script.imports, case.script.setup[: place + 1], holder)
        return None
    entry = case.entry
    if entry.owner is None or entry.owner not in family or one.outcome.kind not in {"value", "opaque"}:
        return None
    holder = entry.owner.strip("_").lower()
    holder = f"own_{holder}" if holder == entry.owner else holder  # the class keeps its name
    made = as_script(case).look if entry.kind == "init" else case.receiver
    if not made or not made.endswith(")") or not made.startswith(family):
        return None
    imports = case.imports | {(entry.module, entry.owner)}
    return _Made(case, imports, (f"{holder} = {made}",), holder)


def _named_in(text: str, family: tuple[str, ...]) -> str:
    """The name that a statement, or one inside of it, gives to a new object of these classes; empty for none."""
    try:
        nodes = list(ast.walk(parse_source(text)))
    except UnreadableSourceError:
        return ""
    if any(isinstance(node, FunctionNode | ast.ClassDef | ast.With | ast.Lambda) for node in nodes):
        return ""
    for node in nodes:
        value = node.value if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) else None
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if value is not None and isinstance(target, ast.Name) and ast.unparse(value.func).split(".")[-1] in family:
            return target.id
    return ""


# ------------------------------------------------------------------ what is looked at


def _looks(function: Function, members: Sequence[Function], nodes: dict[int, FunctionNode]) -> list[str]:
    """What may show that an object was entered or left, as what follows its name: what the method itself touches, and
    then what else can be asked of it."""
    own = nodes[function.first]
    called = [f for f in members if f.name in function.calls and f.first in nodes and f.first != function.first]
    read = list(dict.fromkeys(n for node in (own, *(nodes[f.first] for f in called)) for n in own_attributes(node)))
    closed = [n for node in (own, *(nodes[f.first] for f in called)) for n in _closed(node)]
    shown = [f.name for f in members if f.kind == "property" and not f.private]
    named = [name for name in read if not name.startswith("_") and name not in {f.name for f in members}]
    touched = [name for name in shown if name in {other.lstrip("_") for other in read}]
    observers = [f"{f.name}()" for f in members if f.kind == "method" and f.returns_value and not f.params]
    plain = [name for name in observers if not name.startswith("_")]
    return list(dict.fromkeys(f".{name}" for name in [*touched, *closed, *named, *shown, *plain]))


def _closed(node: ast.AST) -> Iterator[str]:
    """What a call of `self.file.close()` shows."""
    for part in ast.walk(node):
        held = part.func if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) else None
        if held is not None and held.attr == "close" and re.fullmatch(r"self\.[a-zA-Z]\w*", ast.unparse(held.value)):
            yield f"{ast.unparse(held.value).removeprefix('self.')}.closed"


def _errors_of(node: FunctionNode) -> list[str]:
    """Errors with which a block may end: those that the method names, one of the plain ones at least."""
    named = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in _ERRORS]
    return list(dict.fromkeys([*named, _ERROR]))[:2]


# ------------------------------------------------------------------ the blocks


def _managed(made: _Made, function: Function, looks: Sequence[str], errors: Sequence[str]) -> Iterator[Case]:
    word, holder = "async with" if function.name.startswith("__a") else "with", made.holder
    plain = f"{word} {holder}:\n    pass"
    blocks: list[tuple[tuple[str, ...], frozenset[Import]]] = [((plain,), frozenset())]
    for error in errors:
        ended = f"{word} {holder}:\n    raise {error}('abc')"
        held = "\n".join(f"    {row}" for row in ended.splitlines())
        blocks.append(((f"with suppress({error}):\n{held}",), frozenset({("contextlib", "suppress")})))
        blocks.append(((ended,), frozenset()))
    entering = f"{word} {holder} as {_INSIDE}:\n    pass"
    if function.name in _ENTERING:
        yield _case(made, function, (entering,), f"{_INSIDE} is {holder}")
        yield _case(made, function, (entering,), _INSIDE)
    for look in (*looks, ""):
        for block, imports in blocks:
            yield _case(made, function, block, f"{holder}{look}", imports)


def _case(
    made: _Made, function: Function, block: tuple[str, ...], look: str, imports: frozenset[Import] = frozenset()
) -> Case:
    setup = tuple(text for text in (*made.setup, *block) if len(text) <= MAX_STATEMENT)
    marks = made.case.script.marks if made.case.script is not None else None
    script = Script(imports=made.imports | imports, setup=setup, look=look, marks=marks)
    return msgspec.structs.replace(made.case.with_script(script), entry=function)
