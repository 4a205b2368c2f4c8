"""Quarantine: bytes that were rolled back come to production again only with a person's word."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from greenlane.adapters.memory import Behaviour
from greenlane.domain import events as e
from greenlane.domain.release import Rollback
from greenlane.ledger.sqlite import SqliteLedger
from greenlane.policy.lifecycle import State
from greenlane.policy.quarantine import count_incidents, find_quarantine, rollbacks_of
from greenlane.runtime.releases import LedgerReleases
from tests.support.house import WRITER, House
from tests.support.rollout import Scene

BACK = Rollback(
    run="r", service="shop", artifact_digest="sha256:a", rule="canary.error_rate", at="2026-01-10T00:00:00Z"
)


@pytest.mark.parametrize(
    ("rule", "held"),
    [
        ("canary.error_rate", True), ("canary.rejected", True), ("rollback.requested", True),
        ("rollout.requested", True), ("rollout.all_or_nothing", False), ("canary.superseded", False),
    ],
)  # fmt: skip
def test_only_what_something_is_known_against_is_held(rule: str, held: bool) -> None:
    back = msgspec.structs.replace(BACK, rule=rule)
    assert (find_quarantine("sha256:a", [back]) is not None) is held
    assert find_quarantine("sha256:b", [back]) is None


def test_incidents_count_by_service_and_run_within_their_time() -> None:
    now = datetime(2026, 1, 20, tzinfo=UTC)
    others = [msgspec.structs.replace(BACK, service="api"), msgspec.structs.replace(BACK, rule="canary.rejected")]
    assert count_incidents("shop", [BACK, BACK, *others[:1]], now=now, days=14) == 1
    assert count_incidents("shop", [BACK], now=now, days=9) == 0
    assert count_incidents("shop", others[1:], now=now, days=14) == 0


async def test_the_same_bytes_in_a_new_run_ask_a_person_and_go_with_the_approval(tmp_path: Path) -> None:
    first = Scene(tmp_path / "1", candidate=Behaviour(production_error_rate=0.2))
    assert (await first.driver.drive()).state is State.ROLLED_BACK
    second = Scene(tmp_path / "2")  # another run whose merge builds the same bytes
    second.rolled_back += rollbacks_of(first.driver.change)
    standing = await second.driver.drive()
    assert standing.state is State.AWAITING_HUMAN
    assert "these very bytes" in standing.reason
    assert first.run in standing.reason
    assert not second.driver.events(e.CanaryStarting)
    second.driver.put(second.approve())
    assert (await second.driver.drive()).state is State.DEPLOYED


async def test_what_was_taken_back_after_it_was_deployed_is_held_too(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.driver.drive()
    scene.driver.put(e.RollbackRequested(by="Grace", reason="wrong prices"))
    assert (await scene.driver.drive()).state is State.ROLLED_BACK
    (back,) = rollbacks_of(scene.driver.change)
    assert (back.by, back.rule) == ("Grace", "rollback.requested")
    assert find_quarantine(back.artifact_digest, [back]) == back


async def test_the_ledger_tells_of_every_rollback_and_reads_on_where_it_was(tmp_path: Path) -> None:
    scene = Scene(tmp_path, candidate=Behaviour(production_error_rate=0.2))
    await scene.driver.drive()
    store = SqliteLedger.open(tmp_path / "ledger.db")
    try:
        house = House(store, (), scene.config)
        releases = LedgerReleases(store)
        assert await releases.rollbacks() == ()
        history = [r.event for r in scene.driver.history]
        run = await house.open(history[0])  # type: ignore[arg-type]  # a run begins with its pull request
        for event in history[1:]:
            change = await house.desk.change(run)
            await house.journal.write(change, (event,), writer=WRITER, causation_id="")
        found = await releases.rollbacks()
        assert [(r.run, r.rule) for r in found] == [(run, "canary.error_rate")]
        assert await releases.rollbacks() == found
    finally:
        await store.close()
