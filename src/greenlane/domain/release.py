"""What the past says of a release: a version of a service that was taken away from production."""

from __future__ import annotations

import msgspec


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact that was rolled back. `rule` is why (`canary.error_rate`, `rollback.requested`); `at` when (UTC, ISO
    8601); `by` the person who asked for it, if one did."""

    run: str
    service: str
    artifact_digest: str
    rule: str
    at: str
    by: str = ""
