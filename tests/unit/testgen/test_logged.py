"""What shows in nothing but the log is looked at there."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.logged import logged
from greenlane.testgen.naming import called_instead, describe_outcome, seen_after
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

PRINTED = "printed.getvalue()"
TEXT = """
def apply(text):
    if not text:
        _LOGGER.warn("nothing to do for %r", text)
        return
    dialog.error(text)
"""
TREE = ast.parse(TEXT)
(APPLY,) = list_functions(TREE, "shop.py", "shop")
CALL = Case(
    entry=APPLY, receiver=None, arguments=((None, "''"),), imports=frozenset(), fixtures=frozenset(), carved=True,
)  # fmt: skip


def seen(case: Case, *lines: int) -> Observed:
    return Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop.py": frozenset(lines)})


def found(line: int, *ran: int, unittest: bool = False) -> list[Case]:
    gap = Gap(path="shop.py", lines=frozenset({line}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=(APPLY,), constructors={})
    return logged([seen(CALL, *ran)], source, frozenset({("shop.py", line)}), unittest=unittest)


def test_what_is_logged_is_looked_at() -> None:
    by_fixture, patched, _ = found(5, 3, 4, 5)
    assert by_fixture.script is not None
    assert patched.script is not None
    assert by_fixture.script.text.splitlines() == ["caplog.set_level('DEBUG')", "apply('')", "caplog.messages"]
    assert by_fixture.fixtures == {"caplog"}
    assert patched.script.text.splitlines() == [
        "with patch('logging.Logger.warning') as warning:", "    apply('')", "warning.call_args.args",
    ]  # fmt: skip
    assert describe_outcome(seen(by_fixture))[1] == "logs this"
    assert describe_outcome(seen(patched))[1] == "gives this to `warning`"
    assert seen_after(seen(patched)) is None


def test_a_class_of_unittest_has_no_fixtures() -> None:
    assert not any(case.fixtures for case in found(5, 3, 4, 5, unittest=True))


def test_where_nothing_was_logged_or_by_no_logger_there_is_nothing_to_see() -> None:
    assert not found(5, 3, 5)
    assert not found(6, 3, 6)


LEAVING = """
import sys

def leave(code):
    print("unknown", file=sys.stderr)
    sys.exit(code)
"""
(LEAVE,) = list_functions(ast.parse(LEAVING), "shop.py", "shop")


def left(unittest: bool, **outcome: object) -> list[str]:
    gap = Gap(path="shop.py", lines=frozenset({6}))
    tree = ast.parse(LEAVING)
    source = Source(path="shop.py", module="shop", tree=tree, gap=gap, entries=(), functions=(LEAVE,), constructors={})
    case = Case(
        entry=LEAVE, receiver=None, arguments=((None, "2"),), imports=frozenset(), fixtures=frozenset(), carved=True
    )
    raised = Outcome(case=0, kind="raises", error=("builtins", "SystemExit"), importable=True, **outcome)  # type: ignore[arg-type]  # it fits
    one = Observed(case=case, outcome=raised, lines={"shop.py": frozenset({5, 6})})
    found = logged([one], source, frozenset({("shop.py", 6)}), unittest=unittest)
    return [case.script.text for case in found if case.script is not None]


def test_what_is_printed_before_an_error_is_looked_at_after_it() -> None:
    by_fixture, redirected = left(unittest=False, deliberate=True)
    assert by_fixture == "with pytest.raises(SystemExit):\n    leave(2)\ncapsys.readouterr().err"
    (only,) = left(unittest=True, deliberate=True)
    assert only == redirected
    assert only.splitlines()[0] == "with redirect_stderr(StringIO()) as printed, suppress(SystemExit):"
    assert only.splitlines()[-1] == "printed.getvalue()"


def test_what_was_printed_is_told_of_the_call_and_not_of_the_stream() -> None:
    script = Script(
        imports=frozenset(), setup=("with redirect_stderr(StringIO()) as printed:\n    main(2)",), look=PRINTED
    )
    told = Observed(case=CALL.with_script(script), outcome=Outcome(case=0, kind="value"), lines={})
    assert describe_outcome(told) == ("", "prints this")
    assert called_instead(told) == ""


def test_what_is_printed_before_a_crash_is_not() -> None:
    assert not left(unittest=False, deliberate=False)


def test_what_is_logged_as_something_fails_is_looked_at_outside_of_the_block_in_which_that_fails() -> None:
    block = "with patch('shop.rate', side_effect=ValueError('abc')):\n    inside = apply('')"
    script = Script(imports=frozenset({("unittest.mock", "patch")}), setup=("a = 1", block), look="inside")
    gap = Gap(path="shop.py", lines=frozenset({5}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=(APPLY,), constructors={})
    left = frozenset({("shop.py", 5)})
    first, _ = logged([seen(CALL.with_script(script), 3, 4, 5)], source, left, unittest=True)
    assert first.script is not None
    assert first.script.text.splitlines() == [
        "a = 1", "with patch('logging.Logger.warning') as warning:",
        "    with patch('shop.rate', side_effect=ValueError('abc')):", "        inside = apply('')",
        "warning.call_args.args",
    ]  # fmt: skip
