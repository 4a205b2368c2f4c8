"""Which helper of the tests a call in a test means: a function or method of its file, or of another one. Pure; for
`checkers.py`.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping

import msgspec

from greenlane.testgen.testmodules import ReadTests, TestModule, origin_of

_MAX_BASES = 4
_SELF, _STATIC = "self", "staticmethod"
_PARTIAL = frozenset({"partial", "functools.partial"})


class Helper(msgspec.Struct, frozen=True, kw_only=True):
    """A function that tests call."""

    node: ast.FunctionDef
    home: TestModule | None
    """The other file that it stands in; None for the test's own."""
    method: bool = False
    constants: Mapping[str, ast.expr]
    """Literals of the class and its bases, by name."""


class Helpers:
    """The helpers that the tests of one file call; `read` gives other files of the tests."""

    def __init__(self, own: TestModule, read: ReadTests) -> None:
        self._own, self._read = own, read
        self._functions = {n.name: n for n in own.parsed.body if isinstance(n, ast.FunctionDef)}
        self._classes = {n.name: n for n in own.parsed.body if isinstance(n, ast.ClassDef)}
        self._partials = _partials_of(own.parsed)

    def with_all_given(self, node: ast.stmt) -> ast.stmt:
        """A call of what the file made by `partial`, as one of the function with all that it is given: after
        `check = partial(tools.check, strict=True)` for `check("a")` the call `tools.check("a", strict=True)`."""
        call = node.value if isinstance(node, ast.Expr | ast.Assign) else None
        known = (
            self._partials.get(call.func.id) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None
        )
        if known is None or not isinstance(call, ast.Call):
            return node
        given = {keyword.arg for keyword in call.keywords}
        before = [keyword for keyword in known.keywords if keyword.arg not in given]
        whole = ast.Call(func=known.args[0], args=[*known.args[1:], *call.args], keywords=[*call.keywords, *before])
        made = copy.copy(node)
        made.value = ast.copy_location(whole, call)  # type: ignore[attr-defined]  # it is an Expr or an Assign
        return ast.fix_missing_locations(made)

    def of(self, call: ast.Call, owner: str, inner: Mapping[str, ast.FunctionDef]) -> Helper | None:
        """The helper that is called in a test of the class `owner` (empty: none) with functions of its own (`inner`);
        None for anything else, and for one with a decorator."""
        func = call.func
        if isinstance(func, ast.Name):
            node = inner.get(func.id) or self._functions.get(func.id)
            found = Helper(node=node, home=None, constants={}) if node is not None else self._imported(func.id)
        elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
            method = func.value.id == _SELF
            found = self._method(func.attr, owner) if method else self._in_module(func.value.id, func.attr)
        else:
            return None
        plain = found is not None and all(ast.unparse(one) == _STATIC for one in found.node.decorator_list)
        return found if plain else None

    def _imported(self, name: str) -> Helper | None:
        home, asked = self._home_of(self._own, name)
        functions = {n.name: n for n in home.parsed.body if isinstance(n, ast.FunctionDef)} if home else {}
        return Helper(node=functions[asked], home=home, constants={}) if asked in functions else None

    def _in_module(self, module: str, name: str) -> Helper | None:
        """`tools.check(...)`, where `tools` is another file of the tests."""
        source, asked = self._own.imports.get(module, ("", ""))
        path = ".".join(part for part in (source, asked.split(" as ")[0]) if part)
        home = self._read(path) if path else None
        functions = {n.name: n for n in home.parsed.body if isinstance(n, ast.FunctionDef)} if home else {}
        return Helper(node=functions[name], home=home, constants={}) if name in functions else None

    def _home_of(self, module: TestModule, name: str) -> tuple[TestModule | None, str]:
        """The module that a name is imported from, and its name there."""
        source, asked = module.imports.get(name, ("", ""))
        return (self._read(source), asked.split(" as ")[0]) if source and asked else (None, "")

    def _method(self, name: str, owner: str) -> Helper | None:
        """A method of the test's class or of one of its bases, with the constants of all of them."""
        constants: dict[str, ast.expr] = {}
        found: Helper | None = None
        home, node = self._own, self._classes.get(owner)
        for _ in range(_MAX_BASES):
            if node is None:
                break
            constants = _constants_of(node) | constants
            members = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
            if found is None and name in members:
                other = home if home is not self._own else None
                found = Helper(node=members[name], home=other, method=True, constants={})
            home, node = self._base_of(home, node)
        return msgspec.structs.replace(found, constants=constants) if found is not None else None

    def _base_of(self, module: TestModule, node: ast.ClassDef) -> tuple[TestModule, ast.ClassDef | None]:
        for base in node.bases:
            source, name = origin_of(module, base)
            home = self._read(source) if source else module
            name = name if source else getattr(base, "id", "")
            classes = {n.name: n for n in home.parsed.body if isinstance(n, ast.ClassDef)} if home else {}
            if home is not None and name in classes:
                return home, classes[name]
        return module, None


def _partials_of(parsed: ast.Module) -> dict[str, ast.Call]:
    """By name the calls of `partial` at the top of a file."""
    found: dict[str, ast.Call] = {}
    for node in parsed.body:
        call = node.value if isinstance(node, ast.Assign) else None
        if (
            isinstance(call, ast.Call)
            and ast.unparse(call.func) in _PARTIAL
            and call.args
            and isinstance(node, ast.Assign)
        ):
            found |= {target.id: call for target in node.targets if isinstance(target, ast.Name)}
    return found


def _constants_of(node: ast.ClassDef) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    for part in node.body:
        value = part.value if isinstance(part, ast.Assign | ast.AnnAssign) else None
        if value is None or any(isinstance(n, ast.Name | ast.Call) for n in ast.walk(value)):
            continue
        targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", None)]
        found |= {target.id: value for target in targets if isinstance(target, ast.Name)}
    return found
