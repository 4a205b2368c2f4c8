"""Where the parts of an expression come from: small questions about one Python file, answered without running it.

Used by the rules for injection: text that is put together from constants is harmless whatever it looks like, and a
name tells nothing (an author chooses it), so names are followed to what was assigned to them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_MAX_STEPS = 60
"""Assignments followed for one question; a chain that is longer counts as unknown, that is: not constant."""
_NUMERIC_CALLS = frozenset({"int", "float", "len", "abs", "round", "bool", "id", "ord", "sum"})
_NUMERIC_FORMATS = ("d", "f", "x", "X", "n", "e", "g", "%")
_MUTATORS = frozenset({"append", "extend", "insert", "add", "update", "appendleft", "setdefault", "__setitem__"})
_KEEP_CONSTANT = frozenset({"join", "format", "strip", "lower", "upper", "lstrip", "rstrip", "replace", "dedent"})


class Flow:
    """The assignments of one file, by the scope in which they stand."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._scope_of: dict[ast.AST, ast.AST] = {}
        self._parent: dict[ast.AST, ast.AST] = {}
        self._values: dict[tuple[ast.AST, str], list[ast.expr | None]] = {}
        self._mutations: dict[tuple[ast.AST, str], list[ast.expr | None]] = {}
        self._imported: set[str] = set()
        self.functions: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
        self._index()

    def _index(self) -> None:
        pending: list[tuple[ast.AST, ast.AST]] = [(self._tree, self._tree)]
        while pending:
            node, scope = pending.pop()
            self._scope_of[node] = scope
            self._record(node, scope)
            inner = node if isinstance(node, _SCOPES) else scope
            for child in ast.iter_child_nodes(node):
                self._parent[child] = node
                pending.append((child, inner))

    def _record(self, node: ast.AST, scope: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, value, scope)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                self._bind(target, value, scope)
            case ast.AugAssign(target=target, value=value):
                self._bind(target, value, scope)
            case ast.For(target=target, iter=values) | ast.comprehension(target=target, iter=values):
                self._bind(target, values, scope)
            case _:
                self._record_names(node, scope)

    def _record_names(self, node: ast.AST, scope: ast.AST) -> None:
        """Names that come to be without an assignment."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.functions.setdefault(node.name, []).append(node)
                self._bind_arguments(node)
            case ast.Lambda():
                self._bind_arguments(node)
            case ast.Global(names=names):
                for name in names:
                    self._values.setdefault((self._tree, name), []).append(None)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr), args=args) if attr in _MUTATORS:
                self._mutations.setdefault((scope, name), []).extend(args)
            case ast.ImportFrom(names=aliases):
                self._imported.update(a.asname or a.name for a in aliases)
            case ast.withitem(optional_vars=ast.expr() as target):
                self._bind(target, None, scope)
            case _:
                pass

    def _bind_arguments(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        for argument in _arguments(node):
            self._values.setdefault((node, argument), []).append(None)

    def _bind(self, target: ast.expr, value: ast.expr | None, scope: ast.AST) -> None:
        if isinstance(target, ast.Name):
            self._values.setdefault((scope, target.id), []).append(value)
        elif isinstance(target, ast.Attribute):
            self._values.setdefault((self._tree, f".{target.attr}"), []).append(value)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            self._mutations.setdefault((scope, target.value.id), []).append(value)
        elif isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                self._bind(element, value, scope)
        elif isinstance(target, ast.Starred):
            self._bind(target.value, value, scope)

    def assigned(self, name: ast.Name) -> list[ast.expr | None] | None:
        """What is assigned to this name where it is used, None among it for what is unknown (a parameter).

        None altogether: the file does not say (a builtin, an import, a name from nowhere).
        """
        scope: ast.AST | None = self._scope_of.get(name)
        changed: list[ast.expr | None] = []
        while scope is not None:
            changed += self._mutations.get((scope, name.id), [])
            found = self._values.get((scope, name.id))
            if found is not None and not (isinstance(scope, ast.ClassDef) and scope is not self._scope_of.get(name)):
                return [*found, *changed]
            scope = self._scope_of[scope] if scope is not self._tree else None
        return None

    def enclosing(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around this one, innermost first."""
        while node in self._parent:
            node = self._parent[node]
            yield node

    def is_constant(self, node: ast.expr | None) -> bool:
        """Whether the value is put together from constants and numbers only."""
        return _Question(self).ask(node)

    def attribute_values(self, node: ast.Attribute) -> list[ast.expr | None]:
        """What the file assigns to `self.NAME`, in the class body or to an attribute of that name anywhere."""
        found = list(self._values.get((self._tree, f".{node.attr}"), ()))
        for around in self.enclosing(node):
            if isinstance(around, ast.ClassDef):
                found += self._values.get((around, node.attr), [])
                break
        return found

    def is_imported_constant(self, node: ast.Name) -> bool:
        """An imported name in capitals: a constant of another module."""
        return node.id in self._imported and node.id.isupper() and self.assigned(node) is None


class _Question:
    """One run of `is_constant`: bounded, and a cycle of assignments adds nothing."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._steps = 0
        self._asked: set[int] = set()

    def ask(self, node: ast.expr | None) -> bool:
        if node is None:
            return False
        if id(node) in self._asked:
            return True
        self._asked.add(id(node))
        self._steps += 1
        if self._steps > _MAX_STEPS:
            return False
        return self._composite(node) if not isinstance(node, ast.Name | ast.Attribute | ast.Call) else self._named(node)

    def _composite(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return True
            case ast.FormattedValue(value=value, format_spec=spec):
                return _is_numeric_format(spec) or self.ask(value)
            case ast.BinOp(op=ast.Mult(), left=left, right=right):
                return self.ask(left) or self.ask(right)  # '?, ' * n
            case _:
                parts = _parts_of(node)
                return parts is not None and all(self.ask(part) for part in parts)

    def _named(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            assigned = self._flow.assigned(node)
            return all(self.ask(v) for v in assigned) if assigned else self._flow.is_imported_constant(node)
        if isinstance(node, ast.Attribute):
            values = self._flow.attribute_values(node)
            return bool(values) and all(self.ask(v) for v in values)
        assert isinstance(node, ast.Call)
        given = [*node.args, *(k.value for k in node.keywords)]
        if isinstance(node.func, ast.Name):
            if node.func.id in _NUMERIC_CALLS:
                return True
            return node.func.id in ("str", "tuple", "list", "sorted", "repr") and all(self.ask(a) for a in given)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _KEEP_CONSTANT:
            return self.ask(node.func.value) and all(self.ask(a) for a in given)
        return (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get", "items", "values", "keys")
            and (self.ask(node.func.value))
            and all(self.ask(a) for a in given[1:])
        )


def _parts_of(node: ast.expr) -> list[ast.expr] | None:
    """The expressions whose being constant makes this one constant; None if nothing does."""
    match node:
        case ast.JoinedStr(values=parts) | ast.BoolOp(values=parts) | ast.Dict(values=parts):
            return parts
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return parts
        case ast.BinOp(left=one, right=other) | ast.IfExp(body=one, orelse=other):
            return [one, other]
        case ast.GeneratorExp(elt=part) | ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.UnaryOp(operand=part):
            return [part]
        case ast.Subscript(value=part) | ast.Starred(value=part) | ast.Await(value=part):
            return [part]  # a table of constants, whatever the key
        case _:
            return None


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[str]:
    a = node.args
    found = [*a.posonlyargs, *a.args, *a.kwonlyargs, *([a.vararg] if a.vararg else []), *([a.kwarg] if a.kwarg else [])]
    return [argument.arg for argument in found]


def _is_numeric_format(spec: ast.expr | None) -> bool:
    """`{n:d}` fails for anything that is not a number."""
    if not isinstance(spec, ast.JoinedStr) or not spec.values:
        return False
    last = spec.values[-1]
    return isinstance(last, ast.Constant) and str(last.value).endswith(_NUMERIC_FORMATS)
