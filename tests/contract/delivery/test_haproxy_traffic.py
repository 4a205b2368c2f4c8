"""Contract of the router, over a real HAProxy (where one is installed), real services and real load."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from greenlane.adapters.haproxy import HaproxyTraffic, render_section
from greenlane.adapters.load import TrafficSource
from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform
from greenlane.adapters.sockets import find_free_port
from greenlane.domain.delivery import Counters, Instance, Split
from greenlane.domain.errors import FencedError, FinalError, InputError, RetryableError
from greenlane.domain.service_settings import LoadRequest, RouterSettings, Service
from tests.contract.delivery.delivery_service import make_service, make_spec, until

HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
pytestmark = pytest.mark.skipif(HAPROXY is None, reason="HAProxy is not installed here")
LIMIT_MS = 100.0
VERSION = [LoadRequest(path="/version")]
Deploy = Callable[..., "asyncio.Future[Instance]"]


class Proxy:
    """A real HAProxy with the section that `greenlane router` prints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = find_free_port()
        settings = RouterSettings(
            kind="haproxy", socket=str(folder / "ha.sock"), address=f"http://127.0.0.1:{self.port}"
        )
        self.service: Service = make_service("shop").model_copy(update={"router": settings})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self.folder / "haproxy.cfg"
        config.write_text(
            f"global\n    stats socket {self.folder}/ha.sock mode 600 level admin\n"
            "defaults\n    mode http\n    timeout connect 2s\n    timeout client 20s\n    timeout server 1s\n"
            f"frontend users\n    bind 127.0.0.1:{self.port}\n    default_backend shop\n"
            + render_section("shop", "shop", 800)
        )
        assert HAPROXY is not None
        self._process = subprocess.Popen([HAPROXY, "-f", str(config)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not (self.folder / "ha.sock").exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    running = Proxy(tmp_path)
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def traffic(state: Path, proxy: Proxy) -> AsyncIterator[HaproxyTraffic]:
    router = HaproxyTraffic(state)
    router.know(proxy.service)
    yield router
    await router.close()


@pytest.fixture
def deploy(source: Callable[..., Path], builder: LocalBuilder, platform: LocalPlatform) -> Callable[..., object]:
    shop = make_service()

    async def run(version: str, **faults: object) -> Instance:
        artifact = await builder.build(shop, source(version, **faults), "a" * 40)
        return await platform.deploy(shop, make_spec(artifact, f"p-{version}", "production"), fence=1)

    return run


async def ask(url: str, count: int, path: str = "/version") -> Counter[str]:
    seen: Counter[str] = Counter()
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:
        for _ in range(count):
            answer = await client.get(path)
            seen[answer.text if answer.status_code == 200 else str(answer.status_code)] += 1
    return seen


async def test_traffic_is_shared_as_asked_and_counted_exactly(
    deploy: Deploy, traffic: HaproxyTraffic, proxy: Proxy
) -> None:
    assert await traffic.observe("shop") is None
    assert (await traffic.read("shop")).canary == Counters()
    stable, canary = await deploy("1"), await deploy("2")
    await traffic.route(proxy.service, Split(stable=stable), p99_limit_ms=LIMIT_MS, fence=1)
    assert await traffic.observe("shop") == Split(stable=stable)
    url = await traffic.address("shop")
    assert await ask(url, 30) == {"1": 30}

    split = Split(stable=stable, canary=canary, canary_weight=5)
    await traffic.route(proxy.service, split, p99_limit_ms=LIMIT_MS, fence=1)
    assert await traffic.observe("shop") == split
    assert (await traffic.read("shop")).stable.requests == 0
    async with TrafficSource(url, VERSION, rate_rps=400, seed=1) as users:
        await until(lambda: users.totals().requests >= 1000)
        totals = await users.stop()
    assert totals.by_status == {"200": totals.requests}
    reading = await traffic.read("shop")
    assert reading.stable.requests + reading.canary.requests == totals.requests
    assert abs(reading.canary.requests / totals.requests - 0.05) < 0.005  # weighted round robin, not a draw


async def test_errors_and_latencies_stand_with_the_version_that_caused_them(
    deploy: Deploy, traffic: HaproxyTraffic, proxy: Proxy
) -> None:
    stable, canary = await deploy("1"), await deploy("2")
    route = Split(stable=stable, canary=canary, canary_weight=50)
    await traffic.route(proxy.service, route, p99_limit_ms=LIMIT_MS, fence=1)
    url = await traffic.address("shop")
    for slow_ms in (20, 130) * 4:
        await ask(url, 1, f"/x?slow_ms={slow_ms}")
    assert await ask(url, 20, "/fail") == {"500": 20}
    assert await asyncio.gather(*(ask(url, 1, "/hang") for _ in range(4))) == [{"504": 1}] * 4
    reading = await traffic.read("shop")
    assert reading.stable.requests + reading.canary.requests == 32
    assert reading.stable.errors + reading.canary.errors == 24
    assert min(reading.stable.errors, reading.canary.errors) >= 10
    assert reading.stable.over_limit + reading.canary.over_limit == 4
    for side in (reading.stable, reading.canary):
        assert dict(side.histogram)[LIMIT_MS] == side.requests - side.over_limit


async def test_no_request_fails_through_steps_promotion_and_the_next_canary(
    deploy: Deploy, traffic: HaproxyTraffic, proxy: Proxy, platform: LocalPlatform
) -> None:
    one, two, three = await deploy("1"), await deploy("2"), await deploy("3")

    async def route(stable: Instance, canary: Instance | None = None, weight: float = 0.0) -> None:
        split = Split(stable=stable, canary=canary, canary_weight=weight)
        await traffic.route(proxy.service, split, p99_limit_ms=LIMIT_MS, fence=1)
        assert await traffic.observe("shop") == split
        await asyncio.sleep(0.2)

    await route(one)
    url = await traffic.address("shop")
    requests = [LoadRequest(path="/version"), LoadRequest(path="/x?slow_ms=150", weight=0.2)]
    async with TrafficSource(url, requests, rate_rps=150, seed=2) as users:
        await until(lambda: users.totals().requests > 0)
        for weight in (5, 25, 50, 100):
            await route(one, two, weight)
        assert await ask(url, 20) == {"2": 20}
        await route(two)
        await platform.retire(one.deployment_id, fence=1)
        assert await ask(url, 20) == {"2": 20}
        await route(two, three, 5)
        await route(two, three, 0)
        await route(two)
        await platform.retire(three.deployment_id, fence=1)
        totals = await users.stop()
    assert totals.requests > 200
    assert totals.by_status == {"200": totals.requests}


async def test_a_canary_that_cannot_be_reached_fails_for_the_judge_and_not_for_users(
    deploy: Deploy, traffic: HaproxyTraffic, proxy: Proxy, platform: LocalPlatform
) -> None:
    one, two = await deploy("1"), await deploy("2")
    split = Split(stable=one, canary=two, canary_weight=50)
    await traffic.route(proxy.service, split, p99_limit_ms=LIMIT_MS, fence=1)
    await platform.retire(two.deployment_id, fence=1)
    assert await ask(await traffic.address("shop"), 60) == {"1": 60}
    reading = await traffic.read("shop")
    assert reading.canary.errors == reading.canary.requests > 10
    assert reading.stable.errors == 0


async def test_a_canary_that_ended_stays_readable_and_an_older_worker_is_refused(
    deploy: Deploy, traffic: HaproxyTraffic, proxy: Proxy
) -> None:
    one, two = await deploy("1"), await deploy("2")
    split = Split(stable=one, canary=two, canary_weight=50)
    await traffic.route(proxy.service, split, p99_limit_ms=LIMIT_MS, fence=7)
    seen = await ask(await traffic.address("shop"), 40)
    with pytest.raises(FencedError):
        await traffic.route(proxy.service, Split(stable=two), p99_limit_ms=LIMIT_MS, fence=6)
    assert await traffic.observe("shop") == split
    await traffic.route(proxy.service, Split(stable=one), p99_limit_ms=LIMIT_MS, fence=7)
    reading = await traffic.read("shop")
    assert (reading.stable.requests, reading.canary.requests) == (seen["1"], seen["2"])


async def test_a_proxy_that_was_started_anew_is_told_of_and_pointed_back(
    deploy: Deploy, traffic: HaproxyTraffic, proxy: Proxy
) -> None:
    one, two = await deploy("1"), await deploy("2")
    split = Split(stable=one, canary=two, canary_weight=50)
    await traffic.route(proxy.service, split, p99_limit_ms=LIMIT_MS, fence=1)
    proxy.stop()
    with pytest.raises(RetryableError, match="does not answer"):
        await traffic.read("shop")
    (proxy.folder / "ha.sock").unlink(missing_ok=True)
    proxy.start()
    with pytest.raises(FinalError, match="not to 127"):
        await traffic.observe("shop")
    await traffic.revive()
    assert (await traffic.observe("shop")) == Split(stable=one, canary=two, canary_weight=0)
    assert await ask(await traffic.address("shop"), 20) == {"1": 20}


async def test_a_section_that_is_missing_is_named(deploy: Deploy, traffic: HaproxyTraffic, proxy: Proxy) -> None:
    other = proxy.service.model_copy(update={"name": "other"})
    with pytest.raises(FinalError) as caught:
        await traffic.route(other, Split(stable=await deploy("1")), p99_limit_ms=LIMIT_MS, fence=1)
    assert "greenlane router" in caught.value.hint
    with pytest.raises(InputError):
        await traffic.address("other")


CONTROLLER = """
import asyncio, sys
from pathlib import Path
from tests.contract.delivery.delivery_service import ThisPython, make_service, make_settings
from greenlane.adapters.haproxy import HaproxyTraffic
from greenlane.adapters.local_platform import LocalPlatform
from greenlane.domain.delivery import Split
from greenlane.domain.service_settings import RouterSettings

async def main():
    state, socket, address = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    platform = LocalPlatform(state, ThisPython(), make_settings())
    stable, canary = await platform.find("p-1"), await platform.find("p-2")
    router = RouterSettings(kind="haproxy", socket=socket, address=address)
    service = make_service("shop").model_copy(update={"router": router})
    split = Split(stable=stable, canary=canary, canary_weight=float(sys.argv[4]))
    await HaproxyTraffic(state).route(service, split, p99_limit_ms=100, fence=1)
    print("routed", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("weight", [50, 100])
async def test_a_canary_that_nobody_watches_any_more_loses_its_traffic(
    deploy: Deploy, traffic: HaproxyTraffic, proxy: Proxy, state: Path, weight: int
) -> None:
    one = await deploy("1")
    await deploy("2")
    await traffic.route(proxy.service, Split(stable=one), p99_limit_ms=LIMIT_MS, fence=1)
    url = await traffic.address("shop")
    controller = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONTROLLER, str(state), str(proxy.folder / "ha.sock"), url, str(weight),
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        assert controller.stdout is not None
        assert await controller.stdout.readline() == b"routed\n"
        async with TrafficSource(url, [LoadRequest(path="/x?slow_ms=5")], rate_rps=150, seed=4) as users:
            await until(lambda: users.totals().requests > 0)
            assert (await ask(url, 40))["2"] > 5
            controller.send_signal(signal.SIGKILL)
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
    assert last_canary_s < 2
    assert totals.by_status == {"200": totals.requests}
