"""The store of baselines: what is counted is counted once, in its quarter of an hour, whatever happens in between."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from greenlane.adapters.baselines import FILE, GAP_MAX_S, KEPT_DAYS, BaselineStore
from greenlane.domain.delivery import Counters
from greenlane.domain.production import ProductionReading, TrafficSlot

START = datetime(2026, 7, 30, 14, 0, tzinfo=UTC)


def reading(requests: int, *, errors: int = 0, version: str = "v1") -> ProductionReading:
    counters = Counters(requests=requests, errors=errors, histogram=((10.0, requests // 2), (100.0, requests)))
    return ProductionReading(version=version, counters=counters)


async def slots(store: BaselineStore) -> tuple[TrafficSlot, ...]:
    return await store.slots("shop", START - timedelta(days=60))


async def test_differences_go_into_their_quarter_of_an_hour(tmp_path: Path) -> None:
    store = BaselineStore(tmp_path / FILE)
    assert await slots(store) == ()
    for seconds, requests in ((0, 1000), (15, 1100), (30, 1250), (900, 1300), (915, 1400)):
        await store.record("shop", reading(requests, errors=requests // 100), START + timedelta(seconds=seconds))
    first, second = await slots(store)
    assert (first.begins, first.requests, first.errors, first.seconds) == (int(START.timestamp()), 250, 2, 30)
    assert first.histogram == ((10.0, 125), (100.0, 250))
    assert (second.requests, second.seconds) == (100, 15)  # nobody looked for 870 s: those 50 are nowhere


async def test_another_version_a_restarted_router_and_a_gap_begin_anew(tmp_path: Path) -> None:
    store = BaselineStore(tmp_path / FILE)
    moments = [
        (0, reading(500)),
        (15, reading(20, version="v2")),  # a promotion
        (30, reading(5, version="v2")),  # counters that went backwards
        (45 + GAP_MAX_S, reading(900, version="v2")),
        (40, reading(950, version="v2")),  # a clock that was set back
    ]
    for seconds, each in moments:
        await store.record("shop", each, START + timedelta(seconds=seconds))
    assert await slots(store) == ()


async def test_two_processes_that_read_the_same_router_count_nothing_twice(tmp_path: Path) -> None:
    stores = [BaselineStore(tmp_path / FILE) for _ in range(2)]
    await stores[0].record("shop", reading(0), START)
    for n in range(1, 21):
        at = START + timedelta(seconds=n)
        await asyncio.gather(*(store.record("shop", reading(10 * n), at) for store in stores))
    (slot,) = await slots(stores[0])
    assert (slot.requests, slot.seconds) == (200, 20)


async def test_it_stays_small(tmp_path: Path) -> None:
    store = BaselineStore(tmp_path / FILE)
    for day in range(3 * KEPT_DAYS):
        for second in (0, 15):
            at = START + timedelta(days=day, seconds=second)
            await store.record("shop", reading(1000 * day + second), at)
    db = sqlite3.connect(tmp_path / FILE)
    assert db.execute("SELECT count(*) FROM slot").fetchone()[0] <= KEPT_DAYS + 1
    db.close()
