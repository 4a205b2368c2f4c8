"""The test agent on a real repository and in the real sandbox: what it commits, what it blocks, what a crash does."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from greenlane.adapters.claude_tests import ClaudeTestWriter
from greenlane.adapters.environments import VenvEnvironments
from greenlane.adapters.git import LocalGit
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.agents.testing import TestAgent
from greenlane.domain.change import Change, Recorded, fold
from greenlane.domain.errors import FinalError, PushRefusedError
from greenlane.domain.events import (
    Event,
    Lane,
    PrOpened,
    Reasoning,
    ReviewComplete,
    TestsCommitting,
    TestsComplete,
)
from greenlane.domain.settings import Settings
from greenlane.ports.sandbox import Sandbox
from greenlane.testgen import TestAsker, TestGenerator
from greenlane.testgen.generator import Generation
from tests.support.projects import write_tree

BASE = {
    "shop/__init__.py": "",
    "shop/shipping.py": """
        RATES = {"DE": 390, "CH": 1290}


        def shipping_cents(subtotal, country):
            rate = RATES[country]
            if subtotal > 4900:
                return 0
            return rate
    """,
    "tests/test_shipping.py": """
        from shop.shipping import shipping_cents


        def test_a_small_order_pays_the_rate():
            assert shipping_cents(1000, "DE") == 390


        def test_a_large_order_ships_for_free():
            assert shipping_cents(6000, "DE") == 0
    """,
}
FIXED = """
    RATES = {"DE": 390, "CH": 1290}
    CUSTOMS = frozenset({"CH"})


    def shipping_cents(subtotal, country):
        rate = RATES[country]
        if country in CUSTOMS:
            return rate
        if subtotal >= 4900:
            return 0
        return rate
"""


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return choose_sandbox()


class Repository:
    """A real git repository with a base branch and a branch with the change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        write_tree(folder, BASE)
        self.base = self.commit("base")
        self.git("switch", "-q", "-c", "fix")

    def host(self) -> LocalGit:
        return LocalGit(self.folder)

    def git(self, *arguments: str) -> str:
        identity = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "HOME": str(self.folder)}
        identity |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"}
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=os.environ | identity, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def change(self, **files: str) -> str:
        write_tree(self.folder, {name.replace("__", "/") + ".py": text for name, text in files.items()})
        head = self.commit("change")
        self.git("switch", "-q", "main")
        return head


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def reviewed(repository: Repository, head: str) -> list[Event]:
    opened = PrOpened(
        repo="shop", pr_number=7, title="t", branch="fix", base_branch="main", head_sha=head,
        base_sha=repository.base, merge_base_sha=repository.base, author="A <a@example.org>", diff_sha256="sha256:d",
    )  # fmt: skip
    review = ReviewComplete(
        why=Reasoning(decision="proceed", rationale="r", risk_score=1.0), proceed=True, risk_score=1.0,
        risk_points=(), threshold=7.0, lane=Lane.GREEN, lanes_matched=(Lane.GREEN,), services=("shop",),
    )  # fmt: skip
    return [opened, review]


def folded(events: list[Event]) -> Change:
    rows = [
        Recorded(seq=n, event_id=str(n), agent="a", timestamp="2026-01-01T00:00:00Z", event=event)  # type: ignore[arg-type]  # any event
        for n, event in enumerate(events, 1)
    ]
    return fold("shop-7-abc", rows)


def make_agent(
    repository: Repository, sandbox: Sandbox, folder: Path, writer: ClaudeTestWriter | None = None, **validation: object
) -> TestAgent:
    settings = Settings.model_validate({"services": [{"name": "shop"}], "validation": validation})
    once = None if writer else OnceGenerator(sandbox, settings)
    return agent_with(settings, repository, sandbox, folder, writer, once)


class OnceGenerator(TestGenerator):
    """Generates for the one change of this file once: the other tests are about what becomes of the answer."""

    answer: ClassVar[Generation | None] = None

    async def generate(self, *asked: Any) -> Generation:
        OnceGenerator.answer = OnceGenerator.answer or await super().generate(*asked)
        return OnceGenerator.answer


def agent_with(
    settings: Settings,
    repository: Repository,
    sandbox: Sandbox,
    folder: Path,
    writer: ClaudeTestWriter | None = None,
    generator: TestGenerator | None = None,
) -> TestAgent:
    """The agent as it is put together for a repository with these settings; what it keeps is below `folder`."""
    git, generator = repository.host(), generator or TestGenerator(sandbox, settings)
    return TestAgent(
        asker=TestAsker(writer, generator, sandbox, settings) if writer else None,
        code_host=git,
        source=git,
        sandbox=sandbox,
        environments=VenvEnvironments(folder / "environments", sandbox, settings),
        generator=generator,
        settings=settings,
        work_dir=folder / "work",
    )


async def act(agent: TestAgent, events: list[Event], *, stop_after: type[Event] | None = None) -> list[Event]:
    """What the agent yields; with `stop_after`, it is killed right after that event was recorded."""
    acting = agent.act(folded(events))
    yielded: list[Event] = []
    async for event in acting:
        assert isinstance(event, Event)
        yielded.append(event)
        if stop_after is not None and isinstance(event, stop_after):
            await acting.aclose()  # type: ignore[attr-defined]  # an async generator
            break
    return yielded


async def test_a_gap_is_closed_by_a_test_that_was_run_and_one_commit(
    repository: Repository, sandbox: Sandbox, tmp_path: Path
) -> None:
    head = repository.change(shop__shipping=FIXED)
    events = reviewed(repository, head)
    intent, complete = await act(make_agent(repository, sandbox, tmp_path), events)
    assert isinstance(intent, TestsCommitting)
    assert isinstance(complete, TestsComplete)
    assert complete.proceed, complete.why.rationale
    assert [f.uncovered for f in complete.coverage_before] == [(8,)]
    assert [f.uncovered for f in complete.coverage_after] == [()]
    assert complete.commit_sha == repository.git("rev-parse", "fix")
    assert repository.git("rev-parse", "fix~1") == head
    assert repository.git("diff", "--name-only", head, "fix") == "tests/test_shipping_generated.py"
    (written,) = complete.written
    assert written.name == "test_shipping_cents_by_subtotal_and_country"
    assert written.covers == ("shop/shipping.py:8",)
    text = repository.git("show", f"fix:{written.path}")
    assert "from shop.shipping import shipping_cents" in text
    assert '[(1000, "CH", 1290), (4900, "DE", 0), (4899, "DE", 390)]' in text  # and both sides of a limit


async def test_where_the_command_names_its_files_the_new_one_is_run_and_said_to_be_named(
    repository: Repository, sandbox: Sandbox, tmp_path: Path
) -> None:
    head = repository.change(shop__shipping=FIXED)
    commands = {"test": "{python} -m pytest -q tests/test_shipping.py"}
    settings = Settings.model_validate({"services": [{"name": "shop", "commands": commands}]})
    *_, complete = await act(agent_with(settings, repository, sandbox, tmp_path), reviewed(repository, head))
    assert isinstance(complete, TestsComplete)
    assert [f.uncovered for f in complete.coverage_after] == [()]
    assert "for tests/test_shipping_generated.py to be run from now on, name it there" in complete.why.rationale


async def test_a_crash_before_the_commit_or_after_it_commits_once(
    repository: Repository, sandbox: Sandbox, tmp_path: Path
) -> None:
    head = repository.change(shop__shipping=FIXED)
    events = reviewed(repository, head)
    agent = make_agent(repository, sandbox, tmp_path)
    events += await act(agent, events, stop_after=TestsCommitting)
    assert repository.git("rev-parse", "fix") == head
    (complete,) = await act(agent, events)  # killed before the commit: it is made now
    (again,) = await act(agent, events)  # killed after it: the same commit is found by its key
    assert isinstance(complete, TestsComplete)
    assert isinstance(again, TestsComplete)
    assert complete.commit_sha == again.commit_sha == repository.git("rev-parse", "fix")
    assert repository.git("rev-list", "--count", f"{head}..fix") == "1"


async def test_a_branch_that_moved_gets_no_commit(repository: Repository, sandbox: Sandbox, tmp_path: Path) -> None:
    head = repository.change(shop__shipping=FIXED)
    repository.git("switch", "-q", "fix")
    moved = repository.change(shop__other="X = 1\n")
    with pytest.raises(FinalError):
        await act(make_agent(repository, sandbox, tmp_path), reviewed(repository, head))
    assert repository.git("rev-parse", "fix") == moved


async def test_a_covered_change_goes_on_after_its_suite_was_run(
    repository: Repository, sandbox: Sandbox, tmp_path: Path
) -> None:
    head = repository.change(shop__shipping=BASE["shop/shipping.py"].replace("> 4900", ">= 4900"))
    (complete,) = await act(make_agent(repository, sandbox, tmp_path), reviewed(repository, head))
    assert isinstance(complete, TestsComplete)
    assert complete.proceed
    assert complete.commit_sha is None
    assert "2 tests" in complete.why.rationale
    assert "suite-green" in complete.why.rules_fired


async def test_a_change_that_breaks_its_suite_is_blocked_by_name(
    repository: Repository, sandbox: Sandbox, tmp_path: Path
) -> None:
    head = repository.change(shop__shipping=BASE["shop/shipping.py"].replace("return 0", "return 1"))
    (complete,) = await act(make_agent(repository, sandbox, tmp_path), reviewed(repository, head))
    assert isinstance(complete, TestsComplete)
    assert not complete.proceed
    assert "test_a_large_order_ships_for_free" in complete.why.rationale
    assert repository.git("rev-parse", "fix") == head


async def test_without_execution_nothing_is_committed_and_it_says_so(
    repository: Repository, sandbox: Sandbox, tmp_path: Path
) -> None:
    head = repository.change(shop__shipping=FIXED)
    agent = make_agent(repository, sandbox, tmp_path, test_execution_required=False)
    (complete,) = await act(agent, reviewed(repository, head))
    assert isinstance(complete, TestsComplete)
    assert complete.proceed
    assert complete.commit_sha is None
    assert {"test-execution-off", "coverage-gap-open"} <= set(complete.why.rules_fired)
    assert "shop/shipping.py:8" in complete.why.rationale


@pytest.mark.parametrize("known", ["a fork, as the code host says", "the configuration", "a push that is refused"])
async def test_where_the_head_is_not_pushed_to_the_tests_are_a_patch_that_git_am_takes(
    repository: Repository, sandbox: Sandbox, tmp_path: Path, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = repository.change(shop__shipping=FIXED)
    opened, review = reviewed(repository, head)
    validation = {"generated_tests": "patch"} if known == "the configuration" else {}
    if known.startswith("a fork"):
        opened = msgspec.structs.replace(opened, head_writable=False)
    agent = make_agent(repository, sandbox, tmp_path, **validation)
    if known.startswith("a push"):

        async def refuse(*_: object, **__: object) -> str:
            raise PushRefusedError("the fork refuses")

        monkeypatch.setattr(LocalGit, "commit_files", refuse)
    *intents, complete = await act(agent, [opened, review])
    assert [i.delivery for i in intents if isinstance(i, TestsCommitting)][-1] == "patch"
    assert isinstance(complete, TestsComplete)
    assert repository.git("rev-parse", "fix") == head
    assert complete.commit_sha is None
    assert [f.uncovered for f in complete.coverage_after] == [(8,)]  # the change itself is as it was
    assert f"git am {complete.patch}" in complete.why.rationale
    repository.git("switch", "-q", "fix")
    repository.git("am", complete.patch)
    assert repository.git("diff", "--name-only", head, "fix") == "tests/test_shipping_generated.py"
    digest = hashlib.sha256((repository.folder / "tests/test_shipping_generated.py").read_bytes()).hexdigest()
    (intent,) = [i for i in intents if isinstance(i, TestsCommitting) and i.delivery == "patch"]
    assert intent.files[0].digest == f"sha256:{digest}"
    assert "Generated for #7" in repository.git("log", "-1", "--format=%B")
