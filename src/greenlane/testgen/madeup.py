"""Calls of a function that no test calls: objects of its class, and values from its annotations, its defaults and the
constants that it compares. Pure, and the same each time. Called by `search.py`.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import Function, Param
from greenlane.testgen.guesses import described, guess_values, paths_for, plain_values
from greenlane.testgen.inputs import (
    CarvedCall,
    Case,
    Constructors,
    Description,
    Receiver,
    harmless_steps,
    is_harmless,
    steps_of,
)
from greenlane.testgen.turns import in_turn
from greenlane.testgen.typed import Written, typed_values

_RECEIVERS = 3
_VALUES = 6
_HOLLOW = frozenset({"''", "' '", "b''", "[]", "{}", "()", "None"})
_ASKED = 3
_DEPTH = 2
"""An object may need objects, and these again."""
_KIN_WORDS = frozenset({"other", "rhs", "right", "that"})
"""What the second operand of an operator is called."""


def made_receivers(
    entry: Function,
    calls: Iterable[CarvedCall],
    constructors: Constructors,
    made: Sequence[Receiver] = (),
    given: Sequence[Receiver] = (),
) -> list[Receiver]:
    """Objects of a method's class: as tests make and use them, or else those `made` from what tests gave the class, or
    else made with no more than the class demands, and as other functions have `given` them: first of all, where the
    class demands something."""
    if entry.kind not in {"method", "property"} or entry.owner is None:
        return []
    found: dict[str, Receiver] = {}
    for call in calls:
        if call.receiver is not None and is_harmless(call.receiver):
            one = Receiver(call.receiver, harmless_steps(call.history))
            found[one.key] = one
    if found:
        ordered = sorted(found.values(), key=lambda r: (len(r.history), len(r.made.text), r.key))
        plain = _of_each_make([r for r in ordered if not r.history])[:_RECEIVERS]
        return [*plain, *[r for r in ordered if r.history][: 2 * _RECEIVERS - len(plain)]]
    if made:
        return list(made)
    own = [Receiver(one) for one in objects_of(entry.owner, entry, constructors)]
    demands = any(param.default is None for param in constructors.get(entry.owner, ()))
    return list(in_turn([given, own])) if demands else [*own, *given]


def _of_each_make(receivers: Sequence[Receiver]) -> list[Receiver]:
    """One of each make before a second: an empty `Row([])` behaves like another one, `Row([Button("a")])` otherwise."""
    makes: dict[frozenset[str], list[Receiver]] = {}
    for receiver in receivers:
        nodes = ast.walk(parse_expression(receiver.made.text))
        called = frozenset(ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call))
        makes.setdefault(called, []).append(receiver)
    return list(in_turn(makes.values()))


def objects_of(name: str, entry: Function, constructors: Constructors, depth: int = 0) -> list[Description]:
    """Objects of a class, made from guesses for what it demands, and with a path where it can be given one."""
    required = [p for p in constructors.get(name, ()) if p.default is None]
    paths = [p for p in constructors.get(name, ()) if p.default is not None and paths_for(p)]
    rows = [_objects_with(name, entry, constructors, depth, [*required, *more]) for more in ([], paths[:1])]
    return list(dict.fromkeys(in_turn(rows)))


def _objects_with(
    name: str, entry: Function, constructors: Constructors, depth: int, params: Sequence[Param]
) -> list[Description]:
    pools = [_parts_of(param, entry, constructors, depth) for param in params]
    found = []
    for row in itertools.islice(_rows(pools), 2 * _RECEIVERS):
        by_place = [not p.keyword_only and p.default is None for p in params]
        given = ", ".join(v if place else f"{p.name}={v}" for p, v, place in zip(params, row, by_place, strict=True))
        made = described(f"{name}({given})", entry)
        found.append(msgspec.structs.replace(made, imports=(*made.imports, (entry.home_of(name), name))))
    return found


def _parts_of(param: Param, entry: Function, constructors: Constructors, depth: int) -> list[str]:
    """Values that an object is made of: those that say something first."""
    texts = [value.text for value in _values(param, entry, (), constructors, depth + 1)]
    return sorted(texts, key=lambda text: text in _HOLLOW)[:_RECEIVERS]


def made_up_calls(
    entry: Function, rank: int, limit: int, receivers: Sequence[Receiver], constructors: Constructors
) -> list[Case]:
    """Calls with the first value for each parameter, then with others in one place after the other."""
    of_class = entry.kind in {"static", "class"} and entry.owner is not None
    if of_class:
        receivers = [Receiver(Description(entry.owner or "", imports=((entry.module, entry.owner or ""),)))]
    elif entry.kind in {"method", "property"} and not receivers:
        return []
    required = [param for param in entry.params if param.default is None]
    kin = [receiver.made for receiver in receivers if not receiver.history and not of_class][:2]
    pools = [_values(param, entry, kin, constructors) for param in required]
    names = [param.name if param.keyword_only else None for param in required]
    found = []
    for row in itertools.islice(_rows([[value.text for value in pool] for pool in pools]), limit * 2):
        values = [next(value for value in pool if value.text == text) for pool, text in zip(pools, row, strict=True)]
        for receiver in receivers or (None,):
            parts = [receiver.made, *(p for s in receiver.history for p in s.parts)] if receiver else []
            parts += values
            found.append(
                Case(
                    entry=entry,
                    receiver=receiver.made.text if receiver else None,
                    arguments=tuple(zip(names, row, strict=True)),
                    imports=frozenset(pair for part in parts for pair in part.imports),
                    fixtures=frozenset(name for part in parts for name in part.fixtures),
                    carved=False,
                    steps=1,
                    rank=rank,
                    history=steps_of(receiver.history) if receiver else (),
                )
            )
    return found[: limit * 2]


def _rows(pools: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """One of each pool: the first ones, then one place changed at a time, then what is left of all combinations."""
    first = tuple(pool[0] for pool in pools)
    seen = {first}
    yield first
    for depth in range(1, max(map(len, pools), default=0)):
        for place, pool in enumerate(pools):
            row = (*first[:place], pool[depth], *first[place + 1 :]) if depth < len(pool) else first
            if row not in seen:
                seen.add(row)
                yield row
    yield from (row for row in itertools.product(*pools) if row not in seen)


def _values(
    param: Param, entry: Function, kin: Sequence[Description], constructors: Constructors, depth: int = 0
) -> list[Description]:
    """Values for a parameter, objects of the project's classes included, also inside of containers."""
    found = [described(text, entry) for text in guess_values(param, entry)[:_VALUES]]
    words = _words(param.annotation or param.told) if depth <= _DEPTH else set[str]()
    named = [c for c in constructors if c[:1].isupper() and c in words]
    asked = _asked_beside(named, entry, constructors) if depth == 0 else []
    beside = [objects_of(name, entry, constructors, depth)[:1] for name in asked]
    made = {name: [*in_turn([objects_of(name, entry, constructors, depth), *beside])] for name in named}
    held = tuple((name, tuple(Written(one.text) for one in objects)) for name, objects in made.items() if objects)
    nested = typed_values(param.annotation, (*plain_values(entry), *held), even_plain=True) if held else ()
    objects = [described(text, entry) for text in nested] or [one for objects in made.values() for one in objects]
    own = param.name in _KIN_WORDS or (entry.owner is not None and {entry.owner, "Self"} & _words(param.annotation))
    if named and not own:
        return [*objects, *found][:_VALUES]
    return [*(kin if own else ()), *objects, *found][:_VALUES]


def _asked_beside(named: Sequence[str], entry: Function, constructors: Constructors) -> list[str]:
    """Classes that the function asks for with `isinstance` where it is given one of those `named`: mostly kinds of
    them."""
    kinds = (kind for kind in entry.kinds if kind[:1].isupper() and kind in constructors) if named else ()
    return [kind for kind in dict.fromkeys(kinds) if kind not in named][:_ASKED]


def _words(annotation: str) -> set[str]:
    try:
        tree = parse_expression(annotation.strip("'\"")) if annotation else ast.Module(body=[], type_ignores=[])
    except (SyntaxError, ValueError):
        return set()
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | {
        n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)
    }
