"""The validation agent: integration tests, then current and candidate under the same load, side by side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from greenlane.agents.base import Yielded
from greenlane.agents.production import ensure_running, explain, retire_staging, service_named, url_of
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import Check, Comparison, Instance, Samples, Usage, Verdict
from greenlane.domain.errors import ChangeError, FinalError
from greenlane.domain.settings import LoadRequest, Service, Settings
from greenlane.policy.canary import resolve_thresholds
from greenlane.policy.regression import (
    Validated,
    assess_comparisons,
    compare_absolute,
    compare_errors,
    compare_latency,
    compare_usage,
)
from greenlane.ports.load import LoadGenerator
from greenlane.ports.platform import Builder, Platform

_CANDIDATE = "candidate"
_CURRENT = "current"


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
    ) -> None:
        self._builder = builder
        self._platform = platform
        self._load = load
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
        comparisons, answer = await self._compare(change, service, candidate, current)
        return check, comparisons, answer

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
    ) -> tuple[tuple[Comparison, ...], Validated]:
        limits = self._settings.validation
        targets = {_CANDIDATE: candidate} | ({_CURRENT: current} if current else {})
        before = await self._usage(targets)
        samples = await self._load.compare(
            {name: url_of(instance) for name, instance in targets.items()},
            service.load or (LoadRequest(path=service.health.path),),
            rate_rps=limits.load_rate_rps,
            duration_s=limits.load_duration_s,
        )
        after = await self._usage(targets)
        if current is None:
            lane = change.review.lane if change.review else e.Lane.RED
            rules = resolve_thresholds(self._settings, service, lane).rules
            comparisons = compare_absolute(
                samples[_CANDIDATE], p99_limit_ms=rules.p99_limit_ms, error_rate_limit=rules.error_rate_limit
            )
        else:
            comparisons = (
                *_compare_samples(samples, self._settings),
                *compare_usage(
                    _used(before[_CURRENT], after[_CURRENT]),
                    _used(before[_CANDIDATE], after[_CANDIDATE]),
                    ratio_max=limits.latency_ratio_max,
                ),
            )
        answer = assess_comparisons(
            comparisons, samples.get(_CURRENT), samples[_CANDIDATE], floor_ms=limits.latency_floor_ms
        )
        return comparisons, answer

    async def _usage(self, targets: Mapping[str, Instance]) -> dict[str, Usage]:
        return {name: (await self._platform.inspect(i.deployment_id))[0] for name, i in targets.items()}


def _compare_samples(samples: Mapping[str, Samples], settings: Settings) -> tuple[Comparison, ...]:
    limits = settings.validation
    current, candidate = samples[_CURRENT], samples[_CANDIDATE]
    latency = compare_latency(
        current.latencies_ms,
        candidate.latencies_ms,
        ratio_max=limits.latency_ratio_max,
        floor_ms=limits.latency_floor_ms,
    )
    return (*latency, compare_errors(current, candidate, increase_max=limits.error_rate_increase_max))


def _used(before: Usage, after: Usage) -> Usage:
    """What the load cost: CPU seconds during it, and memory at its end."""
    return Usage(cpu_s=max(0.0, after.cpu_s - before.cpu_s), rss_mb=after.rss_mb, processes=after.processes)


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
