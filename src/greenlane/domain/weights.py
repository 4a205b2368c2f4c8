"""The figures of the risk score, and where they come from. Written into each decision, so that it can be recomputed."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Ladder: TypeAlias = tuple[tuple[int, float], ...]
"""Points from a count on: ((from, points), ...), ascending in both."""

BUILT_IN = "built in"


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of the score."""

    lines: Ladder = ((50, 0.5), (200, 1.0), (600, 1.5), (1500, 2.0))
    files: Ladder = ((10, 0.5), (30, 1.0))
    folders: Ladder = ((5, 0.5), (12, 1.0))
    size_cap: float = 3.0
    """Lines, files and folders together: size alone reaches 4 at most."""
    sensitive: float = 1.0
    untested: float = 2.0
    """Times the share of changed lines that no test runs."""
    suite_failed: float = 2.0
    history_cap: float = 1.5
    """All of the history together."""
    together_cap: float = 3.75
    """Size and history together: with the base they stay under every tier's limit by default, so neither of them, nor
    both, send a change to a person where no limit was moved."""
    newcomer: float = 0.5
    new_to_files: float = 0.25
    reverted: float = 0.5
    often_fixed: float = 0.5
    spread: float = 0.25
    busy: Ladder = ()
    """By the commits on these files in the 180 days before."""
    mended_lately: Ladder = ()
    """By those of them that mended something or took it back."""
    medium: float = 1.0
    medium_cap: float = 3.0
    low: float = 0.25
    low_cap: float = 1.0


class FittedWeights(msgspec.Struct, frozen=True, kw_only=True):
    """Weights with their origin: the file and the SHA-256 (hex) of its bytes, the newest commit that the fit has seen
    and its day (ISO 8601)."""

    weights: Weights
    source: str = BUILT_IN
    sha256: str = ""
    fitted_on: str = ""
    commit: str = ""

    @property
    def words(self) -> str:
        """Which weights these are: `fitted on 2026-03-01, .greenlane-risk.json sha256 1a2b3c4d5e6f`."""
        return f"fitted on {self.fitted_on}, {self.source} sha256 {self.sha256[:12]}" if self.sha256 else self.source
