"""Contract of the router, over a real Envoy, real services and real load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from greenlane.adapters.envoy import EnvoyTraffic, countable_limit_ms
from greenlane.adapters.load import TrafficSource
from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform
from greenlane.adapters.processes import is_alive, read_status
from greenlane.domain.delivery import Counters, Instance, Split
from greenlane.domain.errors import FencedError, InputError
from greenlane.domain.service_settings import LoadRequest, RouterSettings
from tests.contract.delivery.delivery_service import make_service, make_spec, until

LIMIT_MS = 100.0
SHOP = make_service()
VERSION = [LoadRequest(path="/version")]
FLUSHED_S = 0.3
"""Envoy merges its histograms five times a second."""

Deploy = Callable[..., "asyncio.Future[Instance]"]


@pytest.fixture
async def traffic(state: Path) -> AsyncIterator[EnvoyTraffic]:
    router = EnvoyTraffic(state)
    yield router
    await router.close()


@pytest.fixture
def deploy(source: Callable[..., Path], builder: LocalBuilder, platform: LocalPlatform) -> Callable[..., object]:
    """Starts a version in production."""

    async def run(version: str, **faults: object) -> Instance:
        artifact = await builder.build(SHOP, source(version, **faults), "a" * 40)
        return await platform.deploy(SHOP, make_spec(artifact, f"p-{version}", "production"), fence=1)

    return run


async def ask(url: str, count: int, path: str = "/version") -> Counter[str]:
    """Who answered how often: the body of good answers, the status of others."""
    seen: Counter[str] = Counter()
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:
        for _ in range(count):
            answer = await client.get(path)
            seen[answer.text if answer.status_code == 200 else str(answer.status_code)] += 1
    return seen


async def test_nothing_is_routed_before_the_first_route(traffic: EnvoyTraffic) -> None:
    assert await traffic.observe("shop") is None
    assert (await traffic.read("shop")).canary == Counters()
    with pytest.raises(InputError):
        await traffic.address("shop")


async def test_traffic_is_shared_as_asked_and_counted_exactly(deploy: Deploy, traffic: EnvoyTraffic) -> None:
    stable, canary = await deploy("1"), await deploy("2")
    await traffic.route(SHOP, Split(stable=stable), p99_limit_ms=LIMIT_MS, fence=1)
    assert await traffic.observe("shop") == Split(stable=stable)
    url = await traffic.address("shop")
    assert await ask(url, 30) == {"1": 30}

    split = Split(stable=stable, canary=canary, canary_weight=5)
    await traffic.route(SHOP, split, p99_limit_ms=LIMIT_MS, fence=1)
    assert await traffic.observe("shop") == split
    assert (await traffic.read("shop")).stable.requests == 0
    async with TrafficSource(url, VERSION, rate_rps=400, seed=1) as users:
        await until(lambda: users.totals().requests >= 1500)
        totals = await users.stop()
    assert totals.by_status == {"200": totals.requests}
    await asyncio.sleep(FLUSHED_S)
    reading = await traffic.read("shop")
    assert reading.stable.requests + reading.canary.requests == totals.requests
    assert 0.03 < reading.canary.requests / totals.requests < 0.07  # five standard deviations of the draw
    for side in (reading.stable, reading.canary):
        assert side.errors == 0
        assert side.histogram[-1][1] == side.requests


async def test_errors_and_latencies_stand_with_the_version_that_caused_them(deploy: Deploy, state: Path) -> None:
    traffic = EnvoyTraffic(state, request_timeout_s=1.0)
    stable, canary = await deploy("1"), await deploy("2")
    route = Split(stable=stable, canary=canary, canary_weight=50)
    await traffic.route(SHOP, route, p99_limit_ms=LIMIT_MS, fence=1)
    url = await traffic.address("shop")
    surely_over: Counter[str] = Counter()
    perhaps_over: Counter[str] = Counter()
    for slow_ms in (80, 85, 104, 108) * 4:  # bins of Envoy are 10 ms wide from 100 on: 104 must not pass for 100
        began = time.monotonic()
        (version,) = await ask(url, 1, f"/x?slow_ms={slow_ms}")
        surely_over[version] += slow_ms > LIMIT_MS
        perhaps_over[version] += (time.monotonic() - began) * 1000 > LIMIT_MS  # what the user waited is never less
    assert await ask(url, 20, "/fail") == {"500": 20}
    hung = 4
    assert await asyncio.gather(*(ask(url, 1, "/hang") for _ in range(hung))) == [{"504": 1}] * hung
    await asyncio.sleep(FLUSHED_S)
    reading = await traffic.read("shop")
    sides = {"1": reading.stable, "2": reading.canary}
    assert sum(side.requests for side in sides.values()) == 40
    assert sum(side.errors for side in sides.values()) == 24
    assert all(side.errors > 0 for side in sides.values())
    over = sum(side.over_limit for side in sides.values())
    assert surely_over.total() + hung <= over <= perhaps_over.total() + hung
    for name, side in sides.items():
        assert surely_over[name] <= side.over_limit <= perhaps_over[name] + hung
        assert dict(side.histogram)[LIMIT_MS] == side.requests - side.over_limit
    await traffic.close()


async def test_no_request_fails_through_steps_promotion_and_the_next_canary(
    deploy: Deploy, traffic: EnvoyTraffic, platform: LocalPlatform
) -> None:
    one, two, three = await deploy("1"), await deploy("2"), await deploy("3")

    async def route(stable: Instance, canary: Instance | None = None, weight: float = 0.0) -> None:
        split = Split(stable=stable, canary=canary, canary_weight=weight)
        await traffic.route(SHOP, split, p99_limit_ms=LIMIT_MS, fence=1)
        assert await traffic.observe("shop") == split
        await asyncio.sleep(0.2)

    await route(one)
    url = await traffic.address("shop")
    requests = [LoadRequest(path="/version"), LoadRequest(path="/x?slow_ms=150", weight=0.2)]
    async with TrafficSource(url, requests, rate_rps=150, seed=2) as users:
        await until(lambda: users.totals().requests > 0)
        for weight in (5, 25, 50, 100):
            await route(one, two, weight)
        await route(two)
        await platform.retire(one.deployment_id, fence=1)
        assert await ask(url, 20) == {"2": 20}
        await route(two, three, 5)
        await route(two, three, 0)
        await route(two)
        await platform.retire(three.deployment_id, fence=1)
        assert await ask(url, 20) == {"2": 20}
        totals = await users.stop()
    assert totals.requests > 200
    assert totals.by_status == {"200": totals.requests}


async def test_a_new_canary_starts_at_zero_and_one_that_ended_stays_readable(
    deploy: Deploy, traffic: EnvoyTraffic
) -> None:
    one, two, three = await deploy("1"), await deploy("2"), await deploy("3")
    await traffic.route(SHOP, Split(stable=one, canary=two, canary_weight=50), p99_limit_ms=LIMIT_MS, fence=1)
    url = await traffic.address("shop")
    seen = await ask(url, 40)
    await traffic.route(SHOP, Split(stable=one), p99_limit_ms=LIMIT_MS, fence=1)
    reading = await traffic.read("shop")
    assert (reading.stable.requests, reading.canary.requests) == (seen["1"], seen["2"])
    await traffic.route(SHOP, Split(stable=one, canary=three, canary_weight=50), p99_limit_ms=LIMIT_MS, fence=1)
    reading = await traffic.read("shop")
    assert (reading.stable, reading.canary.requests) == ((await traffic.read("shop")).stable, 0)
    assert reading.stable.requests == 0
    seen = await ask(url, 40)
    reading = await traffic.read("shop")
    assert (reading.stable.requests, reading.canary.requests) == (seen["1"], seen["3"])


async def test_a_canary_that_cannot_be_reached_fails_for_the_judge_and_not_for_users(
    deploy: Deploy, traffic: EnvoyTraffic, platform: LocalPlatform
) -> None:
    one, two = await deploy("1"), await deploy("2")
    await traffic.route(SHOP, Split(stable=one, canary=two, canary_weight=50), p99_limit_ms=LIMIT_MS, fence=1)
    await platform.retire(two.deployment_id, fence=1)
    assert await ask(await traffic.address("shop"), 60) == {"1": 60}
    reading = await traffic.read("shop")
    assert reading.canary.errors == reading.canary.requests > 10
    assert reading.stable.errors == 0
    assert reading.stable.requests + reading.canary.requests == 60


async def test_a_client_can_neither_shorten_time_outs_nor_ask_for_retries(
    deploy: Deploy, traffic: EnvoyTraffic
) -> None:
    one, two = await deploy("1"), await deploy("2")
    await traffic.route(SHOP, Split(stable=one, canary=two, canary_weight=100), p99_limit_ms=LIMIT_MS, fence=1)
    headers = {
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-upstream-rq-per-try-timeout-ms": "1",
        "x-envoy-retry-on": "5xx",
        "x-envoy-max-retries": "5",
    }
    async with httpx.AsyncClient(base_url=await traffic.address("shop"), trust_env=False) as client:
        assert (await client.get("/x?slow_ms=60", headers=headers)).status_code == 200
        assert (await client.get("/fail", headers=headers)).status_code == 500
    assert (await traffic.read("shop")).canary.requests == 2


async def test_a_canary_sees_requests_as_stable_does(deploy: Deploy, traffic: EnvoyTraffic) -> None:
    one, two = await deploy("1"), await deploy("2")
    await traffic.route(SHOP, Split(stable=one), p99_limit_ms=LIMIT_MS, fence=1)
    url = await traffic.address("shop")

    async def seen() -> dict[str, str]:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            headers = {"x-envoy-retry-on": "5xx", "x-request-id": "abc", "x-greenlane-fall-back": "1"}
            return json.loads((await client.get("/headers", headers=headers)).text)

    direct = await seen()
    await traffic.route(SHOP, Split(stable=one, canary=two, canary_weight=100), p99_limit_ms=LIMIT_MS, fence=1)
    assert await seen() == direct


async def test_a_request_may_choose_its_version_by_the_configured_header_alone(
    deploy: Deploy, traffic: EnvoyTraffic
) -> None:
    one, two = await deploy("1"), await deploy("2")
    shop = SHOP.model_copy(update={"router": RouterSettings(header="X-Try-Shop")})
    await traffic.route(shop, Split(stable=one, canary=two, canary_weight=1), p99_limit_ms=LIMIT_MS, fence=1)
    url = await traffic.address("shop")
    assert await traffic.observe("shop") == Split(stable=one, canary=two, canary_weight=1)

    async def chosen(value: str) -> set[str]:
        async with httpx.AsyncClient(base_url=url, trust_env=False, headers={"x-try-shop": value}) as client:
            return {(await client.get("/version")).text for _ in range(15)}

    assert await chosen("canary") == {"2"}
    assert await chosen("stable") == {"1"}
    await traffic.route(shop, Split(stable=one, canary=two, canary_weight=0), p99_limit_ms=LIMIT_MS, fence=1)
    assert await chosen("canary") == {"1"}


async def test_mirrored_requests_are_counted_for_the_canary_and_never_answer_a_user(
    deploy: Deploy, traffic: EnvoyTraffic
) -> None:
    one, two = await deploy("1"), await deploy("2", fail_percent=100)
    shop = SHOP.model_copy(update={"router": RouterSettings(mirror_pct=100)})
    await traffic.route(shop, Split(stable=one, canary=two, canary_weight=0.01), p99_limit_ms=LIMIT_MS, fence=1)
    url = await traffic.address("shop")
    assert (await ask(url, 40))["1"] >= 39
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for _ in range(20):
            await client.post("/version", content=b"x")
    await asyncio.sleep(FLUSHED_S)
    canary = (await traffic.read("shop")).canary
    assert 40 <= canary.requests <= 43  # each GET once more, no POST
    assert canary.errors >= 40
    await traffic.route(shop, Split(stable=one), p99_limit_ms=LIMIT_MS, fence=1)
    before = (await traffic.read("shop")).canary.requests
    assert await ask(url, 10) == {"1": 10}
    assert (await traffic.read("shop")).canary.requests == before


async def test_a_port_in_use_is_named_with_the_key_to_change(deploy: Deploy, traffic: EnvoyTraffic) -> None:
    stable = await deploy("1")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} of service shop is in use") as caught:
            await traffic.route(make_service(port=port), Split(stable=stable), p99_limit_ms=LIMIT_MS, fence=1)
    assert "`port` for service `shop` under `services` in greenlane.yaml" in caught.value.hint
    await traffic.route(make_service(port=port), Split(stable=stable), p99_limit_ms=LIMIT_MS, fence=1)
    assert await traffic.address("shop") == f"http://127.0.0.1:{port}"
    assert await ask(await traffic.address("shop"), 1) == {"1": 1}


async def test_an_older_worker_of_a_run_is_refused_whatever_it_would_move(
    deploy: Deploy, traffic: EnvoyTraffic, state: Path
) -> None:
    one, two, three = await deploy("1"), await deploy("2"), await deploy("3")
    held = Split(stable=one, canary=two, canary_weight=5)
    await traffic.route(SHOP, held, p99_limit_ms=LIMIT_MS, fence=7, run="shop-1")
    zombie = EnvoyTraffic(state)
    promotion = Split(stable=two)
    for split in (
        Split(stable=one, canary=two, canary_weight=50),
        Split(stable=one),
        promotion,
    ):
        with pytest.raises(FencedError):
            await zombie.route(SHOP, split, p99_limit_ms=LIMIT_MS, fence=6, run="shop-1")
    assert await traffic.observe("shop") == held
    await traffic.route(SHOP, Split(stable=one), p99_limit_ms=LIMIT_MS, fence=8, run="shop-1")  # taken back
    with pytest.raises(FencedError):
        await zombie.route(SHOP, promotion, p99_limit_ms=LIMIT_MS, fence=7, run="shop-1")
    # another run counts its own takeovers: its first worker is no older one
    another = Split(stable=one, canary=three)
    await traffic.route(SHOP, another, p99_limit_ms=LIMIT_MS, fence=1, run="shop-2")
    with pytest.raises(FencedError):
        await zombie.route(SHOP, promotion, p99_limit_ms=LIMIT_MS, fence=7, run="shop-1")
    assert await traffic.observe("shop") == another


async def test_a_router_that_died_comes_back_and_unwatched_canaries_get_nothing(
    deploy: Deploy, traffic: EnvoyTraffic, state: Path
) -> None:
    one, two = await deploy("1"), await deploy("2")
    split = Split(stable=one, canary=two, canary_weight=50)
    await traffic.route(SHOP, split, p99_limit_ms=LIMIT_MS, fence=1)
    url = await traffic.address("shop")
    folder = state / "envoy"
    status = read_status(folder)
    assert status is not None
    os.kill(status.child, signal.SIGKILL)  # its supervisor starts it again; this process still watches the canary
    await eventually_answers(url)
    await asyncio.sleep(0.7)
    seen = await ask(url, 40)
    assert seen["2"] > 0
    reading = await traffic.read("shop")
    assert reading.canary.requests >= seen["2"]

    os.kill(status.pid, signal.SIGKILL)  # now both: Envoy runs on without a supervisor until it is needed again
    await until(lambda: not is_alive(folder))
    other = EnvoyTraffic(state)
    await other.route(SHOP, Split(stable=one, canary=two), p99_limit_ms=LIMIT_MS, fence=1)
    assert await other.address("shop") == url
    assert await other.observe("shop") == Split(stable=one, canary=two)
    assert await ask(url, 40) == {"1": 40}


async def eventually_answers(url: str) -> None:
    for _ in range(200):
        try:
            await ask(url, 1)
            return
        except httpx.HTTPError:
            await asyncio.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


CONTROLLER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.contract.delivery.delivery_service import ThisPython, make_service, make_settings
from greenlane.adapters.envoy import EnvoyTraffic
from greenlane.adapters.local_platform import LocalPlatform
from greenlane.domain.delivery import Split

async def main():
    state = Path(sys.argv[2])
    platform = LocalPlatform(state, ThisPython(), make_settings())
    stable, canary = await platform.find("p-1"), await platform.find("p-2")
    traffic = EnvoyTraffic(state)
    split = Split(stable=stable, canary=canary, canary_weight=float(sys.argv[3]))
    await traffic.route(make_service(), split, p99_limit_ms=100, fence=int(sys.argv[4]))
    print("routed", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def start_controller(state: Path, weight: float, fence: int) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONTROLLER, str(Path(__file__).parent), str(state), str(weight), str(fence),
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert process.stdout is not None
    assert await process.stdout.readline() == b"routed\n"
    return process


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_canary_that_nobody_watches_any_more_loses_its_traffic(
    deploy: Deploy, traffic: EnvoyTraffic, state: Path, end: signal.Signals
) -> None:
    one, two = await deploy("1"), await deploy("2")
    await traffic.route(SHOP, Split(stable=one), p99_limit_ms=LIMIT_MS, fence=1)
    url = await traffic.address("shop")
    controller = await start_controller(state, 50, 1)
    try:
        async with TrafficSource(url, [LoadRequest(path="/x?slow_ms=5")], rate_rps=150, seed=4) as users:
            await until(lambda: users.totals().requests > 0)
            assert (await ask(url, 40))["2"] > 5
            controller.send_signal(end)
            began = time.monotonic()
            last_canary_s = 0.0
            while time.monotonic() - began < 2.2:
                if (await ask(url, 1))["2"]:
                    last_canary_s = time.monotonic() - began
            totals = await users.stop()
    finally:
        with contextlib.suppress(ProcessLookupError):
            controller.kill()
        await controller.wait()
    print(f"last canary answer {last_canary_s:.2f} s after {end.name}")
    assert last_canary_s < 2
    assert totals.requests > 100
    assert totals.by_status == {"200": totals.requests}

    # the next worker finds the weight still configured, and arms anew before it gives any
    split = Split(stable=one, canary=two, canary_weight=50)
    assert await traffic.observe("shop") == split
    assert await ask(url, 20) == {"1": 20}
    await traffic.route(SHOP, split, p99_limit_ms=LIMIT_MS, fence=2)
    assert (await ask(url, 40))["2"] > 5


async def test_a_canary_that_is_let_go_loses_its_traffic_though_its_process_lives(
    deploy: Deploy, traffic: EnvoyTraffic
) -> None:
    one, two = await deploy("1"), await deploy("2")
    split = Split(stable=one, canary=two, canary_weight=50)
    await traffic.route(SHOP, split, p99_limit_ms=LIMIT_MS, fence=1)
    url = await traffic.address("shop")
    assert (await ask(url, 40))["2"] > 5
    await traffic.let_go("shop")
    await traffic.let_go("shop")  # again: nothing
    await asyncio.sleep(2)
    assert await ask(url, 40) == {"1": 40}
    await traffic.route(SHOP, split, p99_limit_ms=LIMIT_MS, fence=1)
    assert (await ask(url, 40))["2"] > 5


async def test_a_canary_whose_counters_nobody_reads_gets_nothing_until_they_are_read_again(
    deploy: Deploy, traffic: EnvoyTraffic, state: Path
) -> None:
    one, two = await deploy("1"), await deploy("2")
    watching = EnvoyTraffic(state, watch_gap_s=1.5)
    try:
        await watching.route(SHOP, Split(stable=one, canary=two, canary_weight=50), p99_limit_ms=LIMIT_MS, fence=1)
        url = await traffic.address("shop")
        for _ in range(10):
            await watching.read("shop")
            await asyncio.sleep(0.2)
        assert (await ask(url, 40))["2"] > 5
        await asyncio.sleep(3.5)
        assert await ask(url, 40) == {"1": 40}
        for _ in range(5):
            await watching.read("shop")
            await asyncio.sleep(0.2)
        assert (await ask(url, 40))["2"] > 5
    finally:
        await watching.close()


def test_limits_are_counted_exactly_or_stricter() -> None:
    exact = {800.0: 800.0, 95.0: 95.0, 1200.0: 1200.0, 1.0: 1.0, 60000.0: 60000.0}
    stricter = {125.0: 120.0, 999.0: 990.0, 95.5: 95.0, 90000.0: 60000.0}
    assert {limit: countable_limit_ms(limit) for limit in exact | stricter} == exact | stricter
