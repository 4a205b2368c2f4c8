"""Where the parts of a test file stand."""

from __future__ import annotations

from greenlane.testgen.arranged import bound_otherwise, with_imports
from greenlane.testgen.inputs import Import


def test_a_name_that_means_something_else_in_one_test_is_imported_there() -> None:
    bound: dict[str, Import] = {}
    assert bound_otherwise({("shop", "decimal"), ("unittest", "")}, bound, []) == set()
    assert bound_otherwise({("decimal", ""), ("shop", "cart")}, bound, ["def test_cart():"]) == {("decimal", "")}
    body = with_imports(['"""Says', "something.", '"""', "assert decimal.Decimal(1) == 1"], {("decimal", "")})
    assert body == [
        '    """Says',
        "    something.",
        '    """',
        "    import decimal",
        "",
        "    assert decimal.Decimal(1) == 1",
    ]


def test_what_a_decorator_needs_stays_at_the_head_of_the_file() -> None:
    bound: dict[str, Import] = {"decimal": ("shop", "decimal")}
    head = ["@pytest.mark.parametrize('value', [decimal.Decimal(1)])", "def test_cart(value):"]
    assert bound_otherwise({("decimal", "")}, bound, head) == set()


def test_modules_of_one_package_share_its_name() -> None:
    bound: dict[str, Import] = {}
    assert bound_otherwise({("shop.cart", ""), ("shop.cart", "Cart")}, bound, []) == set()
    assert bound_otherwise({("shop.orders", ""), ("shop", "Cart")}, bound, []) == set()


def test_without_imports_of_its_own_a_body_is_indented_alone() -> None:
    assert with_imports(['"""Says."""', "pass"], set()) == ['    """Says."""', "    pass"]
