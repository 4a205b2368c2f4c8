"""What is said of a suite that ended before its last test."""

from __future__ import annotations

import pytest

from greenlane.suite.report import last_words, why_cut_short


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [(4, "look at commands.test"), (3, "one of its plugins broke"), (0, "a test ends the process")],
)
def test_the_exit_code_tells_why_a_suite_was_cut_short(exit_code: int, words: str) -> None:
    why = why_cut_short(exit_code)
    assert words in why
    assert f"(exit code {exit_code})" in why


@pytest.mark.parametrize(
    ("output", "words"),
    [("one\n\n  two\t\n\n", " (exit code 1: two)"), ("a\x1b[2Jb", " (exit code 1: a?[2Jb)"), ("\n", " (exit code 1)")],
)
def test_the_last_line_is_told_and_steers_no_terminal(output: str, words: str) -> None:
    assert last_words(1, output) == words


def test_a_long_last_line_is_cut() -> None:
    assert len(last_words(1, "x" * 10_000)) < 250
