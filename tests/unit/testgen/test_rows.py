"""Rows of parametrised tests."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.inputs import CarvedRow, Description
from greenlane.testgen.rows import rows_of, rows_seen

TEST = """
@pytest.mark.parametrize("kind", [One, shop.Two, lambda: 3, Three()])
@pytest.mark.parametrize(
    ("text", "count"), [("a", 1), ("a-b", -2), ("b\\n", None), pytest.param("c", 3.5, id="last"), ([], True)]
)
def test_it(text, count, kind): ...
"""
NAMED = """
@pytest.mark.parametrize("text", ["a", "b"], ids=["first", "second"])
def test_it(text): ...
"""


def decorators(text: str) -> list[ast.expr]:
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.FunctionDef)
    return node.decorator_list


@pytest.mark.parametrize(
    ("told", "row"),
    [
        ("a-1-One", ("'a'", "1", "One")),
        ("a-b--2-Two", ("'a-b'", "-2", "shop.Two")),
        ("b\\n-None-kind2", ("'b\\n'", "None", "lambda: 3")),
        ("last-kind3", ("'c'", "3.5", "Three()")),
        ("text4-True-One", ("[]", "True", "One")),
    ],
)
def test_the_row_that_pytest_calls_so_is_read(told: str, row: tuple[str, ...]) -> None:
    (found,) = rows_of(decorators(TEST), {}, told)
    assert tuple(ast.unparse(found[name]) for name in ("text", "count", "kind")) == row


@pytest.mark.parametrize("told", ["", "a-1", "a-1-Other", "a-1-One-b"])
def test_where_no_row_is_called_so_the_first_ones_are(told: str) -> None:
    found = rows_of(decorators(TEST), {}, told)
    assert [ast.unparse(row["kind"]) for row in found] == ["One", "shop.Two", "lambda: 3"]


def test_a_row_is_told_by_the_name_that_the_test_gives_to_it() -> None:
    (found,) = rows_of(decorators(NAMED), {}, "second")
    assert ast.unparse(found["text"]) == "'b'"
    assert len(rows_of(decorators(NAMED), {}, "b")) == 2


def test_rows_that_the_file_does_not_say_are_those_that_were_seen() -> None:
    path = Description("Path('a.py')", (("pathlib", "Path"),))
    seen = [CarvedRow("TestCases::test_it[path0]", (("path", path), ("count", Description("2")))),
            CarvedRow("TestCases::test_it[path1]", (("path", Description("'b.py'")), ("count", Description("3")))),
            CarvedRow("TestCases::test_it[path2]", (("path", Description("x", (), ("x",))), ("count", path))),
            CarvedRow("TestCases::test_other[path0]", (("path", path),))]  # fmt: skip
    seen = [CarvedRow(f"tests/test_a.py::{row.test}", row.values) for row in seen]
    rows, imports = rows_seen(seen, "TestCases::test_it", "path0", {})
    assert [{key: ast.unparse(value) for key, value in row.items()} for row in rows] == [
        {"path": "Path('a.py')", "count": "2"}
    ]
    assert imports == {"Path": ("pathlib", "Path")}
    assert len(rows_seen(seen, "TestCases::test_it", "", {})[0]) == 2
    assert rows_seen(seen, "TestCases::test_it", "path0", {"Path": ("shop", "Path")}) == ([], {})
