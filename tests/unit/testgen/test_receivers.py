"""Rows whose objects differ in what they were made with."""

from __future__ import annotations

import pytest

from greenlane.testgen.choose import choose_tests
from greenlane.testgen.neighbours import Style
from greenlane.testgen.receivers import are_made_alike
from greenlane.testgen.render import WrittenCase, render_file
from tests.unit.testgen.versions import seen


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        ("Version('1.0')", True), ("Version('2rc')", True), ("Other('1.0')", False), ("Version('1.0', True)", False),
        ("Version(strict='1.0')", False), ("version", False), (None, False),
    ],
)  # fmt: skip
def test_objects_are_alike_that_differ_in_what_they_were_given(other: str | None, alike: bool) -> None:
    assert are_made_alike("Version('1.0')", other) is alike


def test_a_method_without_arguments_is_tried_on_rows_of_objects_that_are_made_in_the_test() -> None:
    two = [seen("Version('1rc', strict=True)", "False", 5), seen("Version('1', strict=False)", "True", 6)]
    wanted = frozenset({("shop/version.py", 5), ("shop/version.py", 6)})
    (chosen,) = choose_tests(two, wanted)
    text = render_file([WrittenCase(name="test_it", purpose="It.", chosen=chosen)], Style(folder="tests"))
    assert "def test_it(given, strict, expected):" in text
    assert "Version(given, strict=strict).is_final() == expected" in text
    named = WrittenCase(name="test_it", purpose="It.", chosen=chosen, makers={"Version": ("number", "strict")})
    assert "Version(number, strict=strict).is_final() == expected" in render_file([named], Style(folder="tests"))


def test_what_is_made_of_a_fixture_is_no_row() -> None:
    names = frozenset({"tmp_path"})
    two = [seen("Version(tmp_path)", "False", 5, fixtures=names), seen("Version('1')", "True", 6, fixtures=names)]
    assert len(choose_tests(two, frozenset({("shop/version.py", 5), ("shop/version.py", 6)}))) == 2
