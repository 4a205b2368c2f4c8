"""Notices: people hear of what the ledger says, through the notifier, each event once (or again after a crash).

The bus carries only what this process commits while it works. What an earlier process left untold (it was killed, or
it ended with the run) is found in the ledger itself, by `catch_up`.
"""

from __future__ import annotations

import logging

from greenlane.bus.protocol import Bus
from greenlane.domain.change import Change
from greenlane.domain.errors import GreenlaneError
from greenlane.ledger.store import Handled, LedgerStore, Step
from greenlane.ports.notifier import Notifier
from greenlane.runtime.holding import Holdings

log = logging.getLogger(__name__)
GROUP = "notices"
TYPES = (
    "human.requested",
    "tests.complete",
    "staging.complete",
    "staging.validated",
    "run.failed",
    "canary.inconclusive",
    "canary.rolled_back",
    "incident.reported",
    "deployment.complete",
    "deployment.rolled_back",
)
RETRY_S = 5.0
CATCH_UP_ENTRIES = 2000  # the newest entries are looked through after a start: some thirty runs
ATTEMPTS = 10  # a notifier that fails this often is given up for this event; the event itself stays in the ledger


class Notices:
    def __init__(self, store: LedgerStore, bus: Bus, holdings: Holdings, notifier: Notifier) -> None:
        self._store = store
        self._bus = bus
        self._holdings = holdings
        self._notifier = notifier

    async def run(self) -> None:
        """Pass events on until the bus is closed: first those that were left untold."""
        deliveries = self._bus.subscribe(TYPES, GROUP)
        await self.catch_up()
        async for delivery in deliveries:
            try:
                await self._pass_on(delivery.message.stream, delivery.message.seq)
                await self._bus.ack(delivery)
            except Exception:
                log.warning("a notice could not be given", exc_info=True)
                if delivery.attempt < ATTEMPTS:
                    await self._bus.redeliver(delivery, RETRY_S)
                else:
                    await self._bus.ack(delivery)

    async def catch_up(self) -> None:
        """Pass on what the newest entries of the ledger hold and nobody was told. Never raises: it is tried again."""
        try:
            size = (await self._store.head()).size
            entries = await self._store.read(max(0, size - CATCH_UP_ENTRIES), CATCH_UP_ENTRIES)
        except GreenlaneError as error:
            log.warning("what was left untold can't be told now: %s", error.message)
            return
        for entry in entries:
            if entry.type in TYPES:
                try:
                    await self._pass_on(entry.stream, entry.seq)
                except Exception:
                    log.warning("a notice that was left over could not be given", exc_info=True)

    async def _pass_on(self, run: str, seq: int) -> None:
        if await self._store.is_handled(GROUP, seq):
            return
        change: Change = await self._holdings.read(run)
        recorded = next((x for x in change.history if x.seq == seq), None)
        if recorded is not None:
            await self._notifier.notify(change, recorded)
        await self._store.commit(Step(stream=run, expected_version=None, drafts=(), handled=(Handled(GROUP, seq),)))
