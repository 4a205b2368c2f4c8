"""What a hunt is given to try: the words of the code around what is open, and of the rest of the change."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.quarry import quarry
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """
class Alert:
    def match(self, source):
        return source.startswith("[!note]")

    def parse(self, source):
        return source.next("end")


def other(text):
    return text == "elsewhere"
"""


def test_words_of_a_changed_function_that_is_run_already_lead_to_one_that_is_not() -> None:
    tree = ast.parse(TEXT)
    gap = Gap(path="shop.py", lines=frozenset({7}), changed=frozenset({4, 7}))
    source = Source(
        path="shop.py", module="shop", tree=tree, gap=gap, entries=(),
        functions=list_functions(tree, "shop.py", "shop"), constructors={},
    )  # fmt: skip
    words = quarry(source, gap, frozenset({("shop.py", 7)}), (), ())["words"]
    assert {"end", "[!note]"} <= set(words)
    assert "elsewhere" not in words


MODES = """
class Mode(Enum):
    FAST = "fast"
    SLOW = "slow"


def load(page):
    kind = page.get("kind", "plain")
    mode = Mode(page.get("mode", "fast"))
    if mode != Mode.FAST:
        raise ValueError(mode)
"""


def test_what_a_condition_holds_was_read_by_a_name_and_is_one_of_an_enumeration() -> None:
    tree = ast.parse(MODES)
    gap = Gap(path="shop.py", lines=frozenset({11}), changed=frozenset({11}))
    source = Source(
        path="shop.py", module="shop", tree=tree, gap=gap, entries=(),
        functions=list_functions(tree, "shop.py", "shop"), constructors={},
    )  # fmt: skip
    (goal,) = quarry(source, gap, frozenset({("shop.py", 11)}), (), ())["goals"]
    assert set(goal["words"]) == {"mode", "fast", "slow"}
    assert "kind" in goal["kin"]
