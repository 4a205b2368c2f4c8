"""From an event to its entry and back: what the ledger says beside the event itself.

Called by the worker for agents' events, and by the desk for people's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded
from greenlane.ledger.entry import Draft, Entry
from greenlane.ledger.store import LedgerCorruptError


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """Who writes, under which rules: stands in each of its entries."""

    agent: str
    agent_version: str
    policy_digest: str
    config_digest: str


def trace_id_of(stream: str) -> str:
    """One trace per run (32 hex digits, as W3C Trace Context has them)."""
    return hashlib.sha256(stream.encode()).hexdigest()[:32]


def _reasoning_of(event: e.Event) -> e.Reasoning:
    match event:
        case e.Decision():
            return event.why
        case e.RollbackRequested():
            return e.Reasoning(decision="request-rollback", rationale=event.reason)
        case e.HotfixRequested():
            return e.Reasoning(decision="request-hotfix", rationale=event.reason)
        case e.Paused():
            return e.Reasoning(decision="pause", rationale=event.reason)
        case e.Resumed():
            return e.Reasoning(decision="resume", rationale=event.reason)
        case _:
            return e.Reasoning(decision="", rationale="")


def make_drafts(
    events: Sequence[e.Event],
    *,
    stream: str,
    change: Change | None,
    after_version: int,
    causation_id: str,
    now: datetime,
    writer: Writer,
    repo: str = "",
) -> tuple[Draft, ...]:
    """The entries of these events, in order. `change` is the change before them; None at a stream's first event.

    Event ids are `stream/version`: the same place in a stream can hold one event only.
    """
    opened = change.opened if change else next((x for x in events if isinstance(x, e.PrOpened)), None)
    head_sha = change.head_sha if change else (opened.head_sha if opened else "")
    timestamp = now.isoformat(timespec="microseconds")
    drafts = []
    for place, event in enumerate(events, start=after_version + 1):
        why = _reasoning_of(event)
        by = getattr(event, "by", None)
        drafts.append(
            Draft(
                event_id=f"{stream}/{place}",
                trace_id=trace_id_of(stream),
                causation_id=causation_id,
                type=e.type_of(event),
                event_version=event.event_version,
                repo=opened.repo if opened else repo,
                pr_number=opened.pr_number if opened else 0,
                author=opened.author if opened else (by or ""),
                head_sha=head_sha,
                base_sha=opened.base_sha if opened else "",
                diff_sha256=opened.diff_sha256 if opened else "",
                artifact_digest=why.artifact_digest,
                agent=writer.agent,
                agent_version=writer.agent_version,
                model_id=why.model_id,
                prompt_digest=why.prompt_digest,
                policy_digest=writer.policy_digest,
                config_digest=writer.config_digest,
                inputs=why.inputs,
                rules_fired=why.rules_fired,
                risk_score=why.risk_score if why.risk_score is not None else _risk_of(change, why),
                rationale=why.rationale,
                decision=why.decision,
                approver=by,
                timestamp=timestamp,
                body=msgspec.Raw(e.encode_event(event)),
            )
        )
    return tuple(drafts)


def _risk_of(change: Change | None, why: e.Reasoning) -> float | None:
    return change.risk_score if change and why.decision else None


def read_back(entry: Entry) -> Recorded:
    """The event of an entry. Raises LedgerCorruptError if its body is no event."""
    try:
        event = e.decode_event(bytes(entry.body), entry.event_version)
    except msgspec.MsgspecError as error:
        raise LedgerCorruptError(
            f"entry {entry.seq} of the ledger holds no event that this version knows: {error}",
            hint="run `greenlane audit verify`; a newer Greenlane may have written it",
        ) from error
    return Recorded(seq=entry.seq, event_id=entry.event_id, agent=entry.agent, timestamp=entry.timestamp, event=event)
