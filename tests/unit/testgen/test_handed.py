"""A stand-in that a call was given is looked at afterwards."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.guesses import guess_values
from greenlane.testgen.handed import handed
from greenlane.testgen.inputs import Case, Description
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from greenlane.testgen.uses import told_by_uses

TEXT = """
def send(client, text):
    client.post(text, 1)
    client.put(url=text)


async def fetch(session, text):
    await session.get_page(text)


class Shop:
    def __init__(self, bus):
        self.bus = bus

    def close(self):
        self.bus.tell_all("closed")


def each(items, told):
    for item in items:
        told(item)


def warned(self, keys):
    if set(keys) - set(self.keys):
        self.callback(keys)


def install(args, ctx):
    ctx.mackup.check_env()


def ask(session, verb, url):
    yield getattr(session, verb)(url)
"""
TREE = ast.parse(TEXT)
FUNCTIONS = told_by_uses(list_functions(TREE, "shop.py", "shop"), TREE)


def shown(line: int, name: str, receiver: str | None, *arguments: str, listed: bool = False) -> list[list[str]]:
    entry = next(f for f in FUNCTIONS if f.name == name)
    given = tuple((None, text) for text in arguments)
    case = Case(
        entry=entry, receiver=receiver, arguments=given, imports=frozenset({("unittest.mock", "MagicMock")}),
        fixtures=frozenset(), carved=False,
    )  # fmt: skip
    gap = Gap(path="shop.py", lines=frozenset({line}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=FUNCTIONS, constructors={})
    seen = Observed(
        case=case,
        outcome=Outcome(case=0, kind="value", value=Description("None"), listed=listed),
        lines={"shop.py": frozenset({line})},
    )
    found = handed([seen], source, frozenset({("shop.py", line)}))
    return [[*one.script.setup, one.script.look] for one in found if one.script]


def test_what_its_methods_were_given_is_looked_at_those_first_that_are_near() -> None:
    made = ["client = MagicMock()", "send(client, 'a')"]
    assert shown(4, "send", None, "MagicMock()", "'a'") == [
        [*made, "client.put.call_args.kwargs"], [*made, "client.post.call_args.args"], [*made, "client.put.called"],
    ]  # fmt: skip


def test_what_is_awaited_is_looked_at_as_such() -> None:
    fetch = next(f for f in FUNCTIONS if f.name == "fetch")
    assert "AsyncMock()" in guess_values(fetch.params[0], fetch)
    coroutine = (
        "async def outcome():\n    session = AsyncMock()\n    await fetch(session, 'a')\n"
        "    return session.get_page.await_args.args"
    )
    assert shown(8, "fetch", None, "AsyncMock()", "'a'")[0] == [coroutine, "asyncio.run(outcome())"]


def test_a_part_of_the_object_is_looked_at_too() -> None:
    assert shown(16, "close", "Shop(MagicMock())")[0] == [
        "given = MagicMock()", "Shop(given).close()", "given.tell_all.call_args.args",
    ]  # fmt: skip


def test_a_stand_in_with_something_in_it_is_looked_at_too() -> None:
    assert shown(26, "warned", None, "MagicMock(keys=['a'])", "['b']")[0] == [
        "self = MagicMock(keys=['a'])", "warned(self, ['b'])", "self.callback.call_args.args",
    ]  # fmt: skip


def test_a_function_of_the_tests_own_tells_what_it_was_given_where_nothing_else_is_seen() -> None:
    assert shown(21, "each", None, "[1, 2]", "lambda value: value") == [
        ["told = MagicMock(side_effect=lambda value: value)", "each([1, 2], told)", "told.call_args.args"]
    ]
    assert not shown(21, "each", None, "lambda value: value", "print")


def test_a_call_without_one_has_nothing_to_look_at() -> None:
    assert not shown(4, "send", None, "1", "'a'")


def test_a_method_of_a_part_is_looked_at_there_and_on_no_other_stand_in() -> None:
    made = ["ctx = MagicMock()", "install([], ctx)"]
    line = next(n for n, text in enumerate(TEXT.splitlines(), 1) if "check_env" in text)
    assert shown(line, "install", None, "[]", "MagicMock()") == [
        [*made, "ctx.mackup.check_env.call_args.args"], [*made, "ctx.mackup.check_env.called"],
    ]  # fmt: skip
    assert shown(line, "install", None, "MagicMock()", "None") == []


def test_what_is_called_by_its_name_is_looked_at_with_it_and_what_yields_is_gone_over() -> None:
    line = TEXT.splitlines().index("    yield getattr(session, verb)(url)") + 1
    assert shown(line, "ask", None, "MagicMock()", "'get'", "'/a'", listed=True) == [
        ["session = MagicMock()", "list(ask(session, 'get', '/a'))", "tuple(session.method_calls[0])"],
    ]
