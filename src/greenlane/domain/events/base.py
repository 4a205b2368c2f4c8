"""What every event and decision is made of: its stage, its lane, its reasoning."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import msgspec


class Stage(StrEnum):
    """The five stages, in the order in which a change passes them."""

    REVIEW = "review"
    TEST = "test"
    STAGING = "staging"
    VALIDATION = "validation"
    DEPLOYMENT = "deployment"


STAGES = tuple(Stage)


TestsDelivery = Literal["commit", "patch"]


class Lane(StrEnum):
    """How much automation a change gets. Where several fit, the first of these wins."""

    RED = "red"
    COMPLIANCE = "compliance"
    SCHEMA = "schema"
    INTEGRATION = "integration"
    PERFORMANCE = "performance"
    GREEN = "green"


class Input(msgspec.Struct, frozen=True):
    """Something that a decision was based on, by name and digest (`sha256:...` or a git object name)."""

    name: str
    digest: str


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """Why a decision was taken: the part of an event that an auditor reads.

    `decision` is one word or two (`proceed`, `ask-human`, `roll-back`); `rationale` is full sentences with the figures
    that were compared and the limits they were held against; `rules_fired` names each rule that had a part in it.
    """

    decision: str
    rationale: str
    rules_fired: tuple[str, ...] = ()
    risk_score: float | None = None
    inputs: tuple[Input, ...] = ()
    artifact_digest: str | None = None
    model_id: str | None = None
    prompt_digest: str | None = None


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a human is asked, with its evidence and what would clear it."""

    rule: str
    summary: str
    evidence: tuple[str, ...] = ()
    clears_when: str = ""


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a human. No stage from `before` on is entered while it is open."""

    gate_id: str
    before: Stage
    triggers: tuple[Trigger, ...]


class RiskPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a risk score: which rule, how many points, and why."""

    rule: str
    points: float
    reason: str


class LimitMove(msgspec.Struct, frozen=True, kw_only=True):
    """One move of the risk limit: which rule, by how much (under 0 is stricter), and why."""

    rule: str
    amount: float
    reason: str


class SkippedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that an analyzer could not read, and why: it closes the green lane."""

    path: str
    analyzer: str
    reason: str


class FileRead(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one changed file: how many hunks it has, which analyzers looked at it, how many of its hunks a
    model saw, and why it was not analysed (empty: it was)."""

    path: str
    hunks: int
    by: tuple[str, ...] = ()
    model_hunks: int = 0
    skipped: str = ""


class ChangedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a change, with the share that it has in the size that the risk score counts.

    `lines` are added and removed lines of code that production runs; None for a file that does not count (tests,
    documents, lock files).
    """

    path: str
    old_path: str | None = None
    lines: int | None = None
    sensitive: bool = False


class WrittenTest(msgspec.Struct, frozen=True, kw_only=True):
    """A generated test that passed every gate: where it stands, what it is called, the lines it newly covers; if it
    covers none, those whose faults only it notices."""

    path: str
    name: str
    purpose: str
    covers: tuple[str, ...]


class DroppedTest(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    reason: str


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """The base of all events. `completes` names the stage that an event ends: it is the last one of an agent's act."""

    completes: ClassVar[Stage | None] = None
    event_version: ClassVar[int] = 1


class Decision(Event, frozen=True, kw_only=True):
    """An event that is somebody's decision; it is refused by the ledger without its reasoning."""

    why: Reasoning


class StageResult(Decision, frozen=True, kw_only=True):
    """The end of a stage. `proceed` false: the change is blocked and its author has to amend it."""

    proceed: bool
