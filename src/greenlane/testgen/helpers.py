"""Functions and classes of a test file that a script takes along: short ones whole, of a longer class what is used.
Pure; for `scripts.py`.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Set
from typing import Any

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.slicing import loaded_in

_MAX_LINES = 15


def short_helper(node: ast.stmt, used: Set[str]) -> ast.stmt | None:
    """A helper as it may be copied into a test: where it is too long with its docstrings without them, of a class that
    is too long even so the members that the names in `used` lead to. None if that does not help, and for a fixture or a
    test."""
    if not is_helper(node):
        return None
    if (node.end_lineno or node.lineno) - node.lineno < _MAX_LINES:
        return node
    bare = _without_words(node) if isinstance(node, FunctionNode | ast.ClassDef) else node
    if len(ast.unparse(bare).splitlines()) <= _MAX_LINES:
        return bare
    if not isinstance(node, ast.ClassDef):
        return None
    shorter = _with_members(node, used)
    return shorter if shorter.body and len(ast.unparse(shorter).splitlines()) <= _MAX_LINES else None


def is_helper(node: ast.stmt) -> bool:
    """Whether it is neither a test nor a fixture: another file may name it without being given tests by that."""
    decorators = [ast.unparse(d) for d in getattr(node, "decorator_list", [])]
    return not any("fixture" in d for d in decorators) and not getattr(node, "name", "").lower().startswith("test")


def stands_here(name: str, helpers: Mapping[str, ast.stmt], seen: Set[str] = frozenset()) -> bool:
    """Whether a constant, or one that it is made of, tells of where its file stands: elsewhere it is another one."""
    node = helpers.get(name)
    named = set(loaded_in(node.value)) - seen if isinstance(node, ast.Assign) else set()
    return "__file__" in named or any(stands_here(one, helpers, seen | named) for one in named)


def derived(node: ast.stmt, module: str, names: Set[str]) -> ast.ClassDef | None:
    """A class of the same name that inherits from a long one of another module, with those short methods written out in
    which one of the names stands: there they can be exchanged. None where it has none."""
    methods = [m for m in node.body if isinstance(m, FunctionNode)] if isinstance(node, ast.ClassDef) else []
    body: list[ast.stmt] = [
        m for m in methods if words_in(m) & names and len(ast.unparse(_without_words(m)).splitlines()) <= _MAX_LINES
    ]
    if not body or not isinstance(node, ast.ClassDef):
        return None
    base = parse_expression(f"{module}.{node.name}").body
    return ast.ClassDef(name=node.name, bases=[base], keywords=[], body=body, decorator_list=[])


def _without_words(node: ast.stmt) -> ast.stmt:
    """A function or class without what is said in words about it and its parts."""

    class Removing(ast.NodeTransformer):
        def visit(self, inner: ast.AST) -> Any:
            super().visit(inner)
            if isinstance(inner, FunctionNode | ast.ClassDef) and ast.get_docstring(inner) is not None:
                inner.body = inner.body[1:] or [ast.Pass()]
            return inner

    return Removing().visit(copy.deepcopy(node))  # type: ignore[no-any-return]  # a statement, as it was given


def words_in(*nodes: ast.AST) -> set[str]:
    """Names and attributes that stand in some code."""
    parts = [part for node in nodes for part in ast.walk(node)]
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return names | {part.attr for part in parts if isinstance(part, ast.Attribute)}


def _with_members(node: ast.ClassDef, used: Set[str]) -> ast.ClassDef:
    """The class with its special methods, and those members that are used, or that these use; of one that inherits from
    others with all of its methods, which those may call."""
    known = set(used)
    if any(ast.unparse(base) != "object" for base in node.bases):
        known |= {member.name for member in node.body if isinstance(member, FunctionNode)}
    kept: list[ast.stmt] = []
    for _ in node.body:  # each round finds another one, or is the last
        more = [member for member in node.body if member not in kept and _is_used(member, known)]
        if not more:
            break
        kept += more
        known |= words_in(*more)
    body = [member for member in node.body if member in kept]
    return ast.ClassDef(name=node.name, bases=node.bases, keywords=node.keywords, body=body,
                        decorator_list=node.decorator_list)  # fmt: skip


def _is_used(member: ast.stmt, known: Set[str]) -> bool:
    if isinstance(member, FunctionNode):
        return member.name in known or (member.name.startswith("__") and member.name.endswith("__"))
    if isinstance(member, ast.Assign | ast.AnnAssign):
        targets = member.targets if isinstance(member, ast.Assign) else [member.target]
        return bool(words_in(*targets) & known)
    return isinstance(member, ast.ClassDef) and member.name in known
