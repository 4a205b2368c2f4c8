"""How results are printed: data on stdout, words on stderr, and no decoration where no person looks."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 100
"""The width of tables where there is no terminal to ask."""

LANE_STYLES = {
    "green": "green",
    "red": "bold red",
    "schema": "yellow",
    "performance": "yellow",
    "integration": "blue",
    "compliance": "magenta",
}
STATE_STYLES = {
    "deployed": "green",
    "awaiting_human": "bold yellow",
    "paused": "yellow",
    "postponed": "yellow",
    "blocked": "red",
    "rejected": "red",
    "rolled_back": "red",
    "superseded": "dim",
    "observed": "cyan",
}
MARK_STYLES = {
    "pending": "dim",
    "running": "bold blue",
    "waiting": "bold yellow",
    "passed": "green",
    "failed": "red",
    "undone": "red",
}


def console(*, stderr: bool = False) -> Console:
    """A console that honours NO_COLOR and a missing terminal. Foreign text goes in as `Text`, never as markup."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if terminal else PLAIN_WIDTH,
        no_color=None if terminal else True,
        force_terminal=terminal,
    )


def print_json(value: object) -> None:
    """One JSON value on one line. Structs become objects."""
    plain: Any = msgspec.to_builtins(value)
    sys.stdout.write(json.dumps(plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_line(text: str = "") -> None:
    """A line of data on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def prints_unicode(encoding: str | None) -> bool:
    """Whether this encoding can print the signs of the stages."""
    try:
        "✓▶◆✗◀·".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
