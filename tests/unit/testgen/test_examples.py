"""What documentation shows becomes scripts, as tests do."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.examples import example_cases
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from tests.support.projects import write_tree

DOCUMENTED = '''"""Prices.

>>> basket = Basket()
>>> basket.add("tea", count=2)
>>> basket.total("CH")
Decimal('12')
>>> unrelated()
1
"""
from decimal import Decimal

class Basket:
    def add(self, name, count=1): ...
    def total(self, country): ...

def unrelated():
    """Nothing.

    Example::

        unrelated(Decimal(3))
    """
'''
PLAIN = "class Basket:\n    def total(self, country): ...\n"
FENCED = """# Prices

```python
from shop import Basket

basket = Basket()
print(basket.total("CH"))
```

```bash
basket.total --all
```
"""
PROMPTS = "Prices\n======\n\n    >>> Basket().total('CH')\n    12\n    >>> 1 +\n    oops\n"
BLOCK = (
    "Prices\n\n.. code-block:: python\n   :linenos:\n\n   total = Basket().total('CH')\n   assert total == 12\n\nEnd.\n"
)


def scripts(tree: Path, source: str, name: str) -> list[tuple[set[tuple[str, str]], tuple[str, ...], str]]:
    parsed = parse_source(source)
    functions = list_functions(parsed, "shop/pricing.py", "shop.pricing")
    given = Source(
        path="shop/pricing.py",
        module="shop.pricing",
        tree=parsed,
        gap=Gap(path="shop/pricing.py", lines=frozenset()),
        entries=(),
        functions=functions,
        constructors={},
    )
    found = example_cases(tree, given, [f for f in functions if f.name == name])
    return [(set(c.script.imports), c.script.setup, c.script.look) for c in found if c.script is not None]


def test_an_example_of_a_docstring_is_looked_at_with_what_the_module_knows(tmp_path: Path) -> None:
    found = scripts(tmp_path, DOCUMENTED, "total")
    setup = ("basket = Basket()", "basket.add('tea', count=2)")
    assert ({("shop.pricing", "Basket")}, setup, "basket.total('CH')") in found
    assert not any("unrelated" in look for _, _, look in found)
    imports = {("decimal", "Decimal"), ("shop.pricing", "unrelated")}
    assert (imports, (), "unrelated(Decimal(3))") in scripts(tmp_path, DOCUMENTED, "unrelated")


@pytest.mark.parametrize(
    ("page", "text", "module", "setup", "look"),
    [
        ("README.md", FENCED, "shop", ("basket = Basket()",), "basket.total('CH')"),
        ("docs/guide/prices.rst", PROMPTS, "shop", (), "Basket().total('CH')"),
        ("docs/prices.rst", BLOCK, "shop", (), "Basket().total('CH')"),
    ],
)
def test_an_example_of_a_page_imports_what_the_package_offers(
    tmp_path: Path, page: str, text: str, module: str, setup: tuple[str, ...], look: str
) -> None:
    tree = write_tree(tmp_path, {"shop/__init__.py": "from shop.pricing import Basket\n", page: text})
    assert scripts(tree, PLAIN, "total")[-1] == ({(module, "Basket")}, setup, look)


def test_what_a_page_calls_before_is_done_before(tmp_path: Path) -> None:
    page = 'Prices::\n\n    basket = Basket()\n    basket.add("tea")\n    basket.total("CH")\n'
    tree = write_tree(tmp_path, {"shop/__init__.py": "from shop.pricing import Basket\n", "README.rst": page})
    found = [(setup, look) for _, setup, look in scripts(tree, PLAIN, "total")]
    assert (("basket = Basket()", "basket.add('tea')"), "basket.total('CH')") in found
    assert (("basket = Basket()",), "basket.total('CH')") in found


def test_a_page_that_names_no_open_function_gives_nothing(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {"README.md": FENCED.replace("total", "sum").replace("Basket", "Bag")})
    assert scripts(tree, PLAIN, "total") == []


def test_a_page_behind_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.md").write_text(FENCED)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "README.md").symlink_to(tmp_path / "elsewhere.md")
    assert scripts(tree, PLAIN, "total") == []
