"""A run that waits for a time of day takes nobody's place and goes on by itself; and people hear of what was missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from greenlane.agents.base import Yielded
from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded
from greenlane.domain.settings import Settings
from greenlane.policy.lifecycle import State
from greenlane.runtime.notices import Notices
from tests.support.agents import RESULTS, WHY, PlainAgent, opened, plain_agents, review_complete
from tests.support.house import House, open_house

ONE_PLACE = Settings.model_validate({"orchestration": {"max_concurrent_agents": 1}})


def postponing(until: datetime) -> list[PlainAgent]:
    """Agents whose deployment of the first change waits until then; all changes are of one service."""

    def decide(change: Change) -> tuple[Yielded, ...]:
        if change.opened.pr_number == 1 and datetime.now(UTC) < until:
            return (e.DeploymentPostponed(why=WHY, until=until.isoformat(), windows=("shop: night",)),)
        return (RESULTS[e.Stage.DEPLOYMENT](),)

    review = PlainAgent(e.Stage.REVIEW, lambda _: (review_complete(("shop",)),))
    return plain_agents(review=review, deployment=PlainAgent(e.Stage.DEPLOYMENT, decide))


async def test_a_postponed_run_keeps_no_place_and_no_slot_and_goes_on_when_the_time_has_come(tmp_path: Path) -> None:
    agents = postponing(datetime.now(UTC) + timedelta(seconds=1.5))
    async with open_house(tmp_path, agents, ONE_PLACE) as house, house.working():
        first = await house.open(opened(1, "1" * 40))
        await house.until_state(first, State.POSTPONED)
        second = await house.open(opened(2, "2" * 40))
        await house.until_state(second, State.DEPLOYED)  # the one place and the slot of the service are free
        assert await house.state(first) is State.POSTPONED
        change = await house.until_state(first, State.DEPLOYED)
    (resumed,) = [r for r in change.history if isinstance(r.event, e.DeploymentResumed)]
    assert resumed.agent == "deployment"
    assert sum(isinstance(r.event, e.DeploymentPostponed) for r in change.history) == 1


async def test_a_time_that_came_while_nobody_worked_is_noticed_at_the_next_start(tmp_path: Path) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1)
    agents = postponing(until)
    async with open_house(tmp_path, agents, ONE_PLACE) as house:
        async with house.working():
            run = await house.open(opened(1))
            await house.until_state(run, State.POSTPONED)
        await house.until(lambda: datetime.now(UTC) > until)
    async with open_house(tmp_path, agents, ONE_PLACE) as house, house.working():
        await house.until_state(run, State.DEPLOYED)


class Ears:
    """A notifier that fails so often, then keeps what it hears."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.heard: list[tuple[str, str]] = []

    async def notify(self, change: Change, recorded: Recorded) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no")
        self.heard.append((change.run, e.type_of(recorded.event)))


async def test_what_an_earlier_process_left_untold_is_told_once_at_the_next_start(tmp_path: Path) -> None:
    async with open_house(tmp_path, plain_agents()) as house, house.working():
        run = await house.open(opened())
        await house.until_state(run, State.DEPLOYED)  # and nobody passed notices on
    async with open_house(tmp_path, ()) as house:
        deaf, ears, again = Ears(failures=99), Ears(), Ears()
        for notifier in (deaf, ears, again):
            await notices(house, notifier).catch_up()
    assert (run, "deployment.complete") in ears.heard
    assert deaf.heard == again.heard == []


def notices(house: House, ears: Ears) -> Notices:
    return Notices(house.store, house.bus, house.holdings, ears)
