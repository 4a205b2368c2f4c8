"""Going back: ending a canary that may not go on, and taking a promoted change back. Used by the deployment agent.

Traffic first, then the rest: weight 0, read back from the router, and only then are processes stopped and the end is
recorded together with its incident report.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from greenlane.agents.base import Yielded
from greenlane.agents.canary_watch import route, stop_canary_traffic
from greenlane.agents.evidence import gather_evidence
from greenlane.agents.production import Notebook, Site, ensure_running, explain, position_of, service_named
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import CanaryJudgement, Instance, Split, Tick, TrafficReading, Verdict
from greenlane.domain.errors import BaseMovedError, FinalError, RetryableError
from greenlane.domain.service_settings import Service
from greenlane.pages.incident import IncidentFacts, render_markdown
from greenlane.policy.quarantine import ALL_OR_NOTHING


def winding_down(change: Change) -> tuple[str, str] | None:
    """Why a rollout in flight must end whatever the canary shows: (trigger, words); None if it may go on."""
    if change.superseded:
        return "superseded", f"a newer commit is handled by {change.superseded.by_run}"
    if change.rejected:
        return "rejected", f"{change.rejected.by} rejected the change"
    if change.rollback_requested and change.deployed is None:
        asked = change.rollback_requested
        return "requested", f"{asked.by} asked for a rollback: {asked.reason}"
    return None


def rolling_back(
    notebook: Notebook,
    starting: e.CanaryStarting,
    trigger: str,
    reading: TrafficReading,
    judgement: CanaryJudgement,
    *,
    phase: str = "",
    ticks: tuple[Tick, ...] = (),
) -> Yielded:
    """The decision to take the canary's traffic away. `phase` and `ticks`: the looks of the watch that led to it."""
    return notebook.note(
        e.CanaryRollingBack(
            deployment_id=starting.deployment_id,
            trigger=trigger,
            reading=reading,
            judgement=judgement,
            phase=phase,
            ticks=ticks,
            why=explain(
                notebook.change,
                "roll-back",
                f"{starting.service} goes back to {starting.stable.artifact.commit[:10]} with all traffic: "
                f"{judgement.reason}.",
                f"canary.{trigger}",
                artifact=starting.candidate,
            ),
        )
    )


async def end_canary(site: Site, notebook: Notebook, starting: e.CanaryStarting) -> AsyncIterator[Yielded]:
    """Carry out a recorded `canary.rolling_back`, and take back what this change promoted before."""
    service = service_named(site.settings, starting.service)
    rolling = notebook.change.last_of(e.CanaryRollingBack)
    assert rolling is not None, "the decision to roll back comes first"
    await stop_canary_traffic(site, notebook, service)
    observed = await _verify_no_canary(site, service.name)
    promoted = notebook.change.promoted
    async for step in restore(site, notebook, promoted, f"the canary of {starting.service} did not pass"):
        yield step
    facts = await gather_evidence(site, notebook.change, starting.deployment_id, starting.stable)
    await site.clock.sleep(site.settings.canary.tick_s)  # requests in flight are answered before the process goes
    await _drop(site, notebook, service, starting)
    if _is_inconclusive(notebook.change, rolling):
        assert rolling.judgement is not None, "an inconclusive end has a judgement"
        yield notebook.note(_inconclusive(notebook.change, starting, rolling.judgement))
        return
    back = e.CanaryRolledBack(
        deployment_id=starting.deployment_id,
        service=starting.service,
        artifact_digest=starting.candidate.digest,
        observed_weight_percent=observed,
        why=explain(
            notebook.change,
            "rolled-back",
            f"The router reports {observed:g} % for the canary of {starting.service}; its artifact is quarantined: "
            "these very bytes come back only with a person's approval.",
            f"canary.{rolling.trigger}",
            artifact=starting.candidate,
        ),
    )
    yield _with_incident(notebook, (back, *_taken_back(notebook.change, promoted)), facts)


async def end_promotions(site: Site, notebook: Notebook, words: str) -> AsyncIterator[Yielded]:
    """Take back services that have all traffic while the base branch is not moved yet, for a reason from outside."""
    promoted = notebook.change.promoted
    facts = await gather_evidence(site, notebook.change, promoted[-1].deployment_id, promoted[-1].previous)
    async for step in restore(site, notebook, promoted, words):
        yield step
    yield _with_incident(notebook, _taken_back(notebook.change, promoted), facts)


async def has_landed(site: Site, change: Change, merge_sha: str) -> bool:
    """Whether the base branch stands at the merge already. If not, no older worker of this run moves it there after
    this look."""
    if not any(a.merge_sha == merge_sha for a in change.all_of(e.BaseAdvancing)):
        return False
    await site.code_host.fence_base(change.run, change.fence)
    return await site.code_host.head_of(change.opened.base_branch) == merge_sha


async def restore(
    site: Site, notebook: Notebook, promoted: tuple[e.CanaryPromoted, ...], words: str
) -> AsyncIterator[Yielded]:
    """All traffic of these services back to their previous versions, newest first; their candidates are stopped."""
    replaced = tuple(p for p in promoted if p.previous.deployment_id != p.stable.deployment_id)
    if not replaced:
        return
    if position_of(notebook.change, e.RollbackStarting) < position_of(notebook.change, e.CanaryPromoted):
        yield notebook.note(_starting_rollback(notebook.change, tuple(p.previous for p in replaced), words))
    for done in reversed(replaced):
        await _put_back(site, notebook, done.previous)
    await site.clock.sleep(site.settings.canary.tick_s)
    for done in replaced:
        await site.platform.retire(done.deployment_id, fence=notebook.change.fence)


async def take_back(site: Site, notebook: Notebook) -> AsyncIterator[Yielded]:
    """A person wants the previous version of a deployed change back: traffic first, then the base branch."""
    change = notebook.change
    deployed, asked = change.deployed, change.rollback_requested
    assert deployed is not None, "only what was deployed is taken back"
    assert asked is not None, "somebody asked"
    if position_of(change, e.RollbackStarting) < position_of(change, e.RollbackRequested):
        await _refuse_if_not_on_top(site, deployed)
        words = f"{asked.by} asked for a rollback: {asked.reason}"
        yield notebook.note(_starting_rollback(change, deployed.previous, words))
    restored = [await _put_back(site, notebook, previous) for previous in deployed.previous]
    base_sha = await _revert_base(site, notebook.change, deployed.merge_sha)
    await site.clock.sleep(site.settings.canary.tick_s)
    kept = {i.deployment_id for i in restored}
    for instance in deployed.deployments:
        if instance.deployment_id not in kept:
            await site.platform.retire(instance.deployment_id, fence=change.fence)
    yield notebook.note(
        e.DeploymentRolledBack(
            base_sha=base_sha,
            restored=tuple(restored),
            why=explain(
                notebook.change,
                "rolled-back",
                f"Production runs {_names(tuple(restored)) or 'what it ran before'} again, as {asked.by} asked "
                f"({asked.reason}); the base branch {change.opened.base_branch} is at {base_sha[:10]} with that tree.",
                "rollback.requested",
            ),
        )
    )


async def report_incident(site: Site, notebook: Notebook) -> AsyncIterator[Yielded]:
    """The report of a rollback that was recorded without one: the evidence may be gone with the process by now."""
    back = notebook.change.rolled_back
    starting = notebook.change.last_of(e.CanaryStarting)
    assert back is not None, "there is a rollback to report"
    assert starting is not None, "what was rolled back was begun"
    facts = await gather_evidence(site, notebook.change, back.deployment_id, starting.stable)
    yield _with_incident(notebook, (), facts)


# ------------------------------------------------------------------ effects


async def _verify_no_canary(site: Site, service: str) -> float:
    """The canary's weight as the router reports it, which is 0; RetryableError while it is not."""
    split = await site.traffic.observe(service)
    weight = split.canary_weight if split and split.canary else 0.0
    if weight:
        raise RetryableError(
            f"the router still reports {weight:g} % for the canary of {service} after it was set to 0",
            hint="look at the proxy's log",
        )
    return weight


async def _drop(site: Site, notebook: Notebook, service: Service, starting: e.CanaryStarting) -> None:
    """The canary leaves the router, and its process is stopped.

    Routed even where the router knows of no canary: that tells it of this worker, so that one which was stopped just
    before it routed the canary can't do so any more.
    """
    split = await site.traffic.observe(service.name)
    stable = split.stable if split is not None else await _running(site, service, starting.stable)
    await route(site, notebook, service, Split(stable=stable))
    await site.platform.retire(starting.deployment_id, fence=notebook.change.fence)


async def _put_back(site: Site, notebook: Notebook, previous: Instance) -> Instance:
    """The previous version with all traffic, started again if it is not hot any more.

    Routed even where the router shows it already, for the reason in `_drop`.
    """
    service = service_named(site.settings, previous.service)
    running = await _running(site, service, previous)
    await route(site, notebook, service, Split(stable=running))
    return running


async def _running(site: Site, service: Service, instance: Instance) -> Instance:
    return await ensure_running(service, instance, "production", platform=site.platform, fence=None)


async def _refuse_if_not_on_top(site: Site, deployed: e.DeploymentComplete) -> None:
    replaced = {p.service for p in deployed.previous}
    for instance in deployed.deployments:
        if instance.service not in replaced:
            raise FinalError(
                f"there was no version of {instance.service} before this one", hint="bring out a new version instead"
            )
        split = await site.traffic.observe(instance.service)
        if split is not None and split.stable.deployment_id != instance.deployment_id:
            raise FinalError(
                f"{instance.service} runs {split.stable.artifact.commit[:10]} by now, not what this run deployed",
                hint="roll back the later run first",
            )


async def _revert_base(site: Site, change: Change, merge_sha: str) -> str:
    """The base branch with the tree from before the change; the commit where it stands then."""
    advanced = change.last_of(e.BaseAdvancing)
    assert advanced is not None, "what was deployed moved the base branch"
    branch = advanced.base_branch
    message = f"Roll back pull request #{change.opened.pr_number}\n\nGreenlane-Run: {change.run}"
    commit = await site.source.revert_to(advanced.expected_base_sha, merge_sha, message=message)
    try:
        await site.code_host.advance_base(branch, expected=merge_sha, commit=commit, run=change.run, fence=change.fence)
    except BaseMovedError as error:
        if _left_to_people(change):
            return error.actual
        raise FinalError(
            f"traffic is back on the previous version, but {branch} was moved to {error.actual[:10]} by somebody else",
            hint=f"revert {merge_sha[:10]} on {branch} by hand, then approve",
        ) from error
    return commit


def _left_to_people(change: Change) -> bool:
    """Whether the rollback failed at the base branch, and a person said since that it is as it should be."""
    begun = position_of(change, e.RollbackStarting)
    gates = {r.event.gate.gate_id for r in change.history[begun:] if isinstance(r.event, e.RunFailed)}
    return any(a.gate_id in gates for a in change.approvals)


# ------------------------------------------------------------------ words


def _is_inconclusive(change: Change, rolling: e.CanaryRollingBack) -> bool:
    judged = rolling.judgement is not None and rolling.judgement.verdict is Verdict.INCONCLUSIVE
    return judged and winding_down(change) is None


def _inconclusive(change: Change, starting: e.CanaryStarting, judgement: CanaryJudgement) -> e.CanaryInconclusive:
    trigger = e.Trigger(
        rule="canary.inconclusive",
        summary=f"the canary of {starting.service} could not decide: {judgement.reason}",
        evidence=tuple(m.reason for m in judgement.metrics),
        clears_when="enough requests reach the service in production and a person approves another canary; or a person "
        "rejects the change",
    )
    return e.CanaryInconclusive(
        deployment_id=starting.deployment_id,
        service=starting.service,
        judgement=judgement,
        gate=e.Gate(
            gate_id=f"{change.run}-canary-{starting.service}-{starting.attempt}",
            before=e.Stage.DEPLOYMENT,
            triggers=(trigger,),
        ),
        why=explain(
            change,
            "ask-human",
            f"No data is never success: {judgement.reason}. {starting.service} runs its previous version alone.",
            "canary.inconclusive",
            artifact=starting.candidate,
        ),
    )


def _taken_back(change: Change, promoted: tuple[e.CanaryPromoted, ...]) -> tuple[e.CanaryRolledBack, ...]:
    """What was promoted before and went back with the rest. The rule says whether anything is known against it."""
    down = winding_down(change)
    rule = f"rollout.{down[0]}" if down else ALL_OR_NOTHING
    return tuple(
        e.CanaryRolledBack(
            deployment_id=done.deployment_id,
            service=done.service,
            artifact_digest=done.stable.artifact.digest,
            observed_weight_percent=0.0,
            why=explain(
                change,
                "rolled-back",
                _words_taken_back(done),
                rule,
                artifact=done.stable.artifact,
            ),
        )
        for done in promoted
    )


def _words_taken_back(done: e.CanaryPromoted) -> str:
    if done.previous.deployment_id == done.stable.deployment_id:
        return f"{done.service} had no version before this change, so it goes on serving; the base branch lacks it."
    return (
        f"{done.service} was promoted before in this change and runs {done.previous.artifact.commit[:10]} again: "
        "a change goes to production as a whole or not at all."
    )


def _with_incident(notebook: Notebook, backs: tuple[e.CanaryRolledBack, ...], facts: IncidentFacts) -> Yielded:
    """The end of the rollback and its report in one transaction. A run that is superseded or rejected needs none."""
    change = notebook.change
    if backs and (change.superseded or change.rejected):
        return notebook.note(*backs)
    preview = Notebook(change, notebook.clock)
    if backs:
        preview.note(*backs)
    incident_id = f"incident-{change.run}-{len(change.all_of(e.IncidentReported)) + 1}"
    title, markdown = render_markdown(preview.change, facts, incident_id)
    report = e.IncidentReported(
        incident_id=incident_id,
        title=title,
        markdown=markdown,
        error_signatures=tuple(c.signature for c in facts.evidence.clusters if not c.stable_count),
        hypotheses=facts.hypotheses,
        evidence=facts.evidence,
        why=explain(change, "report", title, "incident.reported"),
    )
    return notebook.note(*backs, report)


def _starting_rollback(change: Change, restore_to: tuple[Instance, ...], words: str) -> e.RollbackStarting:
    return e.RollbackStarting(
        restore=restore_to,
        why=explain(change, "roll-back", f"Traffic goes back to {_names(restore_to)}: {words}.", "rollback"),
    )


def _names(instances: tuple[Instance, ...]) -> str:
    return ", ".join(f"{i.service} at {i.artifact.commit[:10]}" for i in instances)
