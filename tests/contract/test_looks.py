"""Which looks at a call notice a fault, over a small real project: at an error, a result, a receiver."""

from __future__ import annotations

from pathlib import Path

from greenlane.adapters.sandbox import choose_sandbox
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.suite.lines import parse_source
from greenlane.suite.runner import SuiteRunner
from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Explorer, Observed
from greenlane.testgen.inputs import Case
from greenlane.testgen.mutants import mutants_of
from greenlane.testgen.targets import Gap
from tests.support.projects import write_tree
from tests.support.scenes import scene_at

SOURCE = """
class ParseError(ValueError):
    def __init__(self, message, line):
        super().__init__(message)
        self.line = line  # fault


class Basket:
    def __init__(self, name, *items):
        self.name = name  # fault
        self.items = list(items)
        self.count = len(items)
        self.colour = self.label = ""

    def __repr__(self):
        return f"Basket of {self.count}"

    def add(self, item):
        self.items.append(item)
        self.last = item  # fault
        self.count += 1  # fault
        return self.count


def parse(text):
    if "=" not in text:
        raise ParseError("no value", text.count("!") + 1)
    return text
"""
PATH = "shop/basket.py"


async def test_a_fault_is_noticed_by_the_look_that_sees_it(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "", PATH: SOURCE, "tests/test_it.py": "def test_it():\n    pass\n"}
    service, tree = Service(name="shop"), write_tree(tmp_path / "tree", files)
    text = (tree / PATH).read_text(encoding="utf-8")
    parsed = parse_source(text)
    lines = {number for number, line in enumerate(text.splitlines(), 1) if "# fault" in line}
    gap = Gap(path=PATH, lines=frozenset(), mutants=mutants_of(parsed, PATH, "shop.basket", lines))
    scene = scene_at(tree, measured=(PATH,))

    def call(name: str, *arguments: str, on: str | None = None) -> Case:
        entry = next(f for f in list_functions(parsed, PATH, "shop.basket") if f.qualified == name)
        imports = frozenset({("shop.basket", "Basket")} if on else ())
        given = tuple((None, argument) for argument in arguments)
        return Case(entry=entry, receiver=on, arguments=given, imports=imports, fixtures=frozenset(), carved=True)

    cases = [
        call("parse", "'a'"),
        call("Basket.__init__", "'a'", "1"),
        call("Basket.add", "'b'", on="Basket('a')"),
    ]
    explorer = Explorer(SuiteRunner(choose_sandbox(), Settings(services=(service,))))
    observed = await explorer.explore(scene, cases, gap)
    error, made, changed = await explorer.notice(scene, observed, gap, 30.0)

    def noticed(one: Observed) -> dict[str, list[str]]:
        """By the look the mutants that only it, not the first one, sees."""
        keys = ["", *(look.key for look in one.outcome.more)]
        return {
            key: [gap.mutants[target[3]].shown for target in sorted(targets)]  # type: ignore[misc]  # a fault's number
            for key, targets in zip(keys, one.by_look, strict=True)
            if targets
        }

    assert noticed(error) == {"error.line.": ["`self.line = line` is left out"]}
    assert len(made.outcome.attributes) == 4  # as many as one reads at a glance
    assert noticed(made) == {"result.name.": ["`self.name = name` is left out"]}
    seen = noticed(changed)
    assert seen["receiver.last."] == ["`self.last = item` is left out"]
    assert "`self.count += 1` is left out" in seen["result.."]  # the value, where a change is looked at first
    assert "`self.count += 1` is left out" in seen[""]  # items, count: the first change is that of count
