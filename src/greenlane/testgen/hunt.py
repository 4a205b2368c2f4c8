"""`Hunter`: calls with their literals as slots, for which the sandbox looks for values that lead to what is open.

What the rounds of exploring do with hundreds of calls, each a test of its own, `inside/greenlane_hunt.py` does with
thousands in one process; what it finds is tried anew like any other proposal. Called by `Search`.
"""

from __future__ import annotations

import ast
import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.suite.runner import SuiteRunner
from greenlane.testgen.choose import is_tellable
from greenlane.testgen.code import lines_inside
from greenlane.testgen.datafiles import texts_of_files
from greenlane.testgen.explore import Observed, encode_case
from greenlane.testgen.inprocess import search_inside
from greenlane.testgen.inputs import Case
from greenlane.testgen.literals import MAX_TEXT, Value, literals
from greenlane.testgen.quarry import conditions_before, functions_around, list_texts, quarry
from greenlane.testgen.scene import Scene
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap, Targets
from greenlane.testgen.turns import in_turn

_SLOT = "greenlane_slot_"
_MAX_SLOTS, _MAX_NUMBERS = 8, 4
_TEMPLATES, _ROWS = 24, 8
_DOCUMENT = 200
_WRITING = ").write_text("
_TRIES, _CALLS, _SECONDS = 6_000, 4_000_000, 6.0
"""A hunt ends with so many tries, or calls of functions in them; the seconds only hold where a call is very slow."""

Row: TypeAlias = tuple[Value, ...]


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A case with names in place of some literals; `parts` are its statements, or its receiver and arguments."""

    case: Case
    parts: tuple[str, ...]
    row: Row


class _Found(msgspec.Struct, frozen=True):
    template: int
    values: tuple[str | int | float | dict[str, str], ...]


class Hunter:
    def __init__(self, runner: SuiteRunner) -> None:
        self._runner = runner

    async def hunt(
        self,
        scene: Scene,
        source: Source,
        gap: Gap,
        observed: Sequence[Observed],
        scripts: Sequence[Case],
        left: Targets,
        tests: Iterable[str],
        beside: Sequence[Source] = (),
    ) -> list[Case]:
        """Cases that may reach what is `left` or notice what is open of the faults, made from those that ran the
        functions around it and from `scripts`; `tests` are files whose texts are tried as well, `beside` other files
        of the change: what a text has to say for one of them may be asked in another. The same each time but for its
        limit in seconds of processor time."""
        shapes = _shapes(observed, scripts, source, left)
        if not shapes:
            return []
        templates = [rows[0] for rows in shapes]
        tests = list(tests)
        texts = await asyncio.to_thread(list_texts, scene.tree, tests)
        texts = list(in_turn([await asyncio.to_thread(texts_of_files, scene.tree, tests), texts]))
        limits = {"tries": _TRIES, "calls": _CALLS, "seconds": _SECONDS}
        found = await search_inside(
            self._runner,
            scene,
            "hunt",
            quarry(source, gap, left, texts, beside) | limits,
            [template.case.fixtures for template in templates],
            lambda number: _encoded(number, shapes[number]),
            _Found,
        )
        cases = [
            case
            for one in found
            if 0 <= one.template < len(templates) and (case := filled(templates[one.template], one.values)) is not None
        ]
        return list({case.key: case for case in cases}.values())


# ------------------------------------------------------------------ slots


def slotted(case: Case) -> Template | None:
    """The case with its literals as slots; None if it has none, or awaits: that takes a loop for each try."""
    script = case.script
    if script is not None and script.marks is not None:
        return None
    texts = case.texts
    parts, row, numbers = list(texts), list[Value](), 0
    for place in reversed(range(len(texts))):  # the last statements first
        try:
            tree = _parsed(texts[place])
        except UnreadableSourceError:
            return None
        slots: dict[int, ast.expr] = {}
        for node, value in literals(tree):
            numeric = isinstance(value, int | float)
            aside = row and _is_document(value) and _WRITING not in texts[place]
            if len(row) >= _MAX_SLOTS or (numeric and numbers >= _MAX_NUMBERS) or aside:
                continue
            numbers += numeric
            slots[id(node)] = ast.Name(id=f"{_SLOT}{len(row)}", ctx=ast.Load())
            row.append(value)
        if slots:
            parts[place] = ast.unparse(_exchanged(tree, slots))
    return Template(case=case, parts=tuple(parts), row=tuple(row)) if row else None


def _is_document(value: Value) -> bool:
    """A long text before others is mostly what these are asked about."""
    return isinstance(value, str | bytes) and len(value) > _DOCUMENT


def filled(template: Template, values: Sequence[Any]) -> Case | None:
    """The case with these values in its slots; None if they are none that one could write."""
    given = [value["bytes"].encode("latin-1") if isinstance(value, dict) else value for value in values]
    if len(given) != len(template.row) or not all(_is_writable(value) for value in given):
        return None
    return template.case.with_texts([_filled_text(part, given) for part in template.parts])


def _parsed(text: str) -> ast.AST:
    """An expression as one: a text that stands alone would be written as a docstring. Raises UnreadableSourceError."""
    try:
        return parse_expression(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return parse_source(text)


def _is_writable(value: object) -> bool:
    if isinstance(value, str | bytes):
        return len(value) <= MAX_TEXT
    return isinstance(value, int | float) and math.isfinite(value)


def _filled_text(part: str, values: Sequence[Value]) -> str:
    if _SLOT not in part:
        return part
    tree = _parsed(part)
    given: dict[int, ast.expr] = {}
    for node in [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id.startswith(_SLOT)]:
        number = node.id.removeprefix(_SLOT)
        if number.isdecimal() and int(number) < len(values):
            given[id(node)] = parse_expression(repr(values[int(number)])).body
    return ast.unparse(_exchanged(tree, given))


def _exchanged(tree: ast.AST, new: Mapping[int, ast.expr]) -> Any:
    """The tree with others in place of these nodes, which are told by what they are."""

    class Exchanging(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new[id(node)] if id(node) in new else self.generic_visit(node)

    return ast.fix_missing_locations(Exchanging().visit(tree))


# ------------------------------------------------------------------ which calls


def _shapes(
    observed: Sequence[Observed], scripts: Sequence[Case], source: Source, left: Targets
) -> list[list[Template]]:
    """The kinds of calls to hunt with, best first, each with rows of values that were seen: those that ran the
    condition before what is open, of which something could be told; last those of functions that lead there, but gave
    nothing yet and did not get inside. One of each kind comes before a second."""
    near = conditions_before(source, left)
    leading = {entry for _, entry in source.entries}
    inside = set(lines_inside(functions_around(source, left)))
    found: dict[tuple[str, ...], list[tuple[tuple[float, ...], Template]]] = {}

    def add(case: Case, *order: float) -> None:
        template = slotted(case)
        if template is not None:
            found.setdefault((*template.parts, case.entry.qualified), []).append(
                ((*order, len(case.fixtures), case.steps, case.length), template)
            )

    for one in observed:
        ran = one.lines.get(source.path, frozenset())
        if ran & inside and is_tellable(one):
            add(one.case, -1.0, -len(ran & near))
        elif one.outcome.kind == "value" and one.case.script is None and one.case.entry in leading:
            add(one.case, 0.0, -len(ran & inside))
    for case in scripts:
        add(case, -0.5, 0)
    for rows in found.values():
        rows.sort(key=lambda pair: pair[0])
    ordered = sorted(found.values(), key=lambda rows: rows[0][0])
    first = {called_in(rows[0][1]): rows for rows in reversed(ordered)}
    kinds = sorted(first.values(), key=lambda rows: rows[0][0])
    best = [*kinds, *(rows for rows in ordered if not any(rows is one for one in kinds))]
    return [[template for _, template in rows[:_ROWS]] for rows in best[:_TEMPLATES]]


def called_in(template: Template) -> str:
    """What is called last, without what is given: different looks at what one call gave are of one kind. What reads a
    file that was written before is of another one than what reads a file of the project."""
    own = " of a file" if any(_WRITING in part for part in template.parts[:-1]) else ""
    if template.case.script is None:
        return template.case.entry.qualified
    for part in reversed(template.parts):
        calls = [n for n in ast.walk(parse_source(part)) if isinstance(n, ast.Call)]
        if calls:
            return ast.unparse(calls[-1].func) + own
    return template.parts[-1]


def _encoded(number: int, shape: Sequence[Template]) -> dict[str, Any]:
    rows = [[_encoded_value(value) for value in one.row] for one in shape]
    return encode_case(number, _with_parts(shape[0])) | {"rows": rows}


def _with_parts(template: Template) -> Case:
    case, parts = template.case, template.parts
    if case.script is not None:
        script = msgspec.structs.replace(case.script, setup=parts[:-1], look=parts[-1])
        return msgspec.structs.replace(case, script=script)
    arguments = tuple((name, text) for (name, _), text in zip(case.arguments, parts[1:], strict=True))
    return msgspec.structs.replace(case, receiver=parts[0] if case.receiver else None, arguments=arguments)


def _encoded_value(value: Value) -> object:
    return {"bytes": value.decode("latin-1")} if isinstance(value, bytes) else value
