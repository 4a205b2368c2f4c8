"""What people outside are told of an event: a short text with the facts and what they can do. Sends nothing.

Called by the notifier. The texts quote pull requests and logs: whoever shows them must take them for plain text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded
from greenlane.domain.delivery import CanaryJudgement
from greenlane.domain.notifications import NoticeKind

Severity = Literal["info", "warning", "error"]
Kind = NoticeKind | Literal["test"]

_TEXT_CHARS = 1500
_FACTS_MAX = 12
_FACT_CHARS = 300


class Fact(msgspec.Struct, frozen=True):
    name: str
    value: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `key` is the event's id: the same event gives the same key, so that a receiver knows a repetition.

    `next_steps` are commands or deeds; `timestamp` is when the event was recorded (UTC, ISO 8601).
    """

    key: str
    kind: Kind
    severity: Severity
    title: str
    text: str
    run: str
    repo: str
    pr_number: int
    author: str
    head_sha: str
    services: tuple[str, ...]
    timestamp: str
    facts: tuple[Fact, ...] = ()
    next_steps: tuple[str, ...] = ()


def compute_notice(change: Change, recorded: Recorded) -> Notice | None:
    """What this event of this change is told as; None for one that nobody outside waits for."""
    opened, event = change.opened, recorded.event
    pull = f"{opened.repo} #{opened.pr_number} {opened.title}"
    match event:
        case e.HumanRequested() | e.RunFailed():
            asked = event.gate.triggers
            return _notice(
                change, recorded, "human_requested", "warning", f"A human is asked: {pull}",
                "; ".join(t.summary for t in asked),
                facts=_facts((t.rule, t.clears_when) for t in asked),
                next_steps=_deciding(change),
            )  # fmt: skip
        case e.CanaryInconclusive():
            return _notice(
                change, recorded, "inconclusive", "warning", f"The canary could not decide: {pull}",
                event.why.rationale,
                facts=(Fact("service", event.service), *_figures(event.judgement)),
                next_steps=_deciding(change),
            )  # fmt: skip
        case e.IncidentReported():
            return _notice(
                change, recorded, "rolled_back", "error", f"Rolled back: {pull}", _seen(change, event),
                facts=(*_rollback_facts(change), *_facts(("hypothesis", x) for x in event.hypotheses[:3])),
                next_steps=(f"greenlane explain {change.run}", f"greenlane replay {change.run}"),
            )  # fmt: skip
        case e.DeploymentRolledBack():
            return _notice(
                change, recorded, "rolled_back", "warning", f"Taken back: {pull}", event.why.rationale,
                next_steps=(f"greenlane explain {change.run}",),
            )  # fmt: skip
        case e.DeploymentComplete():
            return _notice(
                change, recorded, "deployed", "info", f"Deployed: {pull}", event.why.rationale,
                facts=(Fact("merge", event.merge_sha),),
                next_steps=(f"greenlane rollback {change.run} --by NAME --reason TEXT",),
            )  # fmt: skip
        case _:
            return None


def make_test_notice(repo: str, timestamp: str) -> Notice:
    """What `greenlane notify --test` sends. Its key is new each time."""
    return Notice(
        key=f"test/{timestamp}",
        kind="test",
        severity="info",
        title=f"Test message of Greenlane for {repo}",
        text="If you read this, notifications arrive. Nothing has happened.",
        run="",
        repo=repo,
        pr_number=0,
        author="",
        head_sha="",
        services=(),
        timestamp=timestamp,
    )


def _notice(
    change: Change,
    recorded: Recorded,
    kind: Kind,
    severity: Severity,
    title: str,
    text: str,
    *,
    facts: tuple[Fact, ...] = (),
    next_steps: tuple[str, ...] = (),
) -> Notice:
    return Notice(
        key=recorded.event_id,
        kind=kind,
        severity=severity,
        title=_cut(title, _FACT_CHARS),
        text=_cut(text, _TEXT_CHARS),
        run=change.run,
        repo=change.opened.repo,
        pr_number=change.opened.pr_number,
        author=change.opened.author,
        head_sha=change.head_sha,
        services=change.review.services if change.review else (),
        timestamp=recorded.timestamp,
        facts=facts[:_FACTS_MAX],
        next_steps=next_steps,
    )


def _seen(change: Change, event: e.IncidentReported) -> str:
    rolling = change.last_of(e.CanaryRollingBack)
    return rolling.why.rationale if rolling else event.why.rationale


def _rollback_facts(change: Change) -> tuple[Fact, ...]:
    rolling = change.last_of(e.CanaryRollingBack)
    if rolling is None:
        return ()
    canary, stable = rolling.reading.canary, rolling.reading.stable
    seen = (
        Fact("rule", f"canary.{rolling.trigger}"),
        Fact("canary", f"{canary.requests} requests, {canary.errors} failed, {canary.over_limit} over the limit"),
        Fact("stable", f"{stable.requests} requests, {stable.errors} failed, {stable.over_limit} over the limit"),
    )
    return (*seen, *(_figures(rolling.judgement) if rolling.judgement else ()))


def _figures(judgement: CanaryJudgement) -> tuple[Fact, ...]:
    return tuple(Fact(m.metric, _cut(m.reason, _FACT_CHARS)) for m in judgement.metrics)


def _facts(pairs: Iterable[tuple[str, str]]) -> tuple[Fact, ...]:
    return tuple(Fact(_cut(name, _FACT_CHARS), _cut(value, _FACT_CHARS)) for name, value in pairs)


def _deciding(change: Change) -> tuple[str, ...]:
    return (
        f"greenlane explain {change.run}",
        f"greenlane approve {change.run} --by NAME --reason TEXT",
        f"greenlane reject {change.run} --by NAME --reason TEXT",
    )


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
