"""Where the parts of a test file stand: tests in classes or alone, and an import inside of the one test that means
something else by a name than those before it. Pure; for `render.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from greenlane.testgen.formatting import import_lines
from greenlane.testgen.inputs import Import, bound_by

_DOCSTRING = '"""'


def arranged(blocks: Mapping[str, Sequence[str]], form: str) -> str:
    """The tests below what they are about, in the form of the file (`function`, `class`, `unittest`)."""
    if form == "function":
        return "\n\n".join(source for sources in blocks.values() for source in sources)
    parts = []
    for title, sources in blocks.items():
        head = f"class {title}Test(unittest.TestCase):" if form == "unittest" else f"class Test{title}:"
        parts.append(f"{head}\n" + "\n".join(_indent(source) for source in sources))
    return "\n\n".join(parts)


def _indent(text: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))


def bound_otherwise(own: Iterable[Import], bound: dict[str, Import], head: Iterable[str]) -> set[Import]:
    """Of what a test imports, what binds a name that an earlier one binds to something else (`import decimal` beside
    `from shop import decimal`); not where its decorators need it. The rest is added to what is `bound`."""
    words = {word for line in head for word in re.findall(r"\w+", line)}
    apart = {pair for pair in own if bound.setdefault(bound_by(pair), pair) != pair and not _is_alike(pair, bound)}
    return {pair for pair in apart if bound_by(pair) not in words}


def _is_alike(pair: Import, bound: Mapping[str, Import]) -> bool:
    """Two modules of one package are bound by the package's name, both of them."""
    other = bound[bound_by(pair)]
    plain = not pair[1] and not other[1] and " as " not in pair[0] + other[0]
    return plain or (pair[0].split(".")[0] == other[0].split(".")[0] and pair[1] == other[1])


def with_imports(lines: Sequence[str], imports: set[Import]) -> list[str]:
    """The body of a test, indented, its own imports below its docstring."""
    if not imports:
        return [f"    {line}" for line in lines]
    end = next((n for n, line in enumerate(lines) if line.endswith(_DOCSTRING) and (n or len(line) > 3)), 0) + 1
    own = [line for line in import_lines(imports, set()).splitlines() if line]
    return [f"    {line}" if line else "" for line in (*lines[:end], *own, "", *lines[end:])]
