"""What may have caused a rollback, from evidence alone: pure, and never a finding. Called when an incident is reported.

The strongest come first: a line of the change in a stack trace, then its file, then what only the candidate showed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from greenlane.domain.change import Change
from greenlane.domain.diff import Diff
from greenlane.domain.findings import Category
from greenlane.domain.incident import Endpoint, ErrorCluster
from greenlane.policy.log_errors import Frame, LoggedError

HYPOTHESES_MAX = 10
_MIN_FAILED = 3
_CONCENTRATED = 0.8
"""An endpoint with this share of all failures stands out, if it has a clearly smaller share of all requests."""
_USUAL_SHARE = 0.6


class Clues(msgspec.Struct, frozen=True, kw_only=True):
    """What a hypothesis may rest on. `trigger` is what ended the canary."""

    trigger: str
    errors: Sequence[LoggedError] = ()
    clusters: Sequence[ErrorCluster] = ()
    endpoints: Sequence[Endpoint] = ()
    diff: Diff | None = None


def find_hypotheses(change: Change, clues: Clues) -> tuple[str, ...]:
    """Sentences, each with the evidence it rests on; none if nothing points anywhere."""
    found = dict.fromkeys(
        (*_frames(change, clues), *_new_exceptions(clues), *_endpoint(clues), *_circumstances(change, clues))
    )
    return tuple(found)[:HYPOTHESES_MAX]


def _frames(change: Change, clues: Clues) -> Iterator[str]:
    """Places of stack traces that the change touches: those in lines that it wrote first."""
    if clues.diff is None:
        return
    written = {f.path: {line.number for line in f.added} for f in clues.diff.files}
    hits: dict[tuple[str, Frame], int] = {}
    kinds: dict[tuple[str, Frame], dict[str, None]] = {}
    for error in clues.errors:
        for frame in dict.fromkeys(error.frames):
            path = next((p for p in written if frame.path == p or frame.path.endswith("/" + p)), None)
            if path is not None:
                hits[path, frame] = hits.get((path, frame), 0) + 1
                kinds.setdefault((path, frame), {})[error.exception or "an error"] = None
    remarks = {f.path: f for f in reversed(change.review.findings)} if change.review else {}
    for (path, frame), count in sorted(hits.items(), key=lambda h: (h[0][1].line not in written[h[0][0]], -h[1])):
        own = "this change wrote that line" if frame.line in written[path] else "this change touches that file"
        where = f"{path} line {frame.line}" + (f" (in {frame.function})" if frame.function else "")
        names = ", ".join(list(kinds[path, frame])[:3])
        remark = remarks.get(path)
        said = f"; the review remarked {remark.rule} there (line {remark.line})" if remark else ""
        yield f"{where} stands in a stack trace of the candidate ({names}, {count} times), and {own}{said}"


def _new_exceptions(clues: Clues) -> Iterator[str]:
    seen: set[str] = set()
    for cluster in clues.clusters:
        name = cluster.exception.rsplit(".", 1)[-1]
        if not name or cluster.stable_count or name in seen:
            continue
        seen.add(name)
        where = f", at {cluster.frame}" if cluster.frame else ""
        yield (
            f"{name} is in the candidate's log ({cluster.count} times{where}) and not in that of the version beside it"
        )


def _endpoint(clues: Clues) -> Iterator[str]:
    """The endpoint where failures concentrate, unless most requests go there anyway."""
    failed = sum(x.failed for x in clues.endpoints)
    total = sum(x.requests for x in clues.endpoints)
    if failed < _MIN_FAILED:
        return
    worst = max(clues.endpoints, key=lambda x: x.failed)
    if worst.failed / failed < _CONCENTRATED or worst.requests / total > _USUAL_SHARE:
        return
    beside = (
        f"; the version beside it failed {worst.stable_failed} of {worst.stable_requests}"
        if worst.stable_requests
        else ""
    )
    yield (
        f"failures concentrate on {worst.name}: {worst.failed} of {failed} failed answers in the candidate's access "
        f"log, with {worst.requests} of {total} requests{beside}"
    )


def _circumstances(change: Change, clues: Clues) -> Iterator[str]:
    """What the rest of the history says: weaker, so it comes last."""
    if clues.trigger == "error_rate" and not clues.clusters:
        yield (
            "the candidate's log shows no error, though requests failed: look at time-outs, closed connections and "
            "answers with 5xx that the code gives on purpose"
        )
    review = change.review
    if review and review.schema_changes_detected:
        yield "the change migrates the schema, and both versions use one database while the canary runs"
    if review and review.new_service_integration:
        yield "the change calls a service that production did not call before: address, key or limits may differ there"
    if clues.trigger == "p99_latency" and review:
        slow = [f for f in review.findings if f.category is Category.PERFORMANCE]
        for finding in slow[:2]:
            yield f"the review remarked {finding.rule} at {finding.path} line {finding.line}, which may cost time"
    if clues.trigger in ("error_rate", "p99_latency", "process_gone", "did_not_start") and change.validation:
        yield (
            "the same artifact passed staging and validation: what differs is production's data, configuration, "
            "dependencies and load"
        )
