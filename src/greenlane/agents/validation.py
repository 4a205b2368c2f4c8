"""The validation agent: integration tests, current and candidate under the same load, and what production will show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec

from greenlane.agents.base import Yielded
from greenlane.agents.production import ensure_running, explain, retire_staging, service_named, url_of
from greenlane.agents.side_by_side import Outcome, SideBySide
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import Check, Instance, Verdict
from greenlane.domain.errors import ChangeError, FinalError
from greenlane.domain.service_settings import LoadRequest, Service
from greenlane.domain.settings import Settings
from greenlane.policy import baseline as bl
from greenlane.policy.canary import Rules, resolve_thresholds
from greenlane.policy.evidence import CANDIDATE, CURRENT
from greenlane.policy.prediction import (
    Release,
    assess_predictions,
    compute_error_ratio,
    compute_p99_ratio,
    detect_releases,
    predict,
)
from greenlane.policy.regression import Validated
from greenlane.ports.clock import Clock
from greenlane.ports.load import LoadGenerator
from greenlane.ports.platform import Builder, Platform
from greenlane.ports.production import ProductionHistory

_OVER = "validation.prediction_over_limit"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one service."""

    service: str
    answer: Validated
    check: Check | None = None
    outcome: Outcome | None = None
    predictions: tuple[e.Prediction, ...] = ()
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What is said of the baseline, for people."""


class ValidationAgent:
    """`staging.complete` -> `staging.validated`. Stops the staged instances, whatever comes of it."""

    stage = e.Stage.VALIDATION
    version = "2"
    listens_to: tuple[type[e.Event], ...] = (e.StagingComplete, e.HumanApproved)

    def __init__(
        self,
        *,
        builder: Builder,
        platform: Platform,
        load: LoadGenerator,
        settings: Settings,
        clock: Clock,
        history: ProductionHistory,
    ) -> None:
        self._builder = builder
        self._platform = platform
        self._load = load
        self._settings = settings
        self._clock = clock
        self._history = history

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
        judged = []
        for staged in change.staging.services:
            service = service_named(self._settings, staged.service)
            try:
                judged.append(await self._validate(change, service, staged))
            except ChangeError as error:
                answer = Validated(verdict=Verdict.FAIL, reasons=(f"it does not run: {error.message} {error.hint}",))
                judged.append(Judged(service=service.name, answer=answer))
        await retire_staging(change, platform=self._platform, fence=change.fence)
        complete = _validated(change, judged)
        asks = assess_predictions(complete.predictions).asks
        if complete.proceed and asks and not _was_asked(change):
            yield _ask(change, asks), complete
        else:
            yield complete

    async def _validate(self, change: Change, service: Service, staged: e.StagedService) -> Judged:
        candidate = await ensure_running(
            service, staged.candidate, "staging", platform=self._platform, fence=change.fence
        )
        check = await self._integrate(service, candidate)
        if check is not None and not check.passed:
            reason = f"{check.name} failed: {check.detail or 'no detail'}"
            return Judged(service=service.name, check=check, answer=Validated(verdict=Verdict.FAIL, reasons=(reason,)))
        current = await self._current(change, service, staged)
        lane = change.review.lane if change.review else e.Lane.RED
        rules = resolve_thresholds(self._settings, service, lane).rules
        outcome = await self._compare(service, candidate, current, rules)
        judged = Judged(service=service.name, check=check, answer=outcome.answer, outcome=outcome)
        return await self._foresee(judged, rules)

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

    async def _compare(self, service: Service, candidate: Instance, current: Instance | None, rules: Rules) -> Outcome:
        limits = self._settings.validation
        instances = {CANDIDATE: candidate} | ({CURRENT: current} if current else {})
        contest = SideBySide(instances, platform=self._platform, load=self._load, clock=self._clock)
        requests = service.load or (LoadRequest(path=service.health.path),)
        if current is not None:
            return await contest.compare(requests, limits)
        return await contest.measure_alone(
            requests, limits, p99_limit_ms=rules.p99_limit_ms, error_rate_limit=rules.error_rate_limit
        )

    async def _foresee(self, judged: Judged, rules: Rules) -> Judged:
        """What production will show, as far as its baseline and a comparison are there to say it."""
        if judged.outcome is None:
            return judged
        now, past = self._clock.now(), await self._history.past()
        slots = await self._history.slots(judged.service, now - timedelta(days=bl.DAYS))
        needed = self._settings.validation.baseline_min_requests
        incidents = bl.detect_incidents(past, judged.service)
        baseline = bl.compute_baseline(
            judged.service,
            slots,
            incidents,
            now=now,
            hour=bl.hour_of_week(now),
            min_requests=needed,
            promoted=bl.detect_promotion(past, judged.service),
        )
        if baseline is None:
            missing = bl.describe_missing(slots, incidents, now=now, min_requests=needed)
            text = f"{judged.service} has no baseline yet ({missing}), so nothing is predicted for production"
            return msgspec.structs.replace(judged, remarks=(text,))
        return msgspec.structs.replace(
            judged,
            predictions=self._predict(judged.outcome, baseline, detect_releases(past, judged.service, slots), rules),
            warnings=bl.detect_breaches(
                baseline, p99_limit_ms=rules.p99_limit_ms, error_rate_limit=rules.error_rate_limit
            ),
            remarks=(f"baseline of {judged.service}, {bl.describe_baseline(baseline)}",),
        )

    def _predict(
        self, outcome: Outcome, baseline: bl.Baseline, releases: tuple[Release, ...], rules: Rules
    ) -> tuple[e.Prediction, ...]:
        if CURRENT not in outcome.samples:
            return ()
        p99 = compute_p99_ratio(outcome.comparisons)
        errors = compute_error_ratio(outcome.samples[CURRENT], outcome.samples[CANDIDATE])
        wanted = ((p99, rules.p99_limit_ms), (errors, rules.error_rate_limit))
        least = self._settings.validation.prediction_min_releases
        found = (predict(r, baseline, releases, limit=limit, min_releases=least) for r, limit in wanted if r)
        return tuple(p for p in found if p is not None)


def _was_asked(change: Change) -> bool:
    return any(trigger.rule == _OVER for gate in change.gates for trigger in gate.triggers)


def _ask(change: Change, asks: tuple[str, ...]) -> e.HumanRequested:
    """A person decides about the canary: it may well go over a limit."""
    trigger = e.Trigger(
        rule=_OVER,
        summary="production is expected to come over a limit: " + "; ".join(asks),
        evidence=asks,
        clears_when="the upper end of the prediction is under the limit, or a person lets the canary try",
    )
    gate = e.Gate(
        gate_id=f"{change.run}-validation-{len(change.gates) + 1}", before=e.Stage.DEPLOYMENT, triggers=(trigger,)
    )
    return e.HumanRequested(gate=gate, why=explain(change, "ask-human", f"A human is asked: {trigger.summary}.", _OVER))


def _validated(change: Change, judged: list[Judged]) -> e.StagingValidated:
    predictions = tuple(p for j in judged for p in j.predictions)
    warnings = tuple(text for j in judged for text in j.warnings)
    foreseen = assess_predictions(predictions)
    failed = [j for j in judged if j.answer.verdict is Verdict.FAIL]
    unclear = [j for j in judged if j.answer.verdict is Verdict.INCONCLUSIVE]
    checks = tuple(j.check for j in judged if j.check)
    shown, heading = judged, "The candidate holds up against the current version"
    rules: list[str] = []
    if failed:
        shown, heading, rules = failed, "The candidate is worse than the current version", ["validation.regression"]
    elif unclear:
        shown, heading, rules = unclear, "Validation is inconclusive", ["validation.inconclusive"]
    elif foreseen.blocks:
        heading = "Production would break a limit: " + "; ".join(foreseen.blocks)
        rules = [_OVER]
    text = "; ".join(f"{j.service}: {', '.join(j.answer.reasons)}" for j in shown)
    advice = " Longer or more load tells more: validation.load_duration_s, load_rate_rps." if shown is unclear else ""
    passed = f" {sum(c.passed for c in checks)} of {len(checks)} integration runs passed." if checks else ""
    told = [*foreseen.told, *(f"warning: {w}" for w in warnings), *(r for j in judged for r in j.remarks)]
    rules += ["validation.baseline_breaks_limit"] * bool(warnings)
    blocked = bool(failed or foreseen.blocks)
    return e.StagingValidated(
        proceed=not blocked and not unclear,
        checks=checks,
        services=tuple(
            e.ServiceComparison(
                service=j.service,
                comparisons=j.outcome.comparisons if j.outcome else (),
                evidence=j.outcome.evidence if j.outcome else None,
            )
            for j in judged
        ),
        predictions=predictions,
        warnings=warnings,
        load_s=max((j.outcome.load_s for j in judged if j.outcome), default=0.0),
        why=explain(
            change,
            "block" if blocked else "inconclusive" if unclear else "proceed",
            f"{heading}: {text}.{passed}{advice}" + "".join(f" {t[0].upper()}{t[1:]}." for t in told),
            *rules,
        ),
    )
