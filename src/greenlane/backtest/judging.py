"""Judges merged changes as the review agent judges a live one: the same reader, the same policies, no test run.

Called by the command line and the benchmarks. Nothing of the repository is written; trees are exported into a folder
of its own, which is removed whatever happens.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from greenlane.adapters.git import LocalGit
from greenlane.adapters.git.merged import MergedChange
from greenlane.adapters.git.rolling import RollingTrees
from greenlane.adapters.history_walk import look_back
from greenlane.analyzers.base import EVERYTHING
from greenlane.analyzers.catalog import build_analyzers
from greenlane.analyzers.reader import ChangeReader, Reading, risk_facts
from greenlane.backtest.asking import Instructions, ModelUse, estimate_use
from greenlane.domain.errors import GreenlaneError
from greenlane.domain.events import LimitMove, Trigger
from greenlane.domain.findings import Finding
from greenlane.domain.history import HistoryFacts
from greenlane.domain.settings import Settings
from greenlane.domain.weights import FittedWeights
from greenlane.policy.review import ReviewVerdict, assess_review
from greenlane.policy.signals import Signals
from greenlane.prompts import load_prompts

MANDATED = frozenset({"schema_changes_detected", "breaking_api_contract", "new_service_integration", "compliance"})
"""Triggers that stand for a policy of the organisation: a person is wanted, however harmless the change is."""
_MANDATED_FLOORS = frozenset({"floor.breaking-api", "floor.destructive-schema", "floor.schema", "floor.integration"})
_ASKS_FOR_FLOOR = {
    "floor.critical": frozenset({"security_finding", "secret_found"}),
    "floor.secret": frozenset({"secret_found"}),
    "floor.security": frozenset({"security_finding"}),
    "floor.rules-changed": frozenset({"rules_changed"}),
    "floor.incomplete-analysis": frozenset({"incomplete_analysis"}),
    "floor.breaking-api": frozenset({"breaking_api_contract"}),
    "floor.destructive-schema": frozenset({"schema_changes_detected"}),
    "floor.schema": frozenset({"schema_changes_detected"}),
    "floor.integration": frozenset({"new_service_integration"}),
}


class JudgedChange(msgspec.Struct, frozen=True, kw_only=True):
    """What Greenlane would have decided. `rules` name what asked for a human: `security_finding.ruff.S608`.

    `mandated` are those of `rules` that stand for a policy. `error` says why the change could not be judged at all:
    a live change would have waited for a human.
    """

    sha: str
    number: int
    title: str
    author: str
    at: int
    lane: str = "red"
    score: float = 0.0
    limit: float = 0.0
    moves: tuple[LimitMove, ...] = ()
    """How the limit came from the one that is configured."""
    over: bool = False
    """Whether the score reaches the limit."""
    rules: tuple[str, ...] = ()
    mandated: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    files: int = 0
    added: int = 0
    removed: int = 0
    model: ModelUse = ModelUse()
    seconds: float = 0.0
    error: str = ""
    failed: tuple[str, ...] = ()
    """Analyzers that failed as a whole."""

    @property
    def to_human(self) -> bool:
        return bool(self.rules)

    @property
    def by_risk(self) -> bool:
        """Whether anything but a policy sends it to a human."""
        return any(rule not in self.mandated for rule in self.rules)


def judge_changes(
    repo: Path,
    changes: Sequence[MergedChange],
    settings: Settings,
    *,
    weights: FittedWeights | None = None,
    on_judged: Callable[[JudgedChange], None] = lambda _: None,
) -> list[JudgedChange]:
    """The verdict on each change, in their order (newest first). What can't be read is a verdict too (`error`).

    The history of each is that of its own base, so nothing that came later is in it.

    The folder with the trees outlives every thread that writes into it, so that nothing is left after Ctrl-C either.
    """
    with tempfile.TemporaryDirectory(prefix="greenlane-backtest-", ignore_cleanup_errors=True) as work:
        past = look_back(repo, changes)
        history = {sha: seen.history for sha, seen in past.items()}
        rules = _Rules(settings, weights, history, _instructions(repo, settings))
        return asyncio.run(_judge_all(repo, changes, rules, Path(work), on_judged))


class _Rules(msgspec.Struct, frozen=True):
    """By what all changes are judged, and what is known of the past of each."""

    settings: Settings
    weights: FittedWeights | None
    history: dict[str, HistoryFacts]
    instructions: Instructions


def _instructions(repo: Path, settings: Settings) -> Instructions:
    """Those that come with Greenlane, with the examples of the base branch."""
    examples = LocalGit(repo).read_folder(settings.repository.base_branch, settings.model.examples_dir, ".md")
    prompts = load_prompts(examples)
    return Instructions(
        always_chars=len(prompts.instructions),
        intent_chars=len(prompts.intent),
        max_tokens=settings.model.max_input_tokens,
    )


async def _judge_all(
    repo: Path,
    changes: Sequence[MergedChange],
    rules: _Rules,
    work: Path,
    on_judged: Callable[[JudgedChange], None],
) -> list[JudgedChange]:
    git = LocalGit(repo)
    trees = RollingTrees(repo)
    settings = rules.settings
    analyzers = build_analyzers(settings.review.analyzer_timeout_s)
    reader = ChangeReader(git, analyzers, settings, coverage=None, trees=trees)
    folders = asyncio.Queue[Path]()
    for index in range(os.cpu_count() or 1):
        folders.put_nowait(work / str(index))

    async def judge(change: MergedChange) -> JudgedChange:
        folder = await folders.get()
        try:
            judged = await _judge(reader, change, rules, folder)
            if judged.error or judged.failed:  # whoever was stopped in the middle may have left something
                await asyncio.to_thread(trees.forget, folder)
        finally:
            folders.put_nowait(folder)
        on_judged(judged)
        return judged

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(judge(change)) for change in changes]
    return [task.result() for task in tasks]


async def _judge(reader: ChangeReader, change: MergedChange, rules: _Rules, folder: Path) -> JudgedChange:
    began, settings = time.monotonic(), rules.settings
    blank = JudgedChange(
        sha=change.head_sha, number=change.number, title=change.title, author=change.author, at=change.at
    )
    try:
        reading = await reader.read(change.base_sha, change.head_sha, folder)
    except GreenlaneError as error:
        return msgspec.structs.replace(blank, rules=("unreadable",), error=error.message)
    facts = msgspec.structs.replace(risk_facts(reading, settings), history=rules.history.get(change.head_sha))
    verdict = assess_review(
        facts, paths=reading.paths, labels=(), services=reading.services, settings=settings, weights=rules.weights
    )
    use = await asyncio.to_thread(
        estimate_use,
        reading.diff,
        folder / "head",
        rules.instructions,
        findings=reading.findings,
        sensitive_paths=facts.sensitive_paths,
    )
    return _describe(blank, reading, verdict, use, time.monotonic() - began)


def _describe(
    blank: JudgedChange, reading: Reading, verdict: ReviewVerdict, use: ModelUse, seconds: float
) -> JudgedChange:
    triggers = [trigger for gate in verdict.gates for trigger in gate.triggers]
    named = [(rule, t) for t in triggers for rule in _rules_of(t, verdict)]
    rules = tuple(dict.fromkeys(rule for rule, _ in named))
    return msgspec.structs.replace(
        blank,
        lane=verdict.lane.lane.value,
        score=verdict.risk.score,
        limit=verdict.limit.value,
        moves=verdict.limit.moves,
        over=verdict.limit.is_reached(verdict.risk.score),
        rules=rules,
        mandated=tuple(dict.fromkeys(rule for rule, t in named if t.rule in MANDATED or _only_mandated(t, verdict))),
        evidence=tuple(t.summary for t in triggers),
        files=len(reading.diff.files),
        added=reading.diff.added_count,
        removed=reading.diff.removed_count,
        model=use,
        seconds=round(seconds, 3),
        failed=tuple(sorted({s.analyzer for s in reading.skipped if s.path == EVERYTHING})),
    )


def _rules_of(trigger: Trigger, verdict: ReviewVerdict) -> list[str]:
    """The rules behind a trigger, by the findings that raised it; a score that a floor raised is no rule of its own."""
    signals = verdict.signals
    if trigger.rule == "incomplete_analysis":
        return sorted({f"incomplete_analysis.{s.analyzer}" for s in signals.skipped})
    if trigger.rule == "risk_score":
        return [] if _asks_twice(verdict) else ["risk_score"]
    found = _findings_of(trigger.rule, signals)
    return sorted({f"{trigger.rule}.{f.rule}" for f in found}) or [trigger.rule]


def _asks_twice(verdict: ReviewVerdict) -> bool:
    """Whether the score is over its limit only for the floor of something that asks for a human by itself as well."""
    floor = next((p for p in verdict.risk.points if p.rule.startswith("floor.")), None)
    if floor is None or verdict.limit.is_reached(verdict.risk.score - floor.points):
        return False
    asking = {trigger.rule for gate in verdict.gates for trigger in gate.triggers}
    return bool(asking & _ASKS_FOR_FLOOR.get(floor.rule, frozenset()))


def _only_mandated(trigger: Trigger, verdict: ReviewVerdict) -> bool:
    """Whether a score is over the limit only for the floor of something that a policy sends to a human."""
    if trigger.rule != "risk_score":
        return False
    raised = [p for p in verdict.risk.points if p.rule.startswith("floor.")]
    by_points = verdict.risk.score - sum(p.points for p in raised)
    return bool(raised) and raised[0].rule in _MANDATED_FLOORS and not verdict.limit.is_reached(by_points)


def _findings_of(rule: str, signals: Signals) -> tuple[Finding, ...]:
    return {
        "security_finding": signals.security,
        "secret_found": signals.secrets,
        "breaking_api_contract": signals.breaking_api,
        "schema_changes_detected": signals.schema,
        "new_service_integration": signals.integrations,
        "rules_changed": signals.rules_changed,
    }.get(rule, ())
