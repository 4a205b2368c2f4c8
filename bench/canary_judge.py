"""The canary judge on simulated traffic, beside the published rules of its peers.

Every trial is one canary: the proxy's counters, second by second, go through the judge that production uses
(`greenlane.policy.canary.PhaseJudge`: warm-up, watch, extensions, steps). Only the counts are simulated. The peers see
the same counts of the first eleven minutes, from the first request on, and no warm-up.

The times are from the first request that the candidate gets: our warm-up of a minute is included.

One canary of each block is written down as the ledger keeps it, and judged again from that (`greenlane replay`): every
verdict has to be the same bit for bit.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

import _canary_page
from _canary_page import OURS
from _canary_record import Recorder
from _harness import Bench, run
from _peers import PEERS
from _traffic import SCENARIOS, WEIGHT, Draw, Scenario
from greenlane.domain.delivery import Counters, Spread, Tick, Verdict
from greenlane.domain.events import Lane
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.canary import Evidence, PhaseJudge
from greenlane.policy.canary_plan import Phase, Rules, resolve_thresholds
from greenlane.policy.counting import compute_sum

MAKE_BENCH_TIMEOUT_S = 3600
TRIALS, QUICK_TRIALS = 2000, 100
BLOCK = 50
"""Trials that are drawn at once, and one piece of work for the pool."""
PEER_SECONDS = 660
PLAN = resolve_thresholds(Settings(), Service(name="shop"), Lane.GREEN)
CHOICE_TRIALS = 500


@dataclass
class Tally:
    """What became of the trials of one scenario under one judge. Times in seconds; infinity: not rolled back."""

    rolled_s: list[float] = field(default_factory=list)
    asked: int = 0
    passed: int = 0
    harmed: list[int] = field(default_factory=list)

    replayed: int = 0
    different: int = 0
    """Verdicts that were judged again from what the ledger keeps, and those that were not the same then."""

    def add(self, other: Tally) -> None:
        self.rolled_s += other.rolled_s
        self.replayed += other.replayed
        self.different += other.different
        self.asked += other.asked
        self.passed += other.passed
        self.harmed += other.harmed

    @property
    def trials(self) -> int:
        return len(self.rolled_s)

    @property
    def rolled(self) -> float:
        return sum(math.isfinite(s) for s in self.rolled_s) / self.trials

    def time_s(self, percent: float) -> float:
        """The time within which so many of all trials were rolled back."""
        ordered = sorted(self.rolled_s)
        return ordered[max(0, math.ceil(self.trials * percent / 100) - 1)]

    @property
    def mean_harmed(self) -> float:
        return sum(self.harmed) / self.trials


Tallies = dict[tuple[str, str, str], Tally]
"""By scenario, judge, and the value of `canary.over_not_proven` that was tried (empty: the default)."""


@dataclass(frozen=True)
class Work:
    scenario: int
    seed: int
    trials: int
    choice: str = ""
    """A value of `canary.over_not_proven` that is tried; empty: the default, beside the peers."""


def rules_for(scenario: Scenario, known: tuple[Spread, Spread] | None, choice: str) -> Rules:
    rules = msgspec.structs.replace(PLAN.rules, error_rate_limit=scenario.error_limit)
    if known is not None:
        rules = msgspec.structs.replace(rules, spread_errors=known[0], spread_slow=known[1])
    return msgspec.structs.replace(rules, over_not_proven=choice) if choice else rules


def work(job: Work) -> tuple[Work, dict[str, Tally]]:
    """One block of trials of one scenario, under every judge. Runs in the pool."""
    scenario = SCENARIOS[job.scenario]
    draw = Draw(scenario, job.trials, job.seed)
    rules = PLAN.rules
    known = draw.known()
    phases = [(Phase.WARM_UP, draw.counts(int(rules.warmup_s), WEIGHT, 0))]
    longest = int(rules.watch_s * rules.extend_max_factor)
    phases.append((Phase.WATCH, draw.counts(longest, WEIGHT, int(rules.warmup_s))))
    at_s = int(rules.warmup_s + rules.watch_s)
    for weight in PLAN.steps_percent:
        seconds = int(rules.step_s * rules.extend_max_factor)
        phases.append((Phase.STEP, draw.counts(seconds, weight / 100, at_s)))
        at_s += int(rules.step_s)
    ours = Tally()
    for trial in range(job.trials):
        rules = rules_for(scenario, known[trial], job.choice)
        recorder = Recorder(rules, PLAN) if trial == 0 else None
        drive(rules, [(p, counts[trial]) for p, counts in phases], ours, recorder)
        if recorder is not None:
            ours.replayed, ours.different = recorder.replay()
    result = {OURS: ours}
    if not job.choice:
        seen = np.concatenate([phases[0][1], phases[1][1]], axis=1)[:, :PEER_SECONDS]
        for name, rule in PEERS.items():
            result[name] = _of_peer(seen, rule(seen, scenario.error_limit))
    return job, result


def drive(rules: Rules, phases: list[tuple[Phase, np.ndarray]], tally: Tally, recorder: Recorder | None = None) -> None:
    """One canary through the judge, tick by tick, until it is over."""
    evidence, passed, before_s, harmed = Evidence(rules), Counters(), 0, 0
    for phase, counts in phases:
        judge = PhaseJudge(rules, evidence, phase, passed)
        verdict = Verdict.WAIT
        for second, row in enumerate(counts.tolist(), start=1):
            tick = Tick(float(second), *row)
            judge.take(tick)
            verdict = judge.judge().verdict if judge.may_end else Verdict.WAIT
            if recorder is not None:
                recorder.note(phase, tick, judge.judge())
            harmed += row[4] + row[5]
            if verdict is not Verdict.WAIT:
                break
        if verdict is not Verdict.PASS:
            tally.rolled_s.append(before_s + second if verdict is Verdict.FAIL else math.inf)
            tally.asked += verdict is not Verdict.FAIL
            break
        before_s += second
        if phase is not Phase.WARM_UP:
            passed = compute_sum(passed, judge.canary)
    else:
        tally.rolled_s.append(math.inf)
        tally.passed += 1
    tally.harmed.append(harmed)


def _of_peer(seen: np.ndarray, rolled_s: np.ndarray) -> Tally:
    bad = (seen[:, :, 4] + seen[:, :, 5]).cumsum(axis=1)
    last = np.minimum(rolled_s, seen.shape[1]).astype(int) - 1
    harmed = bad[np.arange(len(seen)), last]
    passed = int(np.isinf(rolled_s).sum())
    return Tally(rolled_s=rolled_s.tolist(), passed=passed, harmed=harmed.tolist())


def _jobs(bench: Bench) -> Iterator[Work]:
    trials = bench.args.trials or (QUICK_TRIALS if bench.quick else TRIALS)
    wanted = [i for i, s in enumerate(SCENARIOS) if not bench.args.only or bench.args.only in s.name]
    for index in wanted:
        for seed in range(0, trials, BLOCK):
            yield Work(index, index * 1_000_003 + seed, min(BLOCK, trials - seed))
    for index in wanted:
        if SCENARIOS[index].name in _canary_page.CHOICE_SCENARIOS:
            for choice in _canary_page.CHOICES:
                for seed in range(0, min(trials, CHOICE_TRIALS), BLOCK):
                    yield Work(index, index * 1_000_003 + seed, min(BLOCK, trials - seed), choice)


def measure(bench: Bench) -> None:
    jobs = list(_jobs(bench))
    tallies: Tallies = {}
    total = sum(job.trials for job in jobs)
    with bench.progress("canaries", total=total) as advance, ProcessPoolExecutor(bench.args.at_once) as pool:
        for done in as_completed([pool.submit(work, job) for job in jobs]):
            job, result = done.result()
            for judge, tally in result.items():
                tallies.setdefault((SCENARIOS[job.scenario].name, judge, job.choice), Tally()).add(tally)
            advance(job.trials)
    report(bench, tallies)


def report(bench: Bench, tallies: Tallies) -> None:
    seen = [s for s in SCENARIOS if (s.name, OURS, "") in tallies]
    bench.figure("scenarios", len(seen), "kinds of traffic")
    bench.figure("trials", min(tallies[s.name, OURS, ""].trials for s in seen), "canaries of each, at least")
    false = {s.name: tallies[s.name, OURS, ""].rolled for s in seen if not s.bad}
    told = [false[s.name] for s in seen if not s.bad and s.told]
    if told:
        bench.figure("false_rollback_worst_pct", 100 * max(told), "rolled back though healthy, worst, %")
    unknown = [false[s.name] for s in seen if not s.bad and not s.told]
    if unknown:
        bench.figure("false_rollback_unknown_bursts_pct", 100 * max(unknown), "likewise, bursts never seen before, %")
    kept = [tallies[s.name, OURS, ""] for s in seen if s.never_pass]
    if kept:
        bench.figure("passed_without_data", sum(t.passed for t in kept), "passed with too few requests")
    bench.figure(
        "slower_than_a_peer", _count_slower(bench, seen, tallies), "bad kinds in which an honest peer is as quick"
    )
    disaster = tallies.get(("bad: 20 % errors", OURS, ""))
    if disaster is not None:
        bench.figure("disaster_median_s", disaster.time_s(50), "20 % errors at 5/s, from the first request")
        bench.goal("20 % errors at 5/s are stopped within 10 s of the first request", "disaster_median_s", "<=", 10)
    replayed = [t for (_, judge, _), t in tallies.items() if judge == OURS]
    bench.figure("replayed", sum(t.replayed for t in replayed), "verdicts judged again from what the ledger keeps")
    bench.figure("replayed_different", sum(t.different for t in replayed), "of these, not the same bit for bit")
    bench.goal("at most 1 % false rollbacks in every healthy scenario", "false_rollback_worst_pct", "<=", 1.0)
    bench.goal("quicker than every peer that keeps to 1 %", "slower_than_a_peer", "==", 0)
    bench.goal("no data never passes", "passed_without_data", "==", 0)
    bench.goal("each verdict is replayed bit for bit", "replayed_different", "==", 0)
    _canary_page.show(bench, seen, tallies)
    if bench.args.docs is not None:
        _canary_page.write(bench.args.docs, seen, tallies)


def _count_slower(bench: Bench, seen: list[Scenario], tallies: Tallies) -> int:
    slower = 0
    for scenario in (s for s in seen if s.bad):
        ours = tallies[scenario.name, OURS, ""].time_s(50)
        honest = _canary_page.honest(seen, tallies, scenario.traffic)
        best = min((tallies[scenario.name, peer, ""].time_s(50) for peer in honest), default=math.inf)
        if math.isinf(ours) or ours >= best:
            slower += 1
            bench.note(f"not quicker: {scenario.name}: {ours} s, best peer within 1 % {best} s ({', '.join(honest)})")
    return slower


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trials", type=int, help=f"canaries of each scenario (default {TRIALS})")
    parser.add_argument("--only", metavar="TEXT", help="only scenarios whose name has this text")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    parser.add_argument("--docs", type=Path, metavar="DIR", help="write the table and the plot there, too")


if __name__ == "__main__":
    run("canary_judge", "The canary judge beside its peers, on simulated traffic", measure, arguments=add_arguments)
