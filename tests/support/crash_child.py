"""One worker of a crash test: `python crash_child.py ROOT [options]`, a real process that can be killed.

It opens the application of ROOT, takes up a pull request and works until its run rests. With `--boundaries FILE` it
kills itself (SIGKILL) at the first boundary that the file does not name yet, and adds it to the file. A boundary is the
instant before a commit (an effect is done, its record is not) or after one (the decision is recorded, nothing is done
about it yet); its name is the side, the event's type and its phase: `after canary.observed watch`.

While SIGUSR1 was the last signal of the two, the ledger takes no write; SIGUSR2 brings it back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from greenlane import bootstrap
from greenlane.ledger.entry import Draft
from greenlane.ledger.store import LedgerUnavailableError, Step
from greenlane.policy.lifecycle import ENDED, State
from greenlane.runtime.application import Application

MANAGER = "Robin Vale <robin.vale@teashop.example>"
LOOK_S = 0.05


def name_of(drafts: tuple[Draft, ...]) -> str:
    """The kind of a commit: the type of each event, with the phase of a look and the weight of a step."""
    names = []
    for draft in drafts:
        body = json.loads(bytes(draft.body))
        more = body["phase"] if draft.type == "canary.observed" else ""
        more = f"{body['weight_percent']:g}" if draft.type == "canary.promoting" else more
        names.append(f"{draft.type} {more}".strip())
    return " + ".join(names)


class Tripwire:
    """Stands before the store's `commit`."""

    def __init__(self, commit: Callable[[Step], Awaitable[Any]], passed: Path | None, only: tuple[str, ...]) -> None:
        self._commit = commit
        self._passed = passed
        self._only = only
        self.broken = False

    async def commit(self, step: Step) -> Any:
        self.check()
        if self._passed is None or not step.drafts:
            return await self._commit(step)
        name = name_of(step.drafts)
        self._reach(f"before {name}")
        entries = await self._commit(step)
        self._reach(f"after {name}")
        return entries

    def check(self) -> None:
        if self.broken:
            raise LedgerUnavailableError("the disk is full")

    def _reach(self, boundary: str) -> None:
        assert self._passed is not None
        if self._only and boundary not in self._only:
            return
        known = self._passed.read_text(encoding="utf-8").splitlines() if self._passed.exists() else []
        if boundary not in known:
            with self._passed.open("a", encoding="utf-8") as file:
                file.write(boundary + "\n")
            os.kill(os.getpid(), signal.SIGKILL)


def install(application: Application, tripwire: Tripwire) -> None:
    """Put the tripwire before every write of the store."""
    store: Any = application._store

    def guarded(write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def checked(*args: Any, **more: Any) -> Any:
            tripwire.check()
            return await write(*args, **more)

        return checked

    for name in ("acquire", "heartbeat", "release", "acquire_slot"):
        setattr(store, name, guarded(getattr(store, name)))
    store.commit = tripwire.commit
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, setattr, tripwire, "broken", True)
    loop.add_signal_handler(signal.SIGUSR2, setattr, tripwire, "broken", False)


async def approve(application: Application, run: str) -> None:
    """A person says yes whenever one is asked, until the run has ended."""
    while (state := (await application.view(run)).state) not in ENDED:
        if state == State.AWAITING_HUMAN:
            await application.approve(run, by=MANAGER, reason="read it")
        await asyncio.sleep(LOOK_S)


async def work_with_approvals(application: Application, run: str) -> None:
    working = asyncio.create_task(application.work(until=None))
    approving = asyncio.create_task(approve(application, run))
    done, _ = await asyncio.wait((working, approving), return_when=asyncio.FIRST_COMPLETED)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    for task in done:
        task.result()


async def work(arguments: argparse.Namespace) -> None:
    application = await bootstrap.open_application(arguments.root)
    tripwire = Tripwire(application._store.commit, arguments.boundaries, tuple(arguments.only))
    install(application, tripwire)
    try:
        if not arguments.branch:
            print(json.dumps(await application.install()), flush=True)
            return
        run = await application.submit(arguments.branch)
        print(run, flush=True)
        if arguments.approve:
            await work_with_approvals(application, run)
        else:
            await application.work(until=[run])
    finally:
        await application.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--branch", default="", help="the pull request; without one, production is brought up")
    parser.add_argument("--boundaries", type=Path, help="die at each boundary that is not in this file yet")
    parser.add_argument("--only", action="append", default=[], help="die at these boundaries only")
    parser.add_argument("--approve", action="store_true", help="approve whatever a person is asked")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s")
    asyncio.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
