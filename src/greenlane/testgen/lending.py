"""`Lender`: calls whose arguments become what the code asks of them, for which the sandbox looks for those that lead to
what is open.

    def rule_of(result, run):                       rule_of({}, {})
        index = result.get("index")                 rule_of({"index": 0}, {"tool": {"rules": [{"id": "a"}]}})
        rules = run.get("tool", {}).get("rules")    rule_of({"id": "a"}, {"tool": {"rules": [{"id": "a"}]}})
        if index is not None: return rules[index]
        ...

What the code says of one key at a time (`records.py`, `shapes.py`), `inside/greenlane_lend.py` sees of a whole call,
also in the functions that it calls. What comes back is made anew like any other proposal. Called by `Search`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from greenlane.suite.lines import parse_expression, parse_source
from greenlane.suite.runner import SuiteRunner
from greenlane.testgen.code import Function, FunctionNode, Param
from greenlane.testgen.exchanged import Exchanging, Filling
from greenlane.testgen.explore import encode_case
from greenlane.testgen.guesses import described
from greenlane.testgen.inprocess import search_inside
from greenlane.testgen.inputs import Case, Script, is_harmless
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.quarry import conditions_before, functions_around, watched
from greenlane.testgen.scene import Scene
from greenlane.testgen.siblings import family_of
from greenlane.testgen.source import Source
from greenlane.testgen.staged import before_and_call_of
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn
from greenlane.testgen.uses import nodes_by_line
from greenlane.testgen.views import as_statement, as_written

_SLOT = "greenlane_slot_"
_TEMPLATES, _EACH, _MOST, _ATTRIBUTES, _PARTS = 10, 3, 60, 3, 2
_TRIES, _CALLS, _SECONDS = 1_600, 2_000_000, 3.0
"""It ends with so many tries, or calls of functions in them; the seconds only hold where a call is very slow."""
_WORDS, _LONGEST_WORD = 12, 40
_LOOSE = frozenset(
    {"Any", "object", "dict", "Dict", "Mapping", "MutableMapping", "list", "List", "Sequence", "Iterable", "Optional",
     "Union", "None", "str", "int", "float", "bool", "typing", "t", "collections", "abc"}
)  # fmt: skip
_HOLDING = _LOOSE - {"Optional", "Union", "None", "str", "int", "float", "bool", "typing", "t", "collections", "abc"}


class _Found(msgspec.Struct, frozen=True):
    template: int
    texts: tuple[str, ...]


class _Template(msgspec.Struct, frozen=True, kw_only=True):
    """A case with so many names in place of what is lent: of arguments, of parts that its object is made of, or of
    what attributes of that are set to."""

    case: Case
    given: tuple[str, ...]
    """What stood there."""

    @property
    def slots(self) -> int:
        return len(self.given)


class Lender:
    def __init__(self, runner: SuiteRunner) -> None:
        self._runner = runner

    async def lend(self, scene: Scene, source: Source, cases: Sequence[Case], left: Targets) -> list[Case]:
        """Calls like these that may reach what is `left`, or showed something new on the way."""
        templates = list_templates(cases, source)
        if not templates or not left:
            return []
        around = functions_around(source, left)
        words = [c for f in around for c in f.constants if isinstance(c, str) and 0 < len(c) <= _LONGEST_WORD]
        asked = {
            **watched(source),
            "goals": [
                target[1] if len(target) == 2 else target[1:] for target in sorted(left, key=lambda t: (len(t), t))
            ],
            "near": sorted(conditions_before(source, left)),
            "words": list(dict.fromkeys(words))[:_WORDS],
            "tries": _TRIES,
            "calls": _CALLS,
            "seconds": _SECONDS,
        }
        fixtures = [template.case.fixtures for template in templates]
        found = await search_inside(
            self._runner, scene, "lend", asked, fixtures, lambda number: _encoded(number, templates[number]), _Found
        )
        made = (filled(templates[one.template], one.texts) for one in found if 0 <= one.template < len(templates))
        return list({case.key: case for case in made if case is not None}.values())[:_MOST]


def list_templates(cases: Iterable[Case], source: Source) -> list[_Template]:
    """The calls with names in place of what the code looks into; of those of a function the plainest two that differ
    otherwise."""
    nodes = nodes_by_line(source.tree)
    known = {function.name: function for function in source.functions}
    by_entry: dict[Function, list[Case]] = {}
    for case in cases:
        if case.script is None and not case.entry.asynchronous and not case.entry.runs_at:
            by_entry.setdefault(case.entry, []).append(case)
    rows: list[list[_Template]] = []
    for entry, own in by_entry.items():
        node = nodes.get(entry.first)
        params = looked_into(entry, node, known) if node is not None else []
        attributes = attributes_looked_into(entry, node, known, source) if node is not None else []
        row: dict[str, _Template] = {}
        public = [name for name in attributes if not name.startswith("_")][:_ATTRIBUTES]
        changed = [name for name in public if node is not None and _is_changed(name, node)]
        for case in sorted(own, key=_order) if params or attributes else ():
            wholly, given = _slotted(case, params), _slotted(case, params, receiver=False)
            for template in (wholly, *_with_attributes(given, public, changed)):
                if template.slots and len(row) < _EACH:
                    row.setdefault(template.case.key, template)
            if len(row) == _EACH:
                break
        rows.append([*row.values()])
    return [*in_turn(rows)][:_TEMPLATES]


def _order(case: Case) -> tuple[object, ...]:
    """Those before others that have an object where one is said to be of a class; then the plainest of those that tests
    make, and of others as they were proposed."""
    places = [param.annotation for param in case.entry.places]
    given = [places[n] for n, (name, _) in enumerate(case.arguments) if name is None and n < len(places)]
    pairs = zip(case.arguments, given, strict=False)
    strange = sum("(" not in text for (_, text), said in pairs if _is_class(said))
    return strange, not case.carved, case.plainness if case.carved else ()


def _is_class(annotation: str) -> bool:
    words = set(re.findall(r"\w+", annotation))
    return bool(words) and not words & _LOOSE


def looked_into(function: Function, node: FunctionNode, known: dict[str, Function]) -> list[Param]:
    """The parameters that keys, items or attributes are asked of, here or in a function of the module that gets
    them."""
    return [param for param in function.params if _is_loose(param) and _is_looked_into(param.name, node, known)]


def _is_loose(param: Param) -> bool:
    """Whether it may be a dict, a list or a plain object."""
    words = set(re.findall(r"\w+", param.annotation))
    return not words or (words <= _LOOSE and bool(words & _HOLDING))


def attributes_looked_into(
    function: Function, node: FunctionNode, known: dict[str, Function], source: Source
) -> list[str]:
    """The attributes of its object that are looked into so, and that the class itself sets."""
    if function.kind not in {"method", "property"} or function.owner is None:
        return []
    family = family_of(source.tree, function.owner)
    set_there = {
        part.attr
        for owner in source.tree.body
        if isinstance(owner, ast.ClassDef) and owner.name in family
        for part in ast.walk(owner)
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store) and ast.unparse(part.value) == "self"
    }
    return [name for name in sorted(set_there) if _is_looked_into(f"self.{name}", node, known)]


def _is_looked_into(text: str, node: FunctionNode, known: dict[str, Function]) -> bool:
    parts = list(ast.walk(node))
    calls = [one for one in parts if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)]
    idle = {id(one.value) for one in parts if isinstance(one, ast.Expr)}
    if any(isinstance(one.func, ast.Attribute) and _is(one.func.value, text) and id(one) not in idle for one in calls):
        return True
    called = {id(one.func) for one in calls}
    return any(_looks(part, text, known) for part in parts if id(part) not in called)


def _looks(part: ast.AST, text: str, known: dict[str, Function]) -> bool:
    match part:
        case ast.Subscript(value=held):
            return _is(held, text)
        case ast.For(iter=held) | ast.comprehension(iter=held):
            return _is(held, text) or (isinstance(held, ast.Call) and any(_is(one, text) for one in held.args))
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[held]):
            return _is(held, text)
        case ast.Attribute(value=held, attr=name):
            return _is(held, text) and not hasattr(list, name) and not hasattr(dict, name)
        case ast.Call() if name_of(part) in known:
            return any(_is(given, text) for given in (*part.args, *(one.value for one in part.keywords)))
    return False


def _is(node: ast.AST, text: str) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) == text


def _with_attributes(template: _Template, names: Sequence[str], changed: Sequence[str]) -> Iterator[_Template]:
    """The call as a script that sets these attributes of its object to names, too; where it gives nothing back, with a
    look at each of those that it changes."""
    case, entry = template.case, template.case.entry
    if not names or not case.receiver or entry.kind == "init":
        return
    (made, *steps), called = before_and_call_of(entry.holder, case)
    given = [f"{name}={text}" if name else text for name, text in case.arguments]
    setting = [f"{entry.holder}.{name} = {_SLOT}{number}" for number, name in enumerate(names, template.slots)]
    if entry.returns_value or entry.kind == "property":
        rows: list[tuple[list[str], str]] = [([], as_written(entry, entry.holder, given) or called)]
    else:
        rows = [([as_statement(called)], f"{entry.holder}.{name}") for name in changed]
    for done, look in rows:
        script = Script(imports=case.imports, setup=(made, *setting, *steps, *done), look=look)
        yield _Template(case=case.with_script(script), given=(*template.given, *("" for _ in names)))


def _is_changed(name: str, node: FunctionNode) -> bool:
    """Whether something is put into this attribute of its object, or taken out of it."""
    places = [
        part.value for part in ast.walk(node) if isinstance(part, ast.Subscript) and not isinstance(part.ctx, ast.Load)
    ]
    return any(_is(place, f"self.{name}") for place in places)


def _slotted(case: Case, params: Sequence[Param], *, receiver: bool = True) -> _Template:
    """The case with names in place of what these parameters are given; those that it leaves out are given by name.
    With `receiver` also in place of what its object is made of."""
    names = {param.name for param in params}
    places = [param.name for param in case.entry.places]
    given = [name or (places[n] if n < len(places) else "") for n, (name, _) in enumerate(case.arguments)]
    holder, held = _receiver_slotted(case) if receiver else (case.receiver, list[str]())
    arguments = list(case.arguments)
    for number, name in enumerate(given):
        if name in names:
            held.append(arguments[number][1])
            arguments[number] = (arguments[number][0], f"{_SLOT}{len(held) - 1}")
    for param in params:
        if param.name not in given and param.default is not None:
            held.append("")
            arguments.append((param.name, f"{_SLOT}{len(held) - 1}"))
    slotted = msgspec.structs.replace(
        case, receiver=holder, arguments=tuple(arguments), carved=False, steps=case.steps + 1
    )
    return _Template(case=slotted, given=tuple(held))


def _receiver_slotted(case: Case) -> tuple[str | None, list[str]]:
    """How the object of a method is made, with names in place of dicts and lists that it is made of, and these."""
    held: list[str] = []
    if not case.receiver or case.entry.kind not in {"method", "property"}:
        return case.receiver, held
    made = parse_expression(case.receiver).body
    parts = [*made.args, *(keyword.value for keyword in made.keywords)] if isinstance(made, ast.Call) else []
    for part in [part for part in parts if isinstance(part, ast.Dict | ast.List)][:_PARTS]:
        made = Exchanging(part, ast.Name(id=f"{_SLOT}{len(held)}", ctx=ast.Load())).visit(made)
        held.append(ast.unparse(part))
    return (ast.unparse(made) if held else case.receiver), held


def _encoded(number: int, template: _Template) -> dict[str, Any]:
    return encode_case(number, template.case) | {"slots": [_plain_dict(text) for text in template.given]}


def _plain_dict(text: str) -> object:
    """What a text says, if that is a dict, or a list of something, that JSON can hold; None for anything else."""
    try:
        value = ast.literal_eval(text)
        return value if isinstance(value, dict | list) and json.loads(json.dumps(value)) == value else None
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None


def filled(template: _Template, texts: Sequence[str]) -> Case | None:
    """The case with these expressions in its slots; None if they are no plain ones, or too long."""
    given = [described(text, template.case.entry) for text in texts]
    if len(texts) != template.slots or not all(map(is_harmless, given)):
        return None
    case = template.case
    values = {f"{_SLOT}{number}": parse_expression(one.text).body for number, one in enumerate(given)}
    imports = frozenset(pair for one in given for pair in one.imports)
    made = case.with_texts([_filled_text(text, values) for text in case.texts], imports)
    return msgspec.structs.replace(made, imports=made.imports | imports) if made and made.script is None else made


def _filled_text(text: str, values: dict[str, ast.expr]) -> str:
    if _SLOT not in text:
        return text
    try:
        tree: ast.AST = parse_expression(text)  # a text that stands alone would be written as a docstring
    except SyntaxError:
        tree = parse_source(text)
    return ast.unparse(Filling(values, {}).visit(tree))
