"""Entries for tests and benchmarks of the ledger: real events, in the bytes that the runtime would write."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from greenlane.domain import events as e
from greenlane.ledger.entry import Draft
from greenlane.ledger.store import Handled, LedgerStore, Step

WHY = e.Reasoning(
    decision="proceed",
    rationale="The risk score 2.0 is under the limit 7.0; no rule that asks for a human was met.",
    rules_fired=("size.small", "history.calm"),
    risk_score=2.0,
    inputs=(e.Input("diff", "sha256:" + "c" * 64),),
)
EVENT = e.ReviewComplete(
    why=WHY,
    proceed=True,
    risk_score=2.0,
    risk_points=(e.RiskPoint(rule="size.small", points=2.0, reason="31 lines in 2 files"),),
    threshold=7.0,
    lane=e.Lane.GREEN,
    lanes_matched=(e.Lane.GREEN,),
    services=("shop",),
    analyzers=("ruff", "bandit"),
)
_BODY = msgspec.Raw(e.encode_event(EVENT))

REQUIRED = ("pr_number", "author", "risk_score", "rationale", "timestamp", "agent_version")


def draft(event_id: str, **changes: Any) -> Draft:
    """An entry of the review agent; `changes` replace fields."""
    fields: dict[str, Any] = {
        "event_id": event_id,
        "trace_id": "trace",
        "causation_id": "cause",
        "type": "review.complete",
        "event_version": 1,
        "repo": "shop",
        "pr_number": 12,
        "author": "Ada <ada@example.com>",
        "head_sha": "a" * 40,
        "base_sha": "b" * 40,
        "diff_sha256": "c" * 64,
        "artifact_digest": None,
        "agent": "review",
        "agent_version": "1.0",
        "model_id": None,
        "prompt_digest": None,
        "policy_digest": "sha256:" + "d" * 64,
        "config_digest": "sha256:" + "e" * 64,
        "inputs": WHY.inputs,
        "rules_fired": WHY.rules_fired,
        "risk_score": WHY.risk_score,
        "rationale": WHY.rationale,
        "decision": WHY.decision,
        "approver": None,
        "timestamp": "2026-03-01T12:00:00.000000Z",
        "body": _BODY,
    }
    return Draft(**(fields | changes))


def step(stream: str, version: int, count: int = 1, **changes: Any) -> Step:
    """A step that appends `count` entries after `version`."""
    drafts = tuple(draft(f"{stream}/{version + place}") for place in range(1, count + 1))
    return Step(**({"stream": stream, "expected_version": version, "drafts": drafts} | changes))


def start_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run code in a Python of its own that can import what tests can; its stdin and stdout are pipes."""
    root = Path(__file__).resolve().parents[2]
    places = [str(root / "src"), str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


async def fill(store: LedgerStore, entries: int, *, streams: int = 10) -> None:
    """Append so many entries to new streams in turn, with inbox marks; for tests that look at the whole."""
    size = (await store.head()).size
    steps = [
        step(f"run-{place % streams}", place // streams, handled=(Handled("review", size + place + 1),))
        for place in range(entries)
    ]
    await asyncio.gather(*map(store.commit, steps))  # they are committed in the order in which they are asked for
