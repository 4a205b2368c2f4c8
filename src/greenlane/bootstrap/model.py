"""The model, put together: for the review agent, and for trying new examples on findings that people confirmed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from greenlane.adapters.claude import ClaudeReviewer
from greenlane.adapters.claude_tests import ClaudeTestWriter
from greenlane.adapters.clock import SystemClock
from greenlane.adapters.git import LocalGit
from greenlane.adapters.spending import Spending
from greenlane.backtest.prompting import compare_prompts, held_out_cases
from greenlane.domain.change import Change
from greenlane.domain.errors import ConfigError
from greenlane.domain.settings import Settings
from greenlane.policy.feedback import PromptVerdict
from greenlane.ports.clock import Clock
from greenlane.ports.reviewer import Reviewer
from greenlane.ports.test_writer import TestWriter
from greenlane.prompts import load_prompts, load_writing_prompts


def make_reviewer(
    settings: Settings, git: LocalGit, state_dir: Path, clock: Clock, examples: Mapping[str, str] | None = None
) -> Reviewer | None:
    """The model that is configured; None if there is none. Its examples are the base branch's, which no pull request
    can change, unless others are given."""
    name = settings.orchestration.model
    if name is None:
        return None
    if examples is None:
        examples = git.read_folder(settings.repository.base_branch, settings.model.examples_dir, ".md")
    spending = Spending(state_dir / "spending.db")
    return ClaudeReviewer(name, settings.model, load_prompts(examples), spending=spending, clock=clock)


def make_test_writer(settings: Settings, state_dir: Path, clock: Clock) -> TestWriter | None:
    """The model as a writer of tests; None if none is configured. It spends from the review's budgets."""
    name = settings.orchestration.model
    if name is None:
        return None
    spending = Spending(state_dir / "spending.db")
    return ClaudeTestWriter(name, settings.model, load_writing_prompts(), spending=spending, clock=clock)


async def check_prompts(
    root: Path, settings: Settings, state_dir: Path, changes: list[Change], folder: Path, on_read: Callable[[int], None]
) -> PromptVerdict:
    """Whether the examples in `folder` may ship in place of those of the base branch. `on_read` gets how many readings
    are still to come. Raises ConfigError without a model, RefusedError if it gives no reading."""
    git, clock = (
        LocalGit(root, name=settings.repository.name, base_branch=settings.repository.base_branch),
        SystemClock(),
    )
    wanted = {path.name: path.read_text("utf-8", errors="replace") for path in sorted(folder.glob("*.md"))}
    before = make_reviewer(settings, git, state_dir, clock)
    after = make_reviewer(settings, git, state_dir, clock, wanted)
    if before is None or after is None:
        raise ConfigError("no model is configured", hint="name one in greenlane.yaml: `orchestration: {model: NAME}`")
    cases = held_out_cases(changes, wanted)
    left = 2 * len({change.run for change, _ in cases.values()})

    def read() -> None:
        nonlocal left
        left -= 1
        on_read(left)

    on_read(left)
    return await compare_prompts(
        cases, git, before=before, after=after, folder=state_dir / "work" / "prompts", on_read=read
    )
