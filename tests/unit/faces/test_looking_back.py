"""The context package looks back and ahead: similar changes, what would clear this one, and the model's words."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from greenlane.agents.review import ReviewAgent
from greenlane.analyzers.reader import ChangeReader
from greenlane.cli.explaining import render_explanation
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.opinion import Concern, ModelCall, ModelOpinion, ModelReview
from greenlane.domain.settings import Settings
from greenlane.pages.context import render_html
from greenlane.pages.terminal import console
from greenlane.policy.clearing import find_clearing
from greenlane.policy.context import compute_context_package
from greenlane.policy.overview import compute_run_view, parse_time
from greenlane.policy.similar import compute_similar
from tests.unit.review.test_review_agent import SETTINGS, Meter, Trees, only, opened

from . import changes as c

OLD = {"shop/old.py": "x = 1\n"}
HEAD = {
    "shop/shell.py": "import os\n\n\ndef run(name):\n    os.system('echo ' + name)\n",
    "shop/plain.py": "def add(a, b):\n    return a + b\n",
}


async def reviewed(tmp_path: Path, head: dict[str, str]) -> Change:
    """A change with the review that the agent really makes of it."""
    reader = ChangeReader(Trees(OLD, {**OLD, **head}), only("security"), SETTINGS, coverage=Meter())
    groups = [g async for g in ReviewAgent(reader, SETTINGS, tmp_path / "work").act(opened())]
    assert isinstance(groups[0], tuple)
    return c.change_of(*groups[0], first=c.opened())  # type: ignore[arg-type]  # events of the review


async def test_the_smallest_change_that_clears_it_is_assessed_again(tmp_path: Path) -> None:
    change = await reviewed(tmp_path, HEAD)
    clearing = find_clearing(change, SETTINGS)
    assert clearing.outcome == "found"
    assert (clearing.files, clearing.files_smallest) == (("shop/shell.py",), True)
    assert len(clearing.findings) >= 1
    assert all("shop/shell.py:5" in name for name in clearing.findings_named)


async def test_where_nothing_smaller_helps_it_says_so(tmp_path: Path) -> None:
    alone = await reviewed(tmp_path, {"shop/shell.py": HEAD["shop/shell.py"]})
    assert find_clearing(alone, SETTINGS).files == ()  # nothing would be left of the change
    quiet = await reviewed(tmp_path / "quiet", {"shop/plain.py": HEAD["shop/plain.py"]})
    assert find_clearing(quiet, SETTINGS).outcome == "not-asked"


def past(number: int, *paths: str, lane: e.Lane = e.Lane.GREEN) -> Change:
    review = msgspec.structs.replace(c.reviewed(lane=lane), files=tuple(e.ChangedFile(path=p) for p in paths))
    return c.change_of(msgspec.structs.replace(review, findings=(), coverage=()), first=c.opened(number))


def test_similar_changes_are_those_of_the_same_files_and_never_its_own_pull_request() -> None:
    this = past(1, "shop/orders.py", "shop/cart.py")
    others = [past(1, "shop/orders.py"), past(2, "shop/orders.py"), past(3, "shop/mail.py"), past(4, "docs/a.md")]
    found = compute_similar(this, [*others, past(5, "shop/orders.py", "shop/cart.py")])
    assert [s.pr_number for s in found] == [5, 2, 3]
    assert found[0].likeness > found[1].likeness > found[2].likeness
    assert found[0].shared == ("shop/cart.py", "shop/orders.py")


@pytest.mark.parametrize("html", [False, True])
async def test_a_person_sees_all_of_it_and_the_models_words_as_untrusted(tmp_path: Path, html: bool) -> None:
    change = await reviewed(tmp_path, HEAD)
    assert change.review is not None
    concern = Concern(path="shop/shell.py", line=5, quotation="os.system", message="<b>a shell</b>", severity="high")
    call = ModelCall(purpose="blind", outcome="answered", model_id="claude-x", prompt_digest="sha256:0")
    opinion = ModelOpinion(risk_score=8, security_issues=(concern,), review_rationale="It is dangerous.")
    model = ModelReview(outcome="answered", opinion=opinion, calls=(call,), dropped=2, left_out=("big.txt: too long",))
    asked = [r.event for r in change.history if isinstance(r.event, e.HumanRequested)]
    change = c.change_of(*asked, msgspec.structs.replace(change.review, model=model), first=c.opened())
    package = compute_context_package(change, Settings(services=SETTINGS.services), past=[past(9, "shop/plain.py")])
    if html:
        shown = render_html(package)
        assert "<b>a shell</b>" not in shown
    else:
        out = console()
        with out.capture() as capture:
            out.print(
                render_explanation(compute_run_view(change, now=parse_time(change.history[-1].timestamp)), package)
            )
        shown = capture.get()
    words = " ".join(shown.split())
    for told in ("untrusted", "It is dangerous.", "claude-x", "big.txt: too long", "Similar changes in the past",
                 "The smallest change that would clear it", "shop/shell.py"):  # fmt: skip
        assert told in words, told
