"""Evidence of a rollback from outside the history: logs of both versions, the change's diff. Used by `rollback`.

Logs are written by code of the change: they are read up to a bound, and what looks like a credential is cut out before
anything of them is recorded.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from greenlane.agents.production import Site
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import Instance
from greenlane.domain.diff import Diff
from greenlane.domain.errors import GreenlaneError
from greenlane.domain.incident import ErrorCluster, IncidentEvidence
from greenlane.pages.incident import IncidentFacts
from greenlane.pages.runbooks import runbook_for
from greenlane.policy.hypotheses import Clues, find_hypotheses
from greenlane.policy.log_errors import cluster_errors, read_errors
from greenlane.policy.log_requests import count_endpoints
from greenlane.prompts.redaction import Redactor, redact_log

log = logging.getLogger(__name__)
_PATHS_MAX = 200


async def gather_evidence(site: Site, change: Change, candidate_id: str, stable: Instance) -> IncidentFacts:
    """What the logs and the diff say of the rollback of this deployment. What can't be had is left out."""
    candidate_log, stable_log = await _log(site, candidate_id), await _log(site, stable.deployment_id)
    diff: Diff | None = None
    try:
        diff = await site.source.diff(change.opened.merge_base_sha, change.head_sha)
    except GreenlaneError:  # the report is worth more without the paths than not at all
        diff = None
    try:
        return await asyncio.to_thread(_weigh, site, change, candidate_log, stable_log, diff)
    except Exception:
        # The change writes these logs. Whatever is in them, the end of the rollback is recorded, with what is known.
        log.warning("the evidence of %s could not be weighed", change.run, exc_info=True)
        return IncidentFacts(evidence=IncidentEvidence(changed_paths=diff.paths[:_PATHS_MAX] if diff else ()))


def _weigh(site: Site, change: Change, candidate_log: str, stable_log: str, diff: Diff | None) -> IncidentFacts:
    rolling, starting = change.last_of(e.CanaryRollingBack), change.last_of(e.CanaryStarting)
    trigger = rolling.trigger if rolling else "requested"
    redactor = Redactor()
    candidate_log, stable_log = redact_log(candidate_log), redact_log(stable_log)
    errors = read_errors(candidate_log)
    clusters, left_out = cluster_errors(errors, read_errors(stable_log))
    endpoints = tuple(
        msgspec.structs.replace(x, name=redactor.redact(x.name)) for x in count_endpoints(candidate_log, stable_log)
    )
    clues = Clues(trigger=trigger, errors=errors, clusters=clusters, endpoints=endpoints, diff=diff)
    values = {
        "run": change.run,
        "service": starting.service if starting else "",
        "branch": change.opened.branch,
        "pr": str(change.opened.pr_number),
    }
    return IncidentFacts(
        hypotheses=find_hypotheses(change, clues),
        evidence=IncidentEvidence(
            clusters=tuple(_redacted(cluster, redactor) for cluster in clusters),
            clusters_left_out=left_out,
            endpoints=endpoints,
            changed_paths=diff.paths[:_PATHS_MAX] if diff else (),
            runbook=runbook_for(trigger, site.settings.runbooks, values),
            log_bytes=len(candidate_log.encode()),
            stable_log_bytes=len(stable_log.encode()),
        ),
    )


def _redacted(cluster: ErrorCluster, redactor: Redactor) -> ErrorCluster:
    return msgspec.structs.replace(
        cluster, signature=redactor.redact(cluster.signature), sample=redactor.redact(cluster.sample)
    )


async def _log(site: Site, deployment_id: str) -> str:
    try:
        return (await site.platform.inspect(deployment_id))[1]
    except GreenlaneError:  # it was stopped before a crash, or never started: there is no log
        return ""
