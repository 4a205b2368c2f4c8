"""What a class method sets on its class, seen on a class that inherits from it: the class itself is as it was for the
tests that come after. Pure; for `search.py`.

    class Checker:                               class OwnChecker(Checker):
        @classmethod                                 pass
        def configure(cls, options):     ->      OwnChecker.configure({"most": 1})
            cls.most = options["most"]           (a look at `OwnChecker.most`)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from greenlane.suite.lines import nodes_of
from greenlane.testgen.choose import is_silent, taste
from greenlane.testgen.code import Function, FunctionNode, enclosing
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.staged import before_and_call_of
from greenlane.testgen.targets import Targets, line_of

_CALLS = 4


def own_class(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """Calls of class methods that ran an open line and show nothing, on a class of the test's own, with a look at each
    attribute that the method sets there, that of the line first; of each line the plainest few."""
    found: dict[str, Case] = {}
    for line in sorted({line_of(target) for target in left}):
        function = enclosing(source.functions, line)
        names = list(_set_by(function, source, line)) if function is not None else []
        near = [o for o in observed if names and line in o.lines.get(source.path, frozenset())]
        near = [o for o in near if is_silent(o)]
        for one in sorted(near, key=taste, reverse=True)[:_CALLS]:
            made = (_on_own_class(one.case, function, name) for name in names if function is not None)
            found |= {case.key: case for case in made if case is not None}
    return list(found.values())


def _set_by(function: Function, source: Source, line: int) -> Iterator[str]:
    """The attributes that a class method gives to its class, those that the line gives first."""
    if function.kind != "class" or not function.owner:
        return
    node = next(
        (n for n in nodes_of(source.tree) if isinstance(n, FunctionNode) and n.body[-1].end_lineno == function.last),
        None,
    )
    given = [*node.args.posonlyargs, *node.args.args] if node is not None else []
    stored = [n for n in ast.walk(node) if isinstance(n, ast.Attribute)] if node is not None and given else []
    ours = [
        part
        for part in stored
        if isinstance(part.ctx, ast.Store) and isinstance(part.value, ast.Name) and part.value.id == given[0].arg
    ]
    ours.sort(key=lambda part: (part.lineno != line, part.lineno))
    yield from dict.fromkeys(part.attr for part in ours if not part.attr.startswith("_"))


def _on_own_class(case: Case, function: Function, name: str) -> Case | None:
    """None of a call that is not made on the class by its name."""
    if case.entry != function or case.receiver != function.owner or case.script is not None:
        return None
    own = f"Own{function.owner}"
    (_, *before), called = before_and_call_of(own, case)
    setup = (f"class {own}({function.owner}):\n    pass", *before, called)
    return case.with_script(Script(imports=case.imports, setup=setup, look=f"{own}.{name}"))
