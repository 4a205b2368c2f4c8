"""Little files with something open, as the finds of the generator are given them."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap


def source_at(text: str, line: int, path: str = "shop.py") -> Source:
    """The file, with this line open; its one entry is the function around the line."""
    tree, module = ast.parse(text), path.removesuffix(".py").replace("/", ".")
    functions = list_functions(tree, path, module)
    entry = next(one for one in functions if one.first <= line <= one.last)
    return Source(
        path=path, module=module, tree=tree, gap=Gap(path=path, lines=frozenset({line})), entries=((0, entry),),
        functions=functions, constructors={},
    )  # fmt: skip
