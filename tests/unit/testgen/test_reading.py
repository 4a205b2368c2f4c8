"""Files of a change come from outside: what is read of them, and what is not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from greenlane.testgen.classes import absolute_module
from greenlane.testgen.gates import imported_tops
from greenlane.testgen.reading import parse_inside, read_inside


def test_a_file_outside_of_the_tree_a_huge_one_and_no_python_are_not_read(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "outside.py").write_text("SECRET = 1\n")
    (tree / "link.py").symlink_to(tmp_path / "outside.py")
    (tree / "large.py").write_text("a = 1\n" * 10)
    (tree / "broken.py").write_text("def (\n")
    assert [read_inside(tree, tree / name) for name in ("link.py", "none.py")] == [None, None]
    assert read_inside(tree, tree / "large.py", 59) is None
    assert read_inside(tree, tree / "large.py", 60) is not None
    assert parse_inside(tree, tree / "broken.py") is None


@pytest.mark.parametrize(
    ("text", "package", "module"),
    [
        ("from shop.models import Order", "", "shop.models"),
        ("from . import Order", "shop.fees", "shop.fees"),
        ("from ..models import Order", "shop.fees", "shop.models"),
        ("from ...models import Order", "shop.fees", None),
        ("from .models import Order", "", None),
    ],
)
def test_dots_count_from_the_package_and_lead_nowhere_outside_of_it(
    text: str, package: str, module: str | None
) -> None:
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.ImportFrom)
    assert absolute_module(node, package) == module


def test_a_test_may_import_what_the_file_under_test_imports(tmp_path: Path) -> None:
    (tmp_path / "till.py").write_text("import yaml.nodes as nodes\nfrom lexer.errors import Lost\nfrom . import own\n")
    assert imported_tops(tmp_path, "till.py") == {"yaml", "lexer"}
    assert imported_tops(tmp_path, "none.py") == frozenset()
