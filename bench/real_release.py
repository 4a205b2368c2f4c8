"""A change nobody here wrote: two consecutive releases of a package from the registry, as base and head.

    python bench/real_release.py httpbin 0.10.1 0.10.2

Downloads both source distributions with pip (through whatever registry pip is set up for), makes a git repository with
the old one as `main` and the new one as a branch, writes greenlane.yaml, sends users to the production port, and lets
the installed `greenlane run` take the branch as a pull request. Where Greenlane asks a human, a release manager reads
the question and approves it, so that every stage is reached; the question is in the notes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from _harness import Bench, run
from greenlane.adapters.load import TrafficSource
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.service_settings import LoadRequest

MAKE_BENCH_ARGS = ["httpbin", "0.10.1", "0.10.2"]
MAKE_BENCH_TIMEOUT_S = 900

MAX_QUESTIONS = 4
RUN_TIMEOUT_S = 600
TRAFFIC_RPS = 100.0
MANAGER = "Robin Vale <robin.vale@release.example>"
NOT_IN_GIT = ("PKG-INFO", "*.egg-info", "__pycache__")
"""What a source distribution holds beside the project's own files."""

STAGE_ENDS: dict[str, type[e.Event]] = {
    "review": e.ReviewComplete,
    "test": e.TestsComplete,
    "staging": e.StagingComplete,
    "validation": e.StagingValidated,
}
DEPLOYMENT_ENDS = (e.DeploymentComplete, e.CanaryRolledBack, e.CanaryInconclusive)


@dataclass(frozen=True)
class Recipe:
    """How a package is installed and served; what asks it for something."""

    setup: str
    start: str
    health: str
    smoke: tuple[dict[str, Any], ...] = ()
    load: tuple[dict[str, Any], ...] = ()


RECIPES = {
    "httpbin": Recipe(
        # 0.10.1 was written for Flask 2: with the newest Flask it doesn't import, so both run on what it was made for
        setup='{python} -m pip install --quiet . gunicorn "flask<3" "werkzeug<3"',
        start=(
            "{python} -m gunicorn --bind {host}:{port} --workers 1 --worker-class gthread --threads 8"
            " --keep-alive 75 httpbin:app"
        ),
        health="/status/200",
        smoke=(
            {"path": "/get?tea=green", "contains": "green"},
            {"path": "/uuid", "contains": "uuid"},
            {"path": "/digest-auth/auth/user/secret", "status": 401},
        ),
        load=(
            {"path": "/get?tea=green", "weight": 4},
            {"path": "/headers", "weight": 2},
            {"path": "/anything/tea", "method": "POST", "body": '{"tea": "green"}', "weight": 2},
            {"path": "/json"},
            {"path": "/uuid"},
            {"path": "/digest-auth/auth/user/secret"},
            {"path": "/redirect-to?url=/get"},
        ),
    )
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("package")
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--setup", help="for a package without a recipe: installs it; {python} is filled in")
    parser.add_argument("--start", help="for a package without a recipe: serves it on {host}:{port}")
    parser.add_argument("--health", default="/", help="for a package without a recipe: a path that answers 200")
    parser.add_argument("--keep", type=Path, help="make the repository in this new folder, and keep it")


def recipe_for(args: argparse.Namespace) -> Recipe:
    if args.start:
        setup = args.setup or "{python} -m pip install --quiet ."
        return Recipe(setup=setup, start=args.start, health=args.health, load=({"path": args.health},))
    if args.package not in RECIPES:
        raise SystemExit(f"there is no recipe for {args.package}: say how it is served with --start and --health")
    return RECIPES[args.package]


# ------------------------------------------------------------------ the repository


def download(package: str, version: str, into: Path) -> Path:
    """The unpacked source distribution of a release."""
    place = into / version
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*argv, "--no-binary", ":all:", "--dest", str(place), f"{package}=={version}"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    archives = sorted(place.glob("*.tar.gz"))
    if done.returncode != 0 or not archives:
        raise SystemExit(f"{package} {version} could not be downloaded:\n{done.stderr.strip()[-2000:]}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(place, filter="data")
    return next(path for path in place.iterdir() if path.is_dir())


def settings_text(package: str, recipe: Recipe, port: int) -> str:
    service = {
        "name": package.lower(),
        "port": port,
        "commands": {"setup": recipe.setup, "test": "{python} -m pytest -q", "start": recipe.start},
        "health": {"path": recipe.health},
        "smoke": list(recipe.smoke),
        "load": list(recipe.load),
    }
    settings = {
        "repository": {"name": package.lower(), "base_branch": "main"},
        "services": [service],
        "thresholds": {"canary_monitoring_duration_min": 0.25},
        "validation": {"load_duration_s": 10, "load_rate_rps": 40},
        "staging": {"collect_s": 5},
        "canary": {
            "warmup_s": 3,
            "step_duration_s": 3,
            "min_requests": 40,
            "detect_factor": 20,
            "observe_s": 1,
            "keep_previous_s": 5,
        },
    }
    return "# written by bench/real_release.py; times are short so that the benchmark is\n" + yaml.safe_dump(
        settings, sort_keys=False
    )


def make_repository(folder: Path, old: Path, new: Path, settings: str, versions: tuple[str, str]) -> str:
    """A repository with the old release on `main`, the new one on a branch, and `main` checked out; the branch."""
    branch = f"release-{versions[1]}"
    ignore = shutil.ignore_patterns(*NOT_IN_GIT)
    shutil.copytree(old, folder, ignore=ignore)
    (folder / "greenlane.yaml").write_text(settings, encoding="utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "exclude").write_text(".greenlane/\n", encoding="utf-8")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "-m", f"Release {versions[0]}")
    git(folder, "switch", "--quiet", "--create", branch)
    for path in folder.iterdir():
        if path.name not in (".git", "greenlane.yaml"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(new, folder, ignore=ignore, dirs_exist_ok=True)
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "-m", f"Release {versions[1]}")
    git(folder, "switch", "--quiet", "main")
    return branch


def git(folder: Path, *args: str) -> None:
    person = ["-c", "user.name=Upstream", "-c", "user.email=upstream@release.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *person, *args], cwd=folder, check=True, capture_output=True, timeout=60)


# ------------------------------------------------------------------ the run


class Greenlane:
    """The installed command line, in one repository."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log

    async def call(self, *args: str, told: Callable[[str], None] = lambda _: None) -> str:
        """Run a command to its end; what it printed on stdout. Each line of its words is told as it comes."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "greenlane.cli.main", "-C", str(self._folder), *args,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(RUN_TIMEOUT_S):
                printed = asyncio.create_task(process.stdout.read())
                with self._log.open("ab") as log:
                    async for line in process.stderr:
                        log.write(line)
                        told(line.decode("utf-8", "replace"))
                await process.wait()
                return (await printed).decode()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def users(url: str, recipe: Recipe) -> AsyncIterator[None]:
    """Send users to production as soon as there is one."""
    requests = tuple(LoadRequest.model_validate(r) for r in recipe.load)

    async def visit() -> None:
        while not await asyncio.to_thread(_answers, url + recipe.health):  # noqa: ASYNC110 - another process comes up
            await asyncio.sleep(0.3)
        async with TrafficSource(url, requests, rate_rps=TRAFFIC_RPS):
            await asyncio.Event().wait()

    visiting = asyncio.create_task(visit())
    try:
        yield
    finally:
        visiting.cancel()
        await asyncio.gather(visiting, return_exceptions=True)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def take_to_production(greenlane: Greenlane, branch: str, bench: Bench) -> dict[str, Any]:
    """`greenlane run`, and the release manager's answers; the last line that it printed."""
    with bench.progress("stages", total=5) as advance:

        def told(line: str) -> None:
            for end in ("review.complete", "tests.complete", "staging.complete", "staging.validated"):
                if f" {end}:" in line:
                    advance()

        for _ in range(MAX_QUESTIONS):
            printed = await greenlane.call("run", branch, "--json", told=told)
            if not printed.strip():
                raise SystemExit("greenlane run printed no result: see its words above, or use --keep and run it there")
            view: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
            if view["state"] != "awaiting_human":
                break
            bench.note(f"a human was asked in the lane {view['lane']}: {view['reason']}")
            await greenlane.call("approve", view["run"], "--by", MANAGER, "--reason", "a release that upstream tested")
        advance()
    return view


# ------------------------------------------------------------------ the report


def seconds_between(change: Change) -> dict[str, float]:
    """How long each stage took, from the end of the one before it (waiting for a human included), in seconds."""
    took: dict[str, float] = {}
    before = datetime.fromisoformat(change.history[0].timestamp)
    ends = {**{kind: name for name, kind in STAGE_ENDS.items()}, **dict.fromkeys(DEPLOYMENT_ENDS, "deployment")}
    for recorded in change.history:
        name = ends.get(type(recorded.event))
        if name:
            at = datetime.fromisoformat(recorded.timestamp)
            took[name] = took.get(name, 0.0) + (at - before).total_seconds()
            before = at
    return took


def report(bench: Bench, change: Change, state: str) -> None:
    """Each stage's verdict and time."""
    took = seconds_between(change)
    for name in (*STAGE_ENDS, "deployment"):
        kinds = (STAGE_ENDS[name],) if name in STAGE_ENDS else DEPLOYMENT_ENDS
        ends = [r.event for r in change.history if isinstance(r.event, kinds)]
        if ends:
            last = ends[-1]
            assert isinstance(last, e.Decision)
            bench.figure(f"{name}_s", round(took[name], 1), f"{last.why.decision}: {last.why.rationale[:200]}")
    bench.figure("outcome", state, "where the change ended")
    bench.figure("stages_with_verdict", len(took), "of five")
    if change.review:
        bench.figure("risk_score", change.review.risk_score, f"lane {change.review.lane.value}, of 10")
        bench.figure("findings", len(change.review.findings), "of the review")
        bench.figure("files_not_analysed", len(change.review.skipped), "they close the green lane")
    if change.tests:
        bench.figure("tests_written", len(change.tests.written), "generated, run and committed")
    bench.goal("every stage reached a verdict", "stages_with_verdict", "==", 5)
    bench.bars("Seconds a stage took", took, unit="s")


async def measure(bench: Bench) -> None:
    args = bench.args
    recipe = recipe_for(args)
    place = args.keep or Path(tempfile.mkdtemp(prefix="greenlane-release-"))
    place.mkdir(parents=True, exist_ok=True)
    try:
        with bench.progress("downloading", total=2) as advance:
            releases = []
            for version in (args.old, args.new):
                releases.append(download(args.package, version, place))
                advance()
        port = free_port()
        folder = place / args.package.lower()
        settings = settings_text(args.package, recipe, port)
        branch = make_repository(folder, releases[0], releases[1], settings, (args.old, args.new))
        greenlane = Greenlane(folder, place / "greenlane.log")
        try:
            async with users(f"http://127.0.0.1:{port}", recipe):
                view = await take_to_production(greenlane, branch, bench)
            report(bench, await read_change(folder, view["run"]), view["state"])
        finally:
            await greenlane.call("down")
    finally:
        if not args.keep:
            shutil.rmtree(place, ignore_errors=True)


async def read_change(folder: Path, name: str) -> Change:
    """The run as it stands in the ledger."""
    from greenlane.bootstrap import open_application

    application = await open_application(folder, read_only=True)
    try:
        return await application.change(name)
    finally:
        await application.close()


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    run("real_release", "Two real releases, from pull request to production", measure, arguments=add_arguments)
