"""Parts of a test that stay as they are when it is varied, and calls in it that only set the scene. Pure."""

from __future__ import annotations

import ast

_SCENE = frozenset({"monkeypatch", "mocker", "caplog", "capsys", "capfd", "recwarn", "warnings", "pytest", "patch"})
_ANSWERS = frozenset({"responses", "httpretty", "respx", "requests_mock"})
"""What tests tell which requests are answered how."""
_SETTERS = frozenset({"setattr", "setitem", "setenv", "patch", "object", "multiple"})
_REMOVERS = frozenset({"delattr", "delitem", "delenv", "undo", "syspath_prepend"})


def fixed_nodes(tree: ast.AST) -> set[int]:
    """The ids of the nodes that are not exchanged: those of f-strings, slices and negative numbers by themselves,
    annotations, how one comes from the file of the test to a folder, clean-ups, names in `**{"a.b": 1}`, and
    what says which attribute or variable a test patches (the value that it gets may be another)."""
    fixed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.UnaryOp):
            fixed.add(id(node.operand))
        elif isinstance(node, ast.JoinedStr | ast.Slice) or _leads_from_here(node):
            fixed |= {id(part) for part in ast.walk(node)}
        elif is_strange(node):
            fixed |= {id(part) for part in ast.walk(node) if part is not node}
        elif isinstance(node, ast.Try):
            fixed |= {id(part) for end in node.finalbody for part in ast.walk(end)}
        elif isinstance(node, ast.Call):
            fixed |= {id(part) for argument in _named_by(node) for part in ast.walk(argument)}
            given = [k.value for k in node.keywords if k.arg is None and isinstance(k.value, ast.Dict)]
            fixed |= {id(part) for names in given for part in (names, *names.keys)}
        else:
            said = getattr(node, "annotation", None), getattr(node, "returns", None)
            fixed |= {id(part) for words in said if words is not None for part in ast.walk(words)}
    return fixed


def _leads_from_here(node: ast.AST) -> bool:
    """Whether it is `Path(__file__).parents[1]` or its like."""
    return isinstance(node, ast.Subscript) and "__file__" in ast.unparse(node.value)


def is_strange(node: ast.AST) -> bool:
    """Whether it is `float("nan")` or its like: a number that has no literal."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "float" and bool(node.args)


def sets_scene(node: ast.stmt) -> bool:
    """Whether a statement is a call that shows nothing of the code: `monkeypatch.setenv(...)`."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _root(node.value) in _SCENE | _ANSWERS


def is_brittle(look: ast.expr) -> bool:
    """Whether it looks at a serialised object, which is another one under the next version of Python."""
    called = ast.unparse(look.func) if isinstance(look, ast.Call) else ""
    return called in {"pickle.dumps", "marshal.dumps"}


def _named_by(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call that patches which say what it patches."""
    if _root(call) not in _SCENE and "patch" not in ast.unparse(call.func).split("."):
        return []
    name = call.func.attr if isinstance(call.func, ast.Attribute) else _root(call)
    if name in _REMOVERS:
        return call.args
    return call.args[: max(len(call.args) - 1, 1)] if name in _SETTERS else []


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
