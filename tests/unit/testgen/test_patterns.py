"""Regular expressions of the code: told apart from other texts, and what they match."""

from __future__ import annotations

import re

import pytest

from greenlane.testgen.patterns import is_pattern, samples


@pytest.mark.parametrize("pattern", [r"\bid\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", r"[+-]?\d{2,4}(\.\d+)?", r"^ {0,3}(#+)"])
def test_short_texts_that_a_pattern_matches(pattern: str) -> None:
    assert is_pattern(pattern)
    found = samples(pattern)
    assert found == samples(pattern)
    assert len(found) > 1
    assert all(re.fullmatch(pattern, text) for text in found)


@pytest.mark.parametrize("text", ["a word", "Expected ')', got %s", "[draft]", "**bold**", "x (y)", "a.b"])
def test_plain_texts_are_none(text: str) -> None:
    assert not is_pattern(text)


def test_what_is_no_pattern_after_all_matches_nothing() -> None:
    assert samples("(?:") == ()
