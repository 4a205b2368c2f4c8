"""What the functions and classes of a file take, and those of the files that import it: tests of a private module call
those. Called by `source.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

from greenlane.testgen.classes import list_constructors
from greenlane.testgen.code import Function, Param, list_functions
from greenlane.testgen.inputs import Constructors
from greenlane.testgen.reading import parse_text, read_inside
from greenlane.testgen.relayed import by_name
from greenlane.testgen.uses import members_of, with_takers, with_uses

_NONE: Constructors = MappingProxyType({})
_MAX_AROUND, _MAX_BYTES = 60, 400_000
"""Files that may import the changed one, and how large each may be."""


def offered_by(
    functions: Iterable[Function], parsed: ast.Module, known: Constructors = _NONE
) -> dict[str, tuple[Param, ...]]:
    """What the functions and classes of a module take, by name; `known` are classes of other modules, from which its
    own may inherit."""
    functions = tuple(functions)
    members, takers = members_of(parsed), by_name(functions)
    classes = {node.name: node for node in parsed.body if isinstance(node, ast.ClassDef)}
    made = {
        name: with_takers(with_uses(params, classes[name], members), classes[name], takers)
        for name, params in list_constructors(parsed, known).items()
    }
    return {f.name: f.params for f in functions if not f.name.startswith("__")} | made


def offered_around(tree: Path, path: str) -> dict[str, tuple[Param, ...]]:
    """The same for the files in the folder of a file, and in the one above, that import it. Reads files."""
    file = tree / path
    name = file.parent.name if file.stem == "__init__" else file.stem
    imports = re.compile(rf"^\s*(?:from|import)\b.*\b{re.escape(name)}\b", re.MULTILINE)
    around = sorted([*file.parent.glob("*.py"), *file.parent.parent.glob("*.py")])[:_MAX_AROUND]
    found: dict[str, tuple[Param, ...]] = {}
    for other in around:
        text = read_inside(tree, other, _MAX_BYTES) if other != file and not other.is_symlink() else None
        parsed = parse_text(text) if text is not None and imports.search(text) else None
        if parsed is not None:
            found = offered_by(list_functions(parsed, "", ""), parsed) | found
    return found
