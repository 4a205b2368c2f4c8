"""Workers that die, and one that freezes, while a real pull request goes to a real production. `bench/crash.py` has
all boundaries and random instants; here are the most delicate ones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.crash import (
    DELICATE,
    PR_FAILS,
    PR_SHIPS,
    Outcome,
    Scene,
    open_scene,
    stopped_and_continued,
)

UNWATCHED_MAX_S = 2.0
ROLLING_BACK = "after canary.rolling_back"


async def _check(scene: Scene) -> Outcome:
    """What holds after every run, however it was disturbed."""
    outcome = await scene.outcome()
    assert [count for _, count in outcome.production_starts] == [1, 1], "the base version and the candidate, each once"
    unwatched = [kill.unwatched_s for kill in scene.kills if kill.unwatched_s is not None]
    assert unwatched, "no worker died while a canary had weight"
    assert max(unwatched) <= UNWATCHED_MAX_S
    requests, failed = await scene.user_failures()
    assert requests > 0
    assert failed == 0
    assert scene.verify_ledger().ok
    return outcome


async def _ships(folder: Path) -> None:
    async with open_scene(folder, PR_SHIPS) as scene:
        await scene.die_at_boundaries(*DELICATE)
        assert [kill.where for kill in scene.kills] == list(DELICATE)
        outcome = await _check(scene)
        assert outcome.state == "deployed"
        assert outcome.serves_candidate
        assert outcome.base_moves == 1
        assert outcome.branch_commits == 3, "the shop, the change, and the tests that were written for it, once"
        once = ("tests.committing", "canary.starting", "canary.promoted", "base.advancing", "deployment.complete")
        assert {f"1 {name}" for name in once} <= set(outcome.decisions)


async def _is_rolled_back(folder: Path) -> None:
    async with open_scene(folder, PR_FAILS) as scene:
        await stopped_and_continued(scene, (ROLLING_BACK,))
        assert [kill.where for kill in scene.kills] == ["SIGSTOP", ROLLING_BACK]
        outcome = await _check(scene)
        assert outcome.state == "rolled_back"
        assert not outcome.serves_candidate
        assert outcome.base_moves == 0
        assert {"1 canary.rolling_back", "1 canary.rolled_back", "1 incident.reported"} <= set(outcome.decisions)


@pytest.mark.timeout(900)  # three quarters of a minute on a quiet machine
async def test_a_change_lands_once_though_its_workers_die_and_a_bad_one_goes_back_though_one_freezes(
    tmp_path: Path,
) -> None:
    (tmp_path / "ships").mkdir()
    (tmp_path / "fails").mkdir()
    async with asyncio.TaskGroup() as both:
        both.create_task(_ships(tmp_path / "ships"))
        both.create_task(_is_rolled_back(tmp_path / "fails"))
