"""What production did, as the router counts it: the stuff that baselines are made of."""

from __future__ import annotations

import msgspec

from greenlane.domain.delivery import Counters

SLOT_S = 900
"""Production is kept by quarters of an hour: an incident of minutes costs no more than a few of them."""


class ProductionReading(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of the stable version since it was first routed. `version` names the version and the run of the
    router in which it is counted: with another one, the counters began anew."""

    version: str
    counters: Counters


class TrafficSlot(msgspec.Struct, frozen=True, kw_only=True):
    """Production traffic of one service in `SLOT_S` seconds from `begins` (seconds since the epoch, a multiple of it).

    `seconds` of it were counted; `histogram` holds (upper bound in ms, requests at or under it), cumulative, ascending.
    """

    begins: int
    requests: int
    errors: int
    seconds: float
    histogram: tuple[tuple[float, int], ...] = ()
