"""Calls after another method of the same object."""

from __future__ import annotations

from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Step
from greenlane.testgen.sequels import sequels
from tests.support.sources import source_at

QUEUE = """
class Queue:
    def push(self, item):
        self.store.save(item)

    def pop(self):
        for item in self.store:
            return item

    def peek(self):
        return 1

    def _drop(self):
        self.store = []
"""
SOURCE = source_at(QUEUE, 8)
BY_NAME = {function.name: function for function in SOURCE.functions}
LEFT = frozenset({("shop.py", 8)})


def seen(name: str, gives: str, *arguments: str, kind: str = "value") -> Observed:
    case = Case(
        entry=BY_NAME[name], receiver="Queue(tmp_path)", arguments=tuple((None, text) for text in arguments),
        imports=frozenset({("shop", name)}), fixtures=frozenset({"tmp_path"}), carved=True,
    )  # fmt: skip
    return Observed(case=case, outcome=Outcome(case=0, kind=kind, value=Description(gives)), lines={})


def test_another_method_is_called_before_one_that_gives_nothing_first() -> None:
    known = [seen("peek", "1"), seen("push", "None", "b'a'"), seen("push", "None", "1"), seen("_drop", "None")]
    found = sequels([seen("pop", "None"), *known], SOURCE, LEFT)
    assert [one.history for one in found] == [
        (Step("push", ((None, "1"),)),),
        (Step("peek"),),
        (Step("push", ((None, "b'a'"),)),),
    ]
    assert {one.entry.name for one in found} == {"pop"}
    assert found[0].imports == {("shop", "pop"), ("shop", "push")}


def test_what_failed_is_followed_by_nothing_and_follows_nothing() -> None:
    assert sequels([seen("pop", "None"), seen("push", "None", kind="raises")], SOURCE, LEFT) == []
    assert sequels([seen("pop", "None", kind="raises"), seen("push", "None")], SOURCE, LEFT) == []
