"""Envoy as the router in front of production (port: `Traffic`).

`record` what is routed, kept in one file; `config` that record as Envoy's resources, pure; `router` the process;
`admin` what Envoy says of itself; `guard` the dead-man switch; `traffic` the port.
"""

from greenlane.adapters.envoy.admin import countable_limit_ms
from greenlane.adapters.envoy.traffic import EnvoyTraffic

__all__ = ["EnvoyTraffic", "countable_limit_ms"]
