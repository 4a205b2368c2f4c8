"""The demo's release manager, and what it takes for the demo to have gone as told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from greenlane.demo import release
from greenlane.demo.pulls import PULLS, RELEASE_MANAGER, Pull
from greenlane.demo.report import DemoResult, LedgerResult, PullResult
from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded, fold
from tests.unit.faces import changes
from tests.unit.faces.double import MemoryApplication

MIGRATION = Pull(branch="fix-rounding", shows="", lane="schema", outcome="deployed", approved=True)
GATE = e.Gate(gate_id="review-1", before=e.Stage.TEST, triggers=(changes.MIGRATION,))
ASKED = e.HumanRequested(gate=GATE, why=changes.why("ask-human", "a migration"))
FAILED = e.RunFailed(
    agent="staging",
    error="disk full",
    gate=e.Gate(gate_id="failed-1", before=e.Stage.REVIEW, triggers=(changes.INJECTION,)),
    why=changes.why("stop", "disk full"),
)


def change_after(*events: e.AnyEvent) -> Change:
    history = [
        Recorded(seq=n, event_id=f"e{n}", agent="review", timestamp=changes.START.isoformat(), event=event)
        for n, event in enumerate((changes.opened(), *events), start=1)
    ]
    return fold("shop-12", history)


class ApprovingApplication(MemoryApplication):
    """An approval is followed by the end of the run, as if all stages had passed at once."""

    async def approve(
        self, run: str, *, by: str, reason: str, head: str | None = None, gate: str | None = None
    ) -> tuple[str, ...]:
        gates = await super().approve(run, by=by, reason=reason, head=head, gate=gate)
        for gate_id in gates:
            approved = e.HumanApproved(
                gate_id=gate_id, by=by, head_sha=changes.HEAD, why=changes.why("approve", reason)
            )
            self.happen(run, approved)
        self.happen(run, e.RunSuperseded(by_run="shop-13", new_head_sha="f" * 40))
        return gates


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "LOOK_S", 0.001)


async def test_the_release_manager_answers_what_asks_for_a_judgement(tmp_path: Path) -> None:
    application = ApprovingApplication(tmp_path, [change_after(changes.reviewed(), ASKED)])
    await asyncio.wait_for(release.settle(application, {"shop-12": MIGRATION}), 5)
    assert [call[:3] for call in application.calls] == [("approve", "shop-12", RELEASE_MANAGER)]


@pytest.mark.parametrize("question", [FAILED, ASKED])
async def test_the_release_manager_waves_nothing_through(tmp_path: Path, question: e.AnyEvent) -> None:
    pull = MIGRATION if question is FAILED else msgspec.structs.replace(MIGRATION, approved=False)
    application = ApprovingApplication(tmp_path, [change_after(changes.reviewed(), question)])
    await asyncio.wait_for(release.settle(application, {"shop-12": pull}), 5)
    assert application.calls == []


def test_the_demo_went_as_told_only_if_all_of_it_did() -> None:
    prs = tuple(
        PullResult(
            branch=p.branch,
            lane=p.lane,
            outcome=p.outcome,
            reason="",
            tests_added=int(p.tests_written),
            seconds=1.0,
            run=p.branch,
        )
        for p in PULLS
    )
    ledger = LedgerResult(entries=9, root="r", verified=True)
    assert DemoResult(prs=prs, ledger=ledger).as_expected
    assert not DemoResult(prs=prs[:6], ledger=ledger).as_expected
    assert not DemoResult(prs=prs, ledger=msgspec.structs.replace(ledger, verified=False)).as_expected
    other_end = (*prs[:6], msgspec.structs.replace(prs[6], outcome="deployed"))
    other_lane = (msgspec.structs.replace(prs[0], lane="red"), *prs[1:])
    assert not DemoResult(prs=other_end, ledger=ledger).as_expected
    no_tests = (msgspec.structs.replace(prs[0], tests_added=0), *prs[1:])
    assert not DemoResult(prs=no_tests, ledger=ledger).as_expected
    assert not DemoResult(prs=other_lane, ledger=ledger).as_expected
