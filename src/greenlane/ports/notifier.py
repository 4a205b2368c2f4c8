"""The notifier: tells people what happened. It decides nothing."""

from __future__ import annotations

from typing import Protocol

from greenlane.domain.change import Change, Recorded


class Notifier(Protocol):
    async def notify(self, change: Change, recorded: Recorded) -> None:
        """Tell people of this event of this change. May be called again for the same event after a crash."""
