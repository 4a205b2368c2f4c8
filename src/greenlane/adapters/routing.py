"""What every router holds a call of `Traffic.route` against before it moves anything."""

from __future__ import annotations

import msgspec

from greenlane.domain.delivery import Instance, Split
from greenlane.domain.errors import FencedError, InputError
from greenlane.domain.settings import Service

KEPT_FENCES = 64
"""Highest fences are remembered for this many deployments of a service, the latest ones."""


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """How a service is routed before the call; nothing yet: no stable version. `fences` is by deployment id."""

    stable: Instance | None = None
    canary: Instance | None = None
    fences: dict[str, int] = {}


def check_split(service: Service, split: Split) -> None:
    """Raises InputError for a split that makes no sense."""
    if not 0 <= split.canary_weight <= 100:
        raise InputError(f"a canary's weight is 0 to 100 percent, not {split.canary_weight:g}")
    if split.canary is None and split.canary_weight > 0:
        raise InputError(f"there is no canary of {service.name} to give {split.canary_weight:g} % to")
    if split.canary is not None and split.canary.deployment_id == split.stable.deployment_id:
        raise InputError(f"canary and stable of {service.name} are the same deployment {split.stable.deployment_id}")


def is_promotion(old: Routed, split: Split) -> bool:
    """Whether the canary becomes stable: until then it must keep what it has."""
    return old.canary is not None and old.canary.deployment_id == split.stable.deployment_id


def check_fence(old: Routed, split: Split, fence: int) -> dict[str, int]:
    """The fences after this call. Raises FencedError if a newer worker has routed the deployment in question.

    A fence belongs to a run, and a run to its deployment, so it is held against the deployment that the call moves:
    the canary it names, or else the one it ends, or else the stable version it replaces.
    """
    fences = old.fences
    moved: list[Instance] = [split.canary] if split.canary else []
    if old.stable is not None and not moved:
        moved = [old.canary] if old.canary else [old.stable]
    for instance in moved or [split.stable]:
        highest = fences.get(instance.deployment_id, fence)
        if fence < highest:
            raise FencedError(
                f"{instance.deployment_id} is routed by a newer worker (fence {highest}, not {fence})",
                hint="nothing was changed; the newer worker goes on with it",
            )
        fences = _remember(fences, instance.deployment_id, fence)
    return fences


def _remember(fences: dict[str, int], deployment_id: str, fence: int) -> dict[str, int]:
    """The highest fence of each deployment, this one the latest."""
    highest = max(fence, fences.get(deployment_id, fence))
    kept = [item for item in fences.items() if item[0] != deployment_id]
    return dict([*kept, (deployment_id, highest)][-KEPT_FENCES:])
