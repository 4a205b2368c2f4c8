"""Files of a change are looked at in an order in which what was seen of one helps with the next."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.source import Source, users_first
from greenlane.testgen.targets import Gap


def source(path: str, text: str) -> Source:
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    gap = Gap(path=path, lines=frozenset(), changed=frozenset(), branches=frozenset())
    return Source(path=path, module=module, tree=ast.parse(text), gap=gap, entries=(), functions=(), constructors={})


@pytest.mark.parametrize(
    "text", ["from . import formats", "from .formats import read", "import shop.formats", "from shop.formats import *"]
)
def test_a_file_that_uses_another_comes_before_it(text: str) -> None:
    files = [source("shop/formats.py", "import json"), source("shop/parser.py", f"def parse():\n    {text}")]
    assert [one.path for one in users_first(files)] == ["shop/parser.py", "shop/formats.py"]


def test_what_uses_each_other_or_nothing_stays_in_its_order() -> None:
    files = [source("a.py", "import b"), source("b.py", "import a"), source("c.py", "")]
    assert users_first(files) == files
