"""The runbook of each rule that can roll back: a few steps for whoever reads the incident report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import resources

from greenlane.domain.incident import Runbook

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def runbook_for(trigger: str, own: Iterable[Runbook] = (), values: Mapping[str, str] | None = None) -> str:
    """The steps for what ended the canary, one a line: those of the configuration, else those that come with Greenlane.

    `values` fill in `{run}`, `{service}`, `{branch}`, `{pr}`; other braces stay as they are.
    """
    text = next((book.text for book in own if book.rule == trigger), None)
    if text is None:
        name = f"{trigger}.md" if _NAME.fullmatch(trigger) else ""
        folder = resources.files(__name__)
        found = folder.joinpath(name) if name else None
        text = (found if found is not None and found.is_file() else folder.joinpath("default.md")).read_text("utf-8")
    for key, value in (values or {}).items():
        text = text.replace("{" + key + "}", value)
    return text


def steps_of(text: str) -> tuple[str, ...]:
    """The steps of a runbook, without the marks of a list."""
    lines = (re.sub(r"^\s*(?:[-*]|\d{1,3}[.)])\s+", "", line).strip() for line in text.splitlines())
    return tuple(line for line in lines if line)
