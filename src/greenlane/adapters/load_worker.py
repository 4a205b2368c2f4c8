"""Sends requests at a given rate; runs in a process of its own (`load.py` starts it, or a person does through it).

Arrivals are open-model: each request has its planned moment, and a slow answer delays no later one. Latency counts
from the planned moment, so what a slow version makes others wait is not hidden (coordinated omission; G. Tene, "How
not to measure latency").
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import sys
from collections.abc import Callable, Iterator, Sequence

import aiohttp
import msgspec

REQUEST_TIMEOUT_S = 30.0
MAX_IN_FLIGHT = 5000
"""A target that answers nothing is not asked more than this at once; what would go beyond counts as failed."""
IDLE_S = 2.0
"""Idle connections are closed before common servers do it (uvicorn and Node after 5 s)."""
REPORT_EVERY_S = 0.5
STOP_WAIT_S = 4.0
"""How long answers are waited for after a run was stopped early."""


class PlannedRequest(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    method: str = "GET"
    body: str | None = None
    weight: float = 1.0


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. Each target gets `rate_rps` requests a second. `duration_s` 0: until standard input closes."""

    targets: dict[str, str]
    requests: tuple[PlannedRequest, ...]
    rate_rps: float
    duration_s: float
    seed: int
    keep_latencies: bool = True


class TargetReport(msgspec.Struct, kw_only=True):
    """What came of one target's requests. Latencies in ms, of answered ones, in the order of their planned moments."""

    requests: int = 0
    errors: int = 0
    by_status: dict[str, int] = {}
    """Count by status (`200`), or by what went wrong (`timeout`, `unreachable`)."""
    latencies: list[tuple[int, float]] = []


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """All targets, and how late the generator itself was: over some ms, it is the bottleneck and not the target."""

    targets: dict[str, TargetReport]
    lag_p99_ms: float
    seconds: float


class Arrival(msgspec.Struct, frozen=True):
    at_s: float
    target: str
    request: PlannedRequest


def plan_arrivals(plan: LoadPlan) -> Iterator[Arrival]:
    """In each slot of 1/rate seconds each target gets the same request once, in random order at random moments."""
    chance = random.Random(plan.seed)
    names = list(plan.targets)
    weights = [request.weight for request in plan.requests]
    slot_s = 1 / plan.rate_rps
    share_s = slot_s / len(names)
    slot = 0
    while not plan.duration_s or (slot + 1) * slot_s <= plan.duration_s + 1e-9:
        request = chance.choices(plan.requests, weights)[0]
        chance.shuffle(names)
        for place, name in enumerate(names):
            yield Arrival(slot * slot_s + (place + chance.random()) * share_s, name, request)
        slot += 1


def content_type(body: str) -> str:
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "text/plain; charset=utf-8"
    return "application/json"


class Generator:
    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.reports = {name: TargetReport() for name in plan.targets}
        self.lags_ms: list[float] = []
        self.stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = 0.0

    def report(self) -> LoadReport:
        lags = sorted(self.lags_ms)
        return LoadReport(
            targets=self.reports,
            lag_p99_ms=round(lags[int(len(lags) * 0.99)], 3) if lags else 0.0,
            seconds=round(asyncio.get_running_loop().time() - self._began, 3),
        )

    async def run(self) -> LoadReport:
        loop = asyncio.get_running_loop()
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        ) as session:
            self._began = loop.time()
            for number, arrival in enumerate(plan_arrivals(self.plan)):
                wait_s = self._began + arrival.at_s - loop.time()
                if wait_s > 0:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(wait_s):
                            await self.stopped.wait()
                if self.stopped.is_set():
                    break
                self._send(session, number, arrival)
            if self._tasks:
                await asyncio.wait(tuple(self._tasks), timeout=STOP_WAIT_S if self.stopped.is_set() else None)
            for task in tuple(self._tasks):
                task.cancel()
        for report in self.reports.values():
            report.latencies.sort()
        return self.report()

    def _send(self, session: aiohttp.ClientSession, number: int, arrival: Arrival) -> None:
        report = self.reports[arrival.target]
        report.requests += 1
        if len(self._tasks) >= MAX_IN_FLIGHT:
            self._count(report, "not sent", failed=True)
            return
        task = asyncio.create_task(self._ask(session, number, arrival, report))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, session: aiohttp.ClientSession, number: int, arrival: Arrival, report: TargetReport) -> None:
        loop = asyncio.get_running_loop()
        planned = self._began + arrival.at_s
        self.lags_ms.append((loop.time() - planned) * 1000)
        if len(self.lags_ms) > 200_000:  # an endless run keeps its latest half
            del self.lags_ms[:100_000]
        request = arrival.request
        data = request.body.encode() if request.body is not None else None
        headers = {"Content-Type": content_type(request.body)} if request.body is not None else {}
        try:
            async with session.request(
                request.method,
                self.plan.targets[arrival.target] + request.path,
                data=data,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                await answer.read()
                self._count(report, str(answer.status), failed=answer.status >= 500)
        except TimeoutError:
            self._count(report, "timeout", failed=True)
        except (aiohttp.ClientError, OSError, ValueError):
            self._count(report, "unreachable", failed=True)
        else:
            if self.plan.keep_latencies:
                report.latencies.append((number, round((loop.time() - planned) * 1000, 3)))

    @staticmethod
    def _count(report: TargetReport, what: str, *, failed: bool) -> None:
        report.errors += failed
        report.by_status[what] = report.by_status.get(what, 0) + 1


async def _serve_parent() -> None:
    """A plan in one line of standard input, reports in lines of standard output; ends when the input does."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    plan = msgspec.json.decode(await reader.readline(), type=LoadPlan)
    generator = Generator(plan)

    async def stop_with_parent() -> None:
        await reader.read()
        generator.stopped.set()

    async def report_now_and_then() -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            write_report(generator.report())

    helpers = [asyncio.create_task(stop_with_parent())]
    if not plan.keep_latencies:
        helpers.append(asyncio.create_task(report_now_and_then()))
    report = await generator.run()
    for helper in helpers:
        helper.cancel()
    write_report(report)


def write_report(report: LoadReport) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()


def run_until_stopped(plan: LoadPlan, on_start: Callable[[Generator], None]) -> LoadReport:
    """For the command line: `on_start` gets the generator, whose `stopped` ends it."""

    async def main() -> LoadReport:
        generator = Generator(plan)
        on_start(generator)
        return await generator.run()

    return asyncio.run(main())


def main(argv: Sequence[str] = ()) -> None:
    del argv
    gc.freeze()  # what was imported lives on: the collector need not look at it in the middle of a measurement
    asyncio.run(_serve_parent())


if __name__ == "__main__":
    main()
