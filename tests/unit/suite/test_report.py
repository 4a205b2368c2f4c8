"""What is said of a suite that ended before its last test."""

from __future__ import annotations

import pytest

from greenlane.suite.report import why_cut_short


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [(4, "look at commands.test"), (3, "one of its plugins broke"), (0, "a test ends the process")],
)
def test_the_exit_code_tells_why_a_suite_was_cut_short(exit_code: int, words: str) -> None:
    why = why_cut_short(exit_code)
    assert words in why
    assert f"(exit code {exit_code})" in why
