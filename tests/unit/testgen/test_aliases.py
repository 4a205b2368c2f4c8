"""Annotations by a name are written out."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.aliases import constructors_with_aliases, with_aliases
from greenlane.testgen.code import Param, list_functions

KINDS = """
if TYPE_CHECKING:
    from .deeper import Part
    RGBA: TypeAlias = tuple[float, float] | Gray
Gray = Union[int, "Part"]
LIMIT = 3
Row = ROWS[0]
"""
DEEPER = "Part = dict[str, int]\n"
TEXT = """
from shop.kinds import RGBA, Row, LIMIT
Names = list[str]
Both = str | None
Own = make()

def told(one: RGBA, two: Names, three: "list[Both]", four: Row, five: Own, six: shop.RGBA, seven=None): ...
"""


def test_names_are_written_out_also_those_of_other_modules() -> None:
    modules = {"shop.kinds": ("shop/kinds.py", KINDS), "shop.deeper": ("shop/deeper.py", DEEPER)}

    def read(name: str) -> tuple[str, ast.Module] | None:
        return (modules[name][0], ast.parse(modules[name][1])) if name in modules else None

    tree = ast.parse(TEXT)
    (told,) = with_aliases(list_functions(tree, "shop/a.py", "shop.a"), tree, "shop/a.py", "shop.a", read)
    assert [param.annotation for param in told.params] == [
        "tuple[float, float] | Union[int, 'Part']", "list[str]", "'list[str | None]'", "Row", "Own", "shop.RGBA", "",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["Loop = list[Loop]\n", "Loop = Union[Other, Loop]\nOther = Union[Loop, Loop]\n"])
def test_an_alias_of_itself_ends(text: str) -> None:
    tree = ast.parse(f"{text}def f(a: Loop): ...\n")
    (told,) = with_aliases(list_functions(tree, "a.py", "a"), tree, "a.py", "a", lambda _: None)
    assert len(told.params[0].annotation) <= 300


def test_a_package_hands_on_what_its_modules_bind_also_to_classes() -> None:
    modules = {
        "shop.kinds": ("shop/kinds/__init__.py", "from shop.kinds.amount import Amount\n"),
        "shop.kinds.amount": ("shop/kinds/amount.py", "Amount = Union[Coin, str]\n"),
    }

    def read(name: str) -> tuple[str, ast.Module] | None:
        return (modules[name][0], ast.parse(modules[name][1])) if name in modules else None

    tree = ast.parse("from shop.kinds import Amount, Other\n")
    params = (Param(name="a", annotation="Optional[Amount]"), Param(name="b", annotation="Other"))
    found = constructors_with_aliases({"Order": params}, tree, "shop/a.py", "shop.a", read)
    assert [one.annotation for one in found["Order"]] == ["Optional[Union[Coin, str]]", "Other"]
