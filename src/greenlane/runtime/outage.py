"""A ledger that can't be written for a while: said once and then now and then, and not waited for without end.

Used by the worker. Work on the runs goes on by itself when the ledger can be written again.
"""

from __future__ import annotations

import logging
import time

from greenlane.ledger.store import LedgerUnavailableError

log = logging.getLogger(__name__)
TELL_EVERY_S = 60.0
"""Every task meets the same outage; one line a minute says as much as two a second."""


class Outage:
    def __init__(self) -> None:
        self._since: float | None = None
        self._told: float | None = None
        self._error: LedgerUnavailableError | None = None

    def note(self, error: LedgerUnavailableError) -> None:
        now = time.monotonic()
        self._error = error
        self._since = now if self._since is None else self._since
        if self._told is None or now - self._told >= TELL_EVERY_S:
            self._told = now
            log.warning("%s (%s); it is tried again", error.message, error.hint)

    def end(self) -> None:
        """Something was written."""
        if self._since is not None:
            log.warning("the ledger can be written again")
        self._since = self._told = self._error = None

    def raise_after(self, seconds: float | None) -> None:
        """Raises LedgerUnavailableError once the outage has lasted this long; None: never."""
        if seconds is not None and self._since is not None and time.monotonic() - self._since >= seconds:
            assert self._error is not None, "an outage has an error"
            raise self._error
