"""Freeze windows as they are configured: when nothing goes to production, in the time zone of those who say so."""

from __future__ import annotations

import difflib
import re
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field

from greenlane.domain.section import Section

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d|24:00"
MOMENT = rf"^(?:(?:(?:mon|tue|wed|thu|fri|sat|sun) )?(?:{CLOCK})|\d{{4}}-\d\d-\d\d(?:[T ](?:{CLOCK}))?)$"


class FreezeWindow(Section):
    """A time in which a change that is ready waits. Its run goes on by itself afterwards; a hotfix may pass."""

    name: str = Field("freeze", min_length=1, max_length=80)
    """What people call it; it stands in the reason for waiting."""
    time_zone: str = Field("UTC", max_length=64)
    """Name of a zone (`Europe/Berlin`), summer time included."""
    days: tuple[Weekday, ...] = ()
    """Days on which a window with clock times begins; absent: every day."""
    begin: str = Field(pattern=MOMENT)
    """`16:00` (daily), `fri 16:00` (weekly) or `2026-12-20T16:00` (once); a date alone is its midnight."""
    end: str = Field(pattern=MOMENT)
    """In the same form. A clock time at or before `begin` is on the next day."""


class Freeze(Section):
    """Freeze windows of all services, and who may pass."""

    windows: tuple[FreezeWindow, ...] = ()
    """Windows for all services; `services[].freeze_windows` adds to them."""
    hotfix_labels: tuple[str, ...] = ("hotfix",)
    """A pull request with one of these labels asks a person instead of waiting; so does `greenlane hotfix`."""


Form = Literal["daily", "weekly", "once"]


def form_of(moment: str) -> Form:
    """How a moment is written."""
    if re.match(r"\d{4}-", moment):
        return "once"
    return "weekly" if " " in moment else "daily"


def zone_of(window: FreezeWindow) -> ZoneInfo:
    """The zone of a window; ValueError with the nearest names if there is none of this name."""
    try:
        return ZoneInfo(window.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        names = sorted(available_timezones())
        folded = {name.casefold(): name for name in names}
        wanted = window.time_zone.casefold().replace(" ", "_")
        places = {name.rsplit("/", 1)[-1].casefold(): name for name in names if "/" in name}
        near = [folded[n] for n in difflib.get_close_matches(wanted, folded, n=2, cutoff=0.7)]
        near += [places[n] for n in difflib.get_close_matches(wanted.rsplit("/", 1)[-1], places, n=2, cutoff=0.7)]
        guess = f" (did you mean {' or '.join(dict.fromkeys(near))}?)" if near else ""
        raise ValueError(
            f"{window.time_zone!r} is no time zone{guess}: give a name like Europe/Berlin, America/New_York or UTC"
        ) from error


def explain_window(window: FreezeWindow) -> tuple[str, str] | None:
    """What is wrong with a window whose values are each fine: (key, words); None if nothing is."""
    try:
        zone_of(window)
    except ValueError as error:
        return "time_zone", str(error)
    begin, end = form_of(window.begin), form_of(window.end)
    if begin != end:
        return "end", f"begin is {begin} ({window.begin}) and end is {end} ({window.end}): write both in the same form"
    if window.days and begin != "daily":
        return "days", f"days go with clock times only, and begin is {window.begin}"
    if begin == "once":
        try:
            first, last = parse_once(window.begin), parse_once(window.end)
        except ValueError:
            return "begin", f"{window.begin} or {window.end} is no date of the calendar"
        if first >= last:
            return "end", f"{window.end} is not after {window.begin}"
    elif begin == "weekly" and window.begin == window.end:
        return "end", "begin and end are the same moment of the week"
    return None


def parse_once(moment: str) -> datetime:
    """The local time (naive) of a moment with a date; ValueError for one that the calendar lacks."""
    day, clock = moment[:10], moment[11:] or "00:00"
    minutes = parse_clock(clock)
    start = datetime.combine(date.fromisoformat(day), datetime.min.time())
    return datetime.fromordinal(start.toordinal() + minutes // 1440).replace(
        hour=minutes % 1440 // 60, minute=minutes % 60
    )


def parse_clock(clock: str) -> int:
    """Minutes since midnight; 24:00 is 1440."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
