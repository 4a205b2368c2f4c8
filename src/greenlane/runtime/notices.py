"""Notices: people hear of what the ledger says, through the notifier, each event once (or again after a crash)."""

from __future__ import annotations

import logging

from greenlane.bus.protocol import Bus, Delivery
from greenlane.domain.change import Change
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
ATTEMPTS = 10  # a notifier that fails this often is given up for this event; the event itself stays in the ledger


class Notices:
    def __init__(self, store: LedgerStore, bus: Bus, holdings: Holdings, notifier: Notifier) -> None:
        self._store = store
        self._bus = bus
        self._holdings = holdings
        self._notifier = notifier

    async def run(self) -> None:
        """Pass events on until the bus is closed."""
        async for delivery in self._bus.subscribe(TYPES, GROUP):
            try:
                await self._pass_on(delivery)
                await self._bus.ack(delivery)
            except Exception:
                log.warning("a notice could not be given", exc_info=True)
                if delivery.attempt < ATTEMPTS:
                    await self._bus.redeliver(delivery, RETRY_S)
                else:
                    await self._bus.ack(delivery)

    async def _pass_on(self, delivery: Delivery) -> None:
        message = delivery.message
        if await self._store.is_handled(GROUP, message.seq):
            return
        change: Change = await self._holdings.read(message.stream)
        recorded = next((x for x in change.history if x.seq == message.seq), None)
        if recorded is not None:
            await self._notifier.notify(change, recorded)
        await self._store.commit(
            Step(stream=message.stream, expected_version=None, drafts=(), handled=(Handled(GROUP, message.seq),))
        )
