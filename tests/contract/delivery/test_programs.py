"""Programs of the adopter's as platform, router and source of figures: real programs, real processes."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import httpx
import pytest

from greenlane.adapters.command_router import CommandTraffic
from greenlane.adapters.local_builder import LocalBuilder
from greenlane.adapters.local_platform import LocalPlatform
from greenlane.adapters.platforms import Builders, Platforms
from greenlane.adapters.routers import Routers
from greenlane.domain.delivery import Artifact, DeploymentSpec, Instance, Split
from greenlane.domain.errors import (
    BuildFailedError,
    DeployFailedError,
    FencedError,
    FinalError,
    InputError,
    RetryableError,
)
from greenlane.domain.service_settings import MetricsSettings, PlatformSettings, RouterSettings, Service
from tests.contract.delivery.delivery_service import make_service

PROGRAM = Path(__file__).with_name("adopters_program.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "adopter"
    place.mkdir()
    return place


@pytest.fixture
def shop(folder: Path) -> Service:
    command = shlex.join([sys.executable, str(PROGRAM), str(folder)])
    return make_service().model_copy(
        update={
            "platform": PlatformSettings(kind="command", command=command, timeout_s=20),
            "router": RouterSettings(kind="command", command=command, address="http://127.0.0.1:1", timeout_s=20),
            "metrics": MetricsSettings(source="command", command=command),
        }
    )


def instance(name: str) -> Instance:
    artifact = Artifact(digest="sha256:1", service="shop", commit="a" * 40, location="/x")
    return Instance(deployment_id=name, service="shop", artifact=artifact, host="127.0.0.1", port=1)


async def test_a_program_builds_starts_finds_and_stops(
    shop: Service, folder: Path, tmp_path: Path, builder: LocalBuilder, platform: LocalPlatform, state: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "version.txt").write_text("one")
    builders, platforms = Builders(builder), Platforms(platform, state, [shop])
    artifact = await builders.build(shop, source, "a" * 40)
    spec = DeploymentSpec(deployment_id="p-1", service="shop", artifact=artifact, environment="production")
    try:
        started = await platforms.deploy(shop, spec, fence=3)
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"http://{started.host}:{started.port}/"
            assert (await client.get(url)).text == "one"
        assert await platforms.deploy(shop, spec, fence=3) == started
        again = Platforms(platform, state, [shop])  # after a restart of the controller
        assert await again.find("p-1") == started
        check = await builders.exercise(shop, artifact, "one", name="smoke", url=url, timeout_s=5)
        assert check.passed
        usage, log = await platforms.inspect("p-1")
        assert (usage.rss_mb, log) == (12.5, "log of p-1")
        with pytest.raises(FencedError):
            await platforms.retire("p-1", fence=2)
    finally:
        await platforms.retire("p-1", fence=None)
    assert await platforms.find("p-1") is None
    assert await platforms.find("p-unknown") is None
    with pytest.raises(InputError, match="no longer name"):
        await Platforms(platform, state, []).find("p-1")


async def test_a_program_routes_and_is_told_when_its_canary_is_watched_no_more(
    shop: Service, folder: Path, state: Path
) -> None:
    traffic = CommandTraffic(state, watch_gap_s=2.0)
    assert await traffic.observe("shop") is None
    split = Split(stable=instance("p-1"), canary=instance("p-2"), canary_weight=5)
    await traffic.route(shop, split, p99_limit_ms=800, fence=4)
    told = json.loads((folder / "calls").read_text().splitlines()[-1])
    assert (told["contract"], told["call"], told["unwatched_after_s"]) == ("greenlane.router/1", "route", 2.0)
    assert (told["canary"]["port"], told["p99_limit_ms"], told["fence"]) == (1, 800.0, 4)
    assert await traffic.observe("shop") == split
    with pytest.raises(FencedError):
        await traffic.route(shop, Split(stable=instance("p-1")), p99_limit_ms=800, fence=3)
    other = Routers(state, [shop], limits_ms={"shop": 800.0})
    reading = await other.read("shop")
    assert (reading.canary.requests, reading.canary.errors, reading.stable.over_limit) == (5, 1, 1)
    await traffic.let_go("shop")
    seen = await traffic.observe("shop")
    assert seen is not None
    assert seen.canary_weight == 0


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("print('no json'); sys.exit(0)", FinalError, "the contract does not have"),
        ("print('{\"digest\": 5}'); sys.exit(0)", FinalError, "the contract does not have"),
        ("print('registry down', file=sys.stderr); sys.exit(75)", RetryableError, "registry down"),
        ("print('no such image', file=sys.stderr); sys.exit(3)", BuildFailedError, "ended with 3: no such image"),
        ("time.sleep(60)", RetryableError, "did not answer within"),
        ("print('x' * 9_000_000); sys.exit(0)", FinalError, "the contract does not have"),
    ],
)
async def test_a_program_that_misbehaves_is_refused_by_name(
    shop: Service, folder: Path, builder: LocalBuilder, tmp_path: Path, fault: str, error: type[Exception], words: str
) -> None:
    (folder / "fault").write_text(fault)
    slow = shop.platform.model_copy(update={"timeout_s": 2.0})
    began = time.monotonic()
    with pytest.raises(error, match=words):
        await Builders(builder).build(shop.model_copy(update={"platform": slow}), tmp_path, "a" * 40)
    assert time.monotonic() - began < 20


async def test_a_deployment_that_the_program_refuses_is_the_changes_fault(
    shop: Service, folder: Path, platform: LocalPlatform, state: Path
) -> None:
    (folder / "fault").write_text("print('quota', file=sys.stderr); sys.exit(1)")
    spec = DeploymentSpec(deployment_id="p-9", service="shop", artifact=instance("p-9").artifact, environment="staging")
    with pytest.raises(DeployFailedError, match="quota"):
        await Platforms(platform, state, [shop]).deploy(shop, spec, fence=1)


@pytest.mark.parametrize("command", ["./deploy.sh", "tools/deploy", "no-such-program-anywhere", "", "'open"])
async def test_a_program_that_could_be_a_file_of_a_change_is_not_run(
    shop: Service, builder: LocalBuilder, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deploy.sh").write_text("#!/bin/sh\ntouch ran\n")
    (tmp_path / "deploy.sh").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    other = shop.model_copy(update={"platform": PlatformSettings(kind="command", command=command)})
    with pytest.raises(InputError):
        await Builders(builder).build(other, tmp_path, "a" * 40)
    assert not (tmp_path / "ran").exists()
