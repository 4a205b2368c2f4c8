"""The text of a test file as the project's formatter would leave it."""

from __future__ import annotations

import subprocess

import ruff  # type: ignore[import-untyped]  # the package only finds its program

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
