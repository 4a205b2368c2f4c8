"""Traffic that can't decide a canary: more weight, more time, added requests, or a person; never a pass."""

from __future__ import annotations

from pathlib import Path

from greenlane.adapters.memory import Behaviour
from greenlane.agents.canary_traffic import TOO_LITTLE
from greenlane.domain import events as e
from greenlane.domain.service_settings import LoadRequest
from greenlane.domain.settings import Canary
from greenlane.policy.canary_trail import learn_spread, trails_of
from greenlane.policy.lifecycle import State
from tests.support.rollout import Scene, service, settings

NEEDED = 50


def _scene(folder: Path, rps: float, *, load: str = "", synthetic_rps: float = 0.0) -> Scene:
    """A watch of 30 s that may take 60 s, at 5 to 20 %."""
    requests = (LoadRequest(path="/", method=load),) if load else ()  # type: ignore[arg-type]  # a method
    canary = Canary(warmup_s=5, step_duration_s=5, min_requests=NEEDED, detect_factor=10, synthetic_rps=synthetic_rps)
    scene = Scene(folder, settings(service(load=requests), canary=canary))
    scene.world.traffic.default_rps = rps
    return scene


def _starting(scene: Scene) -> e.CanaryStarting:
    found = scene.driver.change.last_of(e.CanaryStarting)
    assert found is not None
    return found


def _asked(scene: Scene) -> list[str]:
    return [t.rule for r in scene.driver.change.all_of(e.HumanRequested) for t in r.gate.triggers]


async def test_enough_traffic_changes_nothing(tmp_path: Path) -> None:
    scene = _scene(tmp_path, 100)
    assert (await scene.driver.drive()).state is State.DEPLOYED
    starting = _starting(scene)
    assert (starting.weight_percent, starting.traffic_rps, starting.synthetic_rps) == (5, 100, 0)


async def test_the_weight_is_raised_where_that_is_enough(tmp_path: Path) -> None:
    scene = _scene(tmp_path, 15)
    assert (await scene.driver.drive()).state is State.DEPLOYED
    starting = _starting(scene)
    assert starting.weight_percent == 12  # 50 of 15 * 30
    assert "raised from 5 %, at most 20 %" in starting.why.rationale
    assert "route shop 12" in scene.world.effects


async def test_the_watch_is_extended_where_the_highest_weight_needs_more_time(tmp_path: Path) -> None:
    scene = _scene(tmp_path, 6)
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert _starting(scene).weight_percent == 20
    watched = [o for o in scene.driver.change.all_of(e.CanaryObserved) if o.phase == "watch"]
    assert 30 < watched[-1].elapsed_s <= 60
    assert watched[-1].judgement.requests >= NEEDED


async def test_requests_that_only_read_are_added_where_the_service_has_them(tmp_path: Path) -> None:
    scene = _scene(tmp_path, 1, load="GET", synthetic_rps=20)
    seen: list[float] = []
    scene.driver.on_event = lambda event: seen.append(scene.world.traffic.added_rps.get("shop", 0.0))
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert 7 < _starting(scene).synthetic_rps < 8  # 50 requests in 30 s at 20 % are 8.3 a second
    assert max(seen) == _starting(scene).synthetic_rps
    assert scene.world.traffic.added_rps["shop"] == 0  # and they end with the watch


async def test_a_canary_that_nothing_can_decide_is_asked_about_and_never_passes(tmp_path: Path) -> None:
    scene = _scene(tmp_path, 1, load="POST", synthetic_rps=20)  # what writes is not sent
    assert (await scene.driver.drive()).state is State.AWAITING_HUMAN
    assert _asked(scene) == [TOO_LITTLE]
    assert not scene.driver.change.all_of(e.CanaryStarting)
    assert [x for x in scene.world.effects if x.startswith("route")] == ["route shop 0"]  # the base version's

    scene.driver.put(scene.approve())  # a person lets it try
    assert (await scene.driver.drive()).state is State.AWAITING_HUMAN
    assert _starting(scene).weight_percent == 20
    assert scene.driver.types[-1] == "canary.inconclusive"
    assert await scene.stable_commit() == scene.base


async def test_what_earlier_canaries_showed_of_bursts_is_in_the_decision_to_start(tmp_path: Path) -> None:
    first = Scene(tmp_path / "first", settings(), current=Behaviour(production_error_rate=0.002))
    await first.driver.drive()
    known = learn_spread(trails_of(first.driver.history))
    assert known is not None
    assert known[0].requests > 3000
    assert known[0].bad > 0
    second = Scene(tmp_path / "second", settings())
    second.known_spreads = known
    await second.driver.drive()
    assert (_starting(second).spread_errors, _starting(second).spread_slow) == known
