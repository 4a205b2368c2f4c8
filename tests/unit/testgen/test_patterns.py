"""Regular expressions of the code: told apart from other texts, and what they match."""

from __future__ import annotations

import ast
import re

import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.patterns import is_pattern, samples, told_by_patterns


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


def test_each_way_of_a_pattern_is_gone_once_with_numbers_in_and_out_of_bounds() -> None:
    found = samples(r"(?x) ^ (\d{2}) : (\d{2}) (?: \. (\d+) )? (Z | [+-]\d{2})? $")
    assert found[:4] == ("12:12.12Z", "12:12", "12:12.12+12", "99:99.99Z")
    assert {"99:99.99+99", "12:12Z", "12:12.12", "12:12.12-12"} <= {*found}


def test_a_group_that_is_named_again_and_signs_of_a_set() -> None:
    assert samples(r"(['\"])(.*?)\1") == ("'ab'", "''", '"ab"')
    assert samples(r"[^\s,]+=[A-Fa-f0-9]{4}") == ("ab=ABAB", "a=ABAB", "ab=abab", "ab=1212")


@pytest.mark.parametrize(
    "pattern",
    [r"a{1000}", r"(a{50}){50}", r"((a|b|c|d|e)(a|b|c|d|e){9}){9}", "(?:" * 400 + ")" * 400, "(?:" * 9 + "){80}" * 9],
)
def test_a_pattern_without_short_texts_ends_soon(pattern: str) -> None:
    assert samples(pattern) == ()


def test_what_a_pattern_tells_is_of_its_kind_and_has_its_flags() -> None:
    tree = ast.parse("re.compile(r'\\d - x', re.VERBOSE)\nre.match(rb'a+', data)\nmatch('b+')\nother.sub('c', '', d)")
    assert [*told_by_patterns(tree).values()] == [("1-x", "9-x"), (b"a",)]


def test_a_function_is_tried_with_what_its_patterns_match() -> None:
    tree = ast.parse(
        "import re\n_DAY = re.compile(r'(\\d{2})\\.(\\d{2})', re.ASCII)\n"
        "def day(text):\n    found = _DAY.match(text)\n    return found or re.fullmatch('[a-z]{3}', text)\n"
    )
    (function,) = list_functions(tree, "days.py", "days")
    assert function.constants == ("12.12", "99.99", "aba")


def test_a_pattern_that_is_put_together_of_other_texts_is_one() -> None:
    tree = ast.parse(
        "import re\nDAY = r'\\d{2}'\nDATE = DAY + r'\\.' + DAY\n"
        "_FULL = re.compile(rf'{DATE} (?P<hour>[0-9]+)h', re.I)\n"
        "_OTHER = re.compile(DATE + unknown)\n\ndef day(text):\n    return _FULL.match(text) or _OTHER.match(text)\n"
    )
    (function,) = list_functions(tree, "days.py", "days")
    assert function.constants == ("12.12 12h", "12.12 1h", "99.99 99h")


def test_many_alternatives_and_texts_put_together_without_an_end_are_left() -> None:
    assert len(samples("|".join(f"word{number}x?" for number in range(3000)))) <= 10
    tree = ast.parse(
        "import re\nLONG = re.compile("
        + " + ".join(["'a'"] * 90)
        + ")\n\ndef find(text):\n    return LONG.match(text)\n"
    )
    (function,) = list_functions(tree, "days.py", "days")
    assert function.constants == ("a",)
