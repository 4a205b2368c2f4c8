"""How fast a change is read without a model, beside the same tools run by hand on the changed files.

    bench/review_speed.py --repos DIR

DIR is a folder of public repositories, fetched for reading and never committed; any clone will do, bare or not:

    git clone --bare https://github.com/pallets/flask DIR/flask
    git clone --bare https://github.com/encode/httpx DIR/httpx

(`DIR/NAME/repo` is found as well.) Memory is the sum of the proportional set sizes of this process and all of its
children, so that pages which forks share count once. By hand: ruff, bandit, detect-secrets and griffe as commands, one
after the other, on the changed Python files of checked-out trees.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

import psutil

from _harness import Bench, percentile, run
from greenlane.adapters.git import LocalGit
from greenlane.adapters.git.merged import MergedChange, read_merged_changes
from greenlane.analyzers.catalog import build_analyzers, shared_pool
from greenlane.analyzers.reader import ChangeReader
from greenlane.backtest.judging import judge_changes
from greenlane.backtest.settings import settings_for

MAX_REPOS = 6
LOOK_S = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repos", type=Path, required=True, help="a folder of git repositories")
    parser.add_argument("--last", type=int, default=300, help="changes of the backtest (default 300)")


def find_repositories(folder: Path) -> list[Path]:
    found = []
    for entry in sorted(folder.iterdir()):
        for place in (entry, entry / "repo"):
            if (place / "HEAD").is_file() or (place / ".git").exists():
                found.append(place)
                break
    return found


def cpu_s() -> float:
    """CPU time of this process and of all children that have ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


class Memory:
    """The highest sum of memory while the block runs, in MB."""

    peak_mb = 0.0

    def __enter__(self) -> Memory:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._done.wait(LOOK_S):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.peak_mb = max(self.peak_mb, total / 1e6)


async def review_each(repo: Path, changes: list[MergedChange], bench: Bench) -> list[float]:
    """Seconds that each review takes, one after the other; the pool is warm as in a service that is up."""
    settings = settings_for(repo, [], None).settings
    reader = ChangeReader(LocalGit(repo), build_analyzers(120), settings, coverage=None)
    seconds = []
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "change"
        await reader.read(changes[0].base_sha, changes[0].head_sha, folder)
        with bench.progress(f"reviews of {repo.parent.name}", total=len(changes)) as advance:
            for change in changes:
                began = time.monotonic()
                await reader.read(change.base_sha, change.head_sha, folder)
                seconds.append(time.monotonic() - began)
                advance()
    return seconds


def by_hand(repo: Path, change: MergedChange) -> float:
    """Seconds that the plain tools take together on this change; trees are checked out before."""
    git = ("git", f"--git-dir={repo}" if (repo / "HEAD").is_file() else f"--git-dir={repo}/.git")
    with tempfile.TemporaryDirectory() as work:
        trees = {name: Path(work) / name for name in ("base", "head")}
        for name, commit in (("base", change.base_sha), ("head", change.head_sha)):
            trees[name].mkdir()
            archive = subprocess.run((*git, "archive", commit), capture_output=True, check=True).stdout
            subprocess.run(("tar", "-x"), cwd=trees[name], input=archive, check=True)
        names = subprocess.run(
            (*git, "diff", "--name-only", "-z", change.base_sha, change.head_sha), capture_output=True
        )
        files = [f for f in names.stdout.decode(errors="replace").split("\0") if f.endswith(".py")]
        began = time.monotonic()
        for tree in trees.values():
            own = [f for f in files if (tree / f).is_file()]
            for command in _tools(own):
                subprocess.run(command, cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        for package in sorted(_packages(files, trees["head"])):
            for tree in trees.values():
                command = (sys.executable, "-m", "griffe", "dump", package.name, "-s", str(tree / package.parent))
                subprocess.run(command, cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return time.monotonic() - began


def _tools(files: list[str]) -> list[tuple[str, ...]]:
    if not files:
        return []
    ruff = str(Path(sysconfig.get_path("scripts")) / "ruff")
    return [
        (ruff, "check", "--select", "S", "--isolated", "--no-cache", "--output-format", "json", *files),
        (sys.executable, "-m", "bandit", "--format", "json", "--quiet", "--exit-zero", *files),
        (sys.executable, "-m", "detect_secrets", "scan", *files),
    ]


def _packages(files: list[str], tree: Path) -> set[Path]:
    """The top-level packages that hold changed files, relative to the tree."""
    found = set()
    for file in files:
        parents = [p for p in Path(file).parents if (tree / p / "__init__.py").is_file() and p != Path()]
        if parents and "test" not in parents[-1].name:
            found.add(parents[-1])
    return found


def measure(bench: Bench) -> None:
    repos = find_repositories(bench.args.repos)[: 1 if bench.quick else MAX_REPOS]
    if not repos:
        raise SystemExit(f"there is no git repository in {bench.args.repos}")
    count = 5 if bench.quick else 20
    ours: list[float] = []
    hand: list[float] = []
    cpu = 0.0
    with Memory() as memory:
        for repo in repos:
            changes, _ = read_merged_changes(repo, last=count, branch=None)
            began = cpu_s()
            ours += asyncio.run(review_each(repo, changes, bench))
            shared_pool().close()  # its CPU time counts once it has ended
            cpu += cpu_s() - began
    for repo in repos:
        changes, _ = read_merged_changes(repo, last=count, branch=None)
        with bench.progress(f"by hand {repo.parent.name}", total=len(changes)) as advance:
            for change in changes:
                hand.append(by_hand(repo, change))
                advance()
    bench.figure("review_median_s", percentile(ours, 50), "reading one change, median")
    bench.figure("review_p95_s", percentile(ours, 95), "reading one change, 95th percentile")
    bench.figure("by_hand_median_s", percentile(hand, 50), "the plain tools on its Python files, median")
    bench.figure("ratio", sum(ours) / max(sum(hand), 1e-9), "ours to the plain sum, over all changes")
    bench.figure("review_cpu_s", cpu / max(len(ours), 1), "CPU time of one review, mean, start of the pool included")
    bench.figure("peak_mb", memory.peak_mb, "highest memory of all processes together (PSS)")
    backtest(bench, repos[0])
    bench.goal("a review is quick", "review_median_s", "<", 2)
    bench.goal("a review is small", "peak_mb", "<", 300)
    bench.goal("300 changes in five minutes", "backtest_300_s", "<", 300)
    bench.samples("One change", {"greenlane": ours, "tools by hand": hand}, unit="s", limit=2)
    bench.note(f"{len(ours)} merged changes of {len(repos)} repositories, {os.cpu_count()} CPUs")


def backtest(bench: Bench, repo: Path) -> None:
    last = 20 if bench.quick else bench.args.last
    changes, _ = read_merged_changes(repo, last=last, branch=None)
    settings = settings_for(repo, [], None).settings
    began, cpu = time.monotonic(), cpu_s()
    with bench.progress(f"backtest of {repo.parent.name}", total=len(changes)) as advance:
        judge_changes(repo, changes, settings, on_judged=lambda _: advance())
    took = time.monotonic() - began
    shared_pool().close()
    bench.figure("backtest_changes", len(changes), "changes of the backtest")
    bench.figure("backtest_300_s", took / len(changes) * 300, "backtest of 300 changes, from those judged")
    bench.figure("backtest_cpu_s", (cpu_s() - cpu) / len(changes), "CPU time of one change in it")


if __name__ == "__main__":
    run("review_speed", "Reading a change, beside its tools by hand", measure, arguments=add_arguments)
