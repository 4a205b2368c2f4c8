"""How a call is written, and how one looks at what it gives: operators as operators, `list(...)` around what is
iterated, `repr(...)` around what can't be written down. Pure; for `render.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.code import Function
from greenlane.testgen.explore import Effect, Outcome
from greenlane.testgen.inputs import Case
from greenlane.testgen.shown import INSIDE

BY_FUNCTION = frozenset(
    {"__repr__", "__str__", "__len__", "__hash__", "__bool__", "__bytes__", "__int__", "__float__", "__iter__",
     "__abs__", "__round__", "__reversed__", "__complex__", "__next__"}
)  # fmt: skip
OPERATORS = {
    "__eq__": "==", "__ne__": "!=", "__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">=", "__and__": "&",
    "__or__": "|", "__add__": "+", "__sub__": "-", "__mul__": "*", "__truediv__": "/", "__floordiv__": "//",
    "__mod__": "%", "__pow__": "**", "__xor__": "^", "__lshift__": "<<", "__rshift__": ">>", "__matmul__": "@",
}  # fmt: skip
EACH = "each "
"""A view of a list of objects: what each of them has under the name that follows, of tuples at that place, of dicts
under that key."""
_PART = "part "
"""A view of a dict: what it has under the key that follows."""
_SIGNS = {"__neg__": "-", "__pos__": "+", "__invert__": "~"}
Import = tuple[str, str]


def viewed(outcome: Outcome | Effect, look: str, imports: set[Import]) -> str:
    """The look as it is asserted on; adds what it imports."""
    match outcome.view:
        case "list" | "dict" | "repr" | "str" | "len":
            return f"{outcome.view}({unwrapped(look)})"
        case "type":
            return f"type({unwrapped(look)}).__name__"
        case "call":
            return f"{look}()"
        case "tolist":
            return f"{operand(look)}.tolist()"
        case "masked":
            imports.add(("re", ""))
            return f're.sub(r" at 0x[0-9a-fA-F]+", " at ...", {look})'
        case view if view.startswith(EACH):
            part = view.removeprefix(EACH)
            item = f"item[{part}]" if part.isdigit() else f"item{_key(part) or f'.{part}'}"
            return f"[{item} for item in {unwrapped(look)}]"
        case view if view.startswith(_PART):
            return f"{operand(look)}{_key(view.removeprefix(_PART))}"
        case _:
            return look


def _key(part: str) -> str:
    """`['name']` for `[name]`; empty for the name of an attribute."""
    return f"[{part[1:-1]!r}]" if part.startswith("[") else ""


_SIGNED = (ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp, ast.IfExp, ast.Lambda, ast.Await)


def unwrapped(text: str) -> str:
    """An expression without brackets around the whole of it, for where it stands alone."""
    return ast.unparse(parse_expression(text)) if text.startswith("(") and text.endswith(")") else text


def operand(text: str) -> str:
    """An expression as it stands beside a sign or before a dot: in brackets where it has a sign of its own."""
    try:
        node = parse_expression(text).body
    except SyntaxError:  # a keyword with its value
        return text
    return f"({ast.unparse(node)})" if isinstance(node, _SIGNED) else text


def looked_at(outcome: Outcome, look: str, imports: set[Import]) -> str:
    """A look with all that was done to see something of it: called, listed, or seen from one side."""
    look += _called(outcome)
    return f"list({unwrapped(look)})" if outcome.listed and not outcome.view else viewed(outcome, look, imports)


def kept_items(outcome: Outcome, call: str) -> str:
    """A call whose result is looked at more than once: what a generator gives is kept."""
    return f"list({unwrapped(call)})" if outcome.listed else call


def as_raised(outcome: Outcome, look: str) -> str:
    """What a script does to come to its error: the error of a generator, or of a function that is given back, comes
    only when its items are asked for, or it is called. A statement stands as it is."""
    try:
        parse_expression(look)
    except SyntaxError:
        return unbound(look)
    return unwrapped(looked_at(outcome, look, set()))


def _called(outcome: Outcome) -> str:
    """The call of a function that was given back; of nothing where none was."""
    count = min(outcome.called, 9)
    given = f"({', '.join(map(str, range(1, count + 1)))})" if count >= 0 else ""
    return ("(lambda value: value)" if outcome.decorated else "") + given


def as_written(entry: Function, receiver: str | None, given: Sequence[str]) -> str:
    """A special method as it is called by what it is for: `repr(x)`, `x == y`, `x[key]`; empty for any other."""
    if receiver is None or entry.kind != "method":
        return ""
    if any(re.match(r"\w+=(?!=)", text) for text in given):  # given by a name, as no sign takes it
        return _called_itself(entry, operand(receiver), given)
    if not given and entry.name in BY_FUNCTION:
        return f"{entry.name.strip('_')}({receiver})"
    receiver = operand(receiver)
    if not given:
        return f"({_SIGNS[entry.name]}{receiver})" if entry.name in _SIGNS else _called_itself(entry, receiver, given)
    if len(given) > 1:
        return _called_itself(entry, receiver, given)
    (only,) = given
    if entry.name in OPERATORS:
        return f"({receiver} {OPERATORS[entry.name]} {operand(only)})"
    match entry.name:
        case "__getitem__":
            return f"{receiver}[{only}]"
        case "__contains__":
            return f"({operand(only)} in {receiver})"
        case "__format__":
            return f"format({receiver}, {only})"
    return _called_itself(entry, receiver, given)


def as_statement(call: str) -> str:
    """A call that nobody looks at, `till["a"] = 1` and `del till["a"]` where a special method would be called."""
    node = parse_expression(call).body
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.keywords:
        return call
    held, given = operand(ast.unparse(node.func.value)), [ast.unparse(one) for one in node.args]
    match node.func.attr, given:
        case "__setitem__", [key, value]:
            return f"{held}[{key}] = {value}"
        case "__delitem__", [key]:
            return f"del {held}[{key}]"
    return call


def _called_itself(entry: Function, receiver: str, given: Sequence[str]) -> str:
    return f"{receiver}({', '.join(given)})" if entry.name == "__call__" else ""


def module_attribute(case: Case) -> str:
    """`shop.OLD_NAME` for a call of a module's own `__getattr__` (PEP 562), as everybody reads it; empty for others."""
    entry, given = case.entry, [text for _, text in case.arguments]
    if entry.name != "__getattr__" or entry.owner is not None or len(given) != 1 or case.script is not None:
        return ""
    node = parse_expression(given[0]).body
    name = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return f"{entry.module}.{name}" if name.isidentifier() else ""


def parts_of(look: str, value: str) -> list[tuple[str, str]]:
    """Several looks in one tuple, each with what it shows."""
    seen, shown = parse_expression(look).body, parse_expression(value).body
    if isinstance(seen, ast.Tuple) and isinstance(shown, ast.Tuple) and len(seen.elts) == len(shown.elts) > 0:
        return [(ast.unparse(a), ast.unparse(b)) for a, b in zip(seen.elts, shown.elts, strict=True)]
    return [(look, value)]


def without_doubles(imports: set[Import]) -> set[Import]:
    """One import for a name that several modules of a package offer: of the one with the shortest name, as everybody
    writes it."""
    best: dict[str, Import] = {}
    for module, name in sorted(imports, key=lambda pair: (len(pair[0]), pair)):
        top = module.split(".")[0]
        best.setdefault(f"{top}:{name}" if name else module, (module, name))
    return set(best.values())


def unbound(text: str) -> str:
    """A block that raises an error, without a name for what its last statement would have given."""
    try:
        (node,) = parse_source(text).body
    except (UnreadableSourceError, ValueError):
        return text
    last = node
    while isinstance(last, ast.With | ast.AsyncWith | ast.Try):
        block, last = last, last.body[-1]
    if last is node or not isinstance(last, ast.Assign) or ast.unparse(last.targets[0]) != INSIDE:
        return text
    block.body[-1] = ast.Expr(last.value)
    return ast.unparse(node)
