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
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from greenlane.suite.runner import SuiteRunner
from greenlane.testgen.code import Function, FunctionNode, Param
from greenlane.testgen.explore import encode_case
from greenlane.testgen.guesses import described
from greenlane.testgen.inprocess import search_inside
from greenlane.testgen.inputs import Case, is_harmless
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.quarry import conditions_before, functions_around, watched
from greenlane.testgen.scene import Scene
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets
from greenlane.testgen.uses import nodes_by_line

_SLOT = "greenlane_slot_"
_TEMPLATES, _EACH, _MOST = 10, 2, 60
_TRIES, _CALLS, _SECONDS = 1_600, 2_000_000, 3.0
"""It ends with so many tries, or calls of functions in them; the seconds only hold where a call is very slow."""
_WORDS, _LONGEST_WORD = 12, 40
_LOOSE = frozenset(
    {"Any", "object", "dict", "Dict", "Mapping", "MutableMapping", "list", "List", "Sequence", "Iterable", "Optional",
     "Union", "None", "str", "int", "float", "bool", "typing", "t", "collections", "abc"}
)  # fmt: skip
_HOLDING = _LOOSE - {"Optional", "Union", "None", "str", "int", "float", "bool", "typing", "t", "collections", "abc"}
_KNOWN_METHODS = frozenset(name for kind in (dict, list, str) for name in dir(kind) if not name.startswith("_"))


class _Found(msgspec.Struct, frozen=True):
    template: int
    texts: tuple[str, ...]


class _Template(msgspec.Struct, frozen=True, kw_only=True):
    """A case with names in place of the arguments at these places."""

    case: Case
    places: tuple[int, ...]


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
        made = (_filled(templates[one.template], one.texts) for one in found if 0 <= one.template < len(templates))
        return list({case.key: case for case in made if case is not None}.values())[:_MOST]


def list_templates(cases: Iterable[Case], source: Source) -> list[_Template]:
    """The calls with names in place of what the code looks into; of those of a function the plainest two that differ
    otherwise."""
    nodes = nodes_by_line(source.tree)
    known = {function.name: function for function in source.functions}
    found: dict[Function, dict[str, _Template]] = {}
    for case in sorted((case for case in cases if case.script is None), key=lambda case: case.plainness):
        node = nodes.get(case.entry.first)
        if node is None or case.entry.asynchronous or case.entry.runs_at:
            continue
        template = _slotted(case, looked_into(case.entry, node, known))
        row = found.setdefault(case.entry, {})
        if template.places and len(row) < _EACH:
            row.setdefault(template.case.key, template)
    return [template for row in found.values() for template in row.values()][:_TEMPLATES]


def looked_into(function: Function, node: FunctionNode, known: dict[str, Function]) -> list[Param]:
    """The parameters that keys, items or attributes are asked of, here or in a function of the module that gets them,
    and nothing that no plain value has."""
    return [param for param in function.params if _is_loose(param) and _is_looked_into(param.name, node, known)]


def _is_loose(param: Param) -> bool:
    """Whether it may be a dict, a list or a plain object."""
    words = set(re.findall(r"\w+", param.annotation))
    return not words or (words <= _LOOSE and bool(words & _HOLDING))


def _is_looked_into(name: str, node: FunctionNode, known: dict[str, Function]) -> bool:
    methods = {
        n.func.attr
        for n in ast.walk(node)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and _is_name(n.func.value, name)
    }
    return methods <= _KNOWN_METHODS and any(_looks(part, name, known) for part in ast.walk(node))


def _looks(part: ast.AST, name: str, known: dict[str, Function]) -> bool:
    match part:
        case ast.Subscript(value=held) | ast.Attribute(value=held):
            return _is_name(held, name)
        case ast.For(iter=held) | ast.comprehension(iter=held):
            return _is_name(held, name)
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[held]):
            return _is_name(held, name)
        case ast.Call() if name_of(part) in known:
            return any(_is_name(given, name) for given in (*part.args, *(one.value for one in part.keywords)))
    return False


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _slotted(case: Case, params: Sequence[Param]) -> _Template:
    """The case with names in place of what these parameters are given; those that it leaves out are given by name."""
    names = {param.name for param in params}
    places = [param.name for param in case.entry.places]
    given = [name or (places[n] if n < len(places) else "") for n, (name, _) in enumerate(case.arguments)]
    arguments, slots = list(case.arguments), list[int]()
    for number, name in enumerate(given):
        if name in names:
            arguments[number] = (arguments[number][0], f"{_SLOT}{len(slots)}")
            slots.append(number)
    for param in params:
        if param.name not in given and param.default is not None:
            arguments.append((param.name, f"{_SLOT}{len(slots)}"))
            slots.append(len(arguments) - 1)
    slotted = msgspec.structs.replace(case, arguments=tuple(arguments), carved=False, steps=case.steps + 1)
    return _Template(case=slotted, places=tuple(slots))


def _encoded(number: int, template: _Template) -> dict[str, Any]:
    return encode_case(number, template.case) | {"slots": len(template.places)}


def _filled(template: _Template, texts: Sequence[str]) -> Case | None:
    """The case with these expressions in its slots; None if they are no plain ones."""
    if len(texts) != len(template.places):
        return None
    case = template.case
    for place, text in zip(template.places, texts, strict=True):
        given = described(text, case.entry)
        if not is_harmless(given):
            return None
        case = msgspec.structs.replace(case.with_argument(place, text, given.imports), steps=template.case.steps + 1)
    return case
