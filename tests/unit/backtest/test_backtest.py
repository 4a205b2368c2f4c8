"""A backtest of real little repositories, through the command as a person types it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from greenlane.adapters.git import LocalGit
from greenlane.adapters.git.merged import read_merged_changes
from greenlane.adapters.git.rolling import RollingTrees
from greenlane.adapters.history import GitHistory
from greenlane.agents.review import ReviewAgent
from greenlane.analyzers.catalog import build_analyzers
from greenlane.analyzers.reader import ChangeReader
from greenlane.backtest.asking import ModelUse
from greenlane.backtest.judging import JudgedChange, judge_changes
from greenlane.backtest.outcomes import Outcome, label_outcomes
from greenlane.backtest.settings import settings_for
from greenlane.backtest.summing import Prices, sum_up
from greenlane.domain.events import ReviewComplete
from greenlane.policy.shares import share_of
from tests.unit.faces import changes as c


class Repo:
    """A repository whose commits have ascending dates."""

    def __init__(self, path: Path) -> None:
        self.path, self.seconds = path, 1_700_000_000
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *args: str) -> str:
        self.seconds += 60
        date = f"{self.seconds} +0000"
        names = {k: v for who in ("AUTHOR", "COMMITTER") for k, v in _identity(who, date).items()}
        env = os.environ | names | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(("git", *args), cwd=self.path, env=env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str, **files: str) -> str:
        for name, text in files.items():
            (self.path / f"{name}.py").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")


def _identity(who: str, date: str) -> dict[str, str]:
    return {f"GIT_{who}_NAME": "Ada", f"GIT_{who}_EMAIL": "ada@x.org", f"GIT_{who}_DATE": date}


@pytest.fixture
def squashed(tmp_path: Path) -> Repo:
    """Four squashed changes on a first commit: harmless, a shell injection, its revert, harmless."""
    repo = Repo(tmp_path / "work")
    repo.commit("begin", app="def size(n):\n    return n\n")
    repo.commit("Double it (#1)", app="def size(n):\n    return 2 * n\n")
    bad = "import subprocess\n\n\ndef size(n):\n    return subprocess.call('du ' + n, shell=True)\n"
    sha = repo.commit("Call du (#2)", app=bad)
    repo.commit(f"Revert Call du (#3)\n\nThis reverts commit {sha}.", app="def size(n):\n    return 2 * n\n")
    repo.commit("Say more (#4)", app="def size(n):\n    # twice\n    return 2 * n\n")
    return repo


def backtest(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "greenlane", "-C", str(folder), "backtest", *args)
    env = os.environ | {"PYTHONPATH": "src"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


def listing(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in sorted(folder.rglob("*"))}


def test_a_bare_repository_without_a_configuration_is_judged_and_nothing_in_it_is_touched(
    squashed: Repo, tmp_path: Path
) -> None:
    bare = tmp_path / "shop.git"
    squashed.git("clone", "-q", "--bare", ".", str(bare))
    before = listing(bare)
    page = tmp_path / "page.html"
    done = backtest(bare, "--last", "10", "--json", "--html", str(page), "--price", "3,15")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [c["number"] for c in told["changes"]] == [4, 3, 2, 1]
    assert [bool(c["rules"]) for c in told["changes"]] == [False, False, True, False]
    assert (told["by_risk"]["count"], told["by_policy_only"]["count"]) == (1, 0)
    assert (told["recall"]["count"], told["recall"]["total"]) == (1, 1)
    assert told["labelled"][0]["kind"] == "reverted"
    assert told["model"]["usd"] > 0
    assert "<script" not in page.read_text()
    assert "Call du" in page.read_text()
    assert listing(bare) == before


def test_a_fix_that_names_nobody_is_followed_to_the_change_that_wrote_its_lines(squashed: Repo) -> None:
    squashed.commit("Count each thing once (#5)", app="def size(n):\n    # twice\n    return n\n\n\nLIMIT = 10\n")
    by = squashed.commit(
        "Fix an overflow of long lists", app="def size(n):\n    # twice\n    return n\n\n\nLIMIT = 9\n"
    )
    done = backtest(squashed.path, "--last", "6", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [(x["number"], x["kind"], x["by"]) for x in told["labelled"] if x["kind"] == "mended"] == [(5, "mended", by)]
    assert (told["mended"]["count"], told["mended"]["total"], told["recall"]["total"]) == (0, 1, 1)
    assert told["traced"] == told["fixes"] == 2
    quick = json.loads(backtest(squashed.path, "--last", "6", "--json", "--trace-s", "0").stdout)
    assert (quick["mended"]["total"], quick["traced"], quick["fixes"]) == (0, 0, 2)


async def test_a_merged_change_is_judged_as_the_same_change_would_have_been_live(
    squashed: Repo, tmp_path: Path
) -> None:
    squashed.commit("Greet (#5)", hello="".join(f"def greet{n}(name):\n    return name * {n}\n\n\n" for n in range(40)))
    settings = settings_for(squashed.path, [], None).settings
    changes, _ = read_merged_changes(squashed.path, last=4, branch=None)
    judged = await asyncio.to_thread(judge_changes, squashed.path, changes, settings)
    reader = ChangeReader(LocalGit(squashed.path), build_analyzers(60), settings, coverage=None)
    agent = ReviewAgent(reader, settings, tmp_path / "live", history=GitHistory(squashed.path))
    for change, verdict in zip(changes, judged, strict=True):
        base = change.base_sha
        first = c.opened(head_sha=change.head_sha, base_sha=base, merge_base_sha=base, author=change.author)
        ((*_, live),) = [group async for group in agent.act(c.change_of(first=first))]  # type: ignore[misc]  # one group
        assert isinstance(live, ReviewComplete)
        assert (verdict.score, verdict.limit, verdict.moves) == (live.risk_score, live.threshold, live.limit_moves)
        assert (verdict.lane, verdict.to_human) == (live.lane.value, bool(live.gates))
    assert {m.rule for m in judged[0].moves} == {"type.feature"}
    assert [v.to_human for v in judged] == [False, False, False, True]


def test_a_setting_is_tried_for_this_time_and_validated_as_the_file_is(squashed: Repo) -> None:
    low = ("--set", "thresholds.risk_score_max=1", "--set", "tiers.critical.risk_score_max=1")
    done = backtest(squashed.path, "--last", "4", "--json", *low)
    assert done.returncode == 0, done.stderr
    strict = json.loads(done.stdout)
    assert strict["to_human"]["count"] == 4
    assert strict["changes"][0]["rules"] == ["risk_score"]
    assert not (squashed.path / ".greenlane").exists()
    for wrong in ("thresholds.risk_score_max=88", "thresholds.nothing=1", "nonsense"):
        done = backtest(squashed.path, "--set", wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert wrong.split("=")[0].split(".")[-1] in done.stderr


def test_in_a_repository_of_merges_the_merges_are_the_changes(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "work")
    repo.commit("begin", app="a = 1\n")
    for number in (7, 8):
        repo.git("checkout", "-q", "-b", f"topic{number}")
        inner = repo.commit("part one", **{f"m{number}": "b = 1\n"})
        repo.commit("part two", **{f"m{number}": "b = 2\n"})
        repo.git("checkout", "-q", "main")
        repo.git("merge", "-q", "--no-ff", "-m", f"Merge pull request #{number} from x/y\n\nTitle {number}", "-")
    repo.commit(f"Take it back\n\nThis reverts commit {inner}.", m8="b = 1\n")
    changes, later = read_merged_changes(repo.path, last=10, branch="main")
    assert [(c.number, c.title, len(c.commits)) for c in changes] == [(8, "Title 8", 3), (7, "Title 7", 3)]
    assert {k: v.kind for k, v in label_outcomes(changes, later).items()} == {changes[0].head_sha: "reverted"}


def test_a_later_fix_that_names_the_pull_request_labels_it(squashed: Repo) -> None:
    by = squashed.commit("Fix the doubling of #1 (#5)", app="def size(n):\n    return n + n\n")
    changes, later = read_merged_changes(squashed.path, last=10, branch=None)
    labels = label_outcomes(changes, later)
    first = next(c for c in changes if c.number == 1)
    assert labels[first.head_sha] == Outcome("fixed", by)
    assert first.head_sha != changes[0].head_sha
    assert changes[0].head_sha not in labels  # its own number in brackets is no reference to itself


def test_policy_and_risk_are_counted_apart_and_a_rule_costs_what_it_alone_sends() -> None:
    def change(sha: str, rules: tuple[str, ...], mandated: tuple[str, ...] = ()) -> JudgedChange:
        return JudgedChange(sha=sha, number=0, title="", author="", at=0, rules=rules, mandated=mandated)

    report = sum_up(
        [change("a", ("r", "p"), ("p",)), change("b", ("p",), ("p",)), change("c", ("r",)), change("d", ())],
        {},
        repo="x",
        prices=Prices(sent=3, cached=0.3, written=3.75, answered=15),
        usd_per_pr=1,
    )
    assert (report.to_human.count, report.by_risk.count, report.by_policy_only.count) == (3, 2, 1)
    assert {r.rule: (r.asked.count, r.alone, r.mandated) for r in report.rules} == {
        "r": (2, 1, False),
        "p": (2, 1, True),
    }


def test_a_model_is_estimated_with_what_it_writes_to_the_cache_and_reads_from_it() -> None:
    use = ModelUse(input_tokens=2_100_000, cached_tokens=1_000_000, cache_write_tokens=1_000_000, output_tokens=100_000)
    judged = JudgedChange(sha="a", number=0, title="", author="", at=0, model=use)
    prices = Prices(sent=3, cached=0.3, written=3.75, answered=15)
    assert sum_up([judged], {}, repo="x", prices=prices, usd_per_pr=1).model.usd == pytest.approx(
        0.3 + 0.3 + 3.75 + 1.5
    )


def test_the_interval_is_wilsons() -> None:
    share = share_of(15, 300)  # 3.05 % to 8.08 % by the formula of the paper
    assert (round(share.low, 4), round(share.high, 4)) == (0.0305, 0.0808)
    assert (share_of(0, 0).low, share_of(0, 0).high) == (0.0, 1.0)


async def test_a_tree_that_is_moved_on_is_what_a_fresh_export_gives(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "work")
    shas = [repo.commit("begin", a="a = 1\n", b="b = 1\n")]
    (repo.path / "pkg").mkdir()
    (repo.path / "pkg/deep.txt").write_text("x")
    shas.append(repo.commit("a folder", a="a = 2\n"))
    repo.git("rm", "-q", "b.py")
    (repo.path / "b.py").mkdir()
    (repo.path / "b.py/inner").write_text("a folder where a file was")
    (repo.path / "a.py").chmod(0o755)
    shas.append(repo.commit("a file becomes a folder"))
    repo.git("rm", "-q", "-r", "pkg")
    (repo.path / "pkg").symlink_to("a.py")
    shas.append(repo.commit("a folder becomes a link"))
    trees, git = RollingTrees(repo.path), LocalGit(repo.path)
    order = [*shas, *reversed(shas), shas[3], shas[0]]
    for number, (base, head) in enumerate(pairwise(order)):
        await trees.place(base, head, tmp_path / "slot")
        for name, sha in (("base", base), ("head", head)):
            fresh = tmp_path / f"fresh-{number}-{name}"
            await git.export(sha, fresh)
            assert content(tmp_path / "slot" / name) == content(fresh)


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        p.relative_to(folder).as_posix(): (p.lstat().st_mode, p.read_bytes() if p.is_file() else b"")
        for p in folder.rglob("*")
    }
