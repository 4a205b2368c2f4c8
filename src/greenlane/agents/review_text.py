"""What the review agent says: its rationale in full sentences with the figures that were compared. For `review.py`."""

from __future__ import annotations

from collections import Counter

from greenlane.analyzers.base import CoverageReport
from greenlane.domain.diff import Diff
from greenlane.domain.events import Input, PrOpened, SkippedFile
from greenlane.domain.findings import Finding, Severity
from greenlane.domain.opinion import ModelReview
from greenlane.domain.weights import FittedWeights
from greenlane.policy.review import ReviewVerdict


def explain_review(
    diff: Diff,
    findings: tuple[Finding, ...],
    skipped: tuple[SkippedFile, ...],
    coverage: CoverageReport,
    verdict: ReviewVerdict,
) -> str:
    limit = verdict.limit
    if limit.is_reached(verdict.risk.score):
        compared = f"reaches the limit of {limit.value:g} set by {limit.source}"
    else:
        compared = f"is under the limit of {limit.value:g} set by {limit.source}"
    lanes = "; ".join(
        f"{lane}: {reason}" for lane, reason in zip(verdict.lane.lanes_matched, verdict.lane.reasons, strict=True)
    )
    return " ".join(
        (
            f"The risk score {verdict.risk.score:g} {compared} (weights: {verdict.weights.words}).",
            f"The lane is {verdict.lane.lane} ({lanes}).",
            f"Files read: {len(diff.files)}; lines added: {diff.added_count}, removed: {diff.removed_count}.",
            _findings(findings),
            _coverage(coverage),
            _gaps(skipped),
        )
    )


def explain_model(model: ModelReview | None) -> tuple[str, ...]:
    """What a model was asked and said, with what it took; nothing if none is configured."""
    if model is None:
        return ()
    tokens, cost = sum(c.input_tokens + c.output_tokens for c in model.calls), sum(c.cost_usd for c in model.calls)
    took = f"{len(model.calls)} calls, {tokens} tokens, ${cost:.4f}"
    left_out = (
        f" Not shown to it: {len(model.left_out)} parts, the first {model.left_out[0]}." if model.left_out else ""
    )
    if model.opinion is None:
        return (f"The model gave no reading: {model.outcome} ({model.detail or 'nothing to read'}; {took}).{left_out}",)
    dropped = f" {model.dropped} of its concerns quote nothing that exists and were dropped." if model.dropped else ""
    return (
        f"The model gives {model.opinion.risk_score:g}, which can only raise the score ({took}).{dropped}{left_out}",
    )


def _findings(findings: tuple[Finding, ...]) -> str:
    if not findings:
        return "The analyzers found nothing."
    counts = Counter(f.severity for f in findings)
    parts = ", ".join(f"{counts[s]} {s}" for s in reversed(Severity) if counts[s])
    worst = findings[0]
    where = f"{worst.path}:{worst.line}" if worst.line else worst.path
    return f"The analyzers found {parts}; the worst is {worst.rule} at {where}."


def _coverage(coverage: CoverageReport) -> str:
    if coverage.unavailable:
        return f"Coverage could not be measured: {coverage.unavailable}."
    covered = sum(len(c.covered) for c in coverage.files)
    measured = covered + sum(len(c.uncovered) for c in coverage.files)
    if not measured:
        return "No executable line changed."
    suite = "pass" if coverage.suite_passed else "fail"
    return f"The existing tests ({coverage.tests_run}) {suite} and run {covered} of {measured} changed lines."


def _gaps(skipped: tuple[SkippedFile, ...]) -> str:
    if not skipped:
        return "Everything was analysed."
    shown = "; ".join(f"{s.path} ({s.analyzer}: {s.reason})" for s in skipped[:3])
    more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return f"Not analysed: {shown}{more}."


def name_inputs(opened: PrOpened, diff: Diff, weights: FittedWeights) -> tuple[Input, ...]:
    """What the review read, by digest: the difference as it was read, the commits of both trees, and fitted weights."""
    digest = diff.sha256 if ":" in diff.sha256 else f"sha256:{diff.sha256}"
    return (
        Input("diff", digest),
        Input("merge-base", opened.merge_base_sha),
        Input("head", opened.head_sha),
        *((Input("risk-weights", f"sha256:{weights.sha256}"),) if weights.sha256 else ()),
    )


def name_rules(findings: tuple[Finding, ...], verdict: ReviewVerdict) -> tuple[str, ...]:
    """Every rule that had a part in the decision, once, in the order of its weight."""
    counted = (f.rule for f in findings if f.severity is not Severity.INFO)
    points = (f"risk.{p.rule}" for p in verdict.risk.points if p.rule != "base")
    moved = (f"limit.{m.rule}" for m in verdict.limit.moves if m.amount)
    asked = (t.rule for gate in verdict.gates for t in gate.triggers)
    return tuple(dict.fromkeys((*asked, *points, *moved, *counted, f"lane.{verdict.lane.lane}")))
