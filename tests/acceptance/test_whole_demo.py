"""The whole demo, as a user starts it: real processes, a real proxy, real traffic, all five agents, seven endings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from greenlane.demo.pulls import PULLS

SOURCE = Path(__file__).parents[2] / "src"


def start_demo(folder: Path, words: Path) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    argv = [sys.executable, "-m", "greenlane.cli.main", "-C", str(folder), "demo", "--json"]
    with words.open("w") as stderr:
        return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True)


def left_behind(folder: Path) -> list[str]:
    """Command lines of processes that have to do with this folder."""
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if f"{folder}/" in line]


@pytest.mark.timeout(660)
def test_seven_pull_requests_end_as_told(tmp_path: Path) -> None:
    process = start_demo(tmp_path, tmp_path / "words")
    printed, _ = process.communicate(timeout=640)
    result = json.loads(printed.splitlines()[-1])
    words = (tmp_path / "words").read_text()
    ended = {pr["branch"]: (pr["lane"], pr["outcome"]) for pr in result["prs"]}
    assert ended == {pull.branch: (pull.lane, pull.outcome) for pull in PULLS}, words[-6000:]
    assert result["prs"][0]["tests_added"] > 0
    assert all(pr["reason"] and pr["run"] and pr["seconds"] > 0 for pr in result["prs"])
    assert result["ledger"]["verified"]
    assert process.returncode == 0
    shop = tmp_path / "greenlane-demo" / "shop"
    assert list(shop.glob(".greenlane/reports/*/incident.md"))
    assert len(list(shop.glob(".greenlane/reports/*/context.html"))) >= 4
    assert list(shop.parent.glob("*-tests.diff"))
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("after_s", [0.3, 6.0])
def test_ctrl_c_stops_everything_that_was_started(tmp_path: Path, after_s: float) -> None:
    words = tmp_path / "words"
    process = start_demo(tmp_path, words)
    until = time.monotonic() + 60
    while "comes up" not in words.read_text() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert left_behind(tmp_path) == []
