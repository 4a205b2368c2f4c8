"""Reads what stands around a change for its context package: production's figures, and the runs before it.

Called by the faces, and by the notifier whose page a person opens from a notice.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from greenlane.adapters.baselines import FILE, BaselineStore
from greenlane.domain.change import Change
from greenlane.domain.settings import Settings
from greenlane.policy.baseline import DAYS
from greenlane.policy.usual import Around, compute_usual, touched_services

log = logging.getLogger(__name__)


async def look_around(
    change: Change, settings: Settings, state_dir: Path, past: Sequence[Change], *, now: datetime
) -> Around:
    """Figures that can't be read are left out: a question to a person must not fail for them."""
    store = BaselineStore(state_dir / FILE)
    slots = {}
    for service in touched_services(change, settings):
        try:
            slots[service.name] = await store.slots(service.name, now - timedelta(days=DAYS))
        except sqlite3.Error as error:
            log.warning("the baseline of %s can't be read: %s", service.name, error)
    return Around(production=compute_usual(change, settings, slots, past, now=now), past=tuple(past))
