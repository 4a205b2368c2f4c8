"""The command line as a function meets it: what it prints, what it reads from the standard input, the flags that its
module offers. Pure; for `circumstances.py` and `source.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.mentioned import mentioned_by

_HOPS = 2
_OFFERING = frozenset({"add_argument", "add_option", "option"})
_SWITCHES = frozenset({"store_true", "store_false", "store_const", "count", "append_const", "BooleanOptionalAction"})
_TAKING = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args", "getopt", "gnu_getopt", "main"})
_MAX_FLAGS = 12
_INPUTS = ("StringIO('a b\\nc\\n')", "StringIO('')")
_BROKEN = "MagicMock(read=MagicMock(side_effect=OSError))"


class Console(msgspec.Struct, frozen=True):
    """`inputs`: expressions for `sys.stdin`, where it is read. `streams`: which of `out` and `err` is written to."""

    inputs: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()


def console_of(tree: ast.Module, node: FunctionNode) -> Console:
    """What a function, or one of its module that it calls, does with the standard streams."""
    parts = [part for one in _reached(tree, node) for part in ast.walk(one)]
    named = {ast.unparse(part) for part in parts if isinstance(part, ast.Attribute) and _is_plain(part)}
    calls = [part for part in parts if isinstance(part, ast.Call)]
    printed = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    files = {ast.unparse(k.value) for call in printed for k in call.keywords if k.arg == "file"}
    plain = any(all(k.arg != "file" for k in call.keywords) for call in printed)
    out = plain or "sys.stdout.write" in named or "sys.stdout" in files
    err = "sys.stderr.write" in named or "sys.stderr" in files
    broken = any(isinstance(p, ast.ExceptHandler) and p.type and "OSError" in ast.unparse(p.type) for p in parts)
    reads = any(name == "sys.stdin" or name.startswith("sys.stdin.") for name in named)
    return Console(
        inputs=(*_INPUTS, *([_BROKEN] if broken and "sys.stdin.read" in named else ())) if reads else (),
        streams=tuple(["out"] * out + ["err"] * err),
    )


def _is_plain(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) or (isinstance(node.value, ast.Attribute) and _is_plain(node.value))


def _reached(tree: ast.Module, node: FunctionNode) -> list[FunctionNode]:
    """The function, and those of its module that it calls by name."""
    functions = {one.name: one for one in tree.body if isinstance(one, FunctionNode)}
    found, level = [node], [node]
    for _ in range(_HOPS):
        names = {n.id for one in level for n in ast.walk(one) if isinstance(n, ast.Name)}
        level = [functions[name] for name in sorted(names & functions.keys()) if functions[name] not in found]
        found += level
    return found


def with_flags(functions: Iterable[Function], tree: ast.Module, changed: Iterable[int]) -> tuple[Function, ...]:
    """The functions that take a command line, with what can be given there; flags of changed lines come first."""
    rows = list(_flags(tree, frozenset(changed)))
    if not rows:
        return tuple(functions)
    nodes = {n.lineno: n for n in ast.walk(tree) if isinstance(n, FunctionNode)}
    told = tuple(dict.fromkeys(rows))[:_MAX_FLAGS]

    def takes(function: Function) -> bool:
        node = nodes.get(function.first)
        reached = _reached(tree, node) if node is not None else []
        called = {ast.unparse(c.func).split(".")[-1] for n in reached for c in ast.walk(n) if isinstance(c, ast.Call)}
        return bool(called & _TAKING)

    return tuple(msgspec.structs.replace(f, flags=told) if takes(f) else f for f in functions)


def command_lines(items: Sequence[ast.expr], entry: Function) -> Iterator[list[ast.expr]]:
    """Each flag alone and before what is given; none for a list that holds something else than texts."""
    if any(isinstance(item, ast.Constant) and not isinstance(item.value, str) for item in items):
        return
    for flag in entry.flags:
        words: list[ast.expr] = [ast.Constant(value=word) for word in flag]
        yield words
        yield [*words, *items]


def _flags(tree: ast.Module, changed: frozenset[int]) -> Iterator[tuple[str, ...]]:
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func).split(".")[-1] in _OFFERING]
    calls.sort(key=lambda call: not changed.intersection(range(call.lineno, (call.end_lineno or call.lineno) + 1)))
    for call in calls:
        names = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        flags = [name.split("/")[0].strip() for name in names if name.startswith("-")]
        if flags:
            longest = max(flags, key=len)
            yield (longest,) if _is_switch(call) or "/" in names[-1] else (longest, _value_of(call))


def _is_switch(call: ast.Call) -> bool:
    given = {k.arg: k.value for k in call.keywords}
    action = given.get("action")
    if isinstance(action, ast.Constant):
        return action.value in _SWITCHES or action.value in {"version", "help"}
    flag = given.get("is_flag")
    return (action is not None and ast.unparse(action).split(".")[-1] in _SWITCHES) or (
        isinstance(flag, ast.Constant) and flag.value is True
    )


def _value_of(call: ast.Call) -> str:
    """Something that the option takes: a choice, a number, what its help gives as an example."""
    given = {k.arg: k.value for k in call.keywords}
    choices = given.get("choices")
    options: Sequence[ast.expr] = choices.elts if isinstance(choices, ast.List | ast.Tuple | ast.Set) else ()
    for option in options:
        if isinstance(option, ast.Constant):
            return str(option.value)
    kind = ast.unparse(given["type"]) if "type" in given else ""
    if kind in {"int", "float"}:
        return "2"
    return next(mentioned_by(given["help"]), "abc") if "help" in given else "abc"
