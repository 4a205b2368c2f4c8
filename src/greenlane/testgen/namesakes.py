"""What tests give to a method or function of such a name, wherever it is: arguments for one that hardly a test calls.
Reads files of the tree, runs nothing. Called by `search.py`.

Classes that are used alike share the names of their methods: `columns.click((10,), "press", 1, 0, 0)` in one test says
more about `grid.click` than any guess by the name of a parameter.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.exchanged import Filling
from greenlane.testgen.inputs import CarvedCall, Case, Description, Receiver, seed_cases
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.reading import parse_text, read_inside
from greenlane.testgen.turns import in_turn

_FILES, _CALLS, _CASES = 60, 8, 16
_LONGEST = 120
_COMMON = (str, bytes, list, dict, set, tuple)
_KINDS = frozenset({"method", "function", "static", "class"})


def namesake_calls(tree: Path, files: Iterable[str], function: Function) -> list[CarvedCall]:
    """Calls in these test files of anything that is named like this function and takes as much, as calls of it: with
    plain values alone, the usual ones first. None of what has a leading underscore, no parameters, or a name that
    texts and containers have as well: most calls of `get` are of something else."""
    common = any(hasattr(kind, function.name) for kind in _COMMON)
    if function.kind not in _KINDS or function.name.startswith("_") or not function.params or common:
        return []
    found: Counter[tuple[tuple[str | None, str], ...]] = Counter()
    for file in list(files)[:_FILES]:
        text = read_inside(tree, tree / file) or ""
        parsed = parse_text(text) if f"{function.name}(" in text else None
        found.update(_rows(parsed, function) if parsed is not None else ())
    rows = sorted(found, key=lambda row: (-found[row], sum(len(value) for _, value in row), str(row)))
    target = f"/{function.path}:{function.line}"
    return [
        CarvedCall(
            target=target,
            receiver=None,
            positional=tuple(Description(value) for name, value in row if name is None),
            keywords=tuple((name, Description(value)) for name, value in row if name is not None),
        )
        for row in rows[:_CALLS]
    ]


def namesake_cases(
    calls: Sequence[CarvedCall], entry: Function, rank: int, receivers: Sequence[Receiver]
) -> list[Case]:
    """These calls on each of the objects in turn: guesses, a step from what any test does."""
    rows = [seed_cases(entry, calls, rank, _CALLS, [receiver]) for receiver in receivers]
    cases = in_turn(rows) if receivers else seed_cases(entry, calls, rank, _CALLS)
    guessed = [msgspec.structs.replace(case, carved=False, steps=1) for case in cases]
    return list({case.key: case for case in guessed}.values())[:_CASES]


def _rows(parsed: ast.Module, function: Function) -> Iterator[tuple[tuple[str | None, str], ...]]:
    """The arguments of calls of this name that fit the function."""
    known = _constants(parsed.body)
    for holder in ast.walk(parsed):
        if isinstance(holder, FunctionNode):
            here = {**known, **_constants(holder.body)}
            for call in (node for node in ast.walk(holder) if isinstance(node, ast.Call)):
                row = _row(call, here) if name_of(call) == function.name else None
                if row is not None and _fits(row, function):
                    yield row


def _constants(body: Iterable[ast.stmt]) -> dict[str, ast.expr]:
    """Names that these statements give a plain value, once."""
    found: dict[str, ast.expr] = {}
    stored = Counter(n.id for node in body for n in ast.walk(node) if isinstance(n, ast.Name) and _is_stored(n))
    for node in body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if stored[name] == 1 and _is_plain(node.value):
                found[name] = node.value
    return found


def _is_stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _row(call: ast.Call, known: Mapping[str, ast.expr]) -> tuple[tuple[str | None, str], ...] | None:
    """What is given, with what plain names stand for; None if it is more than plain values."""
    if any(isinstance(arg, ast.Starred) for arg in call.args) or any(k.arg is None for k in call.keywords):
        return None
    given = [(None, arg) for arg in call.args] + [(k.arg, k.value) for k in call.keywords]
    row = tuple((name, Filling(known, {}).visit(copy.deepcopy(value))) for name, value in given)
    if not all(_is_plain(value) for _, value in row):
        return None
    texts = tuple((name, ast.unparse(value)) for name, value in row)
    return texts if all(len(text) <= _LONGEST for _, text in texts) else None


def _is_plain(value: ast.expr) -> bool:
    """Literals and containers of them, perhaps with a class or constant of the language."""
    kinds = (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.unaryop, ast.expr_context, ast.Name)
    return all(
        isinstance(node, kinds)
        and (not isinstance(node, ast.Name) or isinstance(getattr(builtins, node.id, None), type))
        for node in ast.walk(value)
    )


def _fits(row: Sequence[tuple[str | None, str]], function: Function) -> bool:
    placed = len([name for name, _ in row if name is None])
    named = {name for name, _ in row if name is not None}
    params = {param.name for param in function.params}
    needed = {param.name for param in function.params if param.default is None}
    by_place = [param.name for param in function.places[:placed]]
    fits = placed <= len(function.places) and named <= params and not named & {*by_place}
    return bool(row) and fits and needed <= {*by_place, *named}
