"""Staging and validation: what blocks a change, whose fault it is, and that no process is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenlane.adapters.memory import Behaviour
from greenlane.agents.production import retire_staging
from greenlane.domain import events as e
from greenlane.domain.delivery import Check, Usage
from greenlane.domain.service_settings import Commands, HttpCheck
from greenlane.domain.settings import Validation
from greenlane.policy.lifecycle import State
from greenlane.policy.staging import Observation, assess_staging, compute_quantile, extract_signatures
from tests.support.rollout import Scene, service, settings

CHECKED = service(smoke=(HttpCheck(path="/items"),))


@pytest.mark.parametrize(
    ("candidate", "told"),
    [
        (Behaviour(builds=False), "does not build"),
        (Behaviour(starts=False), "did not become healthy"),
        (Behaviour(failing_paths=("/items",)), "GET /items failed"),
        (Behaviour(failing_commands=("smoke",)), "smoke command failed"),
        (Behaviour(dies_after_looks=4), "ended while it was watched"),
        (Behaviour(failing_commands=("pytest integration",)), "integration tests failed"),
        (Behaviour(latency_ms=60), "p50_ms"),
        (Behaviour(staging_error_rate=0.1), "failed requests"),
    ],
)
async def test_a_change_that_is_worse_is_blocked_with_the_reason_and_leaves_nothing(
    tmp_path: Path, candidate: Behaviour, told: str
) -> None:
    commands = Commands(start="serve", smoke="smoke", integration="pytest integration")
    config = settings(CHECKED.model_copy(update={"commands": commands}))
    scene = Scene(tmp_path, config, candidate=candidate)
    standing = await scene.driver.drive()
    assert standing.state is State.BLOCKED
    assert told in standing.reason
    assert scene.running == set()
    assert list(tmp_path.iterdir()) == []


async def test_a_check_that_only_the_candidate_fails_is_a_regression(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settings(CHECKED), candidate=Behaviour(failing_paths=("/items",)))
    await scene.driver.drive()
    staging = scene.driver.change.staging
    assert staging is not None
    assert staging.regressions_detected == ("shop: GET /items passes on the current version",)
    assert not staging.staging_healthy


@pytest.mark.parametrize("current", [Behaviour(builds=False), Behaviour(starts=False)])
async def test_a_base_that_does_not_run_is_not_the_fault_of_the_change(tmp_path: Path, current: Behaviour) -> None:
    scene = Scene(tmp_path, current=current)
    standing = await scene.driver.drive()
    assert standing.state is State.AWAITING_HUMAN
    assert "current version" in standing.reason
    assert scene.running == set()
    scene.current = Behaviour()
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED


async def test_a_conflict_names_its_files_and_what_to_do(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.repo.branches["main"] = scene.repo.change(scene.base, {"app.py": b"def price():\n    return 3\n"})
    standing = await scene.driver.drive()
    assert standing.state is State.BLOCKED
    assert "app.py" in standing.reason
    assert "merge or rebase" in standing.reason


async def test_too_little_load_is_inconclusive_and_never_a_success(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settings(validation=Validation(load_duration_s=1, load_extend_max_factor=1)))
    standing = await scene.driver.drive()
    assert standing.state is State.BLOCKED
    assert "inconclusive" in standing.reason
    assert scene.driver.change.validation.why.decision == "inconclusive"  # type: ignore[union-attr]  # it is there


async def test_anomalies_are_passed_on_and_raise_the_risk_of_the_deployment(tmp_path: Path) -> None:
    candidate = Behaviour(rss_growth_mb=10, log="2026-01-01 ERROR pool exhausted after 12 tries\n")
    scene = Scene(tmp_path, candidate=candidate, current=Behaviour(log="all well\n"))
    assert (await scene.driver.drive()).state is State.DEPLOYED
    staging = scene.driver.change.staging
    assert staging is not None
    assert any("memory grew" in a for a in staging.anomalies)
    assert any("pool exhausted" in a for a in staging.anomalies)
    assert scene.driver.change.last_of(e.DeploymentAssessed).level == "medium"  # type: ignore[union-attr]  # it is there


async def test_a_new_service_goes_live_after_people_said_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path, current=Behaviour(builds=False))
    scene.head = scene.repo.change(scene.base, {"new.py": b"x = 1\n"}, "a new service")
    scene.driver.history[0] = scene.driver.history[0].__class__(
        seq=1,
        event_id="1",
        agent="test",
        timestamp=scene.driver.history[0].timestamp,
        event=e.PrOpened(
            **{f: getattr(scene.driver.change.opened, f) for f in e.PrOpened.__struct_fields__}
            | {"head_sha": scene.head}
        ),
    )
    standing = await scene.driver.drive()
    assert standing.state is State.AWAITING_HUMAN
    assert "no version yet" in standing.reason
    scene.driver.put(scene.approve())
    assert (await scene.driver.drive()).state is State.DEPLOYED
    assert await scene.stable_commit() == scene.merge


async def test_what_a_superseded_run_left_in_staging_is_swept(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.driver.interject(e.StagingComplete, e.RunSuperseded(by_run="next", new_head_sha="f" * 40))
    assert (await scene.driver.drive()).state is State.SUPERSEDED
    assert scene.running != set()
    await retire_staging(scene.driver.change, platform=scene.world.platform, fence=scene.driver.fence)
    assert scene.running == set()


def test_signatures_leave_out_what_varies() -> None:
    log = (
        "INFO fine\n"
        "Traceback (most recent call last):\n"
        '  File "app.py", line 3, in price\n'
        "KeyError: 'sku-17'\n"
        "KeyError: 'sku-99'\n"
        "2026-01-01 12:00:01 ERROR order 4711 lost at 0xdeadbeef\n"
        "2026-01-01 12:00:02 ERROR order 4712 lost at 0xdeadbee0\n"
    )
    assert extract_signatures(log) == ("KeyError: …", "…-…-… …:…:… ERROR order … lost at …")


def test_memory_that_grows_in_both_is_no_anomaly() -> None:
    growing = tuple(Usage(cpu_s=1, rss_mb=50.0 + 10 * i, processes=1) for i in range(9))
    flat = (Usage(cpu_s=1, rss_mb=50.0, processes=1),) * 9
    seen = Observation(alive=True, usage=growing, checks=(Check(name="x", passed=True),))
    assert assess_staging("shop", seen, Observation(alive=True, usage=growing)).anomalies == ()
    assert len(assess_staging("shop", seen, Observation(alive=True, usage=flat)).anomalies) == 1


def test_quantiles_are_values_that_were_seen() -> None:
    assert compute_quantile((), 0.99) == 0
    assert compute_quantile((3.0, 1.0, 2.0), 0.5) == 2.0
    assert compute_quantile((3.0, 1.0, 2.0), 0.99) == 3.0
