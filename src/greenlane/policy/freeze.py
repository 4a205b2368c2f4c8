"""Whether a service is frozen now, and until when. Pure: windows and `now` in, an answer out.

Local times become instants by the zone's rules of that day. Where a clock time happens twice (the end of summer time)
or never (its beginning), the longer reading holds: a freeze begins at the earlier and ends at the later instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from greenlane.domain.freeze import WEEKDAYS, FreezeWindow, form_of, parse_clock, parse_once, zone_of
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings

_CHAIN_MAX = 400
"""Windows in a row that are followed to the end of a freeze; the end of a longer one is looked for when it is there."""


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """A freeze in force: its windows (`service or all: name`), and the instant at which all of them are over.

    `zone` is that of the window which ends last, for people.
    """

    windows: tuple[str, ...]
    until: datetime
    zone: str = "UTC"

    @property
    def words(self) -> str:
        local = f" ({self.until.astimezone(ZoneInfo(self.zone)):%a %H:%M} in {self.zone})" if self.zone != "UTC" else ""
        return f"{', '.join(self.windows)} until {self.until:%Y-%m-%d %H:%M} UTC{local}"


def find_freeze(services: Iterable[Service], settings: Settings, now: datetime) -> Frozen | None:
    """The freeze of these services at `now` (aware); None if there is none.

    Windows that overlap or touch count as one, so that nothing begins between two of them.
    """
    named = [("all services", w) for w in settings.freeze.windows]
    named += [(s.name, w) for s in services for w in s.freeze_windows]
    return _find(named, now)


def find_unattended(settings: Settings, now: datetime) -> Frozen | None:
    """The time in which nobody watches that holds `now`, likewise."""
    return _find([("nobody watches", w) for w in settings.deployment.unattended_windows], now)


def _find(named: Sequence[tuple[str, FreezeWindow]], now: datetime) -> Frozen | None:
    until, zone = now, "UTC"
    windows: dict[str, None] = {}
    for _ in range(_CHAIN_MAX):
        later = until
        for scope, window in named:
            for begin, end in spans_around(window, until):
                if begin <= until < end:
                    if end > later:
                        later, zone = end, window.time_zone
                    if until == now:
                        windows[f"{scope}: {window.name}"] = None
        if later == until:
            break
        until = later
    return Frozen(windows=tuple(windows), until=until.astimezone(UTC), zone=zone) if windows else None


def spans_around(window: FreezeWindow, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Every (begin, end) of this window that could hold the instant `at`, in UTC. Raises ValueError for a bad zone."""
    zone = zone_of(window)
    for begin, end in _local_spans(window, at.astimezone(zone).date()):
        yield _instant(begin, zone, earliest=True), _instant(end, zone, earliest=False)


def _local_spans(window: FreezeWindow, today: date) -> Iterator[tuple[datetime, datetime]]:
    form = form_of(window.begin)
    if form == "once":
        yield parse_once(window.begin), parse_once(window.end)
        return
    if form == "daily":
        first, last = parse_clock(window.begin), parse_clock(window.end)
        length = (last - first) % 1440 or 1440
        days = {WEEKDAYS.index(day) for day in window.days} or set(range(7))
        for back in range(-1, 3):
            day = today - timedelta(days=back)
            if day.weekday() in days:
                begin = _midnight(day) + timedelta(minutes=first)
                yield begin, begin + timedelta(minutes=length)
        return
    first, last = _minute_of_week(window.begin), _minute_of_week(window.end)
    length = (last - first) % (7 * 1440) or 7 * 1440
    monday = _midnight(today - timedelta(days=today.weekday()))
    for week in (-1, 0, 1):
        begin = monday + timedelta(days=7 * week, minutes=first)
        yield begin, begin + timedelta(minutes=length)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())


def _minute_of_week(moment: str) -> int:
    day, clock = moment.split(" ")
    return [str(d) for d in WEEKDAYS].index(day) * 1440 + parse_clock(clock)


def _instant(local: datetime, zone: ZoneInfo, *, earliest: bool) -> datetime:
    """The instant of a local time (naive), in UTC."""
    readings = [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(readings) if earliest else max(readings)
