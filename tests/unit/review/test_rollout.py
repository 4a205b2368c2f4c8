"""Shadow mode and the rollout share: what is drawn, what is counted, and that nothing acts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from greenlane.agents.review import ReviewAgent
from greenlane.analyzers.reader import ChangeReader
from greenlane.domain import events as e
from greenlane.domain.settings import Orchestration, Rollout, Settings
from greenlane.policy.lifecycle import State, assess_standing
from greenlane.policy.rollout import assess_rollout, assess_status, draw
from tests.unit.faces import changes as c

from .test_review_agent import BASE, HEAD, SETTINGS, Meter, Trees, only, opened

DANGEROUS = {"shop/app.py": "import os\n\n\ndef run(name):\n    os.system('echo ' + name)\n"}


def gates(rollout: Rollout, lane: e.Lane, number: int = 12) -> tuple[e.Gate, ...]:
    return assess_rollout(rollout, repo="shop", pr_number=number, lane=lane)


def test_the_draw_is_even_and_belongs_to_the_pull_request() -> None:
    drawn = [draw("shop", n) for n in range(4000)]
    assert drawn == [draw("shop", n) for n in range(4000)]
    assert sum(d < 10 for d in drawn) == pytest.approx(400, abs=80)
    assert drawn != [draw("other", n) for n in range(4000)]


@pytest.mark.parametrize(
    ("rollout", "lane", "taken"),
    [
        (Rollout(), e.Lane.GREEN, True),
        (Rollout(), e.Lane.RED, True),
        (Rollout(percent=0), e.Lane.GREEN, False),
        (Rollout(percent=100, lanes=("green",)), e.Lane.GREEN, True),
        (Rollout(percent=100, lanes=("green",)), e.Lane.SCHEMA, False),
        (Rollout(percent=draw("shop", 12)), e.Lane.GREEN, False),
        (Rollout(percent=draw("shop", 12) + 0.01), e.Lane.GREEN, True),
    ],
)
def test_a_change_is_taken_by_lane_and_share(rollout: Rollout, lane: e.Lane, taken: bool) -> None:
    asked = gates(rollout, lane)
    assert (asked == ()) is taken
    if not taken:
        assert asked[0].before is e.Stage.STAGING
        assert "rollout." in asked[0].triggers[0].summary


async def review(tmp_path: Path, settings: Settings) -> tuple[e.Event, ...]:
    trees = Trees({"shop/app.py": "x = 1\n"}, DANGEROUS)
    reader = ChangeReader(trees, only("security"), settings, coverage=Meter())
    groups = [g async for g in ReviewAgent(reader, settings, tmp_path / "work").act(opened())]
    assert isinstance(groups[0], tuple)
    return groups[0]


async def test_in_shadow_mode_the_review_says_what_would_be_asked_and_nobody_is(tmp_path: Path) -> None:
    live = await review(tmp_path / "live", SETTINGS)
    shadow = await review(
        tmp_path / "shadow", SETTINGS.model_copy(update={"orchestration": Orchestration(mode="shadow")})
    )
    assert len(shadow) == 1
    observed = shadow[0]
    assert isinstance(observed, e.ReviewComplete)
    assert observed.gates == tuple(x.gate for x in live if isinstance(x, e.HumanRequested))
    assert observed.gates
    ended = c.change_of(observed)
    standing = assess_standing(ended)
    assert (standing.state, standing.due, standing.ended) == (State.OBSERVED, None, True)
    assert "a human would have been asked" in standing.reason
    assert observed.findings == live[-1].findings  # type: ignore[attr-defined]  # the last one is the review
    assert (BASE, HEAD) != ("", "")


async def test_a_change_beyond_the_share_asks_a_person_before_staging(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"rollout": Rollout(percent=0)})
    asked = [x.gate.gate_id for x in await review(tmp_path, settings) if isinstance(x, e.HumanRequested)]
    assert asked == ["red", "rollout"]


def change_no(number: int, *rules: str, shadow: bool = False) -> c.Change:
    asked = tuple(e.Gate(gate_id=r, before=e.Stage.STAGING, triggers=(e.Trigger(rule=r, summary=r),)) for r in rules)
    reviewed = msgspec.structs.replace(c.reviewed(), shadow=shadow, gates=asked if shadow else ())
    requests = () if shadow else tuple(e.HumanRequested(why=c.why("ask-human", "asked"), gate=g) for g in asked)
    return c.change_of(*requests, reviewed, first=c.opened(number))


def test_the_status_counts_pull_requests_without_gates_of_the_rollout_itself() -> None:
    changes = [change_no(1, "security_finding"), change_no(2, "rollout"), change_no(3), change_no(4, shadow=True)]
    later = c.START + timedelta(days=20)
    status = assess_status(changes, Rollout(min_changes=3, raise_below=0.5), shadow=False, now=later)
    assert (status.changes, status.asked.count) == (3, 1)
    assert [r.name for r in status.by_rule] == ["security_finding"]
    assert status.missing == ()
    strict = assess_status(changes, Rollout(min_changes=10, min_days=30, raise_below=0.2), shadow=False, now=later)
    assert len(strict.missing) == 3
    shadow = assess_status([*changes, change_no(4, "schema", shadow=True)], Rollout(), shadow=True, now=later)
    assert (shadow.changes, shadow.asked.count) == (1, 1)


def aged(number: int, days: float, *rules: str) -> c.Change:
    """A change that was opened so many days before START."""
    made = change_no(number, *rules)
    at = (c.START - timedelta(days=days)).isoformat()
    return msgspec.structs.replace(made, history=tuple(msgspec.structs.replace(r, timestamp=at) for r in made.history))


def test_a_bad_first_week_is_outlived_by_long_enough_under_the_limit() -> None:
    rollout = Rollout(percent=10, min_changes=20, min_days=14, raise_below=0.15)
    bad = [aged(n, 60 - n / 10, "risk_score") for n in range(30)]
    good = [aged(100 + n, 20 - n / 2) for n in range(30)]
    status = assess_status([*good, *bad], rollout, shadow=False, now=c.START)
    assert (status.asked.count, status.asked.total) == (30, 60)
    assert status.missing == ()
    assert (status.lately.count, status.lately.total, status.lately_days) == (0, 20, 15.0)
    short = assess_status([*bad, *good[20:]], rollout, shadow=False, now=c.START)  # 10 good ones and 10 of before
    assert short.lately.share == 0.5
    assert [m for m in short.missing if m.startswith("a rate under 15%")]
    relapse = [*good, *(aged(200 + n, 2, "risk_score") for n in range(6))]
    assert assess_status(relapse, rollout, shadow=False, now=c.START).missing
    young = assess_status([aged(n, 1) for n in range(60)], rollout, shadow=False, now=c.START)
    assert young.missing == ("13.0 more days (of 14)",)
