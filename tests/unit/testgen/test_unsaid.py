"""What a test holds answers with what the code does with it, where it gave nothing."""

from __future__ import annotations

from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Description, Script
from greenlane.testgen.unsaid import unsaid
from tests.support.sources import source_at

TEXT = """
class Phone:
    def __init__(self, shell):
        self.shell = shell

    def pictures(self, every):
        self.shell.run("shoot")
        if every:
            found = self.shell.run("ls").decode("utf-8").split()
            return found
        told = self.shell.told()
        for line in told:
            print(line)

    async def sized(self):
        size = await self.shell.size("a")
        return size["width"]
"""


def made(
    line: int, message: str, script: Script, error: str = "AttributeError", outcome: Outcome | None = None
) -> list[str]:
    source = source_at(TEXT, line)
    ((_, entry),) = source.entries
    case = Case(
        entry=entry,
        receiver=None,
        arguments=(),
        imports=frozenset(),
        fixtures=frozenset(),
        carved=True,
        script=script,
    )
    outcome = outcome or Outcome(
        case=0, kind="raises", error=("builtins", error), message=message, at=("shop.py", line)
    )
    seen = Observed(case=case, outcome=outcome, lines={"shop.py": frozenset({line})})
    found = unsaid([seen], source, frozenset({("shop.py", line)}))
    return [one.script.text for one in found if one.script is not None]


def test_a_method_that_gave_nothing_gives_what_the_code_does_with_it() -> None:
    script = Script(imports=frozenset(), setup=("phone = Phone(Fake())",), look="phone.pictures(True)")
    found = made(9, "'NoneType' object has no attribute 'decode'", script)
    before = "phone = Phone(Fake())\nphone.shell.run = MagicMock(return_value=b'abc')\nphone.pictures(True)"
    looks = ("phone.shell.run.call_args.args", "phone.shell.run.call_args_list[0].args")
    assert found == [before, *(f"{before}\n{look}" for look in looks)]


def test_what_a_stand_in_was_told_first_is_its_answer_then() -> None:
    setup = ("phone = Phone(Fake())", "phone.shell.run = MagicMock(return_value=b'abc')", "phone.pictures(True)")
    script = Script(imports=frozenset(), setup=setup, look="phone.shell.run.call_args_list[0].args")
    value = Description("(['shoot', '-p', '/sd/one.png'],)")
    found = made(9, "", script, outcome=Outcome(case=0, kind="value", value=value))
    assert found[0] == "\n".join((setup[0], "phone.shell.run = MagicMock(return_value=b'/sd/one.png')", setup[2]))


def test_the_stand_in_is_put_in_place_inside_of_a_block() -> None:
    block = "with patch('shop.a'):\n    phone = Phone(Fake())\n    inside = phone.pictures(False)"
    script = Script(imports=frozenset(), setup=(block,), look="inside")
    found = made(12, "'NoneType' object is not iterable", script, "TypeError")
    assert found[0] == (
        "with patch('shop.a'):\n    phone = Phone(Fake())\n"
        "    phone.shell.told = MagicMock(return_value=['a', 'b'])\n    inside = phone.pictures(False)\ninside"
    )


def test_what_is_awaited_is_answered_by_one_that_can_be() -> None:
    script = Script(imports=frozenset(), setup=("phone = Phone(Fake())",), look="asyncio.run(phone.sized())")
    found = made(17, "'NoneType' object is not subscriptable", script, "TypeError")
    assert "phone.shell.size = AsyncMock(return_value={'width': 'a'})" in found[0]


def test_an_error_that_speaks_of_something_else_asks_for_no_answer() -> None:
    script = Script(imports=frozenset(), setup=("phone = Phone(Fake())",), look="phone.pictures(True)")
    assert made(9, "'int' object has no attribute 'decode'", script) == []
