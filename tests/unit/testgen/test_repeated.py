"""A call is made twice where a condition counts what comes of it."""

from __future__ import annotations

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.repeated import repeated
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

ROUTER = """\
class Router:
    def finish(self):
        if len(self.routes) > 1:
            return "many"
        if self.routes:
            return "one"
"""


def source_of(line: int) -> Source:
    tree = parse_source(ROUTER)
    functions = list_functions(tree, "routes.py", "routes")
    gap = Gap(path="routes.py", lines=frozenset({line}))
    return Source(
        path="routes.py", module="routes", tree=tree, gap=gap, entries=(), functions=functions, constructors={}
    )


def made_for(line: int, *setup: str) -> list[tuple[str, ...]]:
    source = source_of(line)
    script = Script(imports=frozenset({("routes", "Router")}), setup=setup, look="router.finish()")
    case = Case(
        entry=source.functions[0], receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"routes.py": frozenset({3, 5})})
    other = Script(
        imports=frozenset(), setup=("router = Router()",), look="router.add('/b', methods=('GET',), strict=True)"
    )
    found = repeated([seen], source, frozenset({("routes.py", line)}), [script, other])
    return [one.script.setup for one in found if one.script is not None]


def test_the_second_call_has_an_option_that_other_tests_give() -> None:
    found = made_for(4, "router = Router()", "router.add('/a')", "router.seal()")
    assert found == [
        ("router = Router()", "router.add('/a')", "router.add('/a', methods=('GET',))", "router.seal()"),
        ("router = Router()", "router.add('/a')", "router.add('/a', strict=True)", "router.seal()"),
    ]


def test_an_option_that_a_call_has_gets_another_value() -> None:
    found = made_for(4, "router.add('/a', methods=('PUT',))")
    assert ("router.add('/a', methods=('PUT',))", "router.add('/a', methods=('GET',))") in found


def test_nothing_is_made_where_nothing_is_counted() -> None:
    assert made_for(6, "router.add('/a')") != []  # the early exit before it counts
    assert made_for(2, "router.add('/a')") == []
