"""Dicts in which code looks several things up, with all at once that it asks of one on the way to something open: what
a condition wants, and what is looked up beside it. Also of the dicts that a fixture gives. Pure; for `search.py`.

def peer(row):                               Peer({"type": "a"})
    if row["type"] == "node": ...       ->   Peer({"type": "tag", "tag": {"name": "a"}})
    elif row["type"] == "tag":
        made.tag = row["tag"]["name"]        reply["peers"][0].update({"type": "tag", "tag": {"name": "a"}})
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.entries import Entries, entries_asked, entries_named, function_at
from greenlane.testgen.exchanged import Exchanging, merged, renamed
from greenlane.testgen.explore import Observed
from greenlane.testgen.fixtures import DataOfTests, GivenData
from greenlane.testgen.inputs import Case
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_CALLS, _TRIED, _DICTS, _MOST, _LONGEST = 3, 40, 2, 80, 400
_COPYING = ("copy", "deepcopy")


class _Place(msgspec.Struct, frozen=True):
    """A dict, and how it is reached from what holds it: `["peers"][0]`."""

    way: str
    node: ast.Dict


def keyed(
    observed: Sequence[Observed], source: Source, left: Targets, data: DataOfTests, beside: Sequence[Source] = ()
) -> list[Case]:
    """What came to a function with something open, with such a dict; what came furthest in it, scripts and what is
    plainest first. `beside` are the other files of the change."""
    trees = [source.tree, *(one.tree for one in beside)]
    rows: dict[tuple[object, ...], list[Case]] = {}
    for line, function, _ in open_functions(source, left):
        node = function_at(source.tree, line)
        entries = list(entries_asked(source.tree, node, line)) if node is not None else []
        entries += entries_named(source.tree, node, line, trees) if node is not None else ()
        near = _near(observed, source.path, node, function) if node is not None and entries else []
        for number, one in enumerate(entries):
            shared = (
                other
                for case in near
                for other in (*_with_given(case, one, data.fixtures), *_with_constant(case, one, data))
            )
            itself = (other for case in near for other in _with_own(case, one))
            rows[line, number, "given"] = list(itertools.islice(shared, _CALLS))
            rows[line, number, "own"] = list(itertools.islice(itself, _CALLS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _near(observed: Sequence[Observed], path: str, node: FunctionNode, function: Function) -> list[Case]:
    """The calls that ran the function, those first that came furthest in what stands in it."""
    around = frozenset(range(function.first + 1, function.last + 1))
    inside = frozenset(range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1))
    lines = [(o.lines.get(path, frozenset()), o.case) for o in observed]
    ran = [(-len(inside & its), case.plainness, case) for its, case in lines if around & its]
    ran.sort(key=lambda row: row[:2])
    return [case for _, _, case in ran if case.fixtures or any("{" in text for text in case.texts)][:_TRIED]


# -------------------------------------------------------------- what a call says itself


def _with_own(case: Case, entries: Entries) -> Iterator[Case]:
    """The case with the entries in one of the dicts that it writes down."""
    for number, text in enumerate(case.texts):
        try:
            tree = parse_source(text)
        except UnreadableSourceError:
            continue
        for place in _fitting(_places(tree), entries) if "{" in text else ():
            changes = entries.changes_of(place.node)
            other = ast.unparse(Exchanging(place.node, merged(place.node, changes)).visit(tree))
            made = case.with_text(number, other) if changes else None
            if made is not None:
                yield made


# -------------------------------------------------------------- what a fixture gives


def _with_given(case: Case, entries: Entries, given: Mapping[str, GivenData]) -> Iterator[Case]:
    """The script with the entries in a dict of what a fixture gives it, before it does anything."""
    script = case.script
    for name in sorted(case.fixtures & given.keys()) if script is not None else ():
        data = given[name]
        for place in _fitting(_places(data.value), entries):
            changes = entries.changes_of(place.node)
            texts = _changing(f"{name}{place.way}", changes)
            if not changes or any(text.startswith(f"{name}[") for text in case.texts) or len(texts) > _LONGEST:
                continue
            copied = () if data.anew else (f"{name} = deepcopy({name})",)
            made = case.with_texts([*copied, texts, *case.texts], () if data.anew else [_COPYING])
            if made is not None:
                yield made


def _with_constant(case: Case, entries: Entries, data: DataOfTests) -> Iterator[Case]:
    """The script with the entries in a copy of a constant that it imports from another file of the tests."""
    script = case.script
    if script is None:
        return
    for module, name in sorted(script.imports):
        value = data.constant(module, name) if name.isidentifier() else None
        own = f"own_{name.lower()}"
        for place in _fitting(_places(value), entries) if value is not None else ():
            changes = entries.changes_of(place.node)
            text = _changing(f"{own}{place.way}", changes) if changes else ""
            if not changes or len(text) > _LONGEST or f"deepcopy({name})" in script.text:
                continue
            texts = [renamed(one, {name: own}) for one in case.texts]
            made = case.with_texts([f"{own} = deepcopy({name})", text, *texts], [_COPYING])
            if made is not None:
                yield made


def _changing(way: str, changes: Mapping[str, ast.expr]) -> str:
    """The statement that puts these entries into what is there."""
    if len(changes) == 1:
        ((key, value),) = changes.items()
        return f"{way}[{key!r}] = {ast.unparse(value)}"
    return f"{way}.update({ast.unparse(merged(ast.Dict(keys=[], values=[]), changes))})"


# -------------------------------------------------------------- dicts


def _places(tree: ast.AST, way: str = "") -> Iterator[_Place]:
    """The dicts in it, each with the way to it through dicts and lists."""
    if isinstance(tree, ast.Dict):
        yield _Place(way, tree)
        for key, value in zip(tree.keys, tree.values, strict=True):
            yield from _places(value, f"{way}[{ast.unparse(key)}]" if key is not None else way)
    elif isinstance(tree, ast.List):
        for number, item in enumerate(tree.elts):
            yield from _places(item, f"{way}[{number}]")
    else:
        yield from (place for child in ast.iter_child_nodes(tree) for place in _places(child, way))


def _fitting(places: Iterator[_Place], entries: Entries) -> list[_Place]:
    """Those that have the most of the keys that the code looks up in such a dict."""
    scored = [(entries.likeness(place.node), place) for place in places]
    best = max((score for score, _ in scored), default=0)
    return [place for score, place in scored if score == best and best][:_DICTS]
