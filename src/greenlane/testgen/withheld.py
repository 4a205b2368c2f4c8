"""What a method does with something that its object keeps to itself shows nowhere: the class of that gets a stand-in
for what is called there, and how that was called is looked at. Pure; for `search.py`.

class Client:                                    close = MagicMock()
    def __init__(self):                          monkeypatch.setattr("shop.web.requests.Session.close", close)
        self._session = requests.Session() ->    client = Client()
    def leave(self):                             client.leave()
        self._session.close()                    close.called
"""

from __future__ import annotations

import ast
import itertools
import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.suite.lines import nodes_of, parse_source
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import MAX_STATEMENT, Case
from greenlane.testgen.pretended import flat
from greenlane.testgen.siblings import family_of
from greenlane.testgen.slicing import bound_in
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.staged import as_script
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_CALLS, _MOST = 3, 60
_HOME = "unittest.mock"


class _Kept(msgspec.Struct, frozen=True):
    """A method of the class of something private: its dotted place, and the look at how it was called."""

    place: str
    look: str

    @property
    def name(self) -> str:
        return self.place.rpartition(".")[2]


def withheld(observed: Sequence[Observed], source: Source, left: Targets, *, unittest: bool) -> list[Case]:
    """What ran an open line that does so, the plainest first. `unittest`: without fixtures."""
    rows: dict[tuple[Function, _Kept], list[Case]] = {}
    for line, function, node in open_functions(source, left):
        found = list(_kept(source, function, node, line)) if function.owner else []
        near = [o for o in observed if line in o.lines.get(source.path, frozenset())] if found else []
        cases = [o.case for o in near if o.outcome.kind in ("value", "opaque")]
        cases = [case for case in cases if not (unittest and case.fixtures) and not _awaits(case)]
        cases.sort(key=lambda case: case.plainness)
        for one in found:
            made = (other for case in cases if (other := _with(case, one, unittest=unittest)) is not None)
            rows.setdefault((function, one), list(itertools.islice(made, _CALLS)))
    cases = list({case.key: case for case in in_turn(rows.values())}.values())
    return cases[:_MOST]


def _awaits(case: Case) -> bool:
    return case.entry.asynchronous or (case.script is not None and case.script.marks is not None)


def _kept(source: Source, function: Function, node: FunctionNode, line: int) -> Iterator[_Kept]:
    """What this line does with what is private, itself or by another method of the object."""
    made = _classes_kept(source, function)
    called = [n for n in ast.walk(node) if isinstance(n, ast.Call) and n.lineno <= line <= (n.end_lineno or n.lineno)]
    owners = family_of(source.tree, function.owner)
    own = [one for one in source.functions if one.owner in owners and f"self.{one.name}" in map(_name, called)]
    nodes = [n for n in nodes_of(source.tree) if isinstance(n, FunctionNode) and n.lineno in {f.line for f in own}]
    called += [n for inner in nodes for n in ast.walk(inner) if isinstance(n, ast.Call)]
    for call in called:
        held, _, method = _name(call).rpartition(".")
        if held in made and not method.startswith("_"):
            place = f"{source.module}.{made[held]}.{method}"
            if call.args or call.keywords:
                yield _Kept(place, f".call_args.{'args' if call.args else 'kwargs'}")
            yield _Kept(place, ".called")


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def _classes_kept(source: Source, function: Function) -> dict[str, str]:
    """The private attributes that hold an object of an imported class, and that class as the module names it."""
    imported = {
        name
        for node in flat(source.tree.body)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in bound_in(node)
    }
    owners = family_of(source.tree, function.owner)
    classes = [n for n in nodes_of(source.tree) if isinstance(n, ast.ClassDef) and n.name in owners]
    found: dict[str, str] = {}
    for node in (n for one in classes for n in ast.walk(one) if isinstance(n, ast.Assign)):
        held, made = ast.unparse(node.targets[0]), node.value
        text = _name(made) if isinstance(made, ast.Call) else ""
        plain = all(part.isidentifier() for part in text.split(".")) and text.split(".")[-1][:1].isupper()
        if held.startswith("self._") and held.count(".") == 1 and plain and text.split(".")[0] in imported:
            found.setdefault(held, text)
    return found


def _with(case: Case, kept: _Kept, *, unittest: bool) -> Case | None:
    """The case under the stand-in, and a look at that; None where its name means something else there."""
    script = as_script(case)
    (last,) = parse_source(script.look).body[-1:]
    done = [*script.setup, *([script.look] if any(isinstance(n, ast.Call) for n in ast.walk(last)) else [])]
    name = kept.name if kept.name not in {n for text in done for n in _names(text)} else f"fake_{kept.name}"
    if unittest:
        body = textwrap.indent("\n".join(done), "    ")
        setup, needed, fixtures = [f"with patch({kept.place!r}) as {name}:\n{body}"], "patch", case.fixtures
    else:
        before = [f"{name} = MagicMock()", f"monkeypatch.setattr({kept.place!r}, {name})"]
        setup, needed, fixtures = [*before, *done], "MagicMock", case.fixtures | {"monkeypatch"}
    if any(len(text) > MAX_STATEMENT for text in setup):
        return None
    imports = script.imports | {(_HOME, needed)}
    made = msgspec.structs.replace(script, imports=imports, setup=tuple(setup), look=f"{name}{kept.look}")
    return case.with_script(made, fixtures)


def _names(text: str) -> set[str]:
    return {node.id for node in ast.walk(parse_source(text)) if isinstance(node, ast.Name)}
