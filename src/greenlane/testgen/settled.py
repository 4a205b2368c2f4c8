"""Calls that come out otherwise each time, with the very values that a fixture or a call gave them, as random bytes or
the next number of a counter. Pure; for `search.py`.

    view = MemoryView(random_bytes)  ->  random_bytes = b"..."
    view.hex                             view = MemoryView(random_bytes)
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.exchanged import Filling
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Description, Script

_MOST = 48


def settled_cases(first: Sequence[Observed], again: Sequence[Observed]) -> list[Case]:
    """Of the calls that showed something else when they were made again, those in which something was given that was
    not the same, with what it was the second time."""
    second = {o.case.key: o for o in again}
    found: dict[str, Case] = {}
    for one in first:
        other = second.get(one.case.key)
        case = _settled(one.case, {g.name: g.value for g in other.outcome.given}) if other is not None else None
        if case is not None and case.key != one.case.key:
            found.setdefault(case.key, case)
    return list(found.values())[:_MOST]


def _settled(case: Case, given: Mapping[str, Description]) -> Case | None:
    fixed = {name: given[name] for name in sorted(case.fixtures) if name in given}
    if case.script is not None:
        return _in_script(case, case.script, fixed, given)
    try:
        filling = Filling({name: parse_expression(value.text).body for name, value in fixed.items()}, {})
        texts = [ast.unparse(filling.visit(parse_expression(text))) for text in case.texts]
    except (SyntaxError, UnreadableSourceError):
        return None
    made = case.with_texts(texts) if fixed else None
    imports = frozenset(pair for value in fixed.values() for pair in value.imports)
    return made and msgspec.structs.replace(
        made, fixtures=case.fixtures.difference(fixed), imports=case.imports | imports
    )


def _in_script(
    case: Case, script: Script, fixed: Mapping[str, Description], given: Mapping[str, Description]
) -> Case | None:
    """Fixtures as names of the test's own, and what a call had given to a name written out."""
    setup = [f"{name} = {value.text}" for name, value in fixed.items()]
    used = list(fixed.values())
    for statement in script.setup:
        name = _bound_by_call(statement)
        value = given.get(name) if name not in fixed else None
        setup.append(f"{name} = {value.text}" if value is not None else statement)
        used += [value] if value is not None else []
    if any(len(text) > MAX_STATEMENT for text in setup):
        return None
    imports = script.imports | {pair for value in used for pair in value.imports}
    changed = msgspec.structs.replace(script, imports=imports, setup=tuple(setup))
    return case.with_script(changed, case.fixtures.difference(fixed)) if used else None


def _bound_by_call(statement: str) -> str:
    """The name that `name = call(...)` binds; empty if it is another statement."""
    try:
        body = parse_source(statement).body
    except UnreadableSourceError:
        return ""
    node = body[0] if len(body) == 1 else None
    target = node.targets[0] if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) else None
    return target.id if isinstance(target, ast.Name) else ""
