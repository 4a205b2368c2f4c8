"""Load, user traffic and the probe, against real services."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from greenlane.adapters.load import HttpLoad, TrafficSource
from greenlane.adapters.load_worker import LoadPlan, PlannedRequest, plan_arrivals
from greenlane.adapters.local_platform import LocalBuilder, LocalPlatform
from greenlane.adapters.probe import HttpProbe
from greenlane.domain.errors import InputError
from greenlane.domain.service_settings import HttpCheck, LoadRequest
from tests.contract.delivery.delivery_service import make_service, make_spec, until

MakeSource = Callable[..., Path]


@pytest.fixture
async def start(source: MakeSource, builder: LocalBuilder, platform: LocalPlatform) -> Callable[..., object]:
    """Starts a version of the service with faults; its address."""

    async def run(version: str, **faults: object) -> str:
        artifact = await builder.build(make_service(), source(version, **faults), "a" * 40)
        instance = await platform.deploy(make_service(), make_spec(artifact, f"s-{version}"), fence=1)
        return f"http://{instance.host}:{instance.port}"

    return run


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_each_target_gets_each_request_once_a_slot_in_random_order() -> None:
    plan = LoadPlan(
        targets={"current": "a", "candidate": "b"},
        requests=(PlannedRequest(path="/1", weight=3), PlannedRequest(path="/2")),
        rate_rps=50,
        duration_s=10,
        seed=7,
    )
    arrivals = list(plan_arrivals(plan))
    assert len(arrivals) == 1000
    assert arrivals == list(plan_arrivals(plan))
    pairs = [arrivals[i : i + 2] for i in range(0, 1000, 2)]
    for slot, pair in enumerate(pairs):
        assert {each.target for each in pair} == {"current", "candidate"}
        assert pair[0].request == pair[1].request
        assert slot / 50 <= pair[0].at_s < pair[1].at_s < (slot + 1) / 50
    assert 180 < sum(pair[0].target == "current" for pair in pairs) < 320
    assert 320 < sum(pair[0].request.path == "/1" for pair in pairs) < 430


async def test_two_targets_at_a_hundred_a_second_are_told_apart(start: Callable[..., object]) -> None:
    current, candidate = await start("1"), await start("2", slow_ms=30, fail_percent=20)
    report = await HttpLoad(seed=1).measure(
        {"current": current, "candidate": candidate}, [LoadRequest(path="/version")], rate_rps=100, duration_s=3
    )
    one, two = report.targets["current"], report.targets["candidate"]
    assert (one.requests, two.requests) == (300, 300)
    assert one.by_status == {"200": 300}
    assert one.errors == 0
    assert 30 <= two.errors <= 95
    assert two.by_status == {"200": 300 - two.errors, "500": two.errors}
    assert len(one.latencies) == len(two.latencies) == 300
    middle = sorted(latency for _, latency in two.latencies)[150]
    assert middle >= 30 > sorted(latency for _, latency in one.latencies)[150]
    assert report.lag_p99_ms < 250  # only a machine that stands still makes the generator that late


async def test_a_slow_answer_delays_no_later_request(start: Callable[..., object]) -> None:
    target = await start("1", slow_ms=500)
    samples = await HttpLoad(seed=1).compare({"it": target}, [LoadRequest(path="/x")], rate_rps=40, duration_s=1)
    assert samples["it"].requests == 40
    assert samples["it"].errors == 0
    assert max(samples["it"].latencies_ms) < 1500  # one after the other they would have taken 20 s


async def test_what_does_not_answer_counts_as_failed() -> None:
    samples = await HttpLoad(seed=1).compare(
        {"gone": f"http://127.0.0.1:{free_port()}"}, [LoadRequest()], rate_rps=20, duration_s=0.5
    )
    assert samples["gone"].requests == samples["gone"].errors == 10
    assert samples["gone"].latencies_ms == ()
    with pytest.raises(InputError):
        await HttpLoad().compare({}, [], rate_rps=20, duration_s=1)


async def test_cancelling_a_run_ends_its_process(start: Callable[..., object]) -> None:
    target = await start("1")
    run = asyncio.create_task(HttpLoad().compare({"it": target}, [LoadRequest()], rate_rps=10, duration_s=60))

    def find_workers() -> list[psutil.Process]:
        return [p for p in psutil.Process().children() if "greenlane.adapters.load_worker" in p.cmdline()]

    await until(lambda: bool(find_workers()))
    workers = find_workers()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert not workers[0].is_running()


async def test_user_traffic_runs_until_stopped_and_counts_what_users_saw(start: Callable[..., object]) -> None:
    target = await start("1")
    requests = [
        LoadRequest(path="/version"),
        LoadRequest(path="/fail"),
        LoadRequest(path="/x", method="POST", body="{}"),
    ]
    async with TrafficSource(target, requests, rate_rps=100, seed=3) as users:
        await until(lambda: users.totals().requests > 100)
        totals = await users.stop()
    assert totals.requests == sum(totals.by_status.values())
    assert totals.errors == totals.by_status["500"] > 10
    assert totals.by_status["200"] > 50
    assert users.totals() == totals


async def test_the_command_line_prints_its_totals_when_it_is_stopped(start: Callable[..., object]) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-m", "greenlane.adapters.load", "--url", str(await start("1")), "--rate", "50"]
    process = await asyncio.create_subprocess_exec(
        *argv, "--path", "/version", stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )
    assert process.stderr is not None
    assert b"50 requests a second" in await process.stderr.readline()
    await asyncio.sleep(0.7)
    process.send_signal(signal.SIGINT)
    totals = json.loads((await process.communicate())[0])
    assert process.returncode == 0
    assert totals["requests"] > 10
    assert totals["by_status"] == {"200": totals["requests"]}


async def test_the_probe_holds_status_and_text_against_what_is_expected(start: Callable[..., object]) -> None:
    target = str(await start("7"))
    probe = HttpProbe()

    async def passes(timeout_s: float = 5, **check: object) -> tuple[bool, str]:
        outcome = await probe.check(target, HttpCheck.model_validate(check), timeout_s=timeout_s)
        return outcome.passed, outcome.detail

    assert await passes(path="/version", contains="7") == (True, "status 200")
    assert await passes(path="/version", contains="8") == (False, "status 200, but '8' is not in the answer: 7")
    assert await passes(path="/fail") == (False, "status 500, expected 200: 7")
    assert await passes(path="/fail", status=500) == (True, "status 500")
    assert await passes(path="/x", method="POST", body='{"a": 1}', contains='7 {"a": 1}') == (True, "status 200")
    began = time.monotonic()
    assert await passes(0.3, path="/hang") == (False, "no answer within 0.3 s")
    assert time.monotonic() - began < 2
    outcome = await probe.check(f"http://127.0.0.1:{free_port()}", HttpCheck(), timeout_s=1)
    assert not outcome.passed
    assert outcome.detail.startswith("no answer")
