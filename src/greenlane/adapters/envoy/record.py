"""What is routed, as it is kept in `<state>/envoy/routes.json`. Written before Envoy is told."""

from __future__ import annotations

import msgspec

from greenlane.adapters.routing import Routed
from greenlane.domain.delivery import Instance


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One arming of the dead-man switch: the port that the watching process holds, and the word it must answer.

    A new one for each watch: an old port that somebody else opens later answers with the wrong word.
    """

    number: int
    canary_id: str
    stable_id: str
    port: int
    word: str


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """Envoy's counters of one version since Envoy started. `under` holds (bucket, requests at or under it)."""

    requests: int = 0
    errors: int = 0
    timeouts: int = 0
    under: dict[float, int] = {}
    active: int = 0


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """The counters when a canary was first routed. `epoch` names the run of Envoy in which they were read."""

    canary_id: str
    stable_id: str
    epoch: str
    canary: Raw
    stable: Raw


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A version that had traffic until `dropped_at` (seconds, epoch): kept for what it still answers."""

    dropped_at: float
    instance: Instance


class ServiceRoutes(Routed, frozen=True, kw_only=True):
    """One service's listener and its versions."""

    service: str
    port: int
    arm: Arm | None = None
    header: str | None = None
    """The header by which a request may choose its version."""
    mirror_pct: float = 0.0
    """Share of the reading requests that the canary gets a second time, in percent."""
    since: Since | None = None
    past: tuple[Past, ...] = ()

    def instances(self) -> dict[str, Instance]:
        """Every version that Envoy knows, by deployment id; the present ones win."""
        known = {past.instance.deployment_id: past.instance for past in self.past}
        known |= {version.deployment_id: version for version in (self.stable, self.canary) if version}
        return known


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """All services of one router."""

    token: str = ""
    admin_socket: str = ""
    arms: int = 0
    services: dict[str, ServiceRoutes] = {}
