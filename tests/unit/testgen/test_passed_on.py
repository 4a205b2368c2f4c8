"""An option that is read near something open is given in calls of which nothing says what they take."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.importers import offered_by
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.passed_on import passed_on
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """
class Reader:
    def __init__(self, path, strict=False):
        self.path, self.strict = path, strict

    def read(self):
        if self.strict:
            return self.path
        return ""
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
READ = next(f for f in FUNCTIONS if f.name == "read")


def texts(*setup: str, look: str, near: bool = True) -> list[str]:
    imports = frozenset({("pets", "load as fetch"), ("shop", "Reader"), ("pathlib", "Path")})
    case = Case(
        entry=READ, receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=Script(imports=imports, setup=setup, look=look),
    )  # fmt: skip
    seen = Observed(
        case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({7, 9} if near else {4})}
    )  # fmt: skip
    source = Source(
        path="shop.py", module="shop", tree=TREE, gap=Gap(path="shop.py", lines=frozenset({8})), entries=(),
        functions=FUNCTIONS, constructors=offered_by(FUNCTIONS, TREE),
    )  # fmt: skip
    return [one.script.text for one in passed_on([seen], source, frozenset({("shop.py", 8)})) if one.script]


def test_what_may_pass_it_on_is_given_the_option() -> None:
    found = texts("pets = fetch(Path('a'))", look="pets.names('b')")
    assert found == [
        "pets = fetch(Path('a'))\npets.names('b', strict=True)",
        "pets = fetch(Path('a'), strict=True)\npets.names('b')",
    ]


def test_what_is_known_to_take_it_and_helpers_of_the_test_are_left_to_others() -> None:
    assert not texts("def help(path):\n    return path", look="help('a')")
    assert not texts(look="Reader('a')")


def test_a_test_that_did_not_come_near_is_left_as_it_is() -> None:
    assert not texts(look="fetch('a')", near=False)
