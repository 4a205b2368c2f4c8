"""What no generated test may do, and whether it asserts anything: read from its text, before anything is run. Pure.

A first net for texts that somebody else wrote. It is no isolation: the sandbox is, and what a run reports is checked
besides (`suite/report.py`). An allow-list where there can be one (modules), else a list of what ends the process,
reaches into the test runner, or hides a failure.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from greenlane.testgen.code import FunctionNode

OFFERED = frozenset({
    "abc", "array", "asyncio", "base64", "binascii", "bisect", "bz2", "calendar", "cmath", "codecs",
    "collections", "colorsys", "configparser", "contextlib", "copy", "csv", "dataclasses", "datetime",
    "decimal", "difflib", "email", "enum", "fractions", "functools", "gzip", "hashlib", "heapq", "hmac", "html",
    "io", "ipaddress", "itertools", "json", "keyword", "locale", "logging", "math", "mimetypes", "numbers",
    "operator", "pathlib", "pickle", "plistlib", "pprint", "queue", "random", "re", "secrets", "sqlite3",
    "statistics", "string", "struct", "tempfile", "textwrap", "time", "tomllib", "types", "typing",
    "unicodedata", "unittest", "urllib", "uuid", "warnings", "weakref", "xml", "zipfile", "zlib", "zoneinfo",
})  # fmt: skip
"""Modules of the standard library that a proposed test may import."""

_MODULES = frozenset({
    "os", "sys", "subprocess", "shutil", "signal", "ctypes", "gc", "inspect", "importlib", "builtins", "socket",
    "threading", "multiprocessing", "_pytest", "pluggy", "coverage", "conftest", "sitecustomize", "atexit",
    "faulthandler",
})  # fmt: skip
_NAMES = frozenset({
    "exec", "eval", "compile", "__import__", "__builtins__", "__loader__", "__spec__", "globals", "locals", "vars",
    "breakpoint", "input", "exit", "quit", "SystemExit", "KeyboardInterrupt", "GeneratorExit", "pytest_plugins",
})  # fmt: skip
_ATTRIBUTES = frozenset({
    "_exit", "abort", "kill", "killpg", "system", "popen", "fork", "forkpty", "_getframe", "settrace",
    "setprofile", "__globals__", "__builtins__", "__subclasses__", "__code__", "__closure__", "__bases__",
    "__mro__", "f_globals", "f_back", "tb_frame", "gi_frame", "cr_frame", "modules", "excepthook", "hookimpl",
    "pluginmanager", "environ", "putenv",
})  # fmt: skip
_OUTCOMES = frozenset({"skip", "skipif", "xfail", "exit", "importorskip", "skipTest", "expectedFailure"})
_FIXTURES = frozenset({
    "request", "pytestconfig", "pytester", "testdir", "cache", "record_property", "record_xml_attribute",
    "record_testsuite_property",
})  # fmt: skip
_SWALLOWED = frozenset({"Exception", "BaseException", "AssertionError", "Failed"})
_TARGETS = ("pytest", "_pytest", "pluggy", "builtins", "coverage", "sys.", "os.", "greenlane", "unittest.case")
_MARKS = ("GREENLANE_", "greenlane_report", "PYTEST_", "COVERAGE_")


def foreign_names(node: ast.Import | ast.ImportFrom, modules: frozenset[str]) -> Iterator[str]:
    """What an import statement takes that is neither of the project nor offered."""
    if isinstance(node, ast.ImportFrom):
        top = (node.module or "").split(".")[0]
        offered = not node.level and (top in modules or top == "pytest" or top in OFFERED)
        if not offered or top in _MODULES:
            yield "." * node.level + (node.module or "")
        yield from (alias.name for alias in node.names if alias.name in _MODULES or alias.name == "*")
        return
    for alias in node.names:
        top = alias.name.split(".")[0]
        known = top in modules or top == "pytest" or top in OFFERED
        if not known or top in _MODULES:
            yield alias.name


def list_harms(tree: ast.AST) -> tuple[str, ...]:
    """In words that follow "it": `names os`, `skips itself`. The same order each time, no word twice."""
    found = [word for node in ast.walk(tree) for word in _harm(node)]
    return tuple(dict.fromkeys(found))


def _harm(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and (node.id in _NAMES or node.id in _MODULES):
        yield f"names {node.id}"
    elif isinstance(node, ast.Attribute):
        yield from _attribute(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        if any(mark in text for mark in _MARKS):
            yield "names variables of the test run"
    elif isinstance(node, ast.ExceptHandler):
        caught = {"BaseException"} if node.type is None else {_last(n) for n in _flat(node.type)}
        if caught & _SWALLOWED:
            yield "catches what an assertion raises"
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, FunctionNode):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        yield from (f"takes the fixture {a.arg}" for a in arguments if a.arg in _FIXTURES)
        if node.name.startswith("pytest_"):
            yield f"defines the hook {node.name}"


def _attribute(node: ast.Attribute) -> Iterator[str]:
    if node.attr in _ATTRIBUTES or node.attr in _MODULES or node.attr.lstrip("_") in _MODULES:
        yield f"names {node.attr}"
    elif node.attr in _OUTCOMES:
        yield "skips itself or expects to fail"
    elif isinstance(node.ctx, ast.Store | ast.Del) and _root(node) in {"pytest", "unittest"}:
        yield "changes the test runner"


def _call(node: ast.Call) -> Iterator[str]:
    name = _last(node.func)
    first = node.args[0] if node.args else None
    if name in {"setattr", "delattr", "setitem", "delitem", "patch", "object", "syspath_prepend"} and first is not None:
        text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else _root(first)
        if text.startswith(_TARGETS) or name == "syspath_prepend":
            yield "changes the test runner"
    elif name == "suppress" and {_last(a) for a in node.args} & _SWALLOWED:
        yield "catches what an assertion raises"
    elif name in {"getattr", "hasattr"} and len(node.args) > 1 and not _is_plain_name(node.args[1]):
        yield "looks up a name that is not written out"


def _is_plain_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not str(node.value).startswith("_")


def asserts_something(function: ast.AST) -> bool:
    """Whether there is an assertion over something that was computed. That it can fail is for its mutants to show."""
    return any(_is_assertion(node) for node in ast.walk(function))


def _is_assertion(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return _can_fail(node.test)
    if isinstance(node, ast.With | ast.AsyncWith):
        return any(_expects_error(item.context_expr) for item in node.items) and _calls_something(node.body)
    if isinstance(node, ast.Call):
        name = _last(node.func)
        if name == "fail":
            return True
        if name.startswith("assertRaises") or name.startswith("assertWarns"):
            return _is_narrow(node) and len(node.args) > 1
        if name.startswith("assert") and isinstance(node.func, ast.Attribute):
            return not node.args or any(_computed(argument) for argument in node.args)
        return name == "raises" and _is_narrow(node) and len(node.args) > 1
    return False


def _can_fail(test: ast.expr) -> bool:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return all(_can_fail(value) for value in test.values)
    if isinstance(test, ast.BoolOp):
        return any(_can_fail(value) for value in test.values)
    if isinstance(test, ast.Compare) and all(ast.dump(c) == ast.dump(test.left) for c in test.comparators):
        return False
    if isinstance(test, ast.Tuple | ast.List | ast.Dict | ast.JoinedStr | ast.Lambda):
        return False  # `assert (x, "message")` is true of anything
    return _computed(test)


def _computed(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Name | ast.Call | ast.Await) for part in ast.walk(node))


def _expects_error(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = _last(node.func)
    return (name in {"raises", "warns", "deprecated_call"} or name.startswith(("assertRaises", "assertWarns"))) and (
        _is_narrow(node)
    )


def _is_narrow(node: ast.Call) -> bool:
    """`raises(Exception)` is fulfilled by a misspelt name; with `match` it is not."""
    broad = bool(node.args) and {_last(n) for n in _flat(node.args[0])} & {"Exception", "BaseException"}
    return not broad or any(keyword.arg == "match" for keyword in node.keywords) or len(node.args) > 1


def _calls_something(body: Iterable[ast.stmt]) -> bool:
    parts = [part for statement in body for part in ast.walk(statement)]
    return any(isinstance(part, ast.Call | ast.Await | ast.Subscript | ast.Attribute | ast.BinOp) for part in parts)


def _flat(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _last(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
