"""Whether a change may go to production now: what was tested still stands, nothing is in the way, the risk is taken or
approved, no freeze is in force. Used by the deployment agent before its first canary.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from greenlane.agents.base import Yielded
from greenlane.agents.production import Notebook, Site, explain, service_named
from greenlane.agents.rollout_words import ask, attempt_of, base_moved
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.service_settings import Service
from greenlane.policy.baseline import DAYS
from greenlane.policy.canary import resolve_thresholds
from greenlane.policy.deployment_risk import (
    Budget,
    DeploymentRisk,
    Surroundings,
    assess_deployment_risk,
    find_hotfix,
    gather_deployment_facts,
)
from greenlane.policy.freeze import Frozen, find_freeze, find_unattended

PROCEED = "proceed"


def is_cleared(change: Change) -> bool:
    """Whether `clear_to_start` left nothing that has to happen first."""
    return change.staging is not None and not change.open_gates and change.postponed is None


async def clear_to_start(site: Site, notebook: Notebook) -> AsyncIterator[Yielded]:
    """Yields what has to be recorded before the first canary. Raises FinalError if the base branch could not follow."""
    change, settings = notebook.change, site.settings
    staging = change.staging
    assert staging is not None, "deployment follows staging"
    attempt, branch = attempt_of(change), change.opened.base_branch
    base = await site.code_host.head_of(branch)
    if base not in (staging.base_sha, staging.merge_sha):
        yield notebook.note(base_moved(change, staging.base_sha, base))
        return
    if base != staging.merge_sha:
        await site.code_host.require_movable(branch, expected=base, commit=staging.merge_sha)
    services = tuple(service_named(settings, s.service) for s in staging.services)
    freeze = find_freeze(services, settings, site.clock.now()) if services else None
    if freeze is not None and not find_hotfix(change, settings):
        yield notebook.note(_postponing(change, freeze))
        return
    assessed = [a for a in change.all_of(e.DeploymentAssessed) if a.attempt == attempt]
    if freeze is None and any(a.why.decision == PROCEED for a in assessed):
        return
    around = await _look_around(site, change, services, freeze)
    risk = assess_deployment_risk(gather_deployment_facts(change, services, settings, attempt, around))
    if risk.asks:
        yield notebook.note(_assessed(change, risk, attempt), ask(change, risk.asks, attempt))
    elif not any(a.why.decision == PROCEED for a in assessed):
        yield notebook.note(_assessed(change, risk, attempt))


async def _look_around(
    site: Site, change: Change, services: tuple[Service, ...], freeze: Frozen | None
) -> Surroundings:
    """The past of these services, and what serves now. Raises if it can't be had: unknown is not harmless."""
    rollbacks = await site.releases.rollbacks() if site.releases is not None else ()
    serving, budgets = set(), []
    for service in services:
        split = await site.traffic.observe(service.name)
        if split is not None:
            serving.add(split.stable.artifact.digest)
        budgets += await _read_budgets(site, change, service, served=split is not None)
    now = site.clock.now()
    return Surroundings(
        now=now,
        rollbacks=rollbacks,
        serving=frozenset(serving),
        budgets=tuple(budgets),
        freeze=freeze,
        unattended=find_unattended(site.settings, now),
    )


async def _read_budgets(site: Site, change: Change, service: Service, *, served: bool) -> list[Budget]:
    """Of the last 30 days as far as they are known; and of now, where it is served: all that users met, canaries
    included, since the router or the latest canary began to count."""
    lane = change.review.lane if change.review else e.Lane.RED
    limit = resolve_thresholds(site.settings, service, lane).rules.error_rate_limit
    counted = []
    if served:
        reading = await site.traffic.read(service.name)
        both = (reading.stable, reading.canary)
        counted.append((0, sum(c.errors for c in both), sum(c.requests for c in both)))
    since = site.clock.now() - timedelta(days=DAYS)
    slots = await site.history.slots(service.name, since) if site.history is not None else ()
    counted.append((DAYS, sum(s.errors for s in slots), sum(s.requests for s in slots)))
    least = site.settings.deployment.error_budget_min_requests
    return [
        Budget(service=service.name, errors=errors, requests=requests, limit=limit, known=requests >= least, days=days)
        for days, errors, requests in counted
        if not days or requests >= least
    ]


def _postponing(change: Change, freeze: Frozen) -> e.DeploymentPostponed:
    return e.DeploymentPostponed(
        until=freeze.until.isoformat(),
        windows=freeze.windows,
        why=explain(
            change,
            "wait",
            f"Nothing goes to production now: {freeze.words}. The run goes on by itself afterwards; a hotfix may pass "
            "if a person approves it (`greenlane hotfix`).",
            "deployment.freeze_window",
        ),
    )


def _assessed(change: Change, risk: DeploymentRisk, attempt: int) -> e.DeploymentAssessed:
    return e.DeploymentAssessed(
        level=risk.level,
        reasons=risk.reasons,
        attempt=attempt,
        why=explain(
            change,
            "ask-human" if risk.asks else PROCEED,
            f"The risk of deploying now is {risk.level}: {'; '.join(risk.reasons)}."
            + (" People approved it in this run." if risk.level == "high" and not risk.asks else ""),
            *risk.rules,
        ),
    )
