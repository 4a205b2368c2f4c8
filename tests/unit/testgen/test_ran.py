"""Which existing tests are asked about a line: a few that ran little else, and of many some of each kind."""

from __future__ import annotations

import msgspec

from greenlane.suite.runner import SuiteRun
from greenlane.testgen.ran import noticing_tests


class _Run(msgspec.Struct):
    contexts: dict[str, dict[int, frozenset[str]]]


def test_focused_tests_and_some_of_each_kind_are_asked_about_a_line() -> None:
    wide = {f"t.py::test_{kind}_{n:03}" for kind in "abcd" for n in range(100)}
    narrow = {f"t.py::test_narrow_{n}" for n in range(3)}
    ran = {1: frozenset(wide), 2: frozenset(wide | narrow | {""})}
    run: SuiteRun = _Run({"shop.py": ran})  # type: ignore[assignment]  # the one part that is read
    asked = noticing_tests(2, "shop.py", run)
    assert set(asked[:3]) == narrow
    assert len(asked) <= 30
    assert {name.split("_")[1] for name in asked[3:]} == set("abcd")
    assert noticing_tests(3, "shop.py", run) == []
