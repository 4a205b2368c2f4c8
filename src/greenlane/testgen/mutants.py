"""Mutants of changed lines: small faults put into the code, one at a time, that a good test would notice.

Pure: parses, never runs. A mutant is the outermost function around a changed statement, written anew with one place
altered; `inside/greenlane_mutants.py` puts its code into the live function. The operators are the usual ones (Offutt
et al. 1996, "An experimental determination of sufficient mutant operators"). Left out are places where a fault shows
nowhere or only in words: docstrings, annotations, decorators, log calls, the text of messages of raised errors.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import FunctionNode

MAX_A_FILE = 90
"""Mutants of one file: with more changed statements than that, each gets its most telling ones."""
MAX_A_STATEMENT = 6
_MAX_SHOWN = 60
_LOGGING = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
_LOGGERS = frozenset({"log", "logger", "logging", "_log", "_logger", "LOG", "LOGGER"})
_COMPARISONS: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = MappingProxyType({
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
})  # fmt: skip
_ARITHMETIC: Mapping[type[ast.operator], type[ast.operator]] = MappingProxyType({
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
})  # fmt: skip


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. `chain` names the classes and the function that hold it, `first` is the line of the function's code
    object, `source` the same nest of classes with the altered function in it. `shown` says it in words."""

    path: str
    module: str
    line: int
    chain: tuple[str, ...]
    first: int
    source: str
    shown: str

    @property
    def key(self) -> str:
        return f"{self.path}:{self.line}: {self.shown}"


class _Place(msgspec.Struct, frozen=True):
    """The outermost function around a statement, and the classes around that."""

    owners: tuple[ast.ClassDef, ...]
    function: ast.stmt


def mutants_of(tree: ast.Module, path: str, module: str, lines: Iterable[int]) -> tuple[Mutant, ...]:
    """Mutants of the statements that begin on these lines, in the order of the file; the same each time."""
    wanted = frozenset(lines)
    rows: list[list[Mutant]] = []
    for place in _places(tree.body, ()):
        for statement in ast.walk(place.function):
            if isinstance(statement, ast.stmt) and statement.lineno in wanted and statement is not place.function:
                found = _of_statement(place, statement, path, module)
                rows.append(found[:MAX_A_STATEMENT])
    rows.sort(key=lambda row: row[0].line if row else 0)
    total = sum(map(len, rows))
    if total <= MAX_A_FILE or not rows:
        return tuple(mutant for row in rows for mutant in row)
    share = max(MAX_A_FILE // len(rows), 1)
    return tuple(mutant for row in rows for mutant in row[:share])[:MAX_A_FILE]


def _places(body: Iterable[ast.stmt], owners: tuple[ast.ClassDef, ...]) -> Iterator[_Place]:
    for node in body:
        if isinstance(node, FunctionNode):
            yield _Place(owners, node)
        elif isinstance(node, ast.ClassDef):
            yield from _places(node.body, (*owners, node))
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _places([*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])], owners)
            yield from (p for h in getattr(node, "handlers", []) for p in _places(h.body, owners))


def _of_statement(place: _Place, statement: ast.stmt, path: str, module: str) -> list[Mutant]:
    assert isinstance(place.function, FunctionNode)
    function = place.function
    chain = (*(owner.name for owner in place.owners), function.name)
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    found: dict[str, Mutant] = {}
    for old, new in _faults(statement):
        source = _source_of(place, old, new)
        shown = _words(old, new)
        found.setdefault(
            source,
            Mutant(
                path=path, module=module, line=statement.lineno, chain=chain, first=first, source=source, shown=shown
            ),
        )
    return list(found.values())


def _words(old: ast.AST, new: ast.AST) -> str:
    if isinstance(new, ast.Pass):
        return f"`{_short(old)}` is left out"
    return f"`{_short(old)}` becomes `{_short(new)}`"


def _short(node: ast.AST) -> str:
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def _source_of(place: _Place, old: ast.AST, new: ast.AST) -> str:
    class Replacing(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    memo = {id(old): old}  # the one node that is to be found again in the copy
    function = Replacing().visit(copy.deepcopy(place.function, memo))
    assert isinstance(function, FunctionNode)
    function.decorator_list = []
    node: ast.stmt = function
    for owner in reversed(place.owners):
        node = ast.ClassDef(name=owner.name, bases=[], keywords=[], body=[node], decorator_list=[])
    return ast.unparse(ast.fix_missing_locations(ast.Module(body=[node], type_ignores=[])))


# ------------------------------------------------------------------ faults


def _faults(statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.AST]]:
    """(node, what stands in its place), the most telling first."""
    if _is_idle(statement):
        return
    test = getattr(statement, "test", None)
    if isinstance(statement, ast.If | ast.While | ast.Assert) and test is not None and not _is_negation_known(test):
        yield test, _negated(test)
    for expression in _own_expressions(statement):
        yield from _of_expressions(expression)
    yield from _of_whole(statement)


def _is_idle(statement: ast.stmt) -> bool:
    if isinstance(statement, FunctionNode | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Pass | ast.Global):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant) or _is_log(statement.value)
    return isinstance(statement, ast.Raise) and _raised(statement) == "NotImplementedError"


def _is_log(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    holder = node.func.value
    name = holder.attr if isinstance(holder, ast.Attribute) else holder.id if isinstance(holder, ast.Name) else ""
    return node.func.attr in _LOGGING and name in _LOGGERS


def _raised(statement: ast.Raise) -> str:
    error = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    return error.id if isinstance(error, ast.Name) else ""


def _is_negation_known(test: ast.expr) -> bool:
    """Whether one of the operators of the test itself gives its negation anyway."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return True
    return isinstance(test, ast.Compare) and len(test.ops) == 1


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(op=ast.Not(), operand=test)


def _own_expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """Expressions of a statement that a fault can stand in, those of the statements inside it left out."""
    if isinstance(statement, ast.Raise):
        return
    for name, value in ast.iter_fields(statement):
        if name in {"annotation", "body", "orelse", "finalbody", "handlers", "cases", "targets", "target"}:
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.withitem):
                yield part.context_expr
            elif isinstance(part, ast.expr):
                yield part


def _of_expressions(root: ast.expr) -> Iterator[tuple[ast.AST, ast.AST]]:
    skipped = {id(n) for f in ast.walk(root) if isinstance(f, ast.JoinedStr) for n in ast.walk(f)}
    nodes = [node for node in ast.walk(root) if id(node) not in skipped]
    for node in nodes:
        yield from _of_operators(node)
    for node in nodes:
        if isinstance(node, ast.Constant):
            yield from ((node, other) for other in _other_constants(node))
        elif isinstance(node, ast.Call):
            yield from _swapped(node)


def _of_operators(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _COMPARISONS.get(type(node.ops[0]), ()):
            yield node, ast.Compare(left=node.left, ops=[other()], comparators=node.comparators)
    elif isinstance(node, ast.BoolOp):
        other_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield node, ast.BoolOp(op=other_op, values=node.values)
    elif isinstance(node, ast.BinOp) and not (_is_text(node.left) or _is_text(node.right)):
        operator = _ARITHMETIC.get(type(node.op))
        if operator is not None:
            yield node, ast.BinOp(left=node.left, op=operator(), right=node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node, node.operand
    elif isinstance(node, ast.IfExp):
        yield node, ast.IfExp(test=node.test, body=node.orelse, orelse=node.body)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _other_constants(node: ast.Constant) -> Iterator[ast.expr]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(value=not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value=value + 1)
        yield parse_expression(repr(value - 1)).body
    elif isinstance(value, str):
        yield ast.Constant(value=f"{value}XX")
    elif isinstance(value, bytes):
        yield ast.Constant(value=value + b"XX")


def _swapped(node: ast.Call) -> Iterator[tuple[ast.AST, ast.AST]]:
    """The first two arguments in each other's place."""
    plain = not any(isinstance(argument, ast.Starred) for argument in node.args[:2])
    if len(node.args) >= 2 and plain and ast.dump(node.args[0]) != ast.dump(node.args[1]):
        arguments = [node.args[1], node.args[0], *node.args[2:]]
        yield node, ast.Call(func=node.func, args=arguments, keywords=node.keywords)


def _of_whole(statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.AST]]:
    if isinstance(statement, ast.Return):
        value = statement.value
        if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
            yield statement, ast.Return(value=ast.Constant(value=None))
    elif isinstance(statement, ast.Expr):
        if isinstance(statement.value, ast.Yield) and statement.value.value is not None:
            yield statement.value, ast.Yield(value=ast.Constant(value=None))
        elif isinstance(statement.value, ast.Call | ast.Await):
            yield statement, ast.Pass()
    elif isinstance(statement, ast.Raise | ast.Delete):
        yield statement, ast.Pass()
    elif isinstance(statement, ast.AugAssign):
        yield statement, ast.Pass()
        operator = _ARITHMETIC.get(type(statement.op))
        if operator is not None and not _is_text(statement.value):
            yield statement, ast.AugAssign(target=statement.target, op=operator(), value=statement.value)
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        yield from _of_assignment(statement)
    elif isinstance(statement, ast.Break | ast.Continue):
        yield statement, ast.Continue() if isinstance(statement, ast.Break) else ast.Break()


def _of_assignment(statement: ast.Assign | ast.AnnAssign) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Left out where something outside the function would notice; None instead of the value of a local name."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    value = statement.value
    if value is None:
        return
    if any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets):
        yield statement, ast.Pass()
    elif not isinstance(value, ast.Constant):
        yield value, ast.Constant(value=None)
