"""Calls with something in them that can't be written down: functions made in a test, and how they are stood in for."""

from __future__ import annotations

import ast
from pathlib import Path

from greenlane.testgen.callers import entries_of
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.guesses import guess_values
from greenlane.testgen.holes import constructed, without_holes
from greenlane.testgen.inputs import CarvedCall, Description, is_harmless, seed_cases
from greenlane.testgen.scripts import read_scripts
from greenlane.testgen.vary import vary
from tests.support.projects import write_tree

SOURCE = """
import inspect

class Task:
    def __init__(self, queue, callback, name=None):
        self.queue, self.callback, self.name = queue, callback, name

    def plain(self):
        func = self.callback
        while hasattr(func, "__wrapped__"):
            func = func.__wrapped__
        return func

    def _kind(self):
        return "coroutine" if inspect.iscoroutinefunction(self.callback) else "function"

    def __repr__(self):
        return f"Task of a {self._kind()}"

def run(callback, times):
    return [callback(n) for n in range(times)]
"""
FUNCTIONS = list_functions(ast.parse(SOURCE), "shop/tasks.py", "shop.tasks")
QUEUE, NONE = Description("Queue()", (("shop.queue", "Queue"),)), Description("None")


def function(name: str) -> Function:
    return next(f for f in FUNCTIONS if f.name == name)


def call(*positional: Description | None) -> CarvedCall:
    return CarvedCall("/shop/tasks.py:1", None, positional, ())


def test_an_object_is_made_as_tests_make_it_with_a_function_in_place_of_the_one_that_has_no_name() -> None:
    made = constructed([call(QUEUE, None, NONE)], function("__init__"), function("plain"))
    assert [one.made.text for one in made] == ["Task(Queue(), lambda value: value)"]
    assert set(made[0].made.imports) == {("shop.queue", "Queue"), ("shop.tasks", "Task")}
    (case,) = seed_cases(function("plain"), [call()], 0, 8, made)
    assert case.receiver == "Task(Queue(), lambda value: value)"
    others = {varied.receiver for varied in vary(case, 60)}
    assert "Task(Queue(), lru_cache(len))" in others  # the code asks for `__wrapped__`
    assert ("functools", "lru_cache") in {pair for varied in vary(case, 60) for pair in varied.imports}


def test_kinds_of_callables_are_given_where_the_code_tells_them_apart() -> None:
    (callback,) = (param for param in function("__init__").params if param.name == "callback")
    assert guess_values(callback, function("_kind"))[1] == "asyncio.sleep"
    assert "asyncio.sleep" not in guess_values(callback, function("plain"))


def test_what_tests_gave_comes_before_guesses() -> None:
    three = Description("3")
    whole = [call(Description(text), three) for text in ("len", "str", "abs")]
    assert without_holes([call(None, three), *whole], function("run")) == whole
    filled, *others = without_holes([call(None, three), call(three, None)], function("run"))
    assert filled.positional == (Description("lambda value: value"), three)
    assert others[0].positional[0] == three, "the first guess of each comes before the second of any"
    assert [one.positional[1] for one in others].count(three) > 1
    assert len({one.positional for one in (filled, *others)}) == 1 + len(others)
    assert without_holes([call(None, None, None)], function("run")) == []


def test_classes_and_plain_functions_of_the_language_are_values() -> None:
    assert all(is_harmless(Description(text)) for text in ("len", "ValueError", "[int, str]"))
    assert not any(is_harmless(Description(text)) for text in ("eval", "open('x')", "SystemExit", "exit", "lambda: 1"))


def test_a_private_method_is_reached_through_an_operator() -> None:
    assert [f.name for f in entries_of(function("_kind"), FUNCTIONS)] == ["__repr__", "_kind"]
    assert [f.name for f in entries_of(function("plain"), FUNCTIONS)] == ["plain"]


def test_a_script_keeps_decorators_made_in_the_test_and_what_fills_its_objects(tmp_path: Path) -> None:
    test = """
from shop.tasks import Task, fill

def test_plain():
    def twice(func):
        def wrapper():
            return func()
        return wrapper
    queue = []
    fill(queue)
    task = Task(queue, twice(len))
    assert task.plain() is len
"""
    write_tree(tmp_path, {"tests/test_tasks.py": test})
    (script,) = [
        f.script for f in read_scripts(tmp_path, ["tests/test_tasks.py::test_plain"]) if "plain" in f.script.look
    ]
    assert [text.split("\n")[0] for text in script.setup] == [
        "def twice(func):", "queue = []", "fill(queue)", "task = Task(queue, twice(len))",
    ]  # fmt: skip


def test_what_is_of_a_class_gets_a_stand_in_before_plain_values() -> None:
    source = "class Model:\n    def __init__(self, client: 'Client', size: int, name):\n        self.client = client\n"
    (init,) = list_functions(ast.parse(source), "shop.py", "shop")
    filled = without_holes([call(None, Description("1"))], init)
    assert filled[0].positional == (
        Description("MagicMock()", (("unittest.mock", "MagicMock"),)), Description("1"),
    )  # fmt: skip
    assert all("MagicMock" not in one.positional[1].text for one in without_holes([call(QUEUE, None)], init)
               if one.positional[1])  # fmt: skip
