"""The watch over one canary: from the first request it gets to a verdict. Used by the deployment agent.

Phases: warm-up and watch at the first weight, then a step at each further weight. Each phase that passed is recorded,
so a worker that takes over goes on with the first one that is not, from its beginning and from weight 0.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from greenlane.agents.base import Yielded
from greenlane.agents.production import Notebook, Site, explain, p99_limit_ms
from greenlane.domain import events as e
from greenlane.domain.delivery import CanaryJudgement, Counters, Instance, Split, Tick, TrafficReading, Verdict
from greenlane.domain.errors import FencedError, RetryableError
from greenlane.domain.service_settings import Service
from greenlane.policy.canary import PhaseJudge
from greenlane.policy.canary_plan import Phase, rules_of
from greenlane.policy.canary_trail import (
    RESTARTED,
    RESUMED,
    CanaryStep,
    PassedPhase,
    begin_phase,
    find_passed,
    steps_of,
)
from greenlane.policy.counting import compute_since, detect_lag, make_tick

_CHECKPOINTS = 6
"""Checkpoints of a phase in the ledger; each brings the looks since the one before."""
_UNREADABLE_TICKS = 2
"""Looks in a row at which the proxy may fail to answer: longer, and the canary would go unwatched."""

_LAGGING_TICKS = 4
"""Looks in a row at which the proxy's histogram may lag behind its counters: on a busy machine it is filled late."""

_NOTHING = TrafficReading(stable=Counters(), canary=Counters())
_ALL_PASSED = CanaryJudgement(verdict=Verdict.PASS, reason="every phase has passed")


class CanaryWatch:
    """After `run`, `judgement` is how it ended (PASS: every phase passed), `reading` what it was based on, `phase`
    where it ended (empty: not by the judge), and `ticks` the looks that are not recorded yet."""

    def __init__(
        self,
        site: Site,
        notebook: Notebook,
        service: Service,
        starting: e.CanaryStarting,
        *,
        stable: Instance,
        candidate: Instance,
    ) -> None:
        self._site = site
        self._notebook = notebook
        self._service = service
        self._starting = starting
        self._stable = stable
        self._candidate = candidate
        self._rules = rules_of(starting)
        self._unreadable = 0
        self._lagging = 0
        self._since = _NOTHING
        self.reading = _NOTHING
        self.judgement = _ALL_PASSED
        self.phase = ""
        self.ticks: tuple[Tick, ...] = ()

    async def run(self) -> AsyncIterator[Yielded]:
        """The watch, phase by phase. An error on the way ends it as inconclusive: nothing goes on unwatched."""
        try:
            routed: float | None = None
            self.judgement = _ALL_PASSED
            for phase, weight in self._phases_left():
                if weight != self._recorded_weight():
                    yield self._notebook.note(self._promoting(weight))
                if weight != routed:
                    await self._route(weight)
                    routed = weight
                async for step in self._watch(phase, weight):
                    yield step
                if self.judgement.verdict is not Verdict.PASS:
                    return
        except FencedError:
            raise
        except Exception as error:
            reason = f"the watch itself failed: {type(error).__name__}: {error}"
            self.judgement = CanaryJudgement(verdict=Verdict.INCONCLUSIVE, reason=reason)
            self.phase, self.ticks = "", ()  # not a verdict of the judge

    async def take_over(self, *, restarted: bool) -> AsyncIterator[Yielded]:
        """Record that another worker goes on. `restarted`: the candidate was started again, so all begins anew."""
        observed = [s for s in self._steps() if isinstance(s, e.CanaryObserved)]
        taken = [o for o in observed if o.phase in (RESUMED, RESTARTED)]
        cap = self._site.settings.orchestration.delivery_cap
        verdict, text = Verdict.WAIT, "the phase begins again"
        if len(taken) >= cap:
            verdict, text = Verdict.INCONCLUSIVE, f"it was taken over {len(taken)} times already (limit {cap})"
        self.judgement = CanaryJudgement(verdict=verdict, reason=f"another worker took the watch over: {text}")
        if verdict is Verdict.WAIT:
            phase = RESTARTED if restarted else RESUMED
            yield self._notebook.note(self._observation(phase, 0.0, 0.0, _NOTHING))

    # ------------------------------------------------------------ what the ledger knows

    def _steps(self) -> tuple[CanaryStep, ...]:
        return steps_of(self._notebook.change.history, self._starting.deployment_id)

    def _passed(self) -> tuple[PassedPhase, ...]:
        return find_passed(self._steps())

    def _phases_left(self) -> tuple[tuple[Phase, float], ...]:
        first = self._starting.weight_percent
        phases = [(Phase.WARM_UP, first), (Phase.WATCH, first)]
        phases += [(Phase.STEP, weight) for weight in self._starting.steps_percent]
        timed = [(phase, weight) for phase, weight in phases if self._rules.duration_s(phase) > 0]
        return tuple(timed[len(self._passed()) :])

    def _recorded_weight(self) -> float:
        """The weight of the last step that was decided since the canary last began from its first phase."""
        weight = self._starting.weight_percent
        for step in self._steps():
            if isinstance(step, e.CanaryPromoting):
                weight = step.weight_percent
            elif isinstance(step, e.CanaryObserved) and step.phase == RESTARTED:
                weight = self._starting.weight_percent
        return weight

    # ------------------------------------------------------------ one phase

    async def _watch(self, phase: Phase, weight: float) -> AsyncIterator[Yielded]:
        clock, tick_s = self._site.clock, self._starting.tick_s
        judge, start = (
            begin_phase(self._rules, self._passed(), phase),
            await self._site.traffic.read(self._service.name),
        )
        self.phase, self.ticks, self._since = phase, (), _NOTHING
        begun_s = clock.monotonic_s()
        every_s = max(self._rules.duration_s(phase) / _CHECKPOINTS, tick_s)
        due_s = 0.0
        while True:
            elapsed_s = round(clock.monotonic_s() - begun_s, 3)
            judgement = await self._look(judge, elapsed_s, start)
            if judgement is None:
                await clock.sleep(tick_s)
                continue
            self.judgement = judgement
            if self.judgement.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
                return  # recorded with the decision to roll back, so that no time is lost
            if self.judgement.verdict is Verdict.PASS or elapsed_s >= due_s:
                yield self._notebook.note(self._observation(phase, weight, elapsed_s, self.reading))
                self.ticks = ()
                due_s = elapsed_s + every_s
            if self.judgement.verdict is Verdict.PASS:
                return
            await clock.sleep(tick_s)

    async def _look(self, judge: PhaseJudge, elapsed_s: float, start: TrafficReading) -> CanaryJudgement | None:
        """One look. None if it can't be read, or not to the end yet: that is no tick, the next one covers its time."""
        try:
            now = await self._site.traffic.read(self._service.name)
            alive = await self._site.platform.find(self._starting.deployment_id) is not None
        except RetryableError:
            self._unreadable += 1
            if self._unreadable > _UNREADABLE_TICKS:
                raise
            return None
        self._unreadable = 0
        self._lagging = self._lagging + 1 if detect_lag(start, now) else 0
        if 0 < self._lagging <= _LAGGING_TICKS:
            return None
        since = compute_since(start, now)
        tick = make_tick(elapsed_s, self._since, since, alive=alive)
        self.ticks = (*self.ticks, tick)
        self.reading = since or now
        self._since = since or self._since
        return judge.look(tick)

    async def _route(self, weight: float) -> None:
        split = Split(stable=self._stable, canary=self._candidate, canary_weight=weight)
        await route(self._site, self._notebook, self._service, split)

    # ------------------------------------------------------------ words

    def _observation(self, phase: str, weight: float, elapsed_s: float, reading: TrafficReading) -> e.CanaryObserved:
        decision = "pass" if self.judgement.verdict is Verdict.PASS else "watch"
        return e.CanaryObserved(
            deployment_id=self._starting.deployment_id,
            phase=phase,
            weight_percent=weight,
            elapsed_s=elapsed_s,
            reading=reading,
            judgement=self.judgement,
            ticks=self.ticks,
            why=explain(
                self._notebook.change,
                decision,
                f"{self._service.name}, {phase} at {weight:g} %: {self.judgement.reason}.",
                artifact=self._starting.candidate,
            ),
        )

    def _promoting(self, weight: float) -> e.CanaryPromoting:
        last = self._passed()[-1].observed
        return e.CanaryPromoting(
            deployment_id=self._starting.deployment_id,
            weight_percent=weight,
            why=explain(
                self._notebook.change,
                "promote",
                f"{self._service.name} goes from {last.weight_percent:g} to {weight:g} %: {last.judgement.reason}.",
                "canary.phase_passed",
                artifact=self._starting.candidate,
            ),
        )


async def route(site: Site, notebook: Notebook, service: Service, split: Split) -> None:
    """Share a service's production traffic; the histogram's bound is the limit of the running canary."""
    canary = notebook.change.canary
    own = canary.p99_limit_ms if canary is not None and canary.service == service.name else None
    limit = own if own is not None else p99_limit_ms(site.settings, service)
    change = notebook.change
    await site.traffic.route(service, split, p99_limit_ms=limit, fence=change.fence, run=change.run)


async def stop_canary_traffic(site: Site, notebook: Notebook, service: Service) -> None:
    """Weight 0 now, the canary still behind the router so that requests in flight are answered."""
    split = await site.traffic.observe(service.name)
    if split is not None and split.canary is not None:
        await route(site, notebook, service, msgspec.structs.replace(split, canary_weight=0.0))
