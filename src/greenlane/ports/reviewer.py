"""The reviewer: a language model that reads a change. Optional; what it says may only make a decision stricter."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from greenlane.domain.diff import Diff
from greenlane.domain.findings import Finding
from greenlane.domain.opinion import ModelReview


class ReviewMaterial(msgspec.Struct, frozen=True, kw_only=True):
    """What may be read. `intent_*` are the author's words: only the second pass sees them. `findings` are those of the
    analyzers: they rank what is packed, and the lines where a secret stands are redacted."""

    repo: str
    pr_number: int
    diff: Diff
    base: Path
    head: Path
    findings: tuple[Finding, ...]
    sensitive_paths: tuple[str, ...] = ()
    intent_title: str = ""
    intent_description: str = ""


class Reviewer(Protocol):
    async def review(self, material: ReviewMaterial) -> ModelReview:
        """The model's reading of the change. Never raises for what the model or its host does: that is an outcome."""
