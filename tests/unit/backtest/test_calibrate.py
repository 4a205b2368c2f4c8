"""Points fitted to real little repositories, through the command as a person types it; and the history behind them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from greenlane.adapters.git import LocalGit
from greenlane.adapters.git.merged import read_merged_changes
from greenlane.adapters.history import GitHistory
from greenlane.adapters.history_walk import look_back
from greenlane.policy.fitted import parse_weights

DAY_S = 86_400
START = 1_600_000_000
CHANGES = 220
SMALL, LARGE = 4, 30
"""Lines of a change; both are under what the built-in points count."""


class Stream:
    """A history for `git fast-import`: hundreds of commits in one process."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def commit(self, day: float, message: str, files: dict[str, str]) -> None:
        who = f"Ada <ada@example.org> {round(START + day * DAY_S)} +0000"
        self.parts.append(f"commit refs/heads/main\ncommitter {who}\ndata {len(message)}\n{message}\n")
        for path, text in files.items():
            self.parts.append(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n")

    def write(self, folder: Path) -> Path:
        subprocess.run(("git", "init", "-q", "-b", "main", str(folder)), check=True)
        done = ("git", "-C", str(folder), "fast-import", "--quiet")
        subprocess.run(done, input="".join(self.parts).encode(), check=True)
        subprocess.run(("git", "-C", str(folder), "reset", "-q", "--hard"), check=True)
        return folder


def history(folder: Path, ends_badly: Callable[[int, float], bool]) -> Path:
    """A change a day, half of them large; some are mended five days later, by a fix of one of their lines."""
    stream, draw, due = Stream(), random.Random(7), {}
    for day in range(CHANGES):
        size = LARGE if draw.random() < 0.5 else SMALL
        lines = [f"value_{n} = {n}" for n in range(size)]
        stream.commit(day, f"Add m{day}", {f"m{day}.py": "\n".join(lines) + "\n"})
        if ends_badly(size, draw.random()):
            due[day + 5] = (day, [*lines[:1], "value_1 = 100", *lines[2:]])
        if day in due:
            mended, text = due.pop(day)
            more = "x = 1\n" * (LARGE if draw.random() < 0.5 else SMALL)  # fixes are as large as others
            stream.commit(day + 0.5, f"Fix m{mended}", {f"m{mended}.py": "\n".join(text) + "\n", f"n{day}.py": more})
    return stream.write(folder)


def calibrate(folder: Path, *args: str) -> dict[str, object]:
    command = (sys.executable, "-m", "greenlane", "-C", str(folder), "calibrate", "--within-days", "30", "--json")
    done = subprocess.run(
        (*command, *args), env=os.environ | {"PYTHONPATH": "src"}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large changes end badly, small ones do not."""
    return history(tmp_path_factory.mktemp("telling") / "shop", lambda size, r: r < (0.8 if size == LARGE else 0.05))


def test_a_fit_is_written_once_and_never_again_without_a_gain(telling: Path) -> None:
    first = calibrate(telling)
    result = first["calibration"]
    assert isinstance(result, dict)
    assert (result["verdict"], first["fixes"]) == ("better", first["traced"])
    target = telling / ".greenlane-risk.json"
    assert first["written"] == str(target)
    assert result["comparison"]["old"]["value"] == pytest.approx(0.5, abs=0.05)
    assert result["comparison"]["gain"]["low"] > 0.1
    assert result["older"]["last"] <= result["newer"]["first"]
    found = parse_weights(target.read_bytes(), target.name, "0" * 64).weights
    assert any(points > 0 for start, points in found.lines if SMALL < start <= LARGE)
    before = target.read_bytes()
    again = calibrate(telling)
    assert again["written"] is None
    assert target.read_bytes() == before
    assert again["calibration"]["present"].startswith("fitted on")  # type: ignore[index]  # a JSON object


def test_a_worse_file_is_replaced_and_a_dry_run_or_too_little_time_writes_nothing(
    telling: Path, tmp_path: Path
) -> None:
    target = tmp_path / "x-greenlane-risk.json"
    calibrate(telling, "--out", str(target), "--dry-run")
    assert not target.exists()
    hurried = calibrate(telling, "--out", str(target), "--minutes", "0")
    assert hurried["written"] is None
    assert not target.exists()
    calibrate(telling, "--out", str(target))
    good = json.loads(target.read_text())
    worse = good | {"points": good["points"] | {"lines": [[5000, 1.0]], "files": [], "folders": []}}
    target.write_text(json.dumps(worse))
    assert calibrate(telling, "--out", str(target))["written"] == str(target)
    assert json.loads(target.read_text())["points"] == good["points"]


def test_nothing_is_written_where_size_says_nothing_of_the_end(tmp_path: Path) -> None:
    repo = history(tmp_path / "shop", lambda _, r: r < 0.4)
    told = calibrate(repo)
    assert told["calibration"]["verdict"] == "not-better"  # type: ignore[index]  # a JSON object
    assert told["written"] is None
    assert not (repo / ".greenlane-risk.json").exists()


async def test_what_is_known_of_many_changes_is_what_was_known_on_the_day_of_each(telling: Path) -> None:
    changes, _ = read_merged_changes(telling, last=60, branch=None)
    past = look_back(telling, changes)
    live, git = GitHistory(telling), LocalGit(telling)
    for change in changes[::7]:
        diff = await git.diff(change.base_sha, change.head_sha)
        facts = await live.facts(
            merge_base_sha=change.base_sha, head_sha=change.head_sha, author=change.author, diff=diff
        )
        assert past[change.head_sha].history == facts
