"""`greenlane demo`: seven pull requests of a small shop through the whole pipeline, live. Called by the command line.

Everything is real: the shop's processes, the proxy in front of them, the customers who send requests to it, git, the
sandbox, the ledger. Only the minutes are shorter, and that by the shop's own configuration (service/greenlane.yaml).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from greenlane.demo.pulls import PULLS, Pull
from greenlane.demo.release import settle
from greenlane.demo.report import DemoResult, LedgerResult, print_result, result_of
from greenlane.demo.repository import make_repository, write_commit
from greenlane.domain.change import Change
from greenlane.domain.errors import GreenlaneError, InputError
from greenlane.pages.live import show_progress
from greenlane.pages.terminal import print_json
from greenlane.ports.application import Application, RunView

if TYPE_CHECKING:
    from greenlane.adapters.reports import FileNotifier

DEADLINE_S = 600.0
"""A demo that takes longer has gone wrong: it stops, says how far it came, and fails."""

FOLDER = "greenlane-demo"


def run_demo(*, json_output: bool, directory: Path | None = None) -> int:
    """Run the demo in a fresh folder (in `directory`, or among the temporary ones); the exit code.

    0: each change ended as it has to; 1: one did not; 143: stopped by SIGTERM. KeyboardInterrupt goes on to the caller.
    Whatever happens, what was started is stopped.
    """
    folder = _fresh_folder(directory)
    try:
        return asyncio.run(_demonstrate(folder, json_output=json_output))
    except asyncio.CancelledError:
        return 143


def _fresh_folder(directory: Path | None) -> Path:
    if directory is None:
        return Path(tempfile.mkdtemp(prefix=f"{FOLDER}-")).resolve()
    folder = directory.resolve() / FOLDER
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"{folder} exists already", hint=f"remove it (rm -r {folder}), or choose another folder with -C"
        )
    return folder


def _say(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


async def _demonstrate(folder: Path, *, json_output: bool) -> int:
    from greenlane.adapters import reports

    started = time.monotonic()
    root = folder / "shop"
    with _stopped_by(signal.SIGTERM, signal.SIGHUP):
        make_repository(root)
        _say(f"The shop's repository is {root}; its production comes up ...")
        async with _shop_in_production(root) as application:
            runs = {await application.submit(pull.branch): pull for pull in PULLS}
            await _work(application, runs)
            views = [await application.view(run) for run in runs]
            changes = [await application.change(run) for run in runs]
            kept = reports.FileNotifier(application.state_dir / reports.FOLDER, application.settings)
            ledger_path = application.ledger_path
        result = DemoResult(prs=tuple(map(result_of, views)), ledger=await _verify(ledger_path))
    files = [*_written_tests(root, changes, folder), *_reports(kept, views)]
    files += [("the ledger", ledger_path), ("the repository", root)]
    print_result(result, files=files, seconds=time.monotonic() - started, stderr=json_output)
    if json_output:
        print_json(result)
    return 0 if result.as_expected else 1


@contextlib.asynccontextmanager
async def _shop_in_production(root: Path) -> AsyncIterator[Application]:
    """Greenlane over the repository, the shop in production, and customers; all of it is gone afterwards."""
    from greenlane import bootstrap
    from greenlane.adapters.load import TrafficSource
    from greenlane.demo.traffic import CUSTOMERS, RATE_RPS

    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(bootstrap.stop_leftovers, root)
        application = await bootstrap.open_application(root, read_only=False)
        stack.push_async_callback(application.close)
        addresses = await application.install()
        url = addresses["shop"]
        await stack.enter_async_context(TrafficSource(url, CUSTOMERS, rate_rps=RATE_RPS))
        _say(f"The shop is up at {url}, with {RATE_RPS:.0f} requests a second of its customers.")
        yield application


async def _work(application: Application, runs: Mapping[str, Pull]) -> None:
    """Let the agents work, and the release manager, until all changes have settled or the time is up."""
    async with show_progress(application, runs=tuple(runs)):
        working = asyncio.create_task(application.work(until=None))
        settling = asyncio.create_task(settle(application, runs))
        try:
            done, _ = await asyncio.wait((working, settling), timeout=DEADLINE_S, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (working, settling):
                task.cancel()
            await asyncio.gather(working, settling, return_exceptions=True)
    if not done:
        _say(f"The demo did not end in {DEADLINE_S:.0f} s; this is how far it came:")


@contextlib.contextmanager
def _stopped_by(*signals: signal.Signals) -> Iterator[None]:
    """These signals end the demo like Ctrl-C does: everything is cleared up."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in signals:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _written_tests(root: Path, changes: Sequence[Change], folder: Path) -> list[tuple[str, Path]]:
    """The commits with generated tests, as files that a person can read."""
    files = []
    for change in changes:
        if change.tests and change.tests.commit_sha and change.tests.written:
            path = folder / f"{change.opened.branch}-tests.diff"
            write_commit(root, change.tests.commit_sha, path)
            files.append((f"tests written for #{change.opened.pr_number}", path))
    return files


def _reports(kept: FileNotifier, views: Sequence[RunView]) -> list[tuple[str, Path]]:
    """The context packages and incident reports that the run left."""
    from greenlane.adapters import reports

    words = {
        reports.CONTEXT_PAGE: "what a human is asked about",
        reports.INCIDENT_PAGE: "incident report",
        reports.INCIDENT_TEXT: "the same as text",
        reports.INCIDENT_DATA: "the same as data",
    }
    return [(f"{words[path.name]}, #{view.pr_number}", path) for view in views for path in kept.paths_for(view.run)]


async def _verify(ledger_path: Path) -> LedgerResult:
    """The ledger, recomputed from its file alone."""
    from greenlane.ledger.verify import verify

    try:
        found = await asyncio.to_thread(verify, ledger_path)
    except GreenlaneError as error:
        _say(f"the ledger could not be verified: {error.message}")
        return LedgerResult(entries=0, root="", verified=False)
    return LedgerResult(entries=found.size, root=found.root, verified=found.ok)
