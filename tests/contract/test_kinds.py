"""What the sandbox says of calls of each kind: one run of the explorer over a small real project."""

from __future__ import annotations

import os
from pathlib import Path

from greenlane.adapters.sandbox import choose_sandbox
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.ports.environments import PythonEnvironment
from greenlane.suite.lines import parse_source
from greenlane.suite.runner import SuiteRequest, SuiteRun, SuiteRunner
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.explore import Explorer, Outcome
from greenlane.testgen.inputs import Case
from tests.support.projects import write_tree
from tests.support.scenes import scene_at

SOURCE = """
    import contextlib
    import functools
    import os


    class Basket:
        def __init__(self, *names):
            self._names = list(names)
            self._open = True

        def close(self):
            self._open = False

        def is_open(self):
            return self._open

        def add(self, name):
            self._names.append(name)

        def __len__(self):
            return len(self._names)

        def __iter__(self):
            return iter(self._names)

        def __add__(self, other):
            if not isinstance(other, Basket):
                return NotImplemented
            return Basket(*self._names, *other._names)


    class Plain:
        pass


    def plain():
        return Plain()


    def shown():
        return str(Plain())


    @contextlib.contextmanager
    def held(values):
        yield [*values, 0]


    def times(number):
        def decorate(func):
            @functools.wraps(func)
            def wrapper(*args):
                return func(*args) * number

            return wrapper

        return decorate


    def save(path, text):
        with open(path, "w") as file:
            file.write(text)


    def many(key):
        return {key: "x" * 500}


    def emit(stream):
        stream.write("text")


    def leave():
        os._exit(3)
"""


class Shop:
    def __init__(self, folder: Path) -> None:
        tree = write_tree(
            folder / "tree",
            {
                "shop/__init__.py": "",
                "shop/basket.py": SOURCE,
                "tests/test_it.py": "def test_it():\n    pass\n",
            },
        )
        self.scene = scene_at(tree)
        self.functions = list_functions(
            parse_source((tree / "shop/basket.py").read_text(encoding="utf-8")), "shop/basket.py", "shop.basket"
        )

    def call(self, name: str, *arguments: str, on: str | None = None, fixture: str = "") -> Case:
        entry: Function = next(f for f in self.functions if f.name == name)
        words = " ".join([on or "", *arguments])
        imports = {("shop.basket", "Basket")} if "Basket" in words else set[tuple[str, str]]()
        imports |= {("io", "StringIO")} if "StringIO" in words else set()
        return Case(
            entry=entry,
            receiver=on,
            arguments=tuple((None, text) for text in arguments),
            imports=frozenset(imports),
            fixtures=frozenset({fixture} if fixture else ()),
            carved=True,
        )


async def test_what_is_seen_of_calls_of_each_kind(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    cases = {
        "private state, by a method that tells of it": shop.call("close", on="Basket()"),
        "private state, by what it holds": shop.call("add", "'a'", on="Basket()"),
        "an object of its own": shop.call("__add__", "Basket('b')", on="Basket('a')"),
        "left to the other side": shop.call("__add__", "3", on="Basket('a')"),
        "made by its class": shop.call("__init__", "'a'"),
        "nothing but its class": shop.call("plain"),
        "an address": shop.call("shown"),
        "inside a context": shop.call("held", "[1]"),
        "a decorator": shop.call("times", "3"),
        "a file in the test's folder": shop.call("save", "tmp_path / 'a.txt'", "'abc'", fixture="tmp_path"),
        "a file where it is run": shop.call("save", "'left.txt'", "'abc'"),
        "a stream": shop.call("emit", "StringIO()"),
        "more than one writes down": shop.call("many", "'a'"),
    }
    explorer = Explorer(SuiteRunner(choose_sandbox(), Settings(services=(shop.scene.service,))))
    observed = await explorer.explore(shop.scene, list(cases.values()))
    seen = {name: _words(o.outcome) for name, o in zip(cases, observed, strict=True)}
    assert seen == {
        "private state, by a method that tells of it": "receiver.is_open call False",
        "private state, by what it holds": "receiver. list ['a']",
        "an object of its own": "list ['a', 'b']",
        "left to the other side": "NotImplemented",
        "made by its class": "list ['a']",
        "nothing but its class": "type 'Plain'",
        "an address": "masked '<shop.basket.Plain object at ...>'",
        "inside a context": "entered [1, 0]",
        "a decorator": "decorated 1 3",
        "a file in the test's folder": "#0.read_text call 'abc'",
        "a file where it is run": "unusable",
        "a stream": "#0.getvalue call 'text'",
        "more than one writes down": "list ['a']",
    }


def _words(outcome: Outcome) -> str:
    if outcome.changes:
        first = outcome.changes[0]
        return f"{first.where}.{first.attribute} {first.view} {first.value.text}"
    if outcome.value is None:
        return outcome.kind
    how = ["decorated"] if outcome.decorated else ["entered"] if outcome.entered else []
    how += [str(outcome.called)] if outcome.called >= 0 else []
    return " ".join([*how, *([outcome.view] if outcome.view else []), outcome.value.text])


class Counting(SuiteRunner):
    runs = 0

    async def run(
        self, service: Service, environment: PythonEnvironment, tree: Path, request: SuiteRequest
    ) -> SuiteRun:
        self.runs += 1
        return await super().run(service, environment, tree, request)


async def test_many_calls_are_made_by_two_processes_and_one_that_ends_its_own_costs_no_other(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    cases = [shop.call("many", repr(f"key {number}")) for number in range(300)]
    asked = [*cases[:100], shop.call("leave"), *cases[100:]]
    runner = Counting(choose_sandbox(), Settings(services=(shop.scene.service,)))
    seen = await Explorer(runner).explore(shop.scene, asked)
    assert [one.case for one in seen] == cases
    assert {one.outcome.kind for one in seen} == {"value"}
    assert runner.runs == min(os.cpu_count() or 1, 2) + 1
