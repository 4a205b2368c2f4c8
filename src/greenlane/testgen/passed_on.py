"""Tests with an option given that the code asks for right where something is open, in calls of which nothing says what
they take: another file may pass on whatever it is given. Pure; for `search.py`.

    def load(path, **options):                   pets = load("pets.xml")
        return READERS[kind](path, **options)                 ->
    class Reader:                                pets = load("pets.xml", strict=True)
        def __init__(self, path, strict=False): ...
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.choose import is_tellable, taste
from greenlane.testgen.code import Param, enclosing
from greenlane.testgen.directed import read_near
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.explore import Observed
from greenlane.testgen.guesses import guess_options
from greenlane.testgen.inputs import Case, Constructors, bound_by
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn

_BASES, _CALLS, _VALUES, _MOST = 12, 3, 2, 80


def passed_on(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """The tests that came near what is open, as they are and as they were varied, with what is read there given in one
    of the last calls of each: one that takes no such option says so at once. One option by turns with the others, the
    plainest tests first."""
    rows: dict[str, list[Case]] = {}
    for line in sorted({line_of(target) for target in left}):
        names, before = read_near(source, line)
        function = enclosing(source.functions, line)
        if function is None or not names:
            continue
        near = [o for o in observed if o.case.script and before & o.lines.get(source.path, frozenset())]
        near.sort(key=taste, reverse=True)
        varied = [o for o in near if o.case.steps and is_tellable(o)]
        varied.sort(key=lambda o: not o.reached)  # what came to something that was open is worth more
        for one in islice(in_turn([[o for o in near if not o.case.steps], varied]), _BASES):
            for name in sorted(names):
                param = _param(name, source.constructors)
                values = guess_options(param, function)[:_VALUES] if param is not None else []
                rows.setdefault(name, []).extend(_given(one.case, name, values, source.constructors))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _param(name: str, constructors: Constructors) -> Param | None:
    found = (p for params in constructors.values() for p in params if p.name == name and p.default is not None)
    return next(found, None)


def _given(case: Case, name: str, values: Sequence[str], constructors: Constructors) -> Iterator[Case]:
    texts, calls = case.texts, 0
    for place in reversed(range(len(texts))):
        try:
            tree = parse_source(texts[place])
        except UnreadableSourceError:
            continue
        for call in [n for n in ast.walk(tree) if isinstance(n, ast.Call) and _may_take(n, name, case, constructors)]:
            calls += 1
            for value in values if calls <= _CALLS else ():
                part = ast.keyword(arg=name, value=parse_expression(value).body)
                more = ast.Call(func=call.func, args=call.args, keywords=[*call.keywords, part])
                changed = ast.unparse(Exchanging(call, more).visit(tree))
                one = case.with_text(place, changed)
                if one is not None:
                    yield one


def _may_take(call: ast.Call, name: str, case: Case, constructors: Constructors) -> bool:
    """Whether it is a call of something of the project, of which it is not known whether it takes that."""
    if any(keyword.arg in {None, name} for keyword in call.keywords) or case.script is None:
        return False
    root: ast.expr = call.func
    while isinstance(root, ast.Attribute | ast.Call):
        root = root.value if isinstance(root, ast.Attribute) else root.func
    called = ast.unparse(call.func).split(".")[-1]
    if not isinstance(root, ast.Name) or any(param.name == name for param in constructors.get(called, ())):
        return False
    imports = {bound_by(pair): pair[0].split(".")[0].split(" ")[0] for pair in case.script.imports}
    if root.id in imports:
        return imports[root.id] not in sys.stdlib_module_names | {"pytest"}
    return isinstance(call.func, ast.Attribute) and not hasattr(builtins, root.id)
