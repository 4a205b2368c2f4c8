"""Routes as Envoy's own resources (v3 API, as JSON). Pure: records in, plain data out.

A service's listener shares requests between two clusters: `stable`, and `guard`, an aggregate of (`hop`, stable). The
hop leads through a listener inside Envoy to the canary's own cluster. It is there for two reasons. Its health check
is the dead-man switch: it asks not the canary but the process that watches it, and when that is gone the aggregate
falls back to stable. And with it the canary's cluster counts exactly what the canary answered: an aggregate's own
figures mix in what fell back. A canary that can't be reached answers 503 inside (counted as its error) with a header
that only we set, on which the outside tries stable instead: the user sees no failure, the judge does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from greenlane.adapters.envoy.record import Arm, ServiceRoutes
from greenlane.domain.delivery import Instance

TYPES = "type.googleapis.com/envoy."
WEIGHT_TOTAL = 10_000
"""Weights are hundredths of a percent."""
FALL_BACK_HEADER = "x-greenlane-fall-back"
GUARD_INTERVAL = "0.25s"
GUARD_TIMEOUT = "0.5s"
GUARD_FAILURES = 2
UPSTREAM_IDLE = "1s"
"""Idle connections to a version are closed before common servers close them (gunicorn at 2 s, uvicorn and Node at 5 s):
a request sent into a connection that is just being closed would count as an error of a healthy version."""
CONNECT_TIMEOUT = "2s"
LIMIT_MANY = 65_536
"""Envoy's own caps (1,024 connections, 3 retries) would turn load into errors of a version."""

Resource = dict[str, Any]


def version_cluster(service: str, deployment_id: str) -> str:
    """The cluster of one version: its name is where its counters stand."""
    return f"{service}/version/{deployment_id}"


def guard_cluster(service: str, arm: Arm) -> str:
    return f"{service}/guard/{arm.number}"


def _hop_cluster(service: str, arm: Arm) -> str:
    return f"{service}/hop/{arm.number}"


def _inner_listener(service: str, deployment_id: str) -> str:
    return f"{service}/inner/{deployment_id}"


def bootstrap(folder: Path, admin_socket: str, buckets: tuple[float, ...]) -> Resource:
    """What Envoy starts with. `buckets` in ms, for the latency histograms."""
    return {
        "node": {"id": "greenlane", "cluster": "greenlane"},
        "admin": {"address": {"pipe": {"path": admin_socket, "mode": 0o600}}},
        "bootstrap_extensions": [
            _typed("envoy.bootstrap.internal_listener", "extensions.bootstrap.internal_listener.v3.InternalListener")
        ],
        "stats_flush_interval": "0.2s",
        "stats_config": {
            "histogram_bucket_settings": [{"match": {"suffix": "upstream_rq_time"}, "buckets": list(buckets)}]
        },
        "dynamic_resources": {
            "lds_config": {"path_config_source": {"path": str(folder / "listeners.json")}},
            "cds_config": {"path_config_source": {"path": str(folder / "clusters.json")}},
        },
    }


# ------------------------------------------------------------------ clusters


def clusters(routes: ServiceRoutes, leaving: Arm | None = None) -> list[Resource]:
    """Every version that has traffic or may still answer some, and the arm; the one that is `leaving` as well."""
    instances = routes.instances()
    made = [_version(routes.service, instance) for instance in instances.values()]
    for arm in {each.number: each for each in (leaving, routes.arm) if each}.values():
        if arm.canary_id in instances and arm.stable_id in instances:
            made += [_hop(routes.service, arm), _guard(routes.service, arm)]
    return made


def _version(service: str, instance: Instance) -> Resource:
    name = version_cluster(service, instance.deployment_id)
    return _cluster(name, {"address": _address(instance.host, instance.port)})


def _hop(service: str, arm: Arm) -> Resource:
    inner = _inner_listener(service, arm.canary_id)
    endpoint = {
        "address": {"envoy_internal_address": {"server_listener_name": inner}},
        "health_check_config": {"address": _address("127.0.0.1", arm.port)},
    }
    raw_buffer = _typed("envoy.transport_sockets.raw_buffer", "extensions.transport_sockets.raw_buffer.v3.RawBuffer")
    ask, answer = guard_words(arm.word)
    return _cluster(_hop_cluster(service, arm), endpoint) | {
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [
            {
                "interval": GUARD_INTERVAL,
                "no_traffic_interval": GUARD_INTERVAL,
                "no_traffic_healthy_interval": GUARD_INTERVAL,
                "timeout": GUARD_TIMEOUT,
                "unhealthy_threshold": GUARD_FAILURES,
                "healthy_threshold": 1,
                "tcp_health_check": {"send": {"text": ask.hex()}, "receive": [{"text": answer.hex()}]},
            }
        ],
        "transport_socket": _typed(
            "envoy.transport_sockets.internal_upstream",
            "extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
            transport_socket=raw_buffer,
        ),
    }


def guard_words(word: str) -> tuple[bytes, bytes]:
    """What Envoy asks the watching process, and what that must answer."""
    return f"watching {word}?".encode(), f"yes {word}.".encode()


def _guard(service: str, arm: Arm) -> Resource:
    members = [_hop_cluster(service, arm), version_cluster(service, arm.stable_id)]
    return {
        "@type": TYPES + "config.cluster.v3.Cluster",
        "name": guard_cluster(service, arm),
        "connect_timeout": CONNECT_TIMEOUT,
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": _typed(
            "envoy.clusters.aggregate", "extensions.clusters.aggregate.v3.ClusterConfig", clusters=members
        ),
        "circuit_breakers": _no_caps(),
    }


def _cluster(name: str, endpoint: Resource) -> Resource:
    return {
        "@type": TYPES + "config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "circuit_breakers": _no_caps(),
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": TYPES + "extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": UPSTREAM_IDLE},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _no_caps() -> Resource:
    names = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return {"thresholds": [dict.fromkeys(names, LIMIT_MANY)]}


# ------------------------------------------------------------------ listeners and routes


def listeners(routes: ServiceRoutes, folder: Path, timeout_s: float) -> list[Resource]:
    """The service's own listener, and one inside Envoy for each version, through which a canary is reached."""
    front = _listener(
        routes.service,
        {"address": _address("127.0.0.1", routes.port), "enable_reuse_port": False},
        {
            "rds": {
                "route_config_name": routes.service,
                "config_source": {"path_config_source": {"path": str(folder / f"routes-{routes.service}.json")}},
            },
            "use_remote_address": True,
            "preserve_external_request_id": True,
        },
    )
    return [front, *(_inner(routes.service, name, timeout_s) for name in routes.instances())]


def _inner(service: str, deployment_id: str, timeout_s: float) -> Resource:
    route = {
        "cluster": version_cluster(service, deployment_id),
        "timeout": "0s",
        "retry_policy": {
            "retry_on": "retriable-headers",
            "num_retries": 0,
            "per_try_idle_timeout": f"{timeout_s}s",
        },
    }
    host = _virtual_host(route) | {"response_headers_to_remove": [FALL_BACK_HEADER]}
    name = _inner_listener(service, deployment_id)
    unreachable = {
        "filter": {"response_flag_filter": {"flags": ["UF", "UH", "NC", "UO"]}},
        "headers_to_add": [
            {"header": {"key": FALL_BACK_HEADER, "value": "1"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        ],
    }
    manager = {
        "route_config": {"name": name, "virtual_hosts": [host]},
        "local_reply_config": {"mappers": [unreachable]},
        "stream_idle_timeout": "0s",
        "skip_xff_append": True,
        "preserve_external_request_id": True,
    }
    return _listener(name, {"internal_listener": {}}, manager)


def route_table(routes: ServiceRoutes, timeout_s: float) -> Resource:
    """How requests are shared. A version that can't be reached is tried again, a canary's request on stable.

    The last route is the one that shares; those before it are for requests that choose a version, and for the reading
    requests of which the canary gets some a second time.
    """
    canary_weight = to_weight(routes.weight) if routes.arm and routes.canary else 0
    stable = version_cluster(routes.service, routes.stable.deployment_id)
    guard = guard_cluster(routes.service, routes.arm) if routes.arm and canary_weight else None
    shares = [{"name": stable, "weight": WEIGHT_TOTAL - canary_weight}]
    if guard:
        shares.append({"name": guard, "weight": canary_weight})
    policy = _forwarding(timeout_s)
    sharing = policy | {"weighted_clusters": {"clusters": shares}}
    table: list[Resource] = []
    if routes.header:
        chosen = (("canary", guard), ("stable", stable))
        table += [
            {"match": _where(routes.header, {"exact": name}), "route": policy | {"cluster": cluster}}
            for name, cluster in chosen
            if cluster
        ]
    if guard and routes.mirror_pct:
        share = {"numerator": round(routes.mirror_pct * 100), "denominator": "TEN_THOUSAND"}
        copies = {
            "cluster": guard, "runtime_fraction": {"default_value": share}, "disable_shadow_host_suffix_append": True,
        }  # fmt: skip
        reading = _where(":method", {"safe_regex": {"regex": "GET|HEAD"}})
        table.append({"match": reading, "route": sharing | {"request_mirror_policies": [copies]}})
    table.append({"match": {"prefix": "/"}, "route": sharing})
    return {
        "@type": TYPES + "config.route.v3.RouteConfiguration",
        "name": routes.service,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": table}],
    }


def _forwarding(timeout_s: float) -> Resource:
    return {
        "timeout": "0s",
        "retry_policy": {
            "retry_on": "connect-failure,retriable-headers",
            "num_retries": 3,
            "retriable_headers": [{"name": FALL_BACK_HEADER, "present_match": True}],
            "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.1s"},
            "retry_priority": _typed(
                "envoy.retry_priorities.previous_priorities",
                "extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                update_frequency=1,
            ),
            "per_try_idle_timeout": f"{timeout_s + 1}s",
        },
    }


def _where(header: str, match: Resource) -> Resource:
    return {"prefix": "/", "headers": [{"name": header.lower(), "string_match": match}]}


def target_clusters(routes: ServiceRoutes) -> tuple[str, ...]:
    """The clusters that get requests by this record."""
    stable = version_cluster(routes.service, routes.stable.deployment_id)
    if routes.arm and routes.canary and routes.weight > 0:
        return stable, guard_cluster(routes.service, routes.arm)
    return (stable,)


def to_weight(percent: float) -> int:
    return round(percent * WEIGHT_TOTAL / 100)


def to_percent(weight: int) -> float:
    return weight * 100 / WEIGHT_TOTAL


def _virtual_host(route: Resource) -> Resource:
    return {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}


def _listener(name: str, where: Resource, manager: Resource) -> Resource:
    router = _typed(
        "envoy.filters.http.router", "extensions.filters.http.router.v3.Router", suppress_envoy_headers=True
    )
    http = _typed(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        server_header_transformation="PASS_THROUGH",
        http_filters=[router],
        upgrade_configs=[{"upgrade_type": "websocket"}],
        **manager,
    )
    return {
        "@type": TYPES + "config.listener.v3.Listener",
        "name": name,
        "filter_chains": [{"filters": [http]}],
        **where,
    }


def _address(host: str, port: int) -> Resource:
    return {"socket_address": {"address": host, "port_value": port}}


def _typed(name: str, kind: str, **fields: Any) -> Resource:
    return {"name": name, "typed_config": {"@type": TYPES + kind, **fields}}
