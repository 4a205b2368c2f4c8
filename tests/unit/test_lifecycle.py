"""An agent that fails while its change is on the way to production: a person is asked, never the agent without end."""

from __future__ import annotations

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.policy.lifecycle import ATTEMPTS_TO_END_A_CANARY, Standing, State, assess_standing
from greenlane.runtime.outcome import make_failure
from tests.unit.faces import changes as c

PROMOTED = e.CanaryPromoted(
    why=c.why("promote", "every phase passed"), deployment_id="production-1", service="shop",
    stable=c.instance("production-1"), previous=c.instance("current-1"),
)  # fmt: skip


def after_failures(count: int, *happened: e.AnyEvent) -> tuple[Change, Standing]:
    events = (*c.GREEN_WAY, *happened)
    for _ in range(count):
        events = (*events, make_failure(c.change_of(*events), e.Stage.DEPLOYMENT, "the base branch could not be moved"))
    change = c.change_of(*events)
    return change, assess_standing(change)


def test_a_failure_after_the_promotion_waits_for_a_person_whose_approval_tries_again() -> None:
    change, standing = after_failures(1, c.canary_started(), PROMOTED)
    assert (standing.state, standing.due) == (State.AWAITING_HUMAN, None)
    assert "could not be moved" in standing.reason
    gate = change.open_gates[0].gate_id
    again = assess_standing(c.change_of(*(r.event for r in change.history[1:]), c.approved(gate)))
    assert again.due is e.Stage.DEPLOYMENT


def test_a_canary_that_is_on_is_tried_to_be_ended_a_few_times_and_not_without_end() -> None:
    _, standing = after_failures(ATTEMPTS_TO_END_A_CANARY - 1, c.canary_started())
    assert standing.due is e.Stage.DEPLOYMENT
    _, standing = after_failures(ATTEMPTS_TO_END_A_CANARY, c.canary_started())
    assert standing.state is State.AWAITING_HUMAN
