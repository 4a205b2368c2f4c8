"""How far the risk limit of a change moves: by what kind of change it is, who made it, and where it lands. Pure.

Every move has a rule, an amount and a reason, and stands in the decision. Together they stay within
`risk.limit_move_max`. Stricter moves always count. A laxer one rests on what code can decide about the files, never on
what an author says or who they say they are, and counts only where nothing asks for attention: no floor, no finding of
medium severity, no gap, no sensitive place, no failing test, no model that raised the score. So no move lets through
what a floor stops.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from greenlane.domain.diff import ChangeType
from greenlane.domain.events import LimitMove
from greenlane.domain.findings import Severity
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.domain.weights import Weights
from greenlane.policy.risk import RiskFacts, RiskScore, history_marks, size_points
from greenlane.policy.signals import RiskLimit

LOWEST_MOVED, HIGHEST_MOVED = 2.0, 9.0
"""No move brings a limit under the score of a change of a few lines, nor over that of a secret."""
SEVERAL_SERVICES = 3
_NOTED = frozenset({Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL})


class MoveSizes(msgspec.Struct, frozen=True, kw_only=True):
    """How far each rule moves the limit; under 0 is stricter."""

    documents: float = 0.5
    tests: float = 0.5
    moved: float = 0.25
    dependencies: float = -0.25
    feature: float = -0.25
    newcomer: float = -0.5
    taken_back: float = -0.25
    """For each of the author's recent changes that was rejected, rolled back or taken back."""
    taken_back_most: float = -0.5
    parts_most: float = -0.5
    critical_place: float = -0.5
    several_services: float = -0.25


class MoveFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`risk` is the score with the model's part; `model_raised` whether a model raised it or asks for a person."""

    facts: RiskFacts
    risk: RiskScore
    model_raised: bool
    services: tuple[Service, ...]
    weights: Weights


def move_limit(limit: RiskLimit, about: MoveFacts, settings: Settings, sizes: MoveSizes | None = None) -> RiskLimit:
    """The limit after all moves, with them. `risk.limit_move_max` 0 leaves it where it is."""
    most = settings.risk.limit_move_max
    if most == 0:
        return limit
    sizes = sizes or MoveSizes()
    attention = _attention(about)
    moves = [
        _hold(move, attention) if move.amount > 0 and attention else move
        for move in (*_by_type(about, sizes), *_by_author(about, sizes), *_by_place(about, sizes))
    ]
    if not moves:
        return limit
    wanted = sum(m.amount for m in moves)
    given = max(-most, min(most, wanted))
    low, high = min(limit.value, LOWEST_MOVED), max(limit.value, HIGHEST_MOVED)
    value = round(max(low, min(high, limit.value + given)), 2)
    if round(limit.value + wanted, 2) != value:
        bound = round(value - limit.value - wanted, 2)
        reason = f"all moves together stay within {most:g} (risk.limit_move_max) and between {low:g} and {high:g}"
        moves.append(LimitMove(rule="bound", amount=bound, reason=reason))
    source = limit.source
    if value != limit.value:
        names = ", ".join(f"{m.rule} {m.amount:+g}" for m in moves if m.amount)
        source = f"{source} {limit.value:g}, moved by {names}"
    return msgspec.structs.replace(limit, value=value, source=source, moves=tuple(moves))


def _attention(about: MoveFacts) -> str:
    """Why nothing may be made laxer; empty if nothing asks for attention."""
    facts = about.facts
    if about.risk.floored:
        return "a floor stands under the score"
    if facts.skipped:
        return "a part was not analysed"
    noted = next((f for f in facts.findings if f.severity in _NOTED), None)
    if noted is not None:
        return f"there is a finding of {noted.severity} severity ({noted.rule})"
    if facts.sensitive_paths:
        return f"a sensitive place is touched ({facts.sensitive_paths[0]})"
    if not facts.suite_passed:
        return "the existing tests fail at the head"
    return "a model asks for attention" if about.model_raised else ""


def _hold(move: LimitMove, attention: str) -> LimitMove:
    return LimitMove(rule=move.rule, amount=0.0, reason=f"{move.reason}, but {attention}: no laxer limit")


def _by_type(about: MoveFacts, sizes: MoveSizes) -> Iterator[LimitMove]:
    amount, reason = {
        ChangeType.DOCUMENTS: (sizes.documents, "only prose and images of the documentation change"),
        ChangeType.TESTS: (sizes.tests, "only tests and documents change"),
        ChangeType.MOVED: (sizes.moved, "code only moves between files, line by line the same"),
        ChangeType.DEPENDENCIES: (sizes.dependencies, "only dependencies change: code that nobody reads here"),
        ChangeType.FEATURE: (sizes.feature, "it is mostly new code, which nothing has proved yet"),
        ChangeType.OTHER: (0.0, ""),
    }[about.facts.change_type]
    if amount:
        yield LimitMove(rule=f"type.{about.facts.change_type}", amount=amount, reason=reason)


def _by_author(about: MoveFacts, sizes: MoveSizes) -> Iterator[LimitMove]:
    """Only stricter: whoever makes a commit writes any name into it, so no name earns anything."""
    facts, history, record = about.facts, about.facts.history, about.facts.author_record
    if history is not None and history_marks(history).newcomer:
        yield LimitMove(
            rule="author.newcomer", amount=sizes.newcomer, reason="the author's first change in this repository"
        )
    if record is not None and record.taken_back:
        amount = max(sizes.taken_back_most, sizes.taken_back * record.taken_back)
        reason = f"{record.taken_back} of the author's last {record.ended} changes here were rejected or taken back"
        yield LimitMove(rule="author.taken-back", amount=amount, reason=reason)
    if history is not None and history.author_recent_lines and facts.lines:
        whole = msgspec.structs.replace(facts, lines=facts.lines + history.author_recent_lines)
        more = round(size_points(whole, about.weights) - size_points(facts, about.weights), 2)
        if more > 0:
            reason = (
                f"with {history.author_recent_lines} lines that the author changed in these files in the last 7 days "
                f"its size would give {more:g} more"
            )
            yield LimitMove(rule="author.parts", amount=max(sizes.parts_most, -more), reason=reason)


def _by_place(about: MoveFacts, sizes: MoveSizes) -> Iterator[LimitMove]:
    critical = [s.name for s in about.services if s.tier == "critical"]
    if critical and about.facts.sensitive_paths:
        reason = f"a sensitive place of {critical[0]}, a critical service: {about.facts.sensitive_paths[0]}"
        yield LimitMove(rule="service.critical-place", amount=sizes.critical_place, reason=reason)
    if len(about.services) >= SEVERAL_SERVICES:
        reason = f"{len(about.services)} services change at once"
        yield LimitMove(rule="service.several", amount=sizes.several_services, reason=reason)
