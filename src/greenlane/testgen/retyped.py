"""Calls and scripts with another type where one stands, for code that looks at types: an argument that is a type, an
annotation in a class or a function that a test makes. Pure; for `search.py`.

field_for(str)                               field_for(Annotated[str, Field])
                                     ->
class Row:                                   class Row:
    name: str                                    name: Annotated[str, Field]

The forms are those of `typing` that the code names before what is open, what stands in them the classes that it asks
for. The sooner named, the sooner tried.
"""

from __future__ import annotations

import ast
import itertools
import typing
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import MAX_EXPRESSION, MAX_STATEMENT, Case, Import
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_CALLS, _MOST, _BASES, _ASKED = 24, 120, 12, 3
_PLAIN = frozenset(
    {"str", "int", "float", "bool", "bytes", "list", "dict", "set", "tuple", "frozenset", "object", "type"}
)
_FORMS: Mapping[str, tuple[str, ...]] = {
    "Annotated": ("Annotated[{}, 'abc']",), "Optional": ("Optional[{}]",), "Union": ("Union[{}, int]",),
    "Literal": ("Literal['a']", "Literal['a', 1]"), "Final": ("Final[{}]", "Final"), "ClassVar": ("ClassVar[{}]",),
    "List": ("List[{}]", "List"), "Sequence": ("Sequence[{}]",), "Iterable": ("Iterable[{}]",), "Set": ("Set[{}]",),
    "FrozenSet": ("FrozenSet[{}]",), "Dict": ("Dict[str, {}]", "Dict"), "Mapping": ("Mapping[str, {}]",),
    "Tuple": ("Tuple[{}, ...]", "Tuple[{}, int]", "Tuple"), "Type": ("Type[{}]",), "Any": ("Any",),
    "Callable": ("Callable[[{}], int]",), "NewType": ("NewType('Named', {})",), "TypeVar": ("TypeVar('T')",),
    "Required": ("Required[{}]",), "NotRequired": ("NotRequired[{}]",), "Self": ("Self",),
}  # fmt: skip
"""By the name in `typing`, types of that form around another one."""
_HINTS = {"is_union_type": "Union", "is_optional_type": "Optional", "is_literal_type": "Literal", "UnionType": "Union"}


class _Form(msgspec.Struct, frozen=True):
    """A type with a place (`{}`) for another one, and what it imports."""

    text: str
    imports: frozenset[Import]


def retyped(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What ran something of an open function that names forms of types, with a type in it made one of these."""
    imported = _imported(source.tree)
    rows: dict[Function, list[Case]] = {}
    for _, function, node in open_functions(source, left):
        if function in rows:
            continue
        forms = _forms(node, imported)
        inside = range(function.first + 1, function.last + 1)
        near = (
            [o.case for o in observed if not o.lines.get(source.path, frozenset()).isdisjoint(inside)] if forms else []
        )
        near.sort(key=lambda case: case.plainness)
        made = (_with_types(case, forms) for case in _of_both_kinds(near))
        rows[function] = list(itertools.islice(in_turn(made), _CALLS * len(forms)))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _of_both_kinds(cases: Sequence[Case]) -> list[Case]:
    """A few that have types in them, calls and scripts in turn."""
    typed = [case for case in cases if any(next(_places(text), None) for text in _texts(case))]
    kinds = [[c for c in typed if c.script is None], [c for c in typed if c.script is not None]]
    return list(in_turn(kinds))[:_BASES]


def _imported(tree: ast.Module) -> dict[str, Import]:
    """By the name that it binds, what the module imports by an absolute name."""
    found: dict[str, Import] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[0]: (a.name.split(".")[0], "") for a in node.names if a.asname is None}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {a.name: (node.module, a.name) for a in node.names if a.asname is None}
    return found


def _forms(node: FunctionNode, imported: Mapping[str, Import]) -> list[_Form]:
    """Forms of types that a function names, in the order in which it does; a form that holds anything with the classes
    that it asks for first."""
    named = dict.fromkeys(_HINTS.get(name, name) for name in _names(node))
    asked = list(_asked_classes(node, imported))[:_ASKED]
    found: list[_Form] = []
    for name in named:
        if name not in _FORMS or not hasattr(typing, name):
            continue
        own = frozenset({("typing", name)})
        if name == "Annotated":
            whole = [f"{name}[{{}}, {', '.join(text for text, _ in asked)}]"] if len(asked) > 1 else []
            whole += [f"{name}[{{}}, {text}]" for text, _ in asked]
            found += [_Form(text, own | {pair for _, pair in asked}) for text in whole]
            found += [_Form(f"{name}[{{}}, {text}()]", own | {pair}) for text, pair in asked]
        found += [_Form(text, own) for text in _FORMS[name]]
    return found


def _names(node: FunctionNode) -> Iterator[str]:
    """Names and attributes of the body of a function, in their order; annotations say nothing of what it asks."""
    parts = [part for statement in node.body for part in ast.walk(statement)]
    named = [part for part in parts if isinstance(part, ast.Name | ast.Attribute)]
    for part in sorted(named, key=lambda one: (one.lineno, one.col_offset)):
        yield part.attr if isinstance(part, ast.Attribute) else part.id


def _asked_classes(node: FunctionNode, imported: Mapping[str, Import]) -> Iterator[tuple[str, Import]]:
    """Classes of other modules that it asks for with `isinstance` or `issubclass`, as a test may name them."""
    seen: set[str] = set()
    for call in (part for part in ast.walk(node) if isinstance(part, ast.Call)):
        if getattr(call.func, "id", "") not in {"isinstance", "issubclass"} or len(call.args) != 2:
            continue
        kinds = call.args[1].elts if isinstance(call.args[1], ast.Tuple) else [call.args[1]]
        for kind in kinds:
            text = ast.unparse(kind)
            pair = imported.get(text.split(".")[0])
            if pair is not None and text not in seen and not text.startswith("typing"):
                seen.add(text)
                yield text, pair


# ------------------------------------------------------------------ where a type stands


def _texts(case: Case) -> tuple[str, ...]:
    return case.texts if case.script is not None else tuple(text for _, text in case.arguments)


def _with_types(case: Case, forms: Sequence[_Form]) -> Iterator[Case]:
    """The case with one type in it made another one; the last statements first."""
    texts = _texts(case)
    rows = [_retyped_as(case, number, texts[number], form) for form in forms for number in reversed(range(len(texts)))]
    yield from in_turn(rows)


def _retyped_as(case: Case, number: int, text: str, form: _Form) -> Iterator[Case]:
    for place, (_, old) in enumerate(_places(text)):
        shown = form.text.format(ast.unparse(old))
        other = _with_place(text, place, shown)
        if other is None or len(other) > (MAX_EXPRESSION if case.script is None else MAX_STATEMENT) or other == text:
            continue
        if case.script is None:
            yield case.with_argument(number, other, form.imports)
        else:
            texts = [other if n == number else row for n, row in enumerate(case.texts)]
            made = case.with_texts(texts, form.imports)
            yield from [made] if made is not None else []


def _with_place(text: str, place: int, shown: str) -> str | None:
    parsed = _parsed(text)
    if parsed is None:
        return None
    _, old = list(_places_in(parsed))[place]
    return ast.unparse(Exchanging(old, parse_expression(shown).body).visit(parsed))


def _parsed(text: str) -> ast.Module | None:
    try:
        return parse_source(text)
    except UnreadableSourceError:
        return None


def _places(text: str) -> Iterator[tuple[ast.AST, ast.expr]]:
    parsed = _parsed(text)
    yield from _places_in(parsed) if parsed is not None else ()


def _places_in(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Where types stand that are said for what is in a class, or given to something: (what holds it, the type)."""
    for node in ast.walk(tree):
        said = node.annotation if isinstance(node, ast.AnnAssign | ast.arg) else None
        if said is not None:
            yield node, said
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") not in {"isinstance", "issubclass", "cast"}:
            yield from ((node, arg) for arg in node.args if _is_type(arg))
            yield from ((keyword, keyword.value) for keyword in node.keywords if _is_type(keyword.value))
        elif isinstance(node, ast.Module) and len(node.body) == 1 and isinstance(node.body[0], ast.Expr):
            whole = node.body[0]  # an argument alone
            yield from [(whole, whole.value)] if _is_type(whole.value) else []


def _is_type(node: ast.expr) -> bool:
    if isinstance(node, ast.Subscript):
        return _is_type(node.value)
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in _PLAIN or name in _FORMS
