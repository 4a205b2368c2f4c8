"""Objects of the project's own classes: found where they are defined, and made of what they demand."""

from __future__ import annotations

import ast
import textwrap

from greenlane.testgen.classes import imported_classes, list_constructors, with_classes
from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.inputs import Case
from greenlane.testgen.madeup import made_up_calls

MODULES = {
    "shop": ("shop/__init__.py", "from .models import Order"),
    "shop.kinds": ("shop/kinds.py", "import enum\nclass Tier(enum.Enum):\n    BASIC = 1\n    GOLD = 2\n"),
    "shop.models": (
        "shop/models.py",
        """
        from shop.kinds import Tier

        @dataclass
        class Row:
            shown: ClassVar[int] = 1
            tag = "row"
            name: str

        @dataclass
        class Line(Row):
            price: Decimal

        @dataclass
        class Order:
            lines: list[Line]
            tier: Tier = Tier.BASIC
        """,
    ),
    "shop.ring": ("shop/ring.py", "from shop.ring import Lost"),
}
SOURCE = """
if TYPE_CHECKING:
    from . import Order
    from .ring import Lost
    from elsewhere import Foreign

def fee(orders: Sequence[Order], *, lost: Lost | None = None):
    return 1
"""


def read(name: str) -> tuple[str, ast.Module] | None:
    if name not in MODULES:
        return None
    path, text = MODULES[name]
    return path, ast.parse(textwrap.dedent(text))


KNOWN = imported_classes(ast.parse(SOURCE), "shop/fees.py", "shop.fees", read)


def the_function() -> Function:
    (function,) = with_classes(list_functions(ast.parse(SOURCE), "shop/fees.py", "shop.fees"), KNOWN)
    return function


def test_classes_are_found_through_packages_and_what_they_are_made_of_with_them() -> None:
    assert dict(KNOWN.homes) == {"Order": "shop.models", "Line": "shop.models", "Tier": "shop.kinds"}
    assert KNOWN.choices == {"Tier": ("Tier.BASIC", "Tier.GOLD")}
    assert [param.name for param in KNOWN.constructors["Line"]] == ["name", "price"]


def test_an_object_stands_inside_the_container_that_is_asked_for_and_is_imported_from_its_home() -> None:
    cases: list[Case] = made_up_calls(the_function(), 0, 10, (), KNOWN.constructors)
    (_, text), *_ = cases[0].arguments
    assert text == "[Order([Line('a', Decimal('1.5'))])]"
    assert cases[0].imports == {("shop.models", "Order"), ("shop.models", "Line"), ("decimal", "Decimal")}


def test_an_init_says_what_its_subclasses_take() -> None:
    tree = ast.parse(
        "class Base:\n    def __init__(self, size): ...\nclass Sub(Base):\n    note: str\nclass Loop(Loop): ...\n"
    )
    assert [[p.name for p in params] for params in list_constructors(tree).values()] == [["size"], ["size"], []]


def test_options_that_an_init_hands_on_are_those_of_its_base() -> None:
    source = """
        class Rule:
            def __init__(self, kind, error=None, strict=False):
                self.kind = kind

        class Optional(Rule):
            def __init__(self, *args, strict=True, **kwargs):
                super().__init__(*args, **kwargs)

        class Silent(Rule):
            def __init__(self, kind, **kwargs):
                super().__init__(kind)
        """
    made = list_constructors(ast.parse(textwrap.dedent(source)))
    assert [(param.name, param.keyword_only) for param in made["Optional"]] == [("strict", True), ("error", True)]
    assert [param.name for param in made["Silent"]] == ["kind"]


def test_a_class_that_is_named_as_a_part_of_a_module_is_found_where_that_has_it_from() -> None:
    modules = {**MODULES, "shop.all": ("shop/all.py", "from .models import *")}

    def read_more(name: str) -> tuple[str, ast.Module] | None:
        return (modules[name][0], ast.parse(textwrap.dedent(modules[name][1]))) if name in modules else None

    source = (
        "from . import all as every\nimport sys\n\ndef fee(row):\n    return isinstance(row, (every.Row, sys.Foreign))"
    )
    known = imported_classes(ast.parse(source), "shop/fees.py", "shop.fees", read_more)
    assert dict(known.homes) == {"Row": "shop.models"}
    assert known.tags == {"Row": ("row",)}
    (function,) = with_classes(list_functions(ast.parse(source), "shop/fees.py", "shop.fees"), known)
    assert function.kinds == ("Row", "Foreign")
    assert function.home_of("Row") == "shop.models"


def test_a_new_that_asks_for_something_says_what_is_taken_and_is_run_by_a_call_of_the_class() -> None:
    source = """
class Map(namedtuple("Map", ("name", "items"))):
    def __new__(cls, name, *items): ...

class Plain(namedtuple("Plain", ("name",))):
    def __new__(cls, *values): ...
"""
    made = list_constructors(ast.parse(source))
    assert {name: [param.name for param in params] for name, params in made.items()} == {
        "Map": ["name"], "Plain": ["name"],
    }  # fmt: skip
    new = list_functions(ast.parse(source), "a.py", "a")[0]
    assert (new.kind, new.called, [param.name for param in new.params]) == ("init", "Map", ["name"])


def test_a_class_that_is_asked_for_beside_the_one_that_is_given_stands_in_the_container_too() -> None:
    text = textwrap.dedent(
        """
        class Mark:
            pass

        class Push(Mark):
            def __init__(self, name: str): ...

        def count(marks: list[Mark]):
            return [mark for mark in marks if isinstance(mark, Push)]
        """
    )
    tree = ast.parse(text)
    function = list_functions(tree, "shop.py", "shop")[-1]
    given = [case.arguments[0][1] for case in made_up_calls(function, 0, 10, (), list_constructors(tree))]
    assert any("Push(" in text and "Mark()" in text for text in given)
    assert "[Mark()]" in given
