"""Calls of a function that asks what its module remembers in a plain name, set before the call as other functions of
the module would: all of these names, and one at a time. Pure; for `search.py`.

    _process, _written = None, False             process = MagicMock()
    def write(text):                             monkeypatch.setattr("shop.pipe._process", process)
        global _written                  ->      write("abc")
        if _process:                             [str(one) for one in process.method_calls]
            _process.send(text)
            _written = True
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, Script
from greenlane.testgen.staged import before_and_call
from greenlane.testgen.turns import in_turn
from greenlane.testgen.uses import nodes_by_line

_STAND_IN = "MagicMock"
_CALLS, _PARTS, _NAMES, _MOST = 4, 3, 4, 60


class _State(msgspec.Struct, frozen=True):
    """What is set before a call: by name its expression. `made` of them are stand-ins that can be looked at."""

    values: tuple[tuple[str, str], ...]

    @property
    def made(self) -> tuple[str, ...]:
        return tuple(name for name, value in self.values if value.startswith(_STAND_IN))


def stateful_cases(cases: Sequence[Case], tree: ast.Module, entry: Function, *, unittest: bool) -> list[Case]:
    """The plainest of these calls of a function, each in a few states of its module; `unittest`: without fixtures."""
    node = nodes_by_line(tree).get(entry.first)
    known = _remembered(tree, node) if node is not None and not entry.asynchronous and entry.owner is None else {}
    if node is None or not known:
        return []
    plain = [case for case in cases if case.script is None and case.receiver is None]
    plain = sorted([c for c in plain if not (unittest and c.fixtures)], key=lambda c: (c.steps, c.length))[:_CALLS]
    set_here = {name for n in ast.walk(node) if isinstance(n, ast.Global) for name in n.names}
    shown = [name for name in known if name in set_here and not name.startswith("_")]
    prints = not unittest and bool({"print", "echo", "secho", "write"} & entry.calls)
    rows = [
        [one for state in _states(node, known) for one in _made(case, state, shown, prints=prints, unittest=unittest)]
        for case in plain
    ]
    found = {case.key: case for case in in_turn(rows)}
    return list(found.values())[:_MOST]


# ------------------------------------------------------------------ the states


def _remembered(tree: ast.Module, node: FunctionNode) -> dict[str, ast.expr]:
    """The names that conditions of a function ask for, and that some function of the module sets, or that it sets to a
    constant itself, with what they hold at first; and what else it uses of that kind."""
    set_anew = {name for n in ast.walk(tree) if isinstance(n, ast.Global) for name in n.names}
    tests = [n.test for n in ast.walk(node) if isinstance(n, ast.If | ast.IfExp | ast.While)]
    own = {name for n in ast.walk(node) if isinstance(n, ast.Global) for name in n.names}
    plain = [n for n in ast.walk(node) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Constant)]
    asked = {n.id for test in tests for n in ast.walk(test) if isinstance(n, ast.Name)} & set_anew
    asked |= {target.id for n in plain for target in n.targets if isinstance(target, ast.Name)} & own
    if not asked:
        return {}
    used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & set_anew
    bound = {
        target.id: part.value
        for part in tree.body
        if isinstance(part, ast.Assign | ast.AnnAssign) and part.value is not None
        for target in (part.targets if isinstance(part, ast.Assign) else [part.target])
        if isinstance(target, ast.Name) and target.id in used
    }
    held = [(name, value) for name, value in bound.items() if isinstance(value, ast.Constant)]
    return dict(held[:_NAMES])


def _states(node: FunctionNode, known: Mapping[str, ast.expr]) -> Iterator[_State]:
    """All names set at once, in the first of their ways and in the second; one at a time; and as they are at first."""
    ways = {name: _ways(node, name, value) for name, value in known.items()}
    for number in range(max(map(len, ways.values()))):
        yield _State(tuple((name, values[min(number, len(values) - 1)]) for name, values in ways.items()))
    if len(ways) > 1:
        for name in ways:
            others = tuple((other, ast.unparse(value)) for other, value in known.items() if other != name)
            yield _State(((name, ways[name][0]), *others))
    yield _State(tuple((name, ast.unparse(value)) for name, value in known.items()))


def _ways(node: FunctionNode, name: str, value: ast.expr) -> list[str]:
    """Other values for a name: for None a stand-in that gives what is asked of it."""
    held = value.value if isinstance(value, ast.Constant) else None
    asked = any(
        isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == name for n in ast.walk(node)
    )
    given = any(
        isinstance(n, ast.Name) and n.id == name for c in ast.walk(node) if isinstance(c, ast.Call)
        for n in (*c.args, *(keyword.value for keyword in c.keywords))
    )  # fmt: skip
    if held is None and (asked or given):
        parts = list(_parts_given(node, name))
        rows = [", ".join(f"{key!r}: {value}" for key, value in row) for row in zip(*parts, strict=True)]
        return [f"{_STAND_IN}(**{{{row}}})" for row in rows] or [f"{_STAND_IN}()"]
    if isinstance(held, bool):
        return [repr(not held)]
    if isinstance(held, int | float):
        return [repr(held + 1)]
    return ["True", "'abc'"] if held is None else [repr("abc" if not held else "")]


def _parts_given(node: FunctionNode, name: str) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """What methods of it give where that is taken apart: `out, error = process.communicate()`."""
    for part in ast.walk(node):
        target = part.targets[0] if isinstance(part, ast.Assign) else None
        call = part.value.func if isinstance(part, ast.Assign) and isinstance(part.value, ast.Call) else None
        if not isinstance(target, ast.Tuple) or not isinstance(call, ast.Attribute):
            continue
        if isinstance(call.value, ast.Name) and call.value.id == name:
            given = tuple("abcdef"[: len(target.elts)])
            yield (f"{call.attr}.return_value", repr(given)), (f"{call.attr}.return_value", repr(("",) * len(given)))


# ------------------------------------------------------------------ the call


def _made(case: Case, state: _State, shown: Sequence[str], *, prints: bool, unittest: bool) -> Iterator[Case]:
    """The call in that state, and what came of it: what it gave, what the stand-ins were asked, what is remembered
    then, what was printed."""
    module, called_from = case.entry.module, case.entry.module.rpartition(".")
    here = called_from[2]
    before, called = before_and_call(case)
    gives = case.entry.returns_value
    seen = ["result"] if gives else []
    seen += [f"[str(one) for one in {_local(name)}.method_calls]" for name in state.made]
    kept = [f"{_local(name)}_after = {here}.{name}" for name in shown[:_PARTS] if name not in state.made]
    seen += [one.partition(" = ")[0] for one in kept]
    printed = ["capsys.readouterr().out"] if prints else []
    imports: set[Import] = {(module, case.entry.called)} | ({("unittest.mock", _STAND_IN)} if state.made else set())
    imports |= {(called_from[0], here) if called_from[0] else (here, "")} if kept else set()
    done = [*before, f"result = {called}" if gives else called]
    imports |= {("unittest.mock", "patch")} if unittest else set()
    made = [f"{_local(name)} = {value}" for name, value in state.values if name in state.made]
    pairs = [(f"{module}.{name}", _local(name) if name in state.made else value) for name, value in state.values]
    fixtures = case.fixtures if unittest else case.fixtures | {"monkeypatch"}
    whole = f"({', '.join(seen)})" if len(seen) > 1 else "".join(seen)
    for look, last in [*([(whole, kept)] if whole else []), *((one, list[str]()) for one in printed)]:
        setup = [*made, *_set(pairs, [*done, *last], unittest=unittest)]
        script = Script(imports=case.imports | imports, setup=tuple(setup), look=look)
        if all(len(text) <= MAX_STATEMENT for text in setup):
            yield case.with_script(script, fixtures | ({"capsys"} if "capsys" in look else set()))


def _set(pairs: Sequence[tuple[str, str]], done: Sequence[str], *, unittest: bool) -> list[str]:
    """The statements after what sets these places."""
    if not unittest:
        return [*(f"monkeypatch.setattr({place!r}, {value})" for place, value in pairs), *done]
    heads = ", ".join(f"patch({place!r}, {value})" for place, value in pairs)
    body = "\n".join(f"    {line}" for text in done for line in text.splitlines())
    return [f"with {heads}:\n{body}"]


def _local(name: str) -> str:
    return name.strip("_").lower() or "held"
