"""Names of runs and deployments: derived, so that asking twice gives the same answer."""

from __future__ import annotations

import hashlib
import re

CONTROL_STREAM = "control"


def run_id(repo: str, pr_number: int, head_sha: str) -> str:
    """The name of the run of one pull request at one head commit, short enough to type: `shop-12-3fa9c1d2`."""
    short = re.sub(r"[^a-z0-9]+", "-", repo.rsplit("/", 1)[-1].lower()).strip("-") or "repo"
    return f"{short[:24]}-{pr_number}-{head_sha[:8]}"


def deployment_id(run: str, environment: str, commit: str, attempt: int) -> str:
    """The idempotency key of a deployment; the same run, place, commit and attempt give the same key."""
    digest = hashlib.sha256(f"{run}|{environment}|{commit}|{attempt}".encode()).hexdigest()[:12]
    return f"{environment}-{digest}"
