"""Words for names, from pieces of code."""

from __future__ import annotations

import pytest

from greenlane.testgen.words import words_of


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("RegExMatch", "reg ex match"),
        ("RelativeOIDDecoder", "relative oid decoder"),
        ("valueDecoder", "value decoder"),
        ("HTTPServer", "http server"),
        ("NaN", "nan"),
        ("self.total_cents", "total cents"),
    ],
)
def test_a_name_of_several_words_is_taken_apart(name: str, words: str) -> None:
    assert words_of(name) == words
