"""Programs as texts: only for code that works on programs, and only with what the change is about."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.pythontexts import python_texts, spread_out

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


def test_the_programs_of_the_tests_are_put_into_statements_of_a_kind_that_is_named_and_use_what_those_bind() -> None:
    programs = [*PROGRAMS, "import log\nlog.warn('a', extra=dict(b=1))", "import log\nlog.warn(f'{a:>3}')"]
    found = python_texts(programs, ["visit_ExceptHandler"])
    head = "import log\ntry:\n    work()\nexcept* ValueError as error:\n    "
    wanted = ["log.warn(error, extra=dict(b=1))", "log.warn('a', extra=dict(b=error))", "log.warn(f'{error:>3}')"]
    assert {f"{head}{line}\n" for line in wanted} <= set(found)
    assert "import log\ntry:\n    work()\nexcept ValueError:\n    log.warn(f'{a:>3}')\n" in found, "it binds nothing"
    assert len(found) < 200


def test_what_stands_in_brackets_is_spread_over_lines_where_a_program_of_the_tests_is() -> None:
    rows = "match x:", "    case [", "        first,", "        *rest", "    ]:"
    spread = "\n".join([*rows, "        print(", "            first,", "            rest", "        )", ""])
    assert spread not in python_texts(PROGRAMS, ["MATCHSTAR"])
    assert spread in python_texts([*PROGRAMS, "f(\n    1,\n)"], ["MATCHSTAR"])


@pytest.mark.parametrize(
    ("text", "spread"),
    [
        ("f(a, [], b[1:2])\n", "f(\n    a,\n    [],\n    b[\n        1:2\n    ]\n)\n"),
        ("x = {\n  'a': (1, 2)}\n", "x = {\n  'a': (1, 2)}\n"),
        ("def f(a, *, b=1) -> None: ...\n", "def f(\n    a,\n    *,\n    b=1\n) -> None: ...\n"),
        ("f(a, 'é', (1,))\n", "f(\n    a,\n    'é',\n    (\n        1,\n    )\n)\n"),
        ("f((", "f(("),
        ("a, b = c\n", "a, b = c\n"),
    ],
)
def test_a_program_is_spread_so_that_it_stays_the_same_program(text: str, spread: str) -> None:
    assert spread_out(text) == spread
