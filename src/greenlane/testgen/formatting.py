"""The text of a test file as the project's formatter would leave it, its imports in order."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import ruff  # type: ignore[import-untyped]  # the package only finds its program

from greenlane.testgen.inputs import Import
from greenlane.testgen.layout import Layout

_FORMAT_S = 30


def format_source(text: str, layout: Layout) -> str:
    """The text as ruff formats it by this layout; as it is if ruff can't."""
    settings = (
        f"line-length={layout.line_length}",
        f"indent-width={layout.indent_width}",
        f"format.indent-style='{layout.indent}'",
        f"format.quote-style='{layout.quotes}'",
        f"format.skip-magic-trailing-comma={str(not layout.magic_comma).lower()}",
    )
    options = [word for setting in settings for word in ("--config", setting)]
    command = [ruff.find_ruff_bin(), "format", "--isolated", "--quiet", *options, "-"]
    try:
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, timeout=_FORMAT_S, check=True, env={}, cwd="/"
        )
    except (subprocess.SubprocessError, OSError):
        return text
    return done.stdout.decode()


def import_lines(imports: set[Import], project: set[str]) -> str:
    """Standard library, third parties, the project; each sorted, names of one module together."""
    groups: list[dict[str, set[str]]] = [{}, {}, {}]
    for module, name in sorted(imports):
        top = module.split(".")[0]
        place = 2 if top in project else 0 if top in sys.stdlib_module_names else 1
        groups[place].setdefault(module, set()).add(name)
    blocks = []
    for group in groups:
        plain = [f"import {module}" for module, names in sorted(group.items()) if "" in names]
        named = [
            f"from {module} import {', '.join(sorted(names - {''}))}"
            for module, names in sorted(group.items())
            if names - {""}
        ]
        if plain or named:
            blocks.append("\n".join([*plain, *named]))
    return "\n\n".join(blocks)


def wrapped(text: str, width: int) -> str:
    """In lines of that many characters, as far as its words allow."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def docstring(text: str, width: int) -> list[str]:
    """The lines of a docstring that says this: one if it fits."""
    safe = text.replace("\\", "\\\\").replace('"""', "'''")
    if len(safe) + 6 <= width:
        return [f'"""{safe}"""']
    first, *rest = wrapped(f'"""{safe}', width).splitlines()
    return [first, *rest, '"""']
