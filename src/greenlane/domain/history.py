"""What git knows of the places that a change touches: the measures that predict which changes are later reverted.

The measures are those of Kamei et al., "A Large-Scale Empirical Study of Just-in-Time Quality Assurance"
(IEEE Transactions on Software Engineering, 2013).
"""

from __future__ import annotations

import msgspec


class HistoryFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Measures of one change at its merge base. Counts are of commits in the history before it.

    `entropy` is the normalised Shannon entropy (0 to 1) of the changed lines over the files that production runs;
    `age_days` the time since any of them was last changed; `author_commits` is over the whole repository,
    `author_file_commits` of these files; `reverts` and `fixes` count earlier commits on these files that took something
    back or mended it.
    """

    subsystems: int = 0
    folders: int = 0
    files: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    lines_before: int = 0
    entropy: float = 0.0
    authors: int = 0
    age_days: float = 0.0
    commits: int = 0
    author_commits: int = 0
    author_recent_commits: float = 0.0
    author_file_commits: int = 0
    reverts: int = 0
    fixes: int = 0
    is_fix: bool = False
    shallow: bool = False
    """The clone has no full history, so these figures are of a part of it."""
    recent_commits: int = 0
    """Commits on these files in the 180 days before the merge base, by anybody."""
    recent_fixes: int = 0
    """Those of them that mended something or took it back."""
    author_recent_lines: int = 0
    """Lines of these files that the same author changed in the seven days before: a change may come in parts."""


class AuthorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the newest changes of one author in the ledger: how many ended, and how many of these a person
    rejected or production took back."""

    ended: int = 0
    taken_back: int = 0
