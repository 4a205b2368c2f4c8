"""Programs as texts: only for code that works on programs, and only with what the change is about."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.pythontexts import python_texts

PROGRAMS = [f"import a{n}\na{n} = {n}" for n in range(5)]


@pytest.mark.parametrize(
    ("word", "kind"), [("MATCHSTAR", ast.MatchStar), ("visit_Lambda", ast.Lambda), ("rest", ast.MatchMapping)]
)
def test_a_kind_of_node_that_is_named_is_in_each_program(word: str, kind: type[ast.AST]) -> None:
    found = python_texts(PROGRAMS, [word])
    assert found
    assert all(any(isinstance(node, kind) for node in ast.walk(ast.parse(text))) for text in found)


def test_nothing_comes_of_common_words_or_for_texts_that_are_no_programs() -> None:
    assert python_texts(PROGRAMS, ["body", "lineno", "total"]) == []
    others = [f"select {n} from it" for n in range(90)]
    assert python_texts([*PROGRAMS, *others], ["MATCHSTAR"]) == []
    assert python_texts([*(f"import a{n}" for n in range(40)), *others], ["MATCHSTAR"])


def test_the_programs_of_the_tests_get_expressions_of_a_kind_that_is_named_also_inside_of_others() -> None:
    programs = [*PROGRAMS, "try:\n    work()\nexcept Error:\n    pass"]
    found = python_texts(programs, ["Call"], ["Attribute", "Name"])
    assert "try:\n    work()\nexcept a():\n    pass\n" in found
    assert "try:\n    work()\nexcept a().b:\n    pass\n" in found
    assert not any("except a.b:" in text for text in found), "the change is not about it"
