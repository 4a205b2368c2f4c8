"""Constants that code names and compares: what a function is tried with. Pure; for `code.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from greenlane.testgen.mentioned import mentioned_by
from greenlane.testgen.patterns import as_text, put_together, told_by_patterns

Constant: TypeAlias = int | float | str | bytes | None
MAX_CONSTANTS = 24
_LONGEST_TEXT = 2_000
"""Characters of a pattern that is put together of others: each may double the one before."""


def class_constants(owner: ast.ClassDef) -> dict[str, tuple[Constant, ...]]:
    """Constants that a class gives names to, as its methods call them."""
    found = module_constants(owner)
    return {f"{holder}.{name}": values for name, values in found.items() for holder in ("self", "cls", owner.name)}


def module_constants(tree: ast.Module | ast.ClassDef) -> dict[str, tuple[Constant, ...]]:
    """Constants that a module gives names to, containers flattened: `CODES = {"A": 1}` gives "A" and 1."""
    found: dict[str, tuple[Constant, ...]] = {}
    texts: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        values = tuple(_constants_in(put_together(node.value, texts)))[:MAX_CONSTANTS]
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        text = as_text(node.value, texts)
        for target in targets:
            if isinstance(target, ast.Name) and values:
                found[target.id] = values
            if isinstance(target, ast.Name) and text is not None and len(text) <= _LONGEST_TEXT:
                texts[target.id] = text
    return found


def _constants_in(tree: ast.AST) -> Iterator[Constant]:
    """For a regular expression texts that it matches."""
    told = told_by_patterns(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            yield from told.get(id(node)) or (_plain(node),)


def _plain(node: ast.Constant) -> Constant:
    return node.value if isinstance(node.value, int | float | str | bytes) else None


def constants_of(node: ast.AST, named: Mapping[str, tuple[Constant, ...]]) -> tuple[Constant, ...]:
    """Constants of a function, those that are compared first, then examples that its texts give; else docstrings and
    messages of exceptions are left out."""
    idle = {id(n) for r in ast.walk(node) if isinstance(r, ast.Raise | ast.JoinedStr) for n in ast.walk(r)}
    idle |= {id(s.value) for s in ast.walk(node) if isinstance(s, ast.Expr)}
    compared: list[Constant] = []
    other: list[Constant] = []
    tests, told = {id(n) for t in ast.walk(node) for n in _tested(t)}, told_by_patterns(node)
    for part in ast.walk(node):
        into = compared if id(part) in tests else other
        if isinstance(part, ast.Constant) and id(part) not in idle:
            into += told.get(id(part)) or (_plain(part),)
        elif isinstance(part, ast.Name | ast.Attribute) and ast.unparse(part) in named:
            into += named[ast.unparse(part)]
    return tuple(dict.fromkeys((*compared, *mentioned_by(node), *other)))[:MAX_CONSTANTS]


def _tested(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield from ast.walk(node.test)
    elif isinstance(node, ast.Compare):
        yield from ast.walk(node)
