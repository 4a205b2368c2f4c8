"""The text of a test file as the formatter writes it."""

from __future__ import annotations

import subprocess

import ruff  # type: ignore[import-untyped]  # the package only finds its program

_FORMAT_S = 30


def format_source(text: str, line_length: int) -> str:
    """The text as ruff formats it; as it is if ruff can't."""
    command = [ruff.find_ruff_bin(), "format", "--isolated", "--quiet", "--line-length", str(line_length), "-"]
    try:
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, timeout=_FORMAT_S, check=True, env={}, cwd="/"
        )
    except (subprocess.SubprocessError, OSError):
        return text
    return done.stdout.decode()
