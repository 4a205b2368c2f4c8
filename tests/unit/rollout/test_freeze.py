"""Freeze windows: when they hold, across time zones and the change of clocks; and what a run does meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from greenlane.config import parse_settings
from greenlane.domain import events as e
from greenlane.domain.errors import ConfigError
from greenlane.domain.freeze import Freeze, FreezeWindow
from greenlane.domain.settings import Settings
from greenlane.policy.freeze import find_freeze
from greenlane.policy.lifecycle import State
from greenlane.runtime.outcome import Postponements, make_resumed
from tests.support.rollout import Scene, service, settings


def until(now: str, *windows: FreezeWindow) -> str | None:
    config = Settings(freeze=Freeze(windows=windows))
    found = find_freeze((), config, datetime.fromisoformat(now).replace(tzinfo=UTC))
    return found.until.strftime("%a %d %H:%M") if found else None


def window(begin: str, end: str, zone: str = "UTC", *days: str) -> FreezeWindow:
    return FreezeWindow.model_validate({"begin": begin, "end": end, "time_zone": zone, "days": days})


NIGHT = window("22:00", "06:00", "Europe/Berlin")
WEEKEND = window("fri 16:00", "mon 08:00", "America/New_York")


@pytest.mark.parametrize(
    ("now", "windows", "over"),
    [
        ("2026-01-07T20:59", [NIGHT], None),
        ("2026-01-07T21:00", [NIGHT], "Thu 08 05:00"),  # 22:00 in Berlin in winter
        ("2026-07-07T20:00", [NIGHT], "Wed 08 04:00"),  # and in summer
        ("2026-01-08T05:00", [NIGHT], None),  # its end is no part of it
        ("2026-03-28T22:00", [NIGHT], "Sun 29 04:00"),  # the night in which summer time begins is an hour shorter
        ("2026-10-24T22:00", [NIGHT], "Sun 25 05:00"),  # and longer when it ends
        ("2026-03-29T00:45", [window("01:30", "02:30", "Europe/Berlin")], "Sun 29 01:30"),  # 02:30 never happens there
        ("2026-10-25T00:40", [window("01:00", "02:30", "Europe/Berlin")], "Sun 25 01:30"),  # 02:30 happens twice
        ("2026-01-09T20:59", [WEEKEND], None),
        ("2026-01-09T21:00", [WEEKEND], "Mon 12 13:00"),
        ("2026-01-12T12:59", [WEEKEND], "Mon 12 13:00"),
        ("2026-01-12T13:00", [WEEKEND], None),
        ("2026-01-09T21:00", [WEEKEND, window("mon 13:00", "mon 15:00")], "Mon 12 15:00"),  # they touch: one freeze
        ("2026-01-06T12:00", [window("09:00", "17:00", "UTC", "mon")], None),
        ("2026-01-05T12:00", [window("09:00", "17:00", "UTC", "mon")], "Mon 05 17:00"),
        ("2026-01-05T12:00", [window("00:00", "24:00", "UTC", "mon", "tue")], "Wed 07 00:00"),
        ("2026-12-20T00:00", [window("2026-12-20", "2027-01-02T08:00")], "Sat 02 08:00"),
        ("2027-01-02T08:00", [window("2026-12-20", "2027-01-02T08:00")], None),
    ],
)
def test_a_freeze_holds_until_its_windows_are_over(now: str, windows: list[FreezeWindow], over: str | None) -> None:
    assert until(now, *windows) == over


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{time_zone: Europe/Berln, begin: "16:00", end: "17:00"}', "did you mean Europe/Berlin"),
        ('{time_zone: Berlin, begin: "16:00", end: "17:00"}', "did you mean Europe/Berlin?"),
        ('{begin: "fri 16:00", end: "08:00"}', "write both in the same form"),
        ('{begin: "2026-02-30", end: "2026-03-01"}', "no date of the calendar"),
        ('{begin: "2026-03-02", end: "2026-03-01"}', "is not after"),
        ('{begin: "25:00", end: "26:00"}', 'like "16:00"'),
        ('{begin: "fri 16:00", end: "mon 08:00", days: [mon]}', "clock times only"),
    ],
)
def test_a_window_that_makes_no_sense_is_told_with_line_and_way_out(line: str, words: str) -> None:
    data = f"freeze:\n  windows:\n    - {line}\n".encode()
    with pytest.raises(ConfigError) as caught:
        parse_settings(data, Path("greenlane.yaml"))
    assert words in caught.value.message
    assert "greenlane.yaml:3:" in caught.value.message


def test_times_and_dates_need_no_quotes() -> None:
    data = (
        b"freeze: {windows: [{begin: 16:00, end: 17:00}, {begin: fri 16:00, end: mon 08:00}]}\nservices:\n  - name: x\n"
    )
    data += b"    freeze_windows: [{begin: 2026-12-20, end: 2027-01-02T08:00}]\n"
    config = parse_settings(data, Path("greenlane.yaml")).settings
    assert find_freeze(config.services, config, datetime(2026, 12, 25, tzinfo=UTC)) is not None


FROZEN = settings(
    service(freeze_windows=({"name": "new year", "begin": "2025-12-24", "end": "2026-01-02T08:00"},)),
)
"""The clock of the tests begins on Thursday, 2026-01-01, at midnight UTC."""


def frozen_scene(folder: Path) -> Scene:
    return Scene(folder, FROZEN)


async def test_a_change_waits_for_the_end_of_a_freeze_and_goes_on_by_itself(tmp_path: Path) -> None:
    scene = frozen_scene(tmp_path)
    standing = await scene.driver.drive()
    assert (standing.state, standing.due) == (State.POSTPONED, None)
    assert "shop: new year until 2026-01-02 08:00 UTC" in standing.reason
    assert not scene.driver.change.open_gates
    assert not scene.driver.events(e.DeploymentAssessed, e.CanaryStarting)
    waiting = Postponements(scene.world.clock, FROZEN)
    await scene.world.clock.sleep(waiting.seconds_left(scene.driver.change))
    assert waiting.seconds_left(scene.driver.change) <= 0
    scene.driver.put(make_resumed(scene.driver.change, scene.world.clock.now()))  # as the worker does then
    assert (await scene.driver.drive()).state is State.DEPLOYED


async def test_a_freeze_that_was_taken_out_of_the_rules_keeps_nobody_waiting_after_a_restart(tmp_path: Path) -> None:
    scene = frozen_scene(tmp_path)
    await scene.driver.drive()
    await scene.world.clock.sleep(60)
    change, clock = scene.driver.change, scene.world.clock
    assert Postponements(clock, FROZEN).seconds_left(change) > 3600
    assert Postponements(clock, settings(service())).seconds_left(change) == 0
    assert "is in force no more" in make_resumed(change, clock.now()).why.rationale


async def test_a_hotfix_passes_a_freeze_once_a_person_approved_it(tmp_path: Path) -> None:
    scene = frozen_scene(tmp_path)
    await scene.driver.drive()
    scene.driver.put(e.HotfixRequested(by="Ada <ada@example.com>", reason="orders are lost"))
    standing = await scene.driver.drive()
    assert standing.state is State.AWAITING_HUMAN
    assert "orders are lost" in standing.reason
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assessed = scene.driver.change.last_of(e.DeploymentAssessed)
    assert assessed is not None
    assert assessed.level == "high"


async def test_what_would_stop_the_base_branch_is_told_before_the_canary(tmp_path: Path) -> None:
    from greenlane.domain.errors import FinalError

    scene = Scene(tmp_path)
    scene.repo.in_the_way = FinalError("main is checked out with uncommitted changes", hint="commit or stash them")
    assert (await scene.driver.drive()).state is State.AWAITING_HUMAN
    assert not scene.driver.events(e.CanaryStarting)
    scene.repo.in_the_way = None
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED
