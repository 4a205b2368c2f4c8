"""The reference page of the command line, made from the commands themselves. A test holds docs/cli.md to it.

`python -m greenlane.cli.reference > docs/cli.md` writes it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer

from greenlane.cli.main import app

HEAD = """\
# The command line

Data goes to stdout, words go to stderr; `--json` prints JSON instead. Without a terminal there is no colour and nothing
moves; `NO_COLOR` switches colour off everywhere. Every command looks for `greenlane.yaml` in the present folder and
above it, up to the root of the git repository; `greenlane -C DIR ...` looks from another one.

A run may be named by its name (`shop-12-3fa9c1d2`), a unique beginning of it, its pull request (`12`, `#12`) or its
branch (the newest run of either). A name that fits none or several lists the candidates.

## Exit codes

| code | meaning |
| --- | --- |
| 0 | done; for `run`: the change is deployed |
| 1 | the change is blocked, rejected, rolled back or superseded; `doctor` found a problem; an unexpected error |
| 2 | bad input or configuration; the message says what to change |
| 3 | refused by a rule: an author approving the own change, a stale head commit, a program |
| 4 | the ledger is not what was written |
| 5 | `run`: the change waits for a person |
| 130 | interrupted; nothing is lost, and unfinished runs go on at the next `run` or `up` |

<!-- Made by `python -m greenlane.cli.reference`; change the commands in src/greenlane/cli instead. -->
"""


def render_reference() -> str:
    """The page, in Markdown."""
    return HEAD + "".join(_commands(typer.main.get_command(app), "greenlane"))


def _commands(command: Any, name: str) -> Iterator[str]:
    """Every command below this one; groups themselves only name their commands."""
    for sub in getattr(command, "commands", {}).values():
        if hasattr(sub, "commands"):
            yield from _commands(sub, f"{name} {sub.name}")
        else:
            yield _one(sub, f"{name} {sub.name}")


def _one(command: Any, name: str) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    shape = " ".join([name, *(str(p.metavar or p.name).upper() for p in arguments), "[OPTIONS]" if options else ""])
    lines = [f"\n## `{shape.strip()}`\n", inspect.cleandoc(command.help or ""), ""]
    if arguments or options:
        lines += ["| | |", "| --- | --- |"]
    lines += [f"| `{p.metavar or p.name}` | {_words(p)} |" for p in arguments]
    lines += [f"| `{_option(p)}` | {_words(p)} |" for p in options]
    return "\n".join(lines) + "\n"


def _option(option: Any) -> str:
    names = ", ".join((*option.opts, *option.secondary_opts))
    if option.is_flag:
        return names
    return f"{names} {option.metavar or str(option.name).upper()}"


def _words(parameter: Any) -> str:
    told = " ".join((parameter.help or "").split()).replace("|", "\\|")
    default = parameter.default
    if parameter.required:
        return f"{told} Required."
    if default in (None, False, True) or callable(default):
        return told
    return f"{told} Default: `{default}`."


if __name__ == "__main__":
    sys.stdout.write(render_reference())
