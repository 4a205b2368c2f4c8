"""Every event that can happen to a change, in the past tense. An event is a fact or a decision; a decision says why.

Events are stored for years: a new field has a default, a changed meaning gets a new `event_version` and an entry in
`upcast`, and old logs stay in the tests.
"""

from __future__ import annotations

from typing import Any, Union

import msgspec

from greenlane.domain.events.base import (
    STAGES,
    ChangedFile,
    Decision,
    DroppedTest,
    Event,
    FileRead,
    Gate,
    Input,
    Lane,
    LimitMove,
    Reasoning,
    RiskPoint,
    SkippedFile,
    Stage,
    StageResult,
    TestsDelivery,
    Trigger,
    WrittenTest,
)
from greenlane.domain.events.delivery import (
    BaseAdvancing,
    BaseMoved,
    CanaryInconclusive,
    CanaryObserved,
    CanaryPromoted,
    CanaryPromoting,
    CanaryRolledBack,
    CanaryRollingBack,
    CanaryStarting,
    DeploymentAssessed,
    DeploymentComplete,
    DeploymentPostponed,
    DeploymentResumed,
    DeploymentRolledBack,
    HotfixRequested,
    IncidentReported,
    RollbackRequested,
    RollbackStarting,
)
from greenlane.domain.events.people import (
    AgentRetrying,
    FindingJudged,
    HumanApproved,
    HumanRejected,
    HumanRequested,
    Paused,
    Resumed,
    RunFailed,
    SandboxOff,
    ServiceInstalling,
)
from greenlane.domain.events.stages import (
    PerformanceDelta,
    Prediction,
    PrOpened,
    PrUpdated,
    ReviewComplete,
    RunSuperseded,
    ServiceComparison,
    StagedService,
    StagingComplete,
    StagingStarting,
    StagingValidated,
    TestsCommitting,
    TestsComplete,
)

__all__ = [
    "EVENT_CLASSES",
    "STAGES",
    "AgentRetrying",
    "AnyEvent",
    "BaseAdvancing",
    "BaseMoved",
    "CanaryInconclusive",
    "CanaryObserved",
    "CanaryPromoted",
    "CanaryPromoting",
    "CanaryRolledBack",
    "CanaryRollingBack",
    "CanaryStarting",
    "ChangedFile",
    "Decision",
    "DeploymentAssessed",
    "DeploymentComplete",
    "DeploymentPostponed",
    "DeploymentResumed",
    "DeploymentRolledBack",
    "DroppedTest",
    "Event",
    "FileRead",
    "FindingJudged",
    "Gate",
    "HotfixRequested",
    "HumanApproved",
    "HumanRejected",
    "HumanRequested",
    "IncidentReported",
    "Input",
    "Lane",
    "LimitMove",
    "Paused",
    "PerformanceDelta",
    "PrOpened",
    "PrUpdated",
    "Prediction",
    "Reasoning",
    "Resumed",
    "ReviewComplete",
    "RiskPoint",
    "RollbackRequested",
    "RollbackStarting",
    "RunFailed",
    "RunSuperseded",
    "SandboxOff",
    "ServiceComparison",
    "ServiceInstalling",
    "SkippedFile",
    "Stage",
    "StageResult",
    "StagedService",
    "StagingComplete",
    "StagingStarting",
    "StagingValidated",
    "TestsCommitting",
    "TestsComplete",
    "TestsDelivery",
    "Trigger",
    "WrittenTest",
    "decode_event",
    "encode_event",
    "event_fields",
    "type_of",
]

AnyEvent = Union[  # noqa: UP007 - built at runtime for the decoder
    PrOpened, PrUpdated, RunSuperseded, ReviewComplete, TestsCommitting, TestsComplete, StagingStarting,
    StagingComplete, StagingValidated, DeploymentAssessed, BaseMoved, CanaryStarting, CanaryObserved,
    CanaryPromoting, CanaryPromoted, CanaryRollingBack, CanaryRolledBack, CanaryInconclusive,
    IncidentReported, BaseAdvancing, DeploymentComplete,
    RollbackRequested, RollbackStarting, DeploymentRolledBack, HumanRequested, HumanApproved, HumanRejected,
    FindingJudged, DeploymentPostponed, DeploymentResumed, HotfixRequested,
    AgentRetrying, RunFailed, ServiceInstalling, Paused, Resumed, SandboxOff,
]  # fmt: skip

EVENT_CLASSES: tuple[type[Event], ...] = AnyEvent.__args__  # type: ignore[attr-defined]  # a Union's members

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def type_of(event: Event | type[Event]) -> str:
    """The name of an event's type: `pr.opened`."""
    tag = event.__struct_config__.tag
    assert isinstance(tag, str)
    return tag


def encode_event(event: Event) -> bytes:
    """The event as JSON bytes, its type in the field `type`."""
    return _encoder.encode(event)


def decode_event(data: bytes, version: int = 1) -> AnyEvent:
    """The event that these bytes hold; raises `msgspec.ValidationError` if they hold none.

    `version` is the `event_version` under which it was written; older ones are brought up to date first.
    """
    del version  # every event is still at version 1: `upcast` by (type, version) goes here
    return _decoder.decode(data)


def event_fields(event: Event) -> dict[str, Any]:
    """The event as plain values, for printing."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields
