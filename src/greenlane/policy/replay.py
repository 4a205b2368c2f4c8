"""Judging again: every verdict on a comparison or a canary, from the figures that the ledger recorded with it. Pure.

A comparison is recorded as it was judged (`policy/evidence.py`). What the judge of a canary knew stands in the ledger:
its rules in `canary.starting`, and every look in the observations and in the decision to roll back. The same looks go
through the same judge, one by one, and its answers (verdict, reason, figures of each metric) have to be what was
recorded, bit for bit. A figure that was altered, or a verdict that was never given, shows as a difference.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.domain.change import Recorded
from greenlane.domain.delivery import CanaryJudgement, Tick, TrafficReading, Verdict
from greenlane.domain.events import (
    CanaryInconclusive,
    CanaryObserved,
    CanaryPromoted,
    CanaryRollingBack,
    CanaryStarting,
    ServiceComparison,
    StagingValidated,
)
from greenlane.policy.alignment import ERROR_RATE, P99, compute_recorded
from greenlane.policy.canary import PhaseJudge
from greenlane.policy.canary_plan import FULL_PERCENT, JUDGE_VERSION, Phase, Rules, rules_of
from greenlane.policy.canary_trail import RESTARTED, RESUMED, PassedPhase, begin_phase
from greenlane.policy.counting import add_up
from greenlane.policy.evidence import judge_again
from greenlane.policy.prediction import assess_predictions
from greenlane.policy.regression import Validated

NOT_JUDGED = "not a verdict of the judge"


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded judgement. `seq` is its place in the ledger, `again` what was found now (empty: nothing to judge),
    `differences` what is not as recorded: none, and it is the same bit for bit."""

    seq: int
    what: str
    recorded: str
    again: str = ""
    looks: int = 0
    differences: tuple[str, ...] = ()


def replay_run(history: Sequence[Recorded]) -> tuple[Replayed, ...]:
    """Every judgement of a run that rests on figures, in the order of the ledger."""
    return tuple(sorted((*replay_validations(history), *replay_canaries(history)), key=lambda r: r.seq))


def replay_validations(history: Sequence[Recorded]) -> tuple[Replayed, ...]:
    """Every comparison of a candidate with the current version under load, and what was made of them."""
    found: list[Replayed] = []
    for record in history:
        if isinstance(record.event, StagingValidated):
            found += [_compared(record.seq, s) for s in record.event.services if s.evidence is not None]
            if record.event.services and all(s.evidence is not None for s in record.event.services):
                found.append(_proceeded(record.seq, record.event))
    return tuple(found)


def _compared(seq: int, recorded: ServiceComparison) -> Replayed:
    evidence = recorded.evidence
    assert evidence is not None, "there is something to judge"
    try:
        again = judge_again(evidence)
    except (ValueError, StopIteration, zlib.error, msgspec.DecodeError) as error:
        text = f"what was recorded of the load can't be read: {error}"
        return Replayed(
            seq=seq, what=f"comparison of {recorded.service}", recorded=evidence.verdict, differences=(text,)
        )
    differences = []
    if again.answer != Validated(verdict=evidence.verdict, reasons=evidence.reasons):
        now = f"{again.answer.verdict} ({', '.join(again.answer.reasons)})"
        differences.append(f"verdict: recorded {evidence.verdict} ({', '.join(evidence.reasons)}), judged again {now}")
    if msgspec.json.encode(again.comparisons) != msgspec.json.encode(recorded.comparisons):
        differences.append(f"figures: recorded {recorded.comparisons}, judged again {again.comparisons}")
    return Replayed(
        seq=seq,
        what=f"comparison of {recorded.service} after {evidence.load_s:g} s of load",
        recorded=f"{evidence.verdict}: {', '.join(evidence.reasons)}",
        again=f"{again.answer.verdict}: {', '.join(again.answer.reasons)}",
        looks=1,
        differences=tuple(differences),
    )


def _proceeded(seq: int, event: StagingValidated) -> Replayed:
    """Only what passed everywhere, and is not expected to break a limit in production, goes on."""
    passed = all(s.evidence is not None and s.evidence.verdict is Verdict.PASS for s in event.services)
    proceed = passed and all(c.passed for c in event.checks) and not assess_predictions(event.predictions).blocks
    recorded, again = ("proceed" if answer else "do not proceed" for answer in (event.proceed, proceed))
    differences = () if recorded == again else (f"recorded {recorded}, judged again {again}",)
    return Replayed(seq=seq, what="validation", recorded=recorded, again=again, differences=differences)


def replay_canaries(history: Sequence[Recorded]) -> tuple[Replayed, ...]:
    """Every judgement on every canary of a run, oldest first."""
    found: list[Replayed] = []
    for place, record in enumerate(history):
        if isinstance(record.event, CanaryStarting):
            if record.event.aligned:
                found.append(_aligned(record.seq, record.event))
            found += _CanaryReplay(record.event).run(history[place + 1 :])
    return tuple(found)


def _aligned(seq: int, starting: CanaryStarting) -> Replayed:
    """The limits follow from the recorded history, and are those that the canary was judged by."""
    judged_by = {ERROR_RATE: starting.error_rate_limit, P99: starting.p99_limit_ms}
    differences = []
    for each in starting.aligned:
        again = compute_recorded(each)
        if again != each.limit:
            differences.append(f"{each.metric}: recorded {each.limit!r}, from its history {again!r}")
        if judged_by.get(each.metric) != each.limit:
            differences.append(f"{each.metric}: taken {each.limit!r}, judged by {judged_by.get(each.metric)!r}")
    return Replayed(
        seq=seq,
        what=f"limits of the canary of {starting.service}, aligned with history",
        recorded=", ".join(f"{each.metric} {each.limit:g}" for each in starting.aligned),
        again=", ".join(f"{each.metric} {compute_recorded(each):g}" for each in starting.aligned),
        differences=tuple(differences),
    )


class _CanaryReplay:
    """One canary: what came after its start, judged again as the watch judged it."""

    def __init__(self, starting: CanaryStarting) -> None:
        self._starting = starting
        self._rules: Rules = rules_of(starting)
        self._passed: list[PassedPhase] = []
        self._judge: PhaseJudge | None = None
        self._phase = ""
        self._ticks: list[Tick] = []
        self._last: CanaryJudgement | None = None
        self._rolling: CanaryJudgement | None = None

    def run(self, later: Iterable[Recorded]) -> Iterator[Replayed]:
        for record in later:
            event = record.event
            if getattr(event, "deployment_id", None) != self._starting.deployment_id:
                continue
            if isinstance(event, CanaryObserved):
                if event.phase in (RESUMED, RESTARTED):
                    self._begin_again(event)
                else:
                    yield self._judged(record.seq, event.phase, event.ticks, event.reading, event.judgement)
                    self._close(event)
            elif isinstance(event, CanaryRollingBack):
                yield self._rolled(record.seq, event)
            elif isinstance(event, CanaryPromoted):
                yield self._promoted(record.seq)
            elif isinstance(event, CanaryInconclusive):
                yield self._asked(record.seq, event)

    # ------------------------------------------------------------ one judgement

    def _judged(
        self, seq: int, phase: str, ticks: tuple[Tick, ...], reading: TrafficReading, recorded: CanaryJudgement
    ) -> Replayed:
        what = f"canary of {self._starting.service}, {phase}"
        told = _words(recorded)
        if self._starting.judge != JUDGE_VERSION:
            text = f"judged by version {self._starting.judge} of the judge; this is version {JUDGE_VERSION}"
            return Replayed(seq=seq, what=what, recorded=told, differences=(text,))
        if phase not in list(Phase):
            return Replayed(seq=seq, what=what, recorded=told, differences=(f"there is no phase {phase}",))
        if phase != self._phase:
            self._judge, self._phase = begin_phase(self._rules, self._passed, Phase(phase)), phase
            self._ticks.clear()
        assert self._judge is not None, "a phase was begun"
        if not ticks:
            return Replayed(seq=seq, what=what, recorded=told, differences=("no look was recorded",))
        differences = []
        for tick in ticks:
            if self._last is not None and self._last.verdict is not Verdict.WAIT:
                differences.append(f"the judge said {self._last.verdict} before the look at {tick.at_s:g} s")
            self._last = self._judge.look(tick)
            self._ticks.append(tick)
        assert self._last is not None, "there was a look"
        differences += _compare(recorded, self._last)
        differences += _compare_counts(reading, self._ticks)
        return Replayed(
            seq=seq,
            what=f"{what} at {ticks[-1].at_s:g} s",
            recorded=told,
            again=_words(self._last),
            looks=len(ticks),
            differences=tuple(differences),
        )

    def _rolled(self, seq: int, event: CanaryRollingBack) -> Replayed:
        self._rolling = event.judgement
        if event.phase and event.judgement is not None:
            return self._judged(seq, event.phase, event.ticks, event.reading, event.judgement)
        told = _words(event.judgement) if event.judgement else "no judgement"
        what = f"canary of {self._starting.service}, {event.trigger}"
        if event.judgement is not None and event.judgement.metrics:
            text = "metrics were judged, and no look was recorded"
            return Replayed(seq=seq, what=what, recorded=told, differences=(text,))
        return Replayed(seq=seq, what=what, recorded=told, again=NOT_JUDGED)

    def _asked(self, seq: int, event: CanaryInconclusive) -> Replayed:
        """People are asked because of the judgement by which it was rolled back, which was judged again before."""
        what, recorded = f"canary of {self._starting.service}, a human is asked", _words(event.judgement)
        if event.judgement == self._rolling:
            return Replayed(seq=seq, what=what, recorded=recorded, again=recorded)
        text = "it is not the judgement by which the canary was rolled back"
        return Replayed(seq=seq, what=what, recorded=recorded, differences=(text,))

    def _promoted(self, seq: int) -> Replayed:
        """All traffic is only given once every phase passed, in their order."""
        first, steps = self._starting.weight_percent, self._starting.steps_percent
        planned = [(Phase.WARM_UP, first), (Phase.WATCH, first), *((Phase.STEP, weight) for weight in steps)]
        due = [(phase, weight) for phase, weight in planned if self._rules.duration_s(phase) > 0]
        seen = [(each.phase, each.observed.weight_percent) for each in self._passed]
        differences = () if seen == due else (f"passed: {_phases(seen)}; planned: {_phases(due)}",)
        what = f"canary of {self._starting.service}, promoted to {FULL_PERCENT:g} %"
        return Replayed(
            seq=seq, what=what, recorded="pass: every phase has passed",
            again="" if differences else "pass: every phase has passed", differences=differences,
        )  # fmt: skip

    # ------------------------------------------------------------ from phase to phase

    def _close(self, event: CanaryObserved) -> None:
        """A phase that passed in the ledger is over; whether it passed here, too, was compared."""
        if event.judgement.verdict is Verdict.PASS:
            self._passed.append(PassedPhase(observed=event, ticks=tuple(self._ticks)))
            self._leave()

    def _begin_again(self, event: CanaryObserved) -> None:
        if event.phase == RESTARTED:
            self._passed.clear()
        self._leave()

    def _leave(self) -> None:
        self._judge, self._phase, self._last = None, "", None
        self._ticks.clear()


def _compare(recorded: CanaryJudgement, again: CanaryJudgement) -> list[str]:
    """What of two judgements is not the same, down to the last bit of each figure."""
    if msgspec.json.encode(recorded) == msgspec.json.encode(again):
        return []
    found = []
    for name in ("verdict", "reason", "requests", "needed"):
        before, now = getattr(recorded, name), getattr(again, name)
        if before != now:
            found.append(f"{name}: recorded {before}, judged again {now}")
    if recorded.metrics != again.metrics:
        found.append(
            "figures: recorded "
            + "; ".join(f"{m.metric} {m.value!r} {m.verdict} ({m.reason})" for m in recorded.metrics)
            + ", judged again "
            + "; ".join(f"{m.metric} {m.value!r} {m.verdict} ({m.reason})" for m in again.metrics)
        )
    return found


def _compare_counts(reading: TrafficReading, ticks: Sequence[Tick]) -> list[str]:
    """The recorded sum of a phase has to be the sum of its looks."""
    if not all(tick.readable for tick in ticks):
        return []  # counters went backwards: the reading is what they showed then
    total = add_up(ticks)
    found = []
    for name in ("stable", "canary"):
        kept, summed = getattr(reading, name), getattr(total, name)
        for figure in ("requests", "errors", "over_limit"):
            if getattr(kept, figure) != getattr(summed, figure):
                text = f"{name} {figure.replace('_', ' ')}: recorded {getattr(kept, figure)}"
                found.append(f"{text}, the looks make {getattr(summed, figure)}")
    return found


def _phases(phases: Sequence[tuple[Phase, float]]) -> str:
    return ", ".join(f"{phase} at {weight:g} %" for phase, weight in phases) or "none"


def _words(judgement: CanaryJudgement) -> str:
    return f"{judgement.verdict}: {judgement.reason}"
