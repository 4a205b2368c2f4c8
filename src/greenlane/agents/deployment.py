"""The deployment agent: brings a validated change to production by a canary, service after service, and moves the
base branch to exactly the merge that was tested. What goes wrong is taken back.

`act` reads the history first: it picks up a canary, a rollback or a landing wherever the worker before it stopped.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from greenlane.agents.base import Yielded
from greenlane.agents.canary_limits import align_with_history
from greenlane.agents.canary_traffic import added_traffic, ask_for_traffic, size_canary, was_asked
from greenlane.agents.canary_watch import CanaryWatch, route, stop_canary_traffic
from greenlane.agents.clearance import clear_to_start, is_cleared
from greenlane.agents.production import (
    Notebook,
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
    has_landed,
    report_incident,
    restore,
    rolling_back,
    take_back,
    winding_down,
)
from greenlane.agents.rollout_words import (
    advancing,
    attempt_of,
    base_moved,
    installing,
    starting_canary,
    trigger_of,
)
from greenlane.agents.rollout_words import (
    promoted as promotion_of,
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
from greenlane.domain.errors import BaseMovedError, ChangeError, GreenlaneError
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.canary_plan import resolve_thresholds
from greenlane.ports.clock import Clock
from greenlane.ports.code_host import CodeHost, SourceControl
from greenlane.ports.load import LoadGenerator
from greenlane.ports.platform import Builder, Platform
from greenlane.ports.production import ProductionHistory
from greenlane.ports.releases import Releases
from greenlane.ports.traffic import Traffic

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
        e.HotfixRequested,
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
        releases: Releases | None = None,
        history: ProductionHistory | None = None,
        load: LoadGenerator | None = None,
    ) -> None:
        """`releases` is None only where nothing was ever rolled back (a repository that begins), and `history` where
        nothing is known of production but what its router counts now."""
        self._site = Site(
            code_host=code_host,
            source=source,
            builder=builder,
            platform=platform,
            traffic=traffic,
            clock=clock,
            settings=settings,
            work_dir=work_dir,
            releases=releases,
            history=history,
            load=load,
        )

    async def act(self, change: Change) -> AsyncIterator[Yielded]:
        notebook = Notebook(change, self._site.clock)
        recorded = change
        try:
            async for step in self._choose(notebook):
                yield step
                recorded = notebook.change
        finally:
            if (starting := recorded.canary or notebook.change.canary) is not None:
                await self._leave_safely(notebook, starting)

    async def _leave_safely(self, notebook: Notebook, starting: e.CanaryStarting) -> None:
        """The watch is left without a recorded end (an interrupt, a ledger that can't be written, another worker that
        took over, a bug) by a process that lives on, so the router's dead-man switch does not see it by itself.

        The switch is let go first: that can't fail. What can't be reached now is set to 0 by the next act; what is in
        the hands of a newer worker by now is left to it.
        """
        service = service_named(self._site.settings, starting.service)
        await self._site.traffic.let_go(service.name)
        with contextlib.suppress(GreenlaneError):
            split = await self._site.traffic.observe(service.name)
            if split and split.canary and split.canary.deployment_id == starting.deployment_id and split.canary_weight:
                await stop_canary_traffic(self._site, notebook, service)

    def _choose(self, notebook: Notebook) -> AsyncIterator[Yielded]:
        """What is due, by the history alone."""
        change, down = notebook.change, winding_down(notebook.change)
        if change.deployed is not None:
            return take_back(self._site, notebook)
        if change.canary is not None:
            return self._go_on_with_canary(notebook, change.canary)
        if change.promoted and down is not None:
            return self._turn_back(notebook, down[1])
        if change.rolled_back is not None and change.incident is None:
            return report_incident(self._site, notebook)
        if change.promoted and position_of(change, e.RollbackStarting) > position_of(change, e.CanaryPromoted):
            return self._return_to_staging(notebook)
        return self._roll_out(notebook)

    # ------------------------------------------------------------ forward

    async def _roll_out(self, notebook: Notebook) -> AsyncIterator[Yielded]:
        """Every service that is not in production yet, one after the other; then the base branch."""
        if not notebook.change.promoted:
            async for step in clear_to_start(self._site, notebook):
                yield step
            if not is_cleared(notebook.change):
                return
        staging = notebook.change.staging
        assert staging is not None, "deployment follows staging"
        for staged in staging.services:
            async for step in self._bring_to_production(notebook, staged):
                yield step
            if staged.service not in {p.service for p in notebook.change.promoted}:
                return
        async for step in self._land(notebook, staging):
            yield step

    async def _bring_to_production(self, notebook: Notebook, staged: e.StagedService) -> AsyncIterator[Yielded]:
        service = service_named(self._site.settings, staged.service)
        done = next((p for p in notebook.change.promoted if p.service == service.name), None)
        if done is not None:
            await self._give_all_traffic(notebook, service, done.stable)
            return
        if await self._site.traffic.observe(service.name) is None:
            steps = (
                self._install_base(notebook, service) if staged.current else self._go_live(notebook, service, staged)
            )
            async for step in steps:
                yield step
            if not staged.current:
                return
        decision = await self._plan(notebook.change, service, staged)
        yield notebook.note(decision)
        if isinstance(decision, e.CanaryStarting):
            async for step in self._watch(notebook, decision):
                yield step

    async def _plan(
        self, change: Change, service: Service, staged: e.StagedService
    ) -> e.CanaryStarting | e.HumanRequested:
        """The decision to start a canary, with every figure that it will be judged by; or to ask first, because the
        traffic can't decide it. A change of which a part is in production already is not left waiting there."""
        site, lane = self._site, change.review.lane if change.review else e.Lane.RED
        assert change.staging is not None, "deployment follows staging"
        split = await site.traffic.observe(service.name)
        assert split is not None, "the service was installed before"
        plan = resolve_thresholds(site.settings, service, lane, len(change.staging.services))
        plan = await align_with_history(site, service, plan)
        sizing = await size_canary(site, service, plan)
        if not sizing.sufficient and not change.promoted and not was_asked(change):
            return ask_for_traffic(change, service, sizing)
        tick_s, known = site.settings.canary.tick_s, None
        if site.releases is not None:
            known = await site.releases.spreads(service.name, tick_s=tick_s, p99_limit_ms=plan.rules.p99_limit_ms)
        return starting_canary(change, service, staged.candidate.artifact, split.stable, plan, sizing, known, tick_s)

    async def _go_on_with_canary(self, notebook: Notebook, starting: e.CanaryStarting) -> AsyncIterator[Yielded]:
        """A canary that a worker before this one began: its end, if that was decided, else its watch and the rest."""
        begun = position_of(notebook.change, e.CanaryStarting)
        if position_of(notebook.change, e.CanaryRollingBack) > begun:
            async for step in end_canary(self._site, notebook, starting):
                yield step
            return
        service = service_named(self._site.settings, starting.service)
        await stop_canary_traffic(self._site, notebook, service)
        down = winding_down(notebook.change)
        failed = notebook.change.last_of(e.RunFailed)
        if down is not None:
            judgement = CanaryJudgement(verdict=Verdict.FAIL, reason=down[1])
            yield rolling_back(notebook, starting, down[0], await self._read(service), judgement)
        elif failed is not None and position_of(notebook.change, e.RunFailed) > begun:
            judgement = CanaryJudgement(verdict=Verdict.INCONCLUSIVE, reason=f"the agent failed: {failed.error}")
            yield rolling_back(notebook, starting, "agent_failed", await self._read(service), judgement)
        else:
            async for step in self._watch(notebook, starting):
                yield step
            if notebook.change.promoted and notebook.change.canary is None:
                async for step in self._roll_out(notebook):
                    yield step
            return
        async for step in end_canary(self._site, notebook, starting):
            yield step

    async def _watch(self, notebook: Notebook, starting: e.CanaryStarting) -> AsyncIterator[Yielded]:
        """From `canary.starting` to the promotion of this service, or to the end of its canary."""
        service = service_named(self._site.settings, starting.service)
        begun_before = any(o.deployment_id == starting.deployment_id for o in notebook.change.all_of(e.CanaryObserved))
        found = await self._site.platform.find(starting.deployment_id)
        try:
            candidate = found or await self._deploy(notebook.change, service, starting)
        except ChangeError as error:
            judgement = CanaryJudgement(verdict=Verdict.FAIL, reason=f"it did not start in production: {error.message}")
            yield rolling_back(notebook, starting, "did_not_start", _NOTHING, judgement)
            async for step in end_canary(self._site, notebook, starting):
                yield step
            return
        stable = await ensure_running(service, starting.stable, "production", platform=self._site.platform, fence=None)
        watch = CanaryWatch(self._site, notebook, service, starting, stable=stable, candidate=candidate)
        if begun_before:
            async for step in watch.take_over(restarted=found is None):
                yield step
        if watch.judgement.verdict is not Verdict.INCONCLUSIVE:
            async with added_traffic(self._site, service, starting):
                async for step in watch.run():
                    yield step
        if watch.judgement.verdict is Verdict.PASS:
            yield notebook.note(promotion_of(notebook.change, starting, stable, candidate, watch.judgement))
            await self._give_all_traffic(notebook, service, candidate)
            return
        trigger = trigger_of(watch.judgement)
        yield rolling_back(
            notebook, starting, trigger, watch.reading, watch.judgement, phase=watch.phase, ticks=watch.ticks
        )
        async for step in end_canary(self._site, notebook, starting):
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

    async def _give_all_traffic(self, notebook: Notebook, service: Service, instance: Instance) -> None:
        """The effect of a recorded promotion; repeated after a crash only where the router does not show it yet."""
        running = await ensure_running(
            service, instance, "production", platform=self._site.platform, fence=notebook.change.fence
        )
        if await self._site.traffic.observe(service.name) != Split(stable=running):
            await route(self._site, notebook, service, Split(stable=running))

    # ------------------------------------------------------------ without a version before

    async def _install_base(self, notebook: Notebook, service: Service) -> AsyncIterator[Yielded]:
        """Nothing serves this service yet: its base version goes first, so that the canary has something beside it."""
        staging = notebook.change.staging
        assert staging is not None, "deployment follows staging"
        base = staging.base_sha
        text = f"Nothing serves {service.name} in production yet: its base version {base[:10]} is brought up first."
        yield notebook.note(installing(notebook.change, service, base, text))
        await install_production(
            service,
            base,
            source=self._site.source,
            builder=self._site.builder,
            platform=self._site.platform,
            traffic=self._site.traffic,
            settings=self._site.settings,
            work_dir=self._site.work_dir,
            fence=notebook.change.fence,
            run=notebook.change.run,
        )

    async def _go_live(self, notebook: Notebook, service: Service, staged: e.StagedService) -> AsyncIterator[Yielded]:
        """The first version of a service, which people approved: there is nothing to hold a canary against."""
        artifact = staged.candidate.artifact
        text = f"{service.name} has no version before {artifact.commit[:10]}: it goes live at once, as was approved."
        yield notebook.note(installing(notebook.change, service, artifact.commit, text))
        spec = DeploymentSpec(
            deployment_id=instance_id(
                notebook.change.run, "production", service.name, artifact.commit, attempt_of(notebook.change)
            ),
            service=service.name,
            artifact=artifact,
            environment="production",
        )
        instance = await self._site.platform.deploy(service, spec, fence=notebook.change.fence)
        yield notebook.note(
            e.CanaryPromoted(
                deployment_id=instance.deployment_id,
                service=service.name,
                stable=instance,
                previous=instance,
                why=explain(notebook.change, "promote", text, "deployment.first_version", artifact=artifact),
            )
        )
        await self._give_all_traffic(notebook, service, instance)

    # ------------------------------------------------------------ landing

    async def _turn_back(self, notebook: Notebook, words: str) -> AsyncIterator[Yielded]:
        """Production goes back before the base branch moved. If it had moved when the reason came, the change has
        landed: that is recorded, and production stays what the branch says."""
        staging = notebook.change.staging
        assert staging is not None, "deployment follows staging"
        landed = await has_landed(self._site, notebook.change, staging.merge_sha)
        steps = self._land(notebook, staging) if landed else end_promotions(self._site, notebook, words)
        async for step in steps:
            yield step

    async def _land(self, notebook: Notebook, staging: e.StagingComplete) -> AsyncIterator[Yielded]:
        """Production runs the merge; now the base branch becomes exactly that commit."""
        change = notebook.change
        branch = change.opened.base_branch
        if not any(a.merge_sha == staging.merge_sha for a in change.all_of(e.BaseAdvancing)):
            yield notebook.note(advancing(change, staging))
        try:
            await self._site.code_host.advance_base(
                branch, expected=staging.base_sha, commit=staging.merge_sha, run=change.run, fence=change.fence
            )
        except BaseMovedError:
            async for step in self._return_to_staging(notebook):
                yield step
            return
        promoted = notebook.change.promoted
        names = ", ".join(f"{p.service} at {p.stable.artifact.commit[:10]}" for p in promoted)
        production = (
            f"Production runs {names}" if names else "No service of this change is deployed, so nothing restarts"
        )
        yield notebook.note(
            e.DeploymentComplete(
                merge_sha=staging.merge_sha,
                deployments=tuple(p.stable for p in promoted),
                previous=tuple(p.previous for p in promoted if p.previous.deployment_id != p.deployment_id),
                why=explain(
                    notebook.change,
                    "deployed",
                    f"{production}; {branch} is at the tested merge {staging.merge_sha[:10]}.",
                    artifact=promoted[0].stable.artifact if promoted else None,
                ),
            )
        )

    async def _return_to_staging(self, notebook: Notebook) -> AsyncIterator[Yielded]:
        """The base moved in the last moment: production goes back first, then all is checked again on the new base."""
        change = notebook.change
        staging = change.staging
        assert staging is not None, "deployment follows staging"
        async for step in restore(
            self._site, notebook, change.promoted, "the base branch moved before the change landed"
        ):
            yield step
        base = await self._site.code_host.head_of(change.opened.base_branch)
        yield notebook.note(base_moved(notebook.change, staging.base_sha, base))
