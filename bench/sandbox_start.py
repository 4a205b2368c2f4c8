"""What a sandbox costs at its start: `/bin/true` in each one beside `/bin/true` without any, turn by turn.

The wall time depends on how busy the machine is, so the peer is measured in the same turns; the CPU time hardly does.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from _harness import Bench, run
from greenlane.adapters.sandbox import (
    BubblewrapSandbox,
    LandlockSandbox,
    NamespaceSandbox,
    choose_sandbox,
    probe_sandbox,
)
from greenlane.ports.sandbox import Sandbox, SandboxJob

LIMIT_MS = 30.0
MAKE_BENCH_TIMEOUT_S = 300


async def measure(bench: Bench) -> None:
    chosen = choose_sandbox()
    found: list[Sandbox] = [NamespaceSandbox(), LandlockSandbox()]
    if executable := shutil.which("bwrap"):
        found.insert(0, BubblewrapSandbox(Path(executable)))
    sandboxes = [sandbox for sandbox in found if not probe_sandbox(sandbox)]
    rounds = 10 if bench.quick else 40
    wall: dict[str, list[float]] = {"bare": [], **{sandbox.kind: [] for sandbox in sandboxes}}
    cpu: dict[str, float] = dict.fromkeys(wall, 0.0)
    with bench.progress("starting", total=rounds) as advance, tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            before, started = _cpu_s(), time.perf_counter()
            await (await asyncio.create_subprocess_exec("/bin/true")).wait()
            wall["bare"].append((time.perf_counter() - started) * 1000)
            cpu["bare"] += _cpu_s() - before
            for sandbox in sandboxes:
                workdir = Path(tempfile.mkdtemp(dir=folder))
                before, started = _cpu_s(), time.perf_counter()
                await sandbox.run(SandboxJob(argv=("/bin/true",), workdir=workdir))
                wall[sandbox.kind].append((time.perf_counter() - started) * 1000)
                cpu[sandbox.kind] += _cpu_s() - before
            advance()
    bare_ms = statistics.median(wall["bare"])
    bench.figure("bare_ms", bare_ms, "/bin/true without a sandbox, median")
    for sandbox in sandboxes:
        cost_ms = statistics.median(wall[sandbox.kind]) - bare_ms
        bench.figure(f"{sandbox.kind}_ms", cost_ms, f"{sandbox.kind}: cost of a start, median")
        bench.figure(f"{sandbox.kind}_best_ms", min(wall[sandbox.kind]) - bare_ms, f"{sandbox.kind}: best start")
        bench.figure(
            f"{sandbox.kind}_cpu_ms", cpu[sandbox.kind] / rounds * 1000, f"{sandbox.kind}: CPU time of a start"
        )
        if sandbox.kind == "bubblewrap":
            bench.goal("bubblewrap starts quickly", "bubblewrap_ms", "<", LIMIT_MS)
    bench.figure("chosen", chosen.kind, "the one that is chosen on this machine")
    bench.figure(
        "chosen_of_limit", (statistics.median(wall[chosen.kind]) - bare_ms) / LIMIT_MS, f"its cost over {LIMIT_MS:g} ms"
    )
    bench.goal("the chosen sandbox starts quickly", "chosen_of_limit", "<", 1.0)
    bench.samples("Start", wall, unit="ms", limit=LIMIT_MS)
    bench.note("for root our own launcher is chosen: it starts a Python first; bubblewrap is chosen for ordinary users")


def _cpu_s() -> float:
    """CPU time of this process and of the children that it has waited for, in seconds."""
    both = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


if __name__ == "__main__":
    run("sandbox_start", "Start of a sandboxed job beside a bare one", measure)
