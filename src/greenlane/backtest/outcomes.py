"""Which of the merged changes were later taken back or mended, as far as the messages of later commits say so.

`label_outcomes` is the one name by which the backtest knows of outcomes. Messages are sparse; the calibration adds what
`szz` traces through the lines themselves (`cases`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from greenlane.adapters.git.merged import Commit, MergedChange
from greenlane.backtest.szz import Traced

_REVERTS = re.compile(r"This reverts (?:commit|merge)\s+([0-9a-f]{7,40})")
_FIXES_COMMIT = re.compile(r"^Fixes:\s+([0-9a-f]{7,40})\b", re.MULTILINE | re.IGNORECASE)
_OWN_NUMBER = re.compile(r"\s*\([#!]\d+\)\s*$")
_MENDS = re.compile(r"\b(revert\w*|fix\w*|regress\w*|broke\w*|follow[- ]?up)\b", re.IGNORECASE)
_CARRIES = re.compile(r"\b(back-?port\w*|cherry[- ]pick\w*|forward-?port\w*)\b", re.IGNORECASE)
"""A change that is carried to another branch names the one it came from, and does not mend it."""
_REFERENCE = re.compile(r"#(\d+)\b")
_MAX_MESSAGE = 20_000


class Outcome(msgspec.Struct, frozen=True):
    """`kind` is `reverted` or `fixed`, where the message of the commit `by` says so, or `mended`, where that commit is
    a fix and changed lines which the change wrote."""

    kind: str
    by: str


def label_outcomes(changes: Sequence[MergedChange], later: Sequence[Commit]) -> dict[str, Outcome]:
    """The outcome of each change (by its `head_sha`) that a later commit takes back or mends. A revert wins."""
    owner = {sha: change for change in changes for sha in change.commits}
    by_number = {change.number: change for change in changes if change.number}
    found: dict[str, Outcome] = {}
    for commit in sorted(later, key=lambda c: c.at):
        message = commit.message[:_MAX_MESSAGE]
        for pattern, kind in ((_REVERTS, "reverted"), (_FIXES_COMMIT, "fixed")):
            for name in pattern.findall(message):
                for sha in _named(name, owner):
                    _note(found, owner[sha], kind, commit)
        subject = _OWN_NUMBER.sub("", message.partition("\n")[0])
        mends = _MENDS.search(subject) and not _CARRIES.search(subject)
        for number in _REFERENCE.findall(subject) if mends and not subject.startswith("Merge ") else ():
            if len(number) < 10 and int(number) in by_number:
                kind = "reverted" if subject.lower().startswith("revert") else "fixed"
                _note(found, by_number[int(number)], kind, commit)
    return found


def add_traced(told: Mapping[str, Outcome], traced: Traced) -> dict[str, Outcome]:
    """Those, and the changes of which a fix changed lines; what a message says goes before."""
    found = dict(told)
    for head, by, _, _ in traced.culprits:
        found.setdefault(head, Outcome("mended", by))
    return found


def _named(name: str, owner: dict[str, MergedChange]) -> list[str]:
    if len(name) == 40:
        return [name] if name in owner else []
    return [sha for sha in owner if sha.startswith(name)][:1]


def _note(found: dict[str, Outcome], change: MergedChange, kind: str, commit: Commit) -> None:
    if commit.sha in change.commits or commit.at < change.at:
        return  # a change does not mend itself, nor one that came after it
    if found.get(change.head_sha) is None or kind == "reverted":
        found[change.head_sha] = Outcome(kind, commit.sha)
