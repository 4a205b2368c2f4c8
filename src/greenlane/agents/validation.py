"""The validation agent: integration tests, then current and candidate under the same load, side by side."""

from __future__ import annotations

from collections.abc import AsyncIterator

from greenlane.agents.base import Yielded
from greenlane.agents.production import ensure_running, explain, retire_staging, service_named, url_of
from greenlane.agents.side_by_side import CANDIDATE, CURRENT, Outcome, SideBySide
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import Check, Comparison, Instance, Verdict
from greenlane.domain.errors import ChangeError, FinalError
from greenlane.domain.settings import LoadRequest, Service, Settings
from greenlane.policy.canary import resolve_thresholds
from greenlane.policy.regression import Validated
from greenlane.ports.clock import Clock
from greenlane.ports.load import LoadGenerator
from greenlane.ports.platform import Builder, Platform


class ValidationAgent:
    """`staging.complete` -> `staging.validated`. Stops the staged instances, whatever comes of it."""

    stage = e.Stage.VALIDATION
    version = "1"
    listens_to: tuple[type[e.Event], ...] = (e.StagingComplete, e.HumanApproved)

    def __init__(
        self,
        *,
        builder: Builder,
        platform: Platform,
        load: LoadGenerator,
        settings: Settings,
        clock: Clock | None = None,
    ) -> None:
        self._builder = builder
        self._platform = platform
        self._load = load
        self._clock = clock
        self._settings = settings

    async def act(self, change: Change) -> AsyncIterator[Yielded]:
        assert change.staging is not None, "validation follows staging"
        if not change.staging.services:
            yield e.StagingValidated(
                proceed=True,
                why=explain(
                    change, "proceed", "Nothing of this change runs in staging, so there is nothing to compare."
                ),
            )
            return
        checks: list[Check] = []
        compared: list[e.ServiceComparison] = []
        answers: list[tuple[str, Validated]] = []
        for staged in change.staging.services:
            service = service_named(self._settings, staged.service)
            try:
                check, comparisons, answer = await self._validate(change, service, staged)
            except ChangeError as error:
                check, comparisons = None, ()
                answer = Validated(verdict=Verdict.FAIL, reasons=(f"it does not run: {error.message} {error.hint}",))
            checks += [check] if check else []
            compared.append(e.ServiceComparison(service=service.name, comparisons=comparisons))
            answers.append((service.name, answer))
        await retire_staging(change, platform=self._platform, fence=change.fence)
        yield _validated(change, tuple(checks), tuple(compared), answers)

    async def _validate(
        self, change: Change, service: Service, staged: e.StagedService
    ) -> tuple[Check | None, tuple[Comparison, ...], Validated]:
        candidate = await ensure_running(
            service, staged.candidate, "staging", platform=self._platform, fence=change.fence
        )
        check = await self._integrate(service, candidate)
        if check is not None and not check.passed:
            reason = f"{check.name} failed: {check.detail or 'no detail'}"
            return check, (), Validated(verdict=Verdict.FAIL, reasons=(reason,))
        current = await self._current(change, service, staged)
        outcome = await self._compare(change, service, candidate, current)
        return check, outcome.comparisons, outcome.answer

    async def _integrate(self, service: Service, candidate: Instance) -> Check | None:
        if not service.commands.integration:
            return None
        return await self._builder.exercise(
            service,
            candidate.artifact,
            service.commands.integration,
            name=f"{service.name} integration tests",
            url=url_of(candidate),
            timeout_s=self._settings.validation.test_timeout_s,
        )

    async def _current(self, change: Change, service: Service, staged: e.StagedService) -> Instance | None:
        if staged.current is None:
            return None
        try:
            return await ensure_running(service, staged.current, "staging", platform=self._platform, fence=change.fence)
        except ChangeError as error:
            raise FinalError(
                f"the current version of {service.name} does not start any more: {error.message}",
                hint=error.hint or "mend the base branch first; then approve to try again",
            ) from error

    async def _compare(
        self, change: Change, service: Service, candidate: Instance, current: Instance | None
    ) -> Outcome:
        limits = self._settings.validation
        instances = {CANDIDATE: candidate} | ({CURRENT: current} if current else {})
        contest = SideBySide(instances, platform=self._platform, load=self._load, clock=self._clock)
        requests = service.load or (LoadRequest(path=service.health.path),)
        if current is not None:
            return await contest.compare(requests, limits)
        lane = change.review.lane if change.review else e.Lane.RED
        rules = resolve_thresholds(self._settings, service, lane).rules
        return await contest.measure_alone(
            requests, limits, p99_limit_ms=rules.p99_limit_ms, error_rate_limit=rules.error_rate_limit
        )


def _validated(
    change: Change,
    checks: tuple[Check, ...],
    compared: tuple[e.ServiceComparison, ...],
    answers: list[tuple[str, Validated]],
) -> e.StagingValidated:
    failed = [(name, a) for name, a in answers if a.verdict is Verdict.FAIL]
    unclear = [(name, a) for name, a in answers if a.verdict is Verdict.INCONCLUSIVE]
    shown, heading = answers, "The candidate holds up against the current version"
    rules: tuple[str, ...] = ()
    if failed:
        shown, heading, rules = failed, "The candidate is worse than the current version", ("validation.regression",)
    elif unclear:
        shown, heading, rules = unclear, "Validation is inconclusive", ("validation.inconclusive",)
    text = "; ".join(f"{name}: {', '.join(a.reasons)}" for name, a in shown)
    advice = " Longer or more load tells more: validation.load_duration_s, load_rate_rps." if shown is unclear else ""
    passed = f" {sum(c.passed for c in checks)} of {len(checks)} integration runs passed." if checks else ""
    return e.StagingValidated(
        proceed=not failed and not unclear,
        checks=checks,
        services=compared,
        why=explain(
            change,
            "block" if failed else "inconclusive" if unclear else "proceed",
            f"{heading}: {text}.{passed}{advice}",
            *rules,
        ),
    )
