"""Load: requests at a given rate to several targets at once, so that they can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from greenlane.domain.delivery import Samples
from greenlane.domain.service_settings import LoadRequest


class LoadGenerator(Protocol):
    async def compare(
        self,
        targets: Mapping[str, str],
        requests: Sequence[LoadRequest],
        *,
        rate_rps: float,
        duration_s: float,
    ) -> Mapping[str, Samples]:
        """Send the same requests to each target (name to base URL), interleaved in random order.

        Arrivals are open-model (a slow answer delays no later request); latency counts from the planned arrival.
        """
