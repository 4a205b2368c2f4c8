"""The deployment agent: brings a validated change to production by a canary, service after service, and moves the
base branch to exactly the merge that was tested. What goes wrong is taken back.

`act` reads the history first: it picks up a canary, a rollback or a landing wherever the worker before it stopped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from greenlane.agents.base import Yielded
from greenlane.agents.canary_watch import CanaryWatch, route, stop_canary_traffic
from greenlane.agents.production import (
    Journal,
    Site,
    ensure_running,
    explain,
    install_production,
    instance_id,
    position_of,
    service_named,
)
from greenlane.agents.rollback import (
    end_canary,
    end_promotions,
    report_incident,
    restore,
    rolling_back,
    take_back,
    winding_down,
)
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import (
    CanaryJudgement,
    Counters,
    DeploymentSpec,
    Instance,
    Split,
    TrafficReading,
    Verdict,
)
from greenlane.domain.errors import BaseMovedError, ChangeError
from greenlane.domain.settings import Service, Settings
from greenlane.policy.canary import resolve_thresholds
from greenlane.policy.deployment_risk import assess_deployment_risk, gather_deployment_facts
from greenlane.ports.clock import Clock
from greenlane.ports.code_host import CodeHost, SourceControl
from greenlane.ports.platform import Builder, Platform
from greenlane.ports.traffic import Traffic

_PROCEED = "proceed"
_NOTHING = TrafficReading(stable=Counters(), canary=Counters())


class DeploymentAgent:
    """`staging.validated` -> `deployment.complete`, or `canary.rolled_back` with `incident.reported`."""

    stage = e.Stage.DEPLOYMENT
    version = "1"
    listens_to: tuple[type[e.Event], ...] = (
        e.StagingValidated,
        e.HumanApproved,
        e.RollbackRequested,
        e.HumanRejected,
        e.RunSuperseded,
    )

    def __init__(
        self,
        *,
        code_host: CodeHost,
        source: SourceControl,
        builder: Builder,
        platform: Platform,
        traffic: Traffic,
        clock: Clock,
        settings: Settings,
        work_dir: Path,
    ) -> None:
        self._site = Site(
            code_host=code_host,
            source=source,
            builder=builder,
            platform=platform,
            traffic=traffic,
            clock=clock,
            settings=settings,
            work_dir=work_dir,
        )

    async def act(self, change: Change) -> AsyncIterator[Yielded]:
        journal = Journal(change, self._site.clock)
        async for step in self._choose(journal):
            yield step

    def _choose(self, journal: Journal) -> AsyncIterator[Yielded]:
        """What is due, by the history alone."""
        change, down = journal.change, winding_down(journal.change)
        if change.deployed is not None:
            return take_back(self._site, journal)
        if change.canary is not None:
            return self._go_on_with_canary(journal, change.canary)
        if change.promoted and down is not None:
            return end_promotions(self._site, journal, down[1])
        if change.rolled_back is not None and change.incident is None:
            return report_incident(self._site, journal)
        if change.promoted and position_of(change, e.RollbackStarting) > position_of(change, e.CanaryPromoted):
            return self._return_to_staging(journal)
        return self._roll_out(journal)

    # ------------------------------------------------------------ forward

    async def _roll_out(self, journal: Journal) -> AsyncIterator[Yielded]:
        """Every service that is not in production yet, one after the other; then the base branch."""
        if not journal.change.promoted:
            async for step in self._clear_to_start(journal):
                yield step
            if journal.change.staging is None or journal.change.open_gates:
                return
        staging = journal.change.staging
        assert staging is not None, "deployment follows staging"
        for staged in staging.services:
            async for step in self._bring_to_production(journal, staged):
                yield step
            if staged.service not in {p.service for p in journal.change.promoted}:
                return
        async for step in self._land(journal, staging):
            yield step

    async def _clear_to_start(self, journal: Journal) -> AsyncIterator[Yielded]:
        """The risk of deploying now, and whether what was tested still stands on the base branch."""
        change, settings = journal.change, self._site.settings
        staging = change.staging
        assert staging is not None, "deployment follows staging"
        attempt = attempt_of(change)
        base = await self._site.code_host.head_of(change.opened.base_branch)
        if base not in (staging.base_sha, staging.merge_sha):
            yield journal.note(_base_moved(change, staging.base_sha, base))
            return
        if any(a.attempt == attempt and a.why.decision == _PROCEED for a in change.all_of(e.DeploymentAssessed)):
            return
        services = tuple(service_named(settings, s.service) for s in staging.services)
        risk = assess_deployment_risk(gather_deployment_facts(change, services, settings, attempt))
        assessed = e.DeploymentAssessed(
            level=risk.level,
            reasons=risk.reasons,
            attempt=attempt,
            why=explain(
                change,
                "ask-human" if risk.asks else _PROCEED,
                f"The risk of deploying now is {risk.level}: {'; '.join(risk.reasons)}."
                + (" People approved it in this run." if risk.level == "high" and not risk.asks else ""),
                *risk.rules,
            ),
        )
        if risk.asks:
            yield journal.note(assessed, _ask(change, risk.asks, attempt))
        else:
            yield journal.note(assessed)

    async def _bring_to_production(self, journal: Journal, staged: e.StagedService) -> AsyncIterator[Yielded]:
        service = service_named(self._site.settings, staged.service)
        done = next((p for p in journal.change.promoted if p.service == service.name), None)
        if done is not None:
            await self._give_all_traffic(journal, service, done.stable)
            return
        if await self._site.traffic.observe(service.name) is None:
            steps = self._install_base(journal, service) if staged.current else self._go_live(journal, service, staged)
            async for step in steps:
                yield step
            if not staged.current:
                return
        starting = await self._plan(journal.change, service, staged)
        yield journal.note(starting)
        async for step in self._watch(journal, starting):
            yield step

    async def _plan(self, change: Change, service: Service, staged: e.StagedService) -> e.CanaryStarting:
        """The decision to start a canary, with every figure that it will be judged by."""
        assert change.staging is not None, "deployment follows staging"
        split = await self._site.traffic.observe(service.name)
        assert split is not None, "the service was installed before"
        lane = change.review.lane if change.review else e.Lane.RED
        plan = resolve_thresholds(self._site.settings, service, lane, len(change.staging.services))
        rules, attempt, artifact = plan.rules, attempt_of(change), staged.candidate.artifact
        return e.CanaryStarting(
            deployment_id=instance_id(change.run, "production", service.name, artifact.commit, attempt),
            service=service.name,
            candidate=artifact,
            stable=split.stable,
            weight_percent=plan.weight_percent,
            steps_percent=plan.steps_percent,
            watch_s=rules.watch_s,
            warmup_s=rules.warmup_s,
            step_s=rules.step_s,
            error_rate_limit=rules.error_rate_limit,
            p99_limit_ms=rules.p99_limit_ms,
            catastrophic_error_rate=rules.catastrophic_error_rate,
            min_requests=rules.min_requests,
            extend_max_factor=rules.extend_max_factor,
            alpha=rules.alpha,
            attempt=attempt,
            why=explain(
                change,
                "start-canary",
                f"{service.name}: {artifact.digest[:19]} (merge {artifact.commit[:10]}) gets {plan.weight_percent:g} % of "
                f"production traffic beside {split.stable.artifact.commit[:10]}, {rules.warmup_s:g} s of warm-up and "
                f"{rules.watch_s:g} s of watch, then {', '.join(f'{s:g} %' for s in plan.steps_percent) or 'all'}. Limits "
                f"({service.tier} tier, {lane} lane): {rules.error_rate_limit:.2%} failed requests, p99 "
                f"{rules.p99_limit_ms:g} ms; at least {rules.min_requests} requests; each test may be wrong with a "
                f"chance of {rules.alpha:.1e}.",
                artifact=artifact,
            ),
        )

    async def _go_on_with_canary(self, journal: Journal, starting: e.CanaryStarting) -> AsyncIterator[Yielded]:
        """A canary that a worker before this one began: its end, if that was decided, else its watch and the rest."""
        begun = position_of(journal.change, e.CanaryStarting)
        if position_of(journal.change, e.CanaryRollingBack) > begun:
            async for step in end_canary(self._site, journal, starting):
                yield step
            return
        service = service_named(self._site.settings, starting.service)
        await stop_canary_traffic(self._site, journal, service)
        down = winding_down(journal.change)
        failed = journal.change.last_of(e.RunFailed)
        if down is not None:
            judgement = CanaryJudgement(verdict=Verdict.FAIL, reason=down[1])
            yield rolling_back(journal, starting, down[0], await self._read(service), judgement)
        elif failed is not None and position_of(journal.change, e.RunFailed) > begun:
            judgement = CanaryJudgement(verdict=Verdict.INCONCLUSIVE, reason=f"the agent failed: {failed.error}")
            yield rolling_back(journal, starting, "agent_failed", await self._read(service), judgement)
        else:
            async for step in self._watch(journal, starting):
                yield step
            if journal.change.promoted and journal.change.canary is None:
                async for step in self._roll_out(journal):
                    yield step
            return
        async for step in end_canary(self._site, journal, starting):
            yield step

    async def _watch(self, journal: Journal, starting: e.CanaryStarting) -> AsyncIterator[Yielded]:
        """From `canary.starting` to the promotion of this service, or to the end of its canary."""
        service = service_named(self._site.settings, starting.service)
        begun_before = any(o.deployment_id == starting.deployment_id for o in journal.change.all_of(e.CanaryObserved))
        found = await self._site.platform.find(starting.deployment_id)
        try:
            candidate = found or await self._deploy(journal.change, service, starting)
        except ChangeError as error:
            judgement = CanaryJudgement(verdict=Verdict.FAIL, reason=f"it did not start in production: {error.message}")
            yield rolling_back(journal, starting, "did_not_start", _NOTHING, judgement)
            async for step in end_canary(self._site, journal, starting):
                yield step
            return
        stable = await ensure_running(
            service, starting.stable, "production", platform=self._site.platform, fence=journal.change.fence
        )
        watch = CanaryWatch(self._site, journal, service, starting, stable=stable, candidate=candidate)
        if begun_before:
            async for step in watch.take_over(restarted=found is None):
                yield step
        if watch.judgement.verdict is not Verdict.INCONCLUSIVE:
            async for step in watch.run():
                yield step
        if watch.judgement.verdict is Verdict.PASS:
            yield journal.note(_promoted(journal.change, starting, stable, candidate, watch.judgement))
            await self._give_all_traffic(journal, service, candidate)
            return
        yield rolling_back(journal, starting, _trigger_of(watch.judgement), watch.reading, watch.judgement)
        async for step in end_canary(self._site, journal, starting):
            yield step

    async def _deploy(self, change: Change, service: Service, starting: e.CanaryStarting) -> Instance:
        spec = DeploymentSpec(
            deployment_id=starting.deployment_id,
            service=service.name,
            artifact=starting.candidate,
            environment="production",
        )
        return await self._site.platform.deploy(service, spec, fence=change.fence)

    async def _read(self, service: Service) -> TrafficReading:
        return await self._site.traffic.read(service.name)

    async def _give_all_traffic(self, journal: Journal, service: Service, instance: Instance) -> None:
        """The effect of a recorded promotion; repeated after a crash only where the router does not show it yet."""
        running = await ensure_running(
            service, instance, "production", platform=self._site.platform, fence=journal.change.fence
        )
        if await self._site.traffic.observe(service.name) != Split(stable=running):
            await route(self._site, journal, service, Split(stable=running))

    # ------------------------------------------------------------ without a version before

    async def _install_base(self, journal: Journal, service: Service) -> AsyncIterator[Yielded]:
        """Nothing serves this service yet: its base version goes first, so that the canary has something beside it."""
        staging = journal.change.staging
        assert staging is not None, "deployment follows staging"
        base = staging.base_sha
        text = f"Nothing serves {service.name} in production yet: its base version {base[:10]} is brought up first."
        yield journal.note(_installing(journal.change, service, base, text))
        await install_production(
            service,
            base,
            source=self._site.source,
            builder=self._site.builder,
            platform=self._site.platform,
            traffic=self._site.traffic,
            settings=self._site.settings,
            work_dir=self._site.work_dir,
            fence=journal.change.fence,
        )

    async def _go_live(self, journal: Journal, service: Service, staged: e.StagedService) -> AsyncIterator[Yielded]:
        """The first version of a service, which people approved: there is nothing to hold a canary against."""
        artifact = staged.candidate.artifact
        text = f"{service.name} has no version before {artifact.commit[:10]}: it goes live at once, as was approved."
        yield journal.note(_installing(journal.change, service, artifact.commit, text))
        spec = DeploymentSpec(
            deployment_id=instance_id(
                journal.change.run, "production", service.name, artifact.commit, attempt_of(journal.change)
            ),
            service=service.name,
            artifact=artifact,
            environment="production",
        )
        instance = await self._site.platform.deploy(service, spec, fence=journal.change.fence)
        yield journal.note(
            e.CanaryPromoted(
                deployment_id=instance.deployment_id,
                service=service.name,
                stable=instance,
                previous=instance,
                why=explain(journal.change, "promote", text, "deployment.first_version", artifact=artifact),
            )
        )
        await self._give_all_traffic(journal, service, instance)

    # ------------------------------------------------------------ landing

    async def _land(self, journal: Journal, staging: e.StagingComplete) -> AsyncIterator[Yielded]:
        """Production runs the merge; now the base branch becomes exactly that commit."""
        change = journal.change
        branch = change.opened.base_branch
        if not any(a.merge_sha == staging.merge_sha for a in change.all_of(e.BaseAdvancing)):
            yield journal.note(_advancing(change, staging))
        try:
            await self._site.code_host.advance_base(branch, expected=staging.base_sha, commit=staging.merge_sha)
        except BaseMovedError:
            async for step in self._return_to_staging(journal):
                yield step
            return
        promoted = journal.change.promoted
        names = ", ".join(f"{p.service} at {p.stable.artifact.commit[:10]}" for p in promoted)
        production = (
            f"Production runs {names}" if names else "No service of this change is deployed, so nothing restarts"
        )
        yield journal.note(
            e.DeploymentComplete(
                merge_sha=staging.merge_sha,
                deployments=tuple(p.stable for p in promoted),
                previous=tuple(p.previous for p in promoted if p.previous.deployment_id != p.deployment_id),
                why=explain(
                    journal.change,
                    "deployed",
                    f"{production}; {branch} is at the tested merge {staging.merge_sha[:10]}.",
                    artifact=promoted[0].stable.artifact if promoted else None,
                ),
            )
        )

    async def _return_to_staging(self, journal: Journal) -> AsyncIterator[Yielded]:
        """The base moved in the last moment: production goes back first, then all is checked again on the new base."""
        change = journal.change
        staging = change.staging
        assert staging is not None, "deployment follows staging"
        async for step in restore(
            self._site, journal, change.promoted, "the base branch moved before the change landed"
        ):
            yield step
        base = await self._site.code_host.head_of(change.opened.base_branch)
        yield journal.note(_base_moved(journal.change, staging.base_sha, base))


def attempt_of(change: Change) -> int:
    """The number of this attempt to bring the change to production, from 1."""
    return 1 + len(change.all_of(e.CanaryInconclusive)) + len(change.all_of(e.BaseMoved))


def _trigger_of(judgement: CanaryJudgement) -> str:
    """The name of what ended the watch: the metric that failed, or the verdict itself."""
    if judgement.verdict is Verdict.INCONCLUSIVE:
        return "inconclusive"
    failed = [m.metric for m in judgement.metrics if m.verdict is Verdict.FAIL]
    return failed[0] if failed else "process_gone"


def _base_moved(change: Change, old: str, new: str) -> e.BaseMoved:
    return e.BaseMoved(
        old_base_sha=old,
        new_base_sha=new,
        why=explain(
            change,
            "check-again",
            f"{change.opened.base_branch} moved from {old[:10]} to {new[:10]} since the merge was checked: what was tested "
            "is what lands, so the merge is made and checked again.",
            "base.moved",
        ),
    )


def _ask(change: Change, asks: tuple[e.Trigger, ...], attempt: int) -> e.HumanRequested:
    rules = ", ".join(t.rule for t in asks)
    return e.HumanRequested(
        gate=e.Gate(
            gate_id=f"{change.run}-deployment-{attempt}-{len(change.gates) + 1}",
            before=e.Stage.DEPLOYMENT,
            triggers=asks,
        ),
        why=explain(change, "ask-human", "; ".join(t.summary for t in asks), *rules.split(", ")),
    )


def _installing(change: Change, service: Service, commit: str, text: str) -> e.ServiceInstalling:
    return e.ServiceInstalling(service=service.name, commit=commit, why=explain(change, "install", text))


def _promoted(
    change: Change, starting: e.CanaryStarting, stable: Instance, candidate: Instance, judgement: CanaryJudgement
) -> e.CanaryPromoted:
    return e.CanaryPromoted(
        deployment_id=starting.deployment_id,
        service=starting.service,
        stable=candidate,
        previous=stable,
        why=explain(
            change,
            "promote",
            f"{starting.service}: every phase of the canary passed ({judgement.reason}); the candidate gets all traffic, "
            f"{stable.artifact.commit[:10]} stays hot.",
            "canary.passed",
            artifact=starting.candidate,
        ),
    )


def _advancing(change: Change, staging: e.StagingComplete) -> e.BaseAdvancing:
    return e.BaseAdvancing(
        base_branch=change.opened.base_branch,
        expected_base_sha=staging.base_sha,
        merge_sha=staging.merge_sha,
        why=explain(
            change,
            "advance-base",
            f"{change.opened.base_branch} goes from {staging.base_sha[:10]} to {staging.merge_sha[:10]}, the merge that was "
            "tested and that production runs.",
            inputs=(e.Input("base", staging.base_sha), e.Input("merge", staging.merge_sha)),
        ),
    )
