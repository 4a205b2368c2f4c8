"""The review agent: reads a change against the point where it left the base branch, and decides how it may go on.

Analyzers bring findings with proof, the sandbox says which changed lines no test runs, and policies turn both into a
score, a lane and the questions that a human must answer. It asks and never blocks; it has no effect outside, so after a
crash it simply reads again.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import msgspec

import greenlane
from greenlane.agents.base import Yielded
from greenlane.agents.review_text import explain_model, explain_review, name_inputs, name_rules
from greenlane.analyzers.base import EVERYTHING
from greenlane.analyzers.reader import ChangeReader, Reading, rank_findings, risk_facts
from greenlane.analyzers.record import analysed_hunks, bound_record, reading_words, with_model
from greenlane.analyzers.summary import list_changed_files, summarise
from greenlane.domain.change import Change
from greenlane.domain.events import (
    Event,
    Gate,
    HumanRequested,
    Input,
    PrOpened,
    PrUpdated,
    Reasoning,
    ReviewComplete,
    SkippedFile,
    Stage,
)
from greenlane.domain.history import AuthorRecord, HistoryFacts
from greenlane.domain.opinion import ModelReview
from greenlane.domain.settings import Settings
from greenlane.domain.weights import FittedWeights
from greenlane.policy.paths import match_paths
from greenlane.policy.review import ReviewVerdict, assess_review
from greenlane.policy.rollout import assess_rollout
from greenlane.ports.history import History, Track
from greenlane.ports.reviewer import Reviewer, ReviewMaterial

_MAX_FINDINGS = 500
_MAX_SKIPPED = 200
_MAX_FILES = 500
"""What one event holds; the worst come first and what is left out is counted. Decisions are made on all of them."""


class ReviewAgent:
    """Listens to opened and updated pull requests; ends with `review.complete`."""

    def __init__(
        self,
        reader: ChangeReader,
        settings: Settings,
        work_dir: Path,
        *,
        history: History | None = None,
        reviewer: Reviewer | None = None,
        weights: FittedWeights | None = None,
        track: Track | None = None,
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._work_dir = work_dir
        self._history = history
        self._reviewer = reviewer
        self._weights = weights
        self._track = track

    @property
    def stage(self) -> Stage:
        return Stage.REVIEW

    @property
    def version(self) -> str:
        return greenlane.__version__

    @property
    def listens_to(self) -> tuple[type[Event], ...]:
        return (PrOpened, PrUpdated)

    async def act(self, change: Change) -> AsyncIterator[Yielded]:
        """Yields the gates and the result in one group, so that a result without its gates can never stand."""
        if change.review is not None:
            return
        folder = self._work_dir / change.run
        try:
            opened = change.opened
            reading = await self._reader.read(opened.merge_base_sha, opened.head_sha, folder)
            history = await self._look_back(opened, reading)
            record = await self._track.record_of(opened.author) if self._track else None
            model = await self._ask_model(change, reading, folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        yield self._decide(change, reading, history, model, record)

    async def _look_back(self, opened: PrOpened, reading: Reading) -> HistoryFacts | None:
        if self._history is None:
            return None
        return await self._history.facts(
            merge_base_sha=opened.merge_base_sha, head_sha=opened.head_sha, author=opened.author, diff=reading.diff
        )

    async def _ask_model(self, change: Change, reading: Reading, folder: Path) -> ModelReview | None:
        if self._reviewer is None:
            return None
        material = ReviewMaterial(
            repo=change.opened.repo,
            pr_number=change.opened.pr_number,
            diff=reading.diff,
            base=folder / "base",
            head=folder / "head",
            findings=reading.findings,
            sensitive_paths=match_paths(self._settings.review.sensitive_paths, reading.paths),
            intent_title=change.opened.title,
            intent_description=change.opened.description,
        )
        return await self._reviewer.review(material)

    def _decide(
        self,
        change: Change,
        reading: Reading,
        history: HistoryFacts | None,
        model: ModelReview | None,
        record: AuthorRecord | None,
    ) -> tuple[Event, ...]:
        """The gates and the result, as one group of events."""
        facts = msgspec.structs.replace(risk_facts(reading, self._settings), history=history, author_record=record)
        verdict = assess_review(
            facts,
            model=model,
            paths=reading.paths,
            labels=change.opened.labels,
            services=reading.services,
            settings=self._settings,
            weights=self._weights,
        )
        rollout = assess_rollout(
            self._settings.rollout, repo=change.opened.repo, pr_number=change.opened.pr_number, lane=verdict.lane.lane
        )
        verdict = msgspec.structs.replace(verdict, gates=(*verdict.gates, *rollout))
        changed = list_changed_files(reading.diff, facts.sensitive_paths)
        shadow = self._settings.orchestration.mode == "shadow"
        read = with_model(reading.read, model)
        analysed, hunks = analysed_hunks(read)
        inputs = name_inputs(change.opened, reading.diff, verdict.weights)
        findings = rank_findings([*reading.findings, *verdict.model_findings])
        complete = ReviewComplete(
            why=Reasoning(
                decision="observe" if shadow else "ask-human" if verdict.gates else "proceed",
                rationale=" ".join(
                    (
                        explain_review(reading.diff, reading.findings, reading.skipped, reading.coverage, verdict),
                        *explain_model(model),
                    )
                ),
                rules_fired=name_rules(findings, verdict),
                risk_score=verdict.risk.score,
                inputs=inputs,
                model_id=_model_of(model, "model_id"),
                prompt_digest=_model_of(model, "prompt_digest"),
            ),
            proceed=True,
            risk_score=verdict.risk.score,
            risk_points=verdict.risk.points,
            threshold=verdict.limit.value,
            lane=verdict.lane.lane,
            lanes_matched=verdict.lane.lanes_matched,
            services=tuple(s.name for s in reading.services),
            findings=findings[:_MAX_FINDINGS],
            coverage=reading.coverage.files,
            skipped=_bounded(reading.skipped),
            analyzers=self._reader.analyzers,
            history=history,
            model=model,
            shadow=shadow,
            gates=verdict.gates,
            files=changed[:_MAX_FILES],
            files_left_out=len(changed[_MAX_FILES:]),
            suite_passed=reading.coverage.suite_passed,
            files_changed=len(reading.diff.files),
            lines_added=reading.diff.added_count,
            lines_removed=reading.diff.removed_count,
            summary=(*summarise(reading.diff), f"read: {reading_words(read)}", *_name_unclaimed(reading.unclaimed)),
            read=bound_record(read),
            hunks=hunks,
            hunks_analysed=analysed,
            weights=verdict.weights,
            limit_moves=verdict.limit.moves,
            change_type=facts.change_type,
            author_record=record,
            schema_changes_detected=bool(verdict.signals.schema),
            new_service_integration=bool(verdict.signals.integrations),
            breaking_api_contract=bool(verdict.signals.breaking_api),
        )
        if shadow:
            return (complete,)
        return (*(_request(gate, verdict, inputs) for gate in verdict.gates), complete)


def _request(gate: Gate, verdict: ReviewVerdict, inputs: tuple[Input, ...]) -> HumanRequested:
    return HumanRequested(
        gate=gate,
        why=Reasoning(
            decision="ask-human",
            rationale=f"A human is asked before {gate.before}: " + "; ".join(t.summary for t in gate.triggers) + ".",
            rules_fired=tuple(t.rule for t in gate.triggers),
            risk_score=verdict.risk.score,
            inputs=inputs,
        ),
    )


def _model_of(model: ModelReview | None, field: Literal["model_id", "prompt_digest"]) -> str | None:
    """What the record names of the model: of its last call, if one was made."""
    return getattr(model.calls[-1], field) if model and model.calls else None


def _bounded(skipped: tuple[SkippedFile, ...]) -> tuple[SkippedFile, ...]:
    if len(skipped) <= _MAX_SKIPPED:
        return skipped
    rest = SkippedFile(path=EVERYTHING, analyzer="review", reason=f"and {len(skipped) - _MAX_SKIPPED} more")
    return (*skipped[:_MAX_SKIPPED], rest)


def _name_unclaimed(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Files of no service are read like all others, but nothing deploys them: that is said."""
    if not paths:
        return ()
    shown = ", ".join(paths[:4]) + (" ..." if len(paths) > 4 else "")
    return (f"in no service: {len(paths)} file{'s' if len(paths) > 1 else ''} ({shown})",)
