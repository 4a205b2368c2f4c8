"""Analyzers in processes of their own: what one job does harms no other, and nothing is kept for the next."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import greenlane
from greenlane.analyzers import isolated
from greenlane.analyzers.isolated import AnalyzerPool, IsolatedAnalyzer
from tests.unit.review.conftest import MakeReview

NAP_S = str(40_000 + os.getpid())
"""How long what a hanging analyzer starts would sleep: by this each test process knows its own."""
BAD = """
import os, sys, time
from greenlane.analyzers.base import AnalysisResult
from greenlane.domain.findings import Category, Finding, Severity
LEFT = []

def analyze(review):
    what = review.diff.files[0].path
    LEFT.append(what)
    if what == "hang":
        os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "NAP_S")
        time.sleep(3600)
    if what == "crash":
        print("the last words", file=sys.stderr, flush=True)
        os._exit(7)
    if what == "fill":
        bytearray(1 << 30)
    words = " ".join(LEFT) + "|" + os.environ.get("CANARY", "no secret")
    return AnalysisResult(
        findings=(Finding(rule="x", category=Category.SECURITY, severity=Severity.LOW, message=words, path=what),)
    )
"""


@pytest.fixture
def analyzer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IsolatedAnalyzer]:
    """An analyzer that misbehaves as the name of the first changed file says, in a real pool."""
    (tmp_path / "misbehaving.py").write_text(BAD.replace("NAP_S", NAP_S))
    start = "from greenlane.analyzers import worker; worker.ANALYZERS['bad'] = 'misbehaving'; worker.main()"
    source = str(Path(greenlane.__file__).parents[1])
    clean = isolated._clean_environment() | {"PYTHONPATH": f"{source}:{tmp_path}"}
    monkeypatch.setattr(isolated, "_clean_environment", lambda: clean)
    monkeypatch.setattr(isolated, "_COMMAND", ("-P", "-c", start))
    monkeypatch.setenv("CANARY", "a secret")
    pool = AnalyzerPool()
    yield IsolatedAnalyzer("bad", "1", timeout_s=3, pool=pool)
    pool.close()


async def test_a_crash_a_hang_and_a_full_memory_harm_no_other_job(
    analyzer: IsolatedAnalyzer, make_review: MakeReview
) -> None:
    names = ("hang", "crash", "fill", "well")
    results = await asyncio.gather(*(analyzer.analyze(make_review({n: "a"}, {n: "b"})) for n in names))
    reasons = {n: r.skipped[0].reason for n, r in zip(names, results, strict=True) if r.skipped}
    assert reasons["hang"] == "it took longer than 3 s"
    assert reasons["crash"] == "its process ended with code 7 (the last words)"
    assert "MemoryError" in reasons["fill"]
    assert results[3].findings[0].message == "well|no secret"  # no state of another job, no environment of ours
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", NAP_S]]


async def test_a_pool_that_was_killed_is_started_anew(analyzer: IsolatedAnalyzer, make_review: MakeReview) -> None:
    well = make_review({"well": "a"}, {"well": "b"})
    await analyzer.analyze(well)
    end = analyzer._pool._end
    assert end is not None
    process = end.peek()[2][0]  # type: ignore[index]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (await analyzer.analyze(well)).findings[0].message == "well|no secret"


async def test_a_job_that_nobody_waits_for_is_ended(analyzer: IsolatedAnalyzer, make_review: MakeReview) -> None:
    task = asyncio.create_task(analyzer.analyze(make_review({"hang": "a"}, {"hang": "b"})))
    async with asyncio.timeout(20):
        while (end := analyzer._pool._end) is None or not psutil.Process(end.peek()[2][0].pid).children():  # type: ignore[index]  # noqa: ASYNC110 - processes tell nobody that they have begun
            await asyncio.sleep(0.05)
    parent = psutil.Process(end.peek()[2][0].pid)  # type: ignore[index]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, left = psutil.wait_procs(parent.children(), timeout=2)
    assert not left
