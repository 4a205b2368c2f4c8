"""The standard streams as a function meets them: what it prints, what it reads. Pure; for `circumstances.py`."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.code import FunctionNode

_HOPS = 2
_INPUTS = ("StringIO('a b\\nc\\n')", "StringIO('')")
_BROKEN = "MagicMock(read=MagicMock(side_effect=OSError))"


class Console(msgspec.Struct, frozen=True):
    """`inputs`: expressions for `sys.stdin`, where it is read. `streams`: which of `out` and `err` is written to."""

    inputs: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()


def console_of(tree: ast.Module, node: FunctionNode) -> Console:
    """What a function, or one of its module that it calls, does with the standard streams."""
    parts = [part for one in reached_from(tree, node) for part in ast.walk(one)]
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


def reached_from(tree: ast.Module, node: FunctionNode) -> list[FunctionNode]:
    """The function, and those of its module that it calls by name."""
    functions = {one.name: one for one in tree.body if isinstance(one, FunctionNode)}
    found, level = [node], [node]
    for _ in range(_HOPS):
        names = {n.id for one in level for n in ast.walk(one) if isinstance(n, ast.Name)}
        level = [functions[name] for name in sorted(names & functions.keys()) if functions[name] not in found]
        found += level
    return found
