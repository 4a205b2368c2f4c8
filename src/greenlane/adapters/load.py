"""Load and user traffic over HTTP (port: `LoadGenerator`), generated in a process of its own.

`python -m greenlane.adapters.load --url http://127.0.0.1:8080 --rate 50 --path /orders` sends steady traffic until it
is stopped (Ctrl-C) and prints its totals as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType

import msgspec

from greenlane.adapters.load_worker import (
    REQUEST_TIMEOUT_S,
    Generator,
    LoadPlan,
    LoadReport,
    PlannedRequest,
    TargetReport,
    run_until_stopped,
)
from greenlane.domain.delivery import Samples
from greenlane.domain.errors import InputError, RetryableError
from greenlane.domain.service_settings import LoadRequest

LAG_WARNING_MS = 50.0
START_ALLOWANCE_S = 30.0
STOP_TIMEOUT_S = 5.0
LINE_LIMIT_BYTES = 1 << 28
"""A report holds every latency of a run: an hour at 1,000 requests a second fits."""

log = logging.getLogger(__name__)


class HttpLoad:
    """Compares targets under the same load. `seed` makes order and moments repeatable; None draws one each time."""

    def __init__(self, *, seed: int | None = None) -> None:
        self._seed = seed

    async def compare(
        self,
        targets: Mapping[str, str],
        requests: Sequence[LoadRequest],
        *,
        rate_rps: float,
        duration_s: float,
    ) -> Mapping[str, Samples]:
        """Send the same requests to each target (name to base URL), `rate_rps` a second to each of them."""
        report = await self.measure(targets, requests, rate_rps=rate_rps, duration_s=duration_s)
        if report.lag_p99_ms > LAG_WARNING_MS:
            log.info("the load generator itself was up to %.0f ms late (p99)", report.lag_p99_ms)
        per_s = rate_rps * len(report.targets)
        return {name: _to_samples(target, per_s) for name, target in report.targets.items()}

    async def measure(
        self,
        targets: Mapping[str, str],
        requests: Sequence[LoadRequest],
        *,
        rate_rps: float,
        duration_s: float,
    ) -> LoadReport:
        """As `compare`, with counts by status and the generator's own lag."""
        if duration_s <= 0:
            raise InputError(f"a load run lasts longer than {duration_s:g} s")
        plan = _make_plan(targets, requests, rate_rps=rate_rps, duration_s=duration_s, seed=self._seed)
        process = await _start_worker(plan)
        try:
            async with asyncio.timeout(duration_s + REQUEST_TIMEOUT_S + START_ALLOWANCE_S):
                assert process.stdout is not None
                line = await process.stdout.readline()
                await process.wait()
        except TimeoutError as error:
            raise RetryableError(f"the load generator did not end {duration_s:g} s of load") from error
        finally:
            await _kill(process)
        if not line:
            raise RetryableError(f"the load generator ended with {process.returncode} and no report")
        return msgspec.json.decode(line, type=LoadReport)


class TrafficTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What users saw so far. `errors` are 5xx, time-outs and connections that failed; `by_status` has each kind."""

    requests: int = 0
    errors: int = 0
    by_status: dict[str, int] = {}
    seconds: float = 0.0
    lag_p99_ms: float = 0.0


class TrafficSource:
    """Steady user traffic to one address until stopped:

    async with TrafficSource(url, service.load, rate_rps=30) as users:
        ...
        print(users.totals())          # at most half a second old
    print(users.totals())              # final
    """

    def __init__(
        self, url: str, requests: Sequence[LoadRequest] = (), *, rate_rps: float, seed: int | None = None
    ) -> None:
        self._plan = _make_plan(
            {"users": url}, requests, rate_rps=rate_rps, duration_s=0, seed=seed, keep_latencies=False
        )
        self._process: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._latest = TrafficTotals()

    async def start(self) -> None:
        self._process = await _start_worker(self._plan)
        self._listener = asyncio.create_task(self._listen(self._process))

    def totals(self) -> TrafficTotals:
        return self._latest

    async def stop(self) -> TrafficTotals:
        """Send nothing more, wait a moment for what is under way, and say what came of all."""
        if self._process is not None and self._listener is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self._listener
                    await self._process.wait()
            self._listener.cancel()
            await _kill(self._process)
            self._process = None
        return self._latest

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._latest = _to_totals(msgspec.json.decode(line, type=LoadReport))

    async def __aenter__(self) -> TrafficSource:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


# ------------------------------------------------------------------ the worker process


def _make_plan(
    targets: Mapping[str, str],
    requests: Sequence[LoadRequest],
    *,
    rate_rps: float,
    duration_s: float,
    seed: int | None,
    keep_latencies: bool = True,
) -> LoadPlan:
    if rate_rps <= 0 or not targets:
        raise InputError(f"load needs a target and a rate over 0, not {len(targets)} at {rate_rps:g} requests a second")
    planned = tuple(
        PlannedRequest(path=each.path, method=each.method, body=each.body, weight=each.weight) for each in requests
    )
    return LoadPlan(
        targets={name: url.rstrip("/") for name, url in targets.items()},
        requests=planned or (PlannedRequest(path="/"),),
        rate_rps=rate_rps,
        duration_s=duration_s,
        seed=random.SystemRandom().randrange(1 << 32) if seed is None else seed,
        keep_latencies=keep_latencies,
    )


async def _start_worker(plan: LoadPlan) -> asyncio.subprocess.Process:
    """A worker that ends when its standard input closes: at the latest when this process is gone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "greenlane.adapters.load_worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=LINE_LIMIT_BYTES,
        env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(plan) + b"\n")
    await process.stdin.drain()
    return process


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)  # its own kill() may collect the child before asyncio does
    await asyncio.shield(process.wait())


def _to_samples(target: TargetReport, per_s: float) -> Samples:
    """`per_s`: arrivals a second at all targets together, in whose order the requests are numbered."""
    return Samples(
        latencies_ms=tuple(latency for _, latency in target.latencies),
        errors=target.errors,
        requests=target.requests,
        at_s=tuple(number / per_s for number, _ in target.latencies),
    )


def _to_totals(report: LoadReport) -> TrafficTotals:
    users = next(iter(report.targets.values()))
    return TrafficTotals(
        requests=users.requests,
        errors=users.errors,
        by_status=users.by_status,
        seconds=report.seconds,
        lag_p99_ms=report.lag_p99_ms,
    )


# ------------------------------------------------------------------ the command line


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m greenlane.adapters.load", description="Sends steady HTTP traffic.")
    parser.add_argument("--url", required=True, help="base address: http://127.0.0.1:8080")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second (default 20)")
    parser.add_argument("--duration", type=float, default=0.0, help="seconds; 0 (default) until stopped")
    parser.add_argument("--path", action="append", help="path to ask for; may be given several times")
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    plan = _make_plan(
        {"users": arguments.url},
        [LoadRequest(path=path) for path in arguments.path or ["/"]],
        rate_rps=arguments.rate,
        duration_s=arguments.duration,
        seed=arguments.seed,
        keep_latencies=False,
    )

    def stop_on_signals(generator: Generator) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, generator.stopped.set)
        sys.stderr.write(f"sending {arguments.rate:g} requests a second to {arguments.url}; stop with Ctrl-C\n")
        sys.stderr.flush()

    sys.stdout.write(msgspec.json.encode(_to_totals(run_until_stopped(plan, stop_on_signals))).decode() + "\n")


if __name__ == "__main__":
    main()
