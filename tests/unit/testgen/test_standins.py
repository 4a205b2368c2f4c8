"""A stand-in is set for what an object is given later, and what it was given is looked at."""

from __future__ import annotations

import ast

import msgspec

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Script
from greenlane.testgen.naming import describe_outcome
from greenlane.testgen.source import Source
from greenlane.testgen.standins import with_stand_ins
from greenlane.testgen.targets import Gap
from greenlane.testgen.vary import vary

TEXT = """
class Store:
    def __init__(self):
        self.watcher = None

    def add(self, row):
        if self.watcher is not None and not self._quiet:
            self.watcher.told(row)
        return row

    async def drop(self, row):
        if self.watcher:
            told = getattr(self.watcher, "dropped", None)
            if told:
                await told(row)
            else:
                self.watcher.update()
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
ADD, DROP = (next(f for f in FUNCTIONS if f.name == name) for name in ("add", "drop"))
CALL = Case(
    entry=ADD, receiver="Store()", arguments=((None, "'b'"),), imports=frozenset({("shop", "Store")}),
    fixtures=frozenset(), carved=True,
)  # fmt: skip


def seen(case: Case, place: int) -> Observed:
    return Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset({place})})


def made(case: Case, line: int, place: int) -> list[Case]:
    gap = Gap(path="shop.py", lines=frozenset({line}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=FUNCTIONS, constructors={})
    return with_stand_ins([seen(case, place)], source, frozenset({("shop.py", line)}))


def shown(case: Case, line: int, place: int) -> list[list[str]]:
    return [[*one.script.setup, one.script.look] for one in made(case, line, place) if one.script]


def test_the_object_is_given_a_stand_in_that_is_looked_at() -> None:
    (found,) = made(CALL, 8, 7)
    assert found.script is not None
    assert found.script.text.splitlines() == [
        "store = Store()", "watcher = MagicMock()", "store.watcher = watcher", "store.add('b')",
        "watcher.told.call_args.args",
    ]  # fmt: skip
    assert ("unittest.mock", "MagicMock") in found.script.imports
    assert describe_outcome(seen(found, 8))[1] == "gives this to `watcher.told`"


def test_where_the_function_awaits_the_stand_in_may_be_awaited() -> None:
    drop = msgspec.structs.replace(CALL, entry=DROP)
    coroutine = (
        "async def outcome():\n    store = Store()\n    watcher = AsyncMock()\n    store.watcher = watcher\n"
        "    await store.drop('b')\n    return watcher.dropped.await_args.args"
    )
    assert shown(drop, 15, 12)[0] == [coroutine, "asyncio.run(outcome())"]


def test_what_is_asked_whether_it_is_there_is_left_out_once() -> None:
    drop = msgspec.structs.replace(CALL, entry=DROP)
    texts = ["\n".join(rows) for rows in shown(drop, 17, 12)]
    assert any("MagicMock(spec=['update'])" in text and "return watcher.update.called" in text for text in texts)


def test_in_a_script_it_stands_after_the_object_inside_of_the_coroutine() -> None:
    body = "async def outcome():\n    one = shop.Store()\n    await one.load()\n    return await one.drop('a')"
    script = Script(
        imports=frozenset({("shop", ""), ("asyncio", "")}), setup=("watcher = 1", body), look="asyncio.run(outcome())"
    )
    case = msgspec.structs.replace(CALL, script=script, receiver=None, arguments=())
    setup = shown(case, 15, 12)[0]
    assert setup[0] == "watcher = 1"
    assert setup[1].splitlines()[1:] == [
        "    one = shop.Store()", "    fake_watcher = AsyncMock()", "    one.watcher = fake_watcher",
        "    await one.load()", "    await one.drop('a')", "    return fake_watcher.dropped.await_args.args",
    ]  # fmt: skip


def test_a_private_attribute_is_none_that_a_test_sets() -> None:
    assert not [row for row in shown(CALL, 8, 7) if "_quiet" in "".join(row)]


def test_a_stand_in_stays_in_its_place_and_one_that_was_not_called_is_said_so() -> None:
    placed = "monkeypatch.setattr('shop.tell', tell)"
    script = Script(frozenset(), ("tell = MagicMock()", placed, "store.open()", "store.add('b')"), "tell.called")
    case = msgspec.structs.replace(CALL, script=script)
    shorter = [v.script.setup for v in vary(case, 40) if v.script and len(v.script.setup) < len(script.setup)]
    assert len(shorter) == 2
    assert all(placed in setup for setup in shorter)
    for value, said in (("True", "calls `tell`"), ("False", "does not call `tell`")):
        outcome = Outcome(case=0, kind="value", value=Description(value))
        assert describe_outcome(Observed(case=case, outcome=outcome, lines={}))[1] == said
