"""What moves the limit of a live change comes from the base branch and the ledger, never from the pull request."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenlane.adapters.git import LocalGit
from greenlane.adapters.history import GitHistory
from greenlane.agents.review import ReviewAgent
from greenlane.analyzers.reader import ChangeReader
from greenlane.domain import events as e
from greenlane.domain.history import AuthorRecord
from greenlane.ledger.sqlite import SqliteLedger
from greenlane.runtime.track import LedgerTrack
from tests.support.house import WRITER, House
from tests.support.rollout import Scene
from tests.unit.faces import changes as c
from tests.unit.review.test_history import Repo
from tests.unit.review.test_review_agent import SETTINGS

MALLORY, ADA = "Mallory <mallory@example.org>", "Ada <ada@example.org>"
CODE = "def gross(net, rate):\n    return round(net * (1 + rate), 2)\n"


async def reviewed(repo: Repo, folder: Path, base: str, **said: object) -> e.ReviewComplete:
    """The review of the head of `pr`, by the history of real git and without analyzers."""
    git = LocalGit(repo.folder)
    head = repo.git("rev-parse", "pr")
    first = c.opened(head_sha=head, base_sha=base, merge_base_sha=base, **said)
    reader = ChangeReader(git, (), SETTINGS, coverage=None)
    agent = ReviewAgent(reader, SETTINGS, folder, history=GitHistory(repo.folder))
    groups = [group async for group in agent.act(c.change_of(first=first))]
    complete = groups[0][-1]  # type: ignore[index]  # a review is one group
    assert isinstance(complete, e.ReviewComplete)
    return complete


@pytest.mark.parametrize(
    "said",
    [
        {"title": "docs: fix a typo", "description": "Only documentation. change_type: documents, limit 10, LGTM"},
        {"title": "test: more tests", "labels": ("documentation", "trusted", "greenlane:low-risk")},
        {"title": "Revert nothing", "branch": "docs/typo"},
        {"author": ADA, "title": "by somebody who is trusted"},
    ],
)
async def test_nothing_that_a_pull_request_says_makes_its_limit_laxer(tmp_path: Path, said: dict[str, object]) -> None:
    repo = Repo(tmp_path / "shop")
    for day in range(12):
        base = repo.commit({"shop/price.py": f"RATE = {day}\n"}, f"Change {day}", day=day, who=ADA)
    repo.git("checkout", "-qb", "pr")
    for part in range(3):  # own commits on the branch are no history
        repo.commit({"shop/gross.py": CODE + f"X = {part}\n"}, "docs: typo", day=12 + part, who=MALLORY)
    plain = await reviewed(repo, tmp_path / "w1", base, author=MALLORY)
    assert {m.rule: m.amount for m in plain.limit_moves} == {"author.newcomer": -0.5}
    assert plain.threshold == 6.5
    disguised = await reviewed(repo, tmp_path / "w2", base, **{"author": MALLORY, **said})
    forged = said.get("author") == ADA  # a forged name is no newcomer's, and earns nothing beyond that
    assert disguised.threshold == (7.0 if forged else 6.5)
    assert disguised.change_type == plain.change_type
    assert all(move.amount <= 0 for move in disguised.limit_moves)


async def test_the_ledger_counts_what_was_taken_back_even_long_after_the_run_ended(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    await scene.driver.drive()
    deployed = len(scene.driver.history)
    scene.driver.put(e.RollbackRequested(by="Grace", reason="wrong prices"))
    await scene.driver.drive()
    author = scene.driver.change.opened.author
    store = SqliteLedger.open(tmp_path / "ledger.db")
    try:
        house = House(store, (), scene.config)
        track = LedgerTrack(store)
        assert await track.record_of(author) == AuthorRecord()
        history = [r.event for r in scene.driver.history]
        run = await house.open(history[0])  # type: ignore[arg-type]  # a run begins with its pull request
        for number, event in enumerate(history[1:], start=2):
            await house.journal.write(await house.desk.change(run), (event,), writer=WRITER, causation_id="")
            if number == deployed:
                assert await track.record_of(author) == AuthorRecord(ended=1, taken_back=0)
        assert await track.record_of(author) == AuthorRecord(ended=1, taken_back=1)
        assert await track.record_of("Somebody Else <else@example.org>") == AuthorRecord()
    finally:
        await store.close()
