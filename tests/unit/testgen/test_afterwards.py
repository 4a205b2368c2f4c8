"""What a call leaves behind that shows nothing itself."""

from __future__ import annotations

import ast

from greenlane.testgen.afterwards import afterwards, questions_of
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Script
from greenlane.testgen.scripts import FoundScript, script_case
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from tests.support.sources import source_at

PARSER = """
class Parser:
    def parse(self, text):
        return text

    def reset(self):
        self._at = 0

class Later(Parser):
    def become(self, other):
        self._other = other
"""
PATH = "shop/parse.py"
TREE = ast.parse(PARSER)
FUNCTIONS = tuple(list_functions(TREE, PATH, "shop.parse"))
SOURCE = Source(
    path=PATH,
    module="shop.parse",
    tree=TREE,
    gap=Gap(path=PATH, lines=frozenset({11})),
    entries=(),
    functions=FUNCTIONS,
    constructors={},
)
(BECOME,) = [f for f in FUNCTIONS if f.name == "become"]
NONE = Outcome(case=0, kind="value", value=Description("None"))


def seen(case: Case, outcome: Outcome = NONE) -> Observed:
    return Observed(case=case, outcome=outcome, lines={SOURCE.path: frozenset({11})}, reached=frozenset())


def script(*lines: str) -> Script:
    return Script(frozenset({("shop", "Later"), ("shop", "text")}), lines[:-1], lines[-1])


TESTS = [
    script("parser = Parser()", "parser.parse('a')"),
    script("expr = Later()", "row = expr.parse('a')", "len(expr.parse(text(1)))"),
    script("expr = Later()", "expr.parse(other)"),
    script("expr = Later()", "expr.reset()"),
]
LEFT = frozenset({("shop/parse.py", 11)})


def test_an_object_is_asked_what_tests_ask_it_and_those_of_its_bases() -> None:
    case = Case(
        entry=BECOME,
        receiver="Later()",
        arguments=((None, "'b'"),),
        imports=frozenset(),
        fixtures=frozenset(),
        carved=True,
    )
    found = [one.script for one in afterwards([seen(case)], SOURCE, LEFT, TESTS)]
    assert [(s.setup, s.look) for s in found if s] == [
        (("later = Later()", "later.become('b')"), "later.parse('a')"),
        (("later = Later()", "later.become('b')"), "later.parse(text(1))"),
    ]
    assert found[1] is not None
    assert ("shop", "text") in found[1].imports


def test_a_test_that_ends_with_such_a_call_goes_on_and_one_that_shows_something_does_not() -> None:
    ends = script_case(BECOME, FoundScript(test="t", script=script("expr = Later()", "expr.become('c')")))
    (first, _) = [one.script for one in afterwards([seen(ends)], SOURCE, LEFT, TESTS)]
    assert first is not None
    assert (first.setup, first.look) == (("expr = Later()", "expr.become('c')"), "expr.parse('a')")
    shown = Outcome(case=0, kind="value", value=Description("3"))
    assert afterwards([seen(ends, shown)], SOURCE, LEFT, TESTS) == []
    unnamed = script_case(BECOME, FoundScript(test="t", script=script("Later().become('c')")))
    (named, _) = [one.script for one in afterwards([seen(unnamed)], SOURCE, LEFT, TESTS)]
    assert named is not None
    assert (named.setup, named.look) == (("later = Later()", "later.become('c')"), "later.parse('a')")
    given = script_case(BECOME, FoundScript(test="t", script=script("[Later()][0].become('c')")))
    assert afterwards([seen(given)], SOURCE, LEFT, TESTS) == []


def test_one_question_of_each_method_comes_before_a_second() -> None:
    tests = [script(*lines) for lines in (["p.parse('a')"], ["p.parse('b')"], ["p.parse('b')"], ["p.peek(1, at=2)"])]
    assert [one.text for one in questions_of(tests, {"parse", "peek"})] == [
        ".parse('b')",
        ".peek(1, at=2)",
        ".parse('a')",
    ]


WORKER = """
class Worker:
    def work(self, name):
        while self.running.is_set() and not self._lost:
            self.rows[name] = 1
            self.name = self._last = name
            if self.ready or self.given(name):
                self.running.clear()
"""


def asked(*lines: str) -> list[str]:
    source = source_at(WORKER, 8)
    ((_, work),) = source.entries
    case = script_case(work, FoundScript(test="t", script=script(*lines)))
    one = Observed(case=case, outcome=NONE, lines={"shop.py": frozenset({8})})
    found = [made.script for made in afterwards([one], source, frozenset({("shop.py", 8)}), [])]
    return [made.look for made in found if made]


def test_an_object_is_asked_what_its_method_sets_and_what_its_conditions_ask() -> None:
    looks = ["worker.name", "worker.rows", "worker.running.is_set()", "worker.ready"]
    assert sorted(asked("worker = Worker()", "worker.work('a')")) == sorted(looks)


def test_what_a_test_sets_itself_is_not_looked_at_and_what_is_private_only_where_a_test_names_it() -> None:
    found = asked(
        "worker = Worker()", "worker.running = Event()", "worker._last = 'b'", "worker._lost", "worker.work('a')"
    )
    assert "worker.running.is_set()" not in found
    assert "worker._last" not in found
    assert "worker._lost" in found
