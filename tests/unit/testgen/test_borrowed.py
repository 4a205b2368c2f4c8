"""Constants of other modules that a module names."""

from __future__ import annotations

import ast

from greenlane.testgen.borrowed import borrowed_constants
from greenlane.testgen.code import list_functions
from greenlane.testgen.quarry import quarry
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

MODULES = {
    "shop": ("shop/__init__.py", "from .signs import HEADER as HEAD\n"),
    "shop.signs": ("shop/signs.py", "import re\nHEADER = re.compile(r'^head (\\d+)$')\nLIMIT = 7\nNAMES = list\n"),
}
TEXT = """
from shop import HEAD, signs as known
from .signs import NAMES, LIMIT as most
from os import sep

def read(text):
    for row in text.splitlines():
        found = HEAD.match(row)
        if found:
            return int(found[1]) > known.LIMIT
    return NAMES(text)
"""


def read(name: str) -> tuple[str, ast.Module] | None:
    path, text = MODULES.get(name, ("", ""))
    return (path, ast.parse(text)) if path else None


def test_what_is_imported_and_named_is_known_also_through_a_package_and_by_its_module() -> None:
    found = borrowed_constants(ast.parse(TEXT), "shop/parser.py", "shop.parser", read)
    assert [ast.unparse(one) for one in found] == ["HEAD = re.compile('^head (\\\\d+)$')", "known.LIMIT = 7"]


def test_a_local_name_in_a_condition_leads_to_texts_that_its_pattern_matches() -> None:
    tree = ast.parse(TEXT)
    borrowed = borrowed_constants(tree, "shop/parser.py", "shop.parser", read)
    gap = Gap(path="shop/parser.py", lines=frozenset({10}), changed=frozenset({10}))
    functions = list_functions(tree, "shop/parser.py", "shop.parser", borrowed)
    source = Source(
        path="shop/parser.py", module="shop.parser", tree=tree, gap=gap, entries=(), functions=functions,
        constructors={}, borrowed=borrowed,
    )  # fmt: skip
    assert 7 in functions[0].constants
    (goal,) = quarry(source, gap, frozenset({("shop/parser.py", 10)}), (), ())["goals"]
    assert goal["words"][0].startswith("head ")
