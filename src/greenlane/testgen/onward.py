"""What tests look at after a call that shows nothing itself, looked at after a variation of that call. Pure; for
`search.py`.

client.send = Mock()                              client.send = Mock()
client.store(["a"])                               client.store([{"text": "a"}])
client.send.call_args.args     ->                 client.send.call_args.args
"""

from __future__ import annotations

import ast
import builtins
import itertools
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.choose import is_tellable, taste
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Script, bound_by
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn

_SILENT, _LOOKS, _MOST, _LONGEST = 6, 3, 80, 3


class Ending(msgspec.Struct, frozen=True):
    """How a test goes on after a call: what the call's value is put in (nothing, if it is put nowhere), what stands
    before the call, and what comes after it, the last of which is looked at."""

    target: str
    before: frozenset[str]
    rest: tuple[str, ...]
    script: Script


def onward(observed: Sequence[Observed], path: str, left: Targets, scripts: Iterable[Script]) -> list[Case]:
    """What ran an open line of this file and shows nothing, with what these scripts look at after a call of the same;
    those with the most in common first."""
    endings: dict[str, list[Ending]] = {}
    for called, ending in (pair for script in scripts for pair in _endings(script)):
        endings.setdefault(called, []).append(ending)
    rows: dict[str, list[Case]] = {}
    for line in sorted({line_of(target) for target in left}):
        near = [o for o in observed if line in o.lines.get(path, frozenset()) and _is_silent(o)]
        near.sort(key=taste, reverse=True)
        for one in near[:_SILENT]:
            if one.case.key not in rows:
                rows[one.case.key] = list(itertools.islice(_gone_on(one.case, endings), _LOOKS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _is_silent(observed: Observed) -> bool:
    script = observed.case.script
    quiet = observed.outcome.kind in {"value", "opaque"} and not is_tellable(observed)
    return quiet and script is not None and script.marks is None


def _endings(script: Script) -> Iterator[tuple[str, Ending]]:
    """What each call that stands by itself is called as, with what comes after it."""
    for place in range(max(len(script.setup) - _LONGEST, 0), len(script.setup)) if script.marks is None else ():
        target, called = _called(script.setup[place])
        if called:
            rest = (*script.setup[place + 1 :], script.look)
            yield called, Ending(target, frozenset(script.setup[:place]), rest, script)


def _called(text: str) -> tuple[str, str]:
    """What the value of a statement's call is put in, and what is called; empty for any other statement."""
    try:
        (node,) = parse_source(text).body
    except (UnreadableSourceError, ValueError):
        return "", ""
    value = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    if not isinstance(value, ast.Call):
        return "", ""
    if isinstance(node, ast.Assign):
        plain = len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        return (ast.unparse(node.targets[0]), ast.unparse(value.func)) if plain else ("", "")
    return "", ast.unparse(value.func)


def _gone_on(case: Case, endings: dict[str, list[Ending]]) -> Iterator[Case]:
    script = case.script
    if script is None:
        return
    _, called = _called(script.look)
    own = {*script.setup}
    known = sorted(endings.get(called, ()), key=lambda e: (-len(own & e.before), len(e.rest), len(e.script.text)))
    bound = {n.id for text in (*script.setup, script.look) for n in _names(text)} | case.fixtures
    bound |= {bound_by(pair) for pair in script.imports}
    seen: set[tuple[str, ...]] = set()
    for ending in known:
        more = {bound_by(pair): pair for pair in ending.script.imports}
        free = set(_free(ending.rest)) - bound - {ending.target}
        if ending.rest in seen or not all(name in more or hasattr(builtins, name) for name in free):
            continue
        seen.add(ending.rest)
        last = f"{ending.target} = {script.look}" if ending.target else script.look
        imports = script.imports | {more[name] for name in free if name in more}
        texts = (*script.setup, last, *ending.rest)
        if all(len(text) <= MAX_STATEMENT for text in texts):
            made = msgspec.structs.replace(script, imports=imports, setup=texts[:-1], look=texts[-1])
            yield case.with_script(made)


def _bound(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (n.id for n in _names(text) if isinstance(n.ctx, ast.Store))


def _free(texts: Sequence[str]) -> Iterator[str]:
    bound = set(_bound(texts))
    yield from (n.id for text in texts for n in _names(text) if n.id not in bound)


def _names(text: str) -> list[ast.Name]:
    try:
        return [node for node in ast.walk(parse_source(text)) if isinstance(node, ast.Name)]
    except UnreadableSourceError:
        return []
