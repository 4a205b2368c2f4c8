"""What every router keeps of a service, and holds a call of `Traffic.route` against before it moves anything."""

from __future__ import annotations

import msgspec

from greenlane.domain.delivery import Instance, Split
from greenlane.domain.errors import FencedError, InputError
from greenlane.domain.service_settings import Service

KEPT_FENCES = 64
"""The highest fence of a run is remembered for this many runs of a service, the latest ones."""


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """How a service is routed; written down before the router is told.

    `weight` is the canary's, in percent; `limit_ms` its p99 limit; `fences` the highest of each run.
    """

    stable: Instance
    canary: Instance | None = None
    weight: float = 0.0
    limit_ms: float = 0.0
    fences: dict[str, int] = {}


def check_split(service: Service, split: Split) -> None:
    """Raises InputError for a split that makes no sense."""
    if not 0 <= split.canary_weight <= 100:
        raise InputError(f"a canary's weight is 0 to 100 percent, not {split.canary_weight:g}")
    if split.canary is None and split.canary_weight > 0:
        raise InputError(f"there is no canary of {service.name} to give {split.canary_weight:g} % to")
    if split.canary is not None and split.canary.deployment_id == split.stable.deployment_id:
        raise InputError(f"canary and stable of {service.name} are the same deployment {split.stable.deployment_id}")


def is_promotion(old: Routed | None, split: Split) -> bool:
    """Whether the canary becomes stable: until then it must keep what it has."""
    return old is not None and old.canary is not None and old.canary.deployment_id == split.stable.deployment_id


def check_fence(old: Routed | None, run: str, fence: int) -> dict[str, int]:
    """The fences after this call, by run. Raises FencedError if a newer worker of this run has routed meanwhile.

    A fence counts the workers of one run, so it is held against that run alone, whatever the call would move: a worker
    that was stopped just before it routed stays out once another one went on with its run, or took it back.
    """
    fences = old.fences if old is not None else {}
    highest = fences.get(run, fence)
    if fence < highest:
        raise FencedError(
            f"{run or 'this service'} is in the hands of a newer worker (fence {highest}, not {fence})",
            hint="nothing was changed; the newer worker goes on with it",
        )
    kept = [item for item in fences.items() if item[0] != run]
    return dict([*kept, (run, fence)][-KEPT_FENCES:])
