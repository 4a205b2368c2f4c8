"""What stands in the configuration of HAProxy for one service, and the names in it.

HAProxy has no histogram of its own, so a table counts, per server, the requests over each bound: an entry of the table
is one server, and its counters are raised as answers pass. The p99 limit is a variable of the process, so that it can
be moved without a reload. Made for HAProxy 2.6 and later (`gpc` arrays: 2.5, process variables: 2.4).
"""

from __future__ import annotations

STABLE, CANARY, FALLBACK = "stable", "canary", "fallback"
BOUNDS_MS = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"""Bounds at which requests are counted beside the limit, for what people look at."""
GUARD_WORDS = (b"greenlane?", b"watching.")
"""What the check of the canary asks the process that watches it, and what it must hear."""
CHECK_MS = 250
CHECK_FALLS = 2


def limit_variable(service: str) -> str:
    return f"proc.greenlane_{service.replace('-', '_')}_limit_ms"


def table_name(backend: str) -> str:
    return f"{backend}_greenlane"


def render_section(service: str, backend: str, limit_ms: float) -> str:
    """The lines to put into `haproxy.cfg`; the frontend that users reach and `stats socket` are yours."""
    variable = limit_variable(service)
    asked, answer = (word.decode() for word in GUARD_WORDS)
    over = [f"    http-response sc-inc-gpc(1,0) if {{ var(txn.took),sub({variable}) gt 0 }}"]
    over += [
        f"    http-response sc-inc-gpc({number},0) if {{ var(txn.took),sub({bound}) gt 0 }}"
        for number, bound in enumerate(BOUNDS_MS, 2)
    ]
    return "\n".join((
        f"# Greenlane shares the traffic of {service}. Its addresses and weights are set through the runtime socket:",
        "#   global:  stats socket /run/haproxy/admin.sock mode 660 level admin",
        "# For reloads: `server-state-file` in global, `load-server-state-from-file global` in this backend.",
        "global",
        f"    set-var {variable} int({limit_ms:.0f})",
        "",
        f"backend {table_name(backend)}",
        f"    stick-table type string len 16 size 16 nopurge store gpc({2 + len(BOUNDS_MS)})",
        "",
        f"backend {backend}",
        "    balance roundrobin",
        "    retries 1    # a user whose version can't be reached is served by the other; it is counted all the same",
        "    option redispatch 1",
        "    retry-on conn-failure",
        "    option tcp-check",
        "    tcp-check connect",
        f"    tcp-check send {asked}",
        f"    tcp-check expect string {answer}",
        "    http-request set-var(txn.began) date(0,ms)",
        "    http-response set-var(txn.took) date(0,ms),sub(txn.began)",
        f"    http-response track-sc0 srv_name table {table_name(backend)}",
        "    http-response sc-inc-gpc(0,0)",
        *over,
        f"    server {STABLE} 127.0.0.1:9 weight 256",
        f"    server {CANARY} 127.0.0.1:9 weight 0 disabled check inter {CHECK_MS}ms fall {CHECK_FALLS} rise 1",
        f"    server {FALLBACK} 127.0.0.1:9 backup",
        "",
    ))  # fmt: skip
