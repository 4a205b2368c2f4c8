"""A class that is meant to be filled in: its methods are called on a subclass, with what its base is given."""

from __future__ import annotations

import ast

from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.inputs import CarvedCall, Case, Description
from greenlane.testgen.subclassed import as_if_on, overridden, subclassed_cases

SOURCE = """
class Range:
    @classmethod
    def between(cls, low, high):
        return low, high

    def width(self):
        return 1

class AbstractSteps(Range):
    step = None
    label = None

    def __init__(self):
        self.label = "a"

    @classmethod
    def between(cls, low, high):
        step = cls.step
        return low + step, high - step

    def shown(self):
        return f"{self.convert(1)} {self.label}"

    def convert(self, value: int) -> str:
        raise NotImplementedError("say how")

class Whole(AbstractSteps):
    step = 2

    def convert(self, value):
        return str(value)
"""
TREE = ast.parse(SOURCE)
FUNCTIONS = list_functions(TREE, "shop/steps.py", "shop.steps")


def function(name: str) -> Function:
    return next(f for f in FUNCTIONS if f.qualified == name)


def on(entry: Function, receiver: str, *arguments: str) -> Case:
    return Case(
        entry=entry, receiver=receiver, arguments=tuple((None, text) for text in arguments), imports=frozenset(),
        fixtures=frozenset(), carved=True,
    )  # fmt: skip


def test_what_a_class_leaves_open_is_filled_in_by_a_subclass_as_it_is_used() -> None:
    (case, *_) = subclassed_cases([on(function("AbstractSteps.between"), "AbstractSteps", "0", "3")], TREE)
    assert case.script is not None
    head, look = case.script.setup[0], case.script.look
    assert head.startswith("class SimpleSteps(AbstractSteps):\n    step = 1\n"), "it is added to something: a number"
    assert "label" not in head, "an object says itself what this is"
    assert look == "SimpleSteps.between(0, 3)"
    assert case.script.imports == {("shop.steps", "AbstractSteps")}


def test_a_method_that_has_to_be_written_gives_what_is_said_of_it() -> None:
    made = subclassed_cases([on(function("AbstractSteps.shown"), "AbstractSteps()")], TREE)
    heads = [case.script.setup[0] for case in made if case.script]
    assert heads[0] == "class SimpleSteps(AbstractSteps):\n\n    def convert(self, value):\n        return 'other'"
    assert subclassed_cases([on(function("Whole.convert"), "Whole()", "1")], TREE) == [], "it is whole"


def test_a_method_that_no_test_calls_is_given_what_its_base_is_given() -> None:
    (base,) = overridden(function("AbstractSteps.between"), FUNCTIONS, TREE)
    assert base.qualified == "Range.between"
    given = CarvedCall("x", Description("Range", (("shop.steps", "Range"),)), (Description("0"), Description("3")), ())
    (call,) = as_if_on("AbstractSteps", "shop.steps", [given])
    assert call.receiver == Description("AbstractSteps", (("shop.steps", "AbstractSteps"),))
    assert call.positional == given.positional
