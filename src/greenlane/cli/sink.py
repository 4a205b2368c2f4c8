"""The one place where errors of the command line end: a message and a hint on stderr, and a stable exit code.

0 done · 1 failed, blocked, or an error · 2 bad input or configuration · 3 refused by a rule · 4 the ledger is corrupt
· 5 waits for a person · 130 interrupted
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from greenlane.domain.errors import GreenlaneError

OK = 0
FAILED = 1
BAD_INPUT = 2
REFUSED = 3
CORRUPT = 4
WAITING = 5
INTERRUPTED = 130


class SinkGroup(TyperGroup):
    """The root of all commands: whatever one of them raises is explained here."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except GreenlaneError as error:
            explain(error)
            code = error.exit_code
        except (KeyboardInterrupt, EOFError):
            say("stopped; nothing is lost: unfinished runs go on with the next `greenlane run` or `greenlane up`")
            code = INTERRUPTED
        except BrokenPipeError:
            # The reader went away (`| head`): what it wanted it has. Keep Python from complaining at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = OK
        except Exception as error:
            if type(error).__module__.startswith(("typer", "click")):
                raise
            explain_unexpected(error, debug=bool(ctx.params.get("debug")))
            code = FAILED
        raise typer.Exit(code)


def say(text: str) -> None:
    """Words for a person, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def explain(error: GreenlaneError) -> None:
    from greenlane.pages.words import clean_lines

    say(_red("error: ") + clean_lines(error.message))
    if error.hint:
        say(f"  hint: {clean_lines(error.hint)}")


def explain_unexpected(error: Exception, *, debug: bool) -> None:
    """A mistake of ours: short words, and the whole story in a file (or on stderr, with --debug)."""
    told = "".join(traceback.format_exception(error))
    say(_red("error: ") + f"this should not have happened: {type(error).__name__}: {error}")
    if debug:
        say(told)
        return
    handle, name = tempfile.mkstemp(prefix="greenlane-error-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
        stream.write(told)
    say(f"  hint: nothing that was decided is lost; the details are in {Path(name)}, or use `greenlane --debug ...`")


def _red(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or not sys.stderr.isatty()
    return text if plain else f"\x1b[1;31m{text}\x1b[0m"
