"""What was gathered about a rollback from outside the history: errors in logs, endpoints that failed, the runbook."""

from __future__ import annotations

import msgspec
from pydantic import Field

from greenlane.domain.section import Section


class ErrorCluster(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of one kind in the candidate's log.

    Of one kind are those with the same exception type and innermost frame; without a stack trace, those with the same
    text once numbers, ids and quotations are taken out (`signature`). `stable_count` is how often the version beside it
    logged the same. `first_seen` and `last_seen` are as the log writes them; empty where it has no times.
    """

    signature: str
    count: int
    stable_count: int = 0
    exception: str = ""
    frame: str = ""
    first_seen: str = ""
    last_seen: str = ""
    sample: str = ""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of one endpoint (`GET /orders/{id}`) in the access logs: all, and those with 5xx."""

    name: str
    requests: int
    failed: int
    stable_requests: int = 0
    stable_failed: int = 0


class IncidentEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """`log_bytes` is how much of the candidate's log was read: its end, and not always all of it."""

    clusters: tuple[ErrorCluster, ...] = ()
    clusters_left_out: int = 0
    endpoints: tuple[Endpoint, ...] = ()
    changed_paths: tuple[str, ...] = ()
    runbook: str = ""
    log_bytes: int = 0
    stable_log_bytes: int = 0


class Runbook(Section):
    """What to do when this rule rolls back, in place of the runbook that comes with Greenlane."""

    rule: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    """The rule that fired, as the report names it after `canary.`: `error_rate`, `p99_latency`, `process_gone` ..."""
    text: str = Field(min_length=1, max_length=4000)
    """One step a line. `{run}`, `{service}`, `{branch}` and `{pr}` are filled in."""
