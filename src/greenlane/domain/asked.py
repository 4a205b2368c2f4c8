"""What a language model was asked to write as tests, as it was validated here: proposals that decide nothing."""

from __future__ import annotations

import msgspec

from greenlane.domain.opinion import ModelCall, Outcome


class AskedTest(msgspec.Struct, frozen=True, kw_only=True):
    """One test as it was proposed: its imports (one statement each) and the text of one test function."""

    name: str
    purpose: str
    imports: tuple[str, ...]
    code: str


class ModelTests(msgspec.Struct, frozen=True, kw_only=True):
    """All that came of asking for one service. `coverage_targets` and `edge_cases_covered` are the model's claims, kept
    for the record: what is covered was measured. `outcome` is that of the last call that failed, else `answered`."""

    outcome: Outcome
    calls: tuple[ModelCall, ...] = ()
    asked: int = 0
    kept: int = 0
    coverage_targets: tuple[str, ...] = ()
    edge_cases_covered: tuple[str, ...] = ()
    detail: str = ""
