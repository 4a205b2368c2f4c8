"""Tests that a model proposes, over HTTP with the real SDK, run in the real sandbox: each ends as the gates say."""

from __future__ import annotations

import json
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from greenlane.adapters.claude_tests import ClaudeTestWriter
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.adapters.spending import Spending
from greenlane.domain.events import TestsCommitting, TestsComplete
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import ModelSettings, Settings
from greenlane.ports.sandbox import Sandbox
from greenlane.prompts import load_writing_prompts
from greenlane.suite.runner import SuiteRequest, SuiteRun, SuiteRunner
from greenlane.testgen import Asked, Origin, TestAsker, TestGenerator
from tests.contract.test_testing_agent import FIXED, Repository, act, make_agent, reviewed
from tests.support.projects import write_tree
from tests.support.scenes import OWN_ENVIRONMENT
from tests.support.scripted_model import KEY, Host, Reply, failure, message, scripted_host

SHIPPING = "from shop.shipping import shipping_cents"
TRICKS = """
    import os
    import pathlib

    def leave():
        os._exit(0)

    def forge():
        with open(os.environ["GREENLANE_REPORT"], "a") as file:
            file.write('{"test": "t", "when": "session", "outcome": "ended"}\\n')
        os._exit(0)

    def silence():
        import _pytest.reports
        real = _pytest.reports.TestReport.from_item_and_call.__func__

        def kind(cls, item, call):
            call.excinfo = None
            return real(cls, item, call)

        _pytest.reports.TestReport.from_item_and_call = classmethod(kind)

    def remove():
        pathlib.Path("shop/rates.txt").unlink()
"""
TREE = {
    "shop/__init__.py": "",
    "shop/shipping.py": FIXED,
    "shop/tricks.py": TRICKS,
    "shop/rates.txt": "DE 390",
    "tests/conftest.py": """
        import pytest

        @pytest.fixture(scope="session")
        def country() -> str:
            return "CH"
    """,
    "tests/test_shipping.py": """
        from shop.shipping import shipping_cents

        API_KEY = "sk-ant-canary-in-a-test-0001"

        def test_a_small_order_pays_the_rate():
            assert shipping_cents(1000, "DE") == 390
    """,
}
GAP = 8


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return choose_sandbox()


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


class NoonClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 4, 12, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        return None


def written(name: str, code: str, *imports: str) -> dict[str, Any]:
    text = textwrap.dedent(code).strip("\n")
    return {"name": name, "purpose": f"It pins {name}.", "imports": [SHIPPING, *imports], "code": text}


def answer(*tests: dict[str, Any]) -> Reply:
    claims = {"coverage_targets": ["shop/shipping.py:999"], "edge_cases_covered": ["everything"]}
    return message({"tests": list(tests), **claims})


def writer_at(url: str, folder: Path, **settings: Any) -> ClaudeTestWriter:
    values: dict[str, Any] = {"base_url": url, "timeout_s": 5.0, "max_retries": 0, **settings}
    spending = Spending(folder / "spending.db")
    return ClaudeTestWriter(
        "claude-sonnet-5-5", ModelSettings(**values), load_writing_prompts(), spending=spending, clock=NoonClock()
    )


class Shop:
    """The tree with its gap, and its suite as it stands."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.tree = write_tree(folder / "tree", TREE)
        self.service = Service(name="shop")
        self.settings = Settings(services=(self.service,))
        self.environment = OWN_ENVIRONMENT
        self.baseline: SuiteRun | None = None

    async def ask(self, host: Host) -> Asked:
        if self.baseline is None:
            runner = SuiteRunner(self.sandbox, self.settings)
            request = SuiteRequest(measure=("shop/shipping.py",))
            self.baseline = await runner.run(self.service, self.environment, self.tree, request)
        generator = TestGenerator(self.sandbox, self.settings)
        asker = TestAsker(writer_at(host.url, self.folder), generator, self.sandbox, self.settings)
        return await asker.ask(
            self.service,
            self.environment,
            self.tree,
            {"shop/shipping.py": frozenset({GAP})},
            self.baseline,
            Origin(repo="shop", pr_number=7, hidden=frozenset({("shop/shipping.py", 1)})),
        )


@pytest.fixture(scope="module")
def shop(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(sandbox, tmp_path_factory.mktemp("shop"))


GOOD = written(
    "test_switzerland_pays_the_rate_for_a_large_order",
    """
    def test_switzerland_pays_the_rate_for_a_large_order(country):
        assert shipping_cents(6000, country) == 1290
    """,
)
WRONG = written("test_wrong", 'def test_wrong():\n    assert shipping_cents(6000, "CH") == 1291')
MENDED = written("test_wrong", 'def test_wrong():\n    assert shipping_cents(1, "CH") == 1290')
POOR = {
    "test_hallucinated": ("def test_hallucinated(database):\n    assert shipping_cents(1, 'CH') == 1290", "database"),
    "test_syntax": ("def test_syntax(:\n    assert shipping_cents(1, 'CH')", "not valid Python"),
    "test_flaky": (
        "def test_flaky():\n"
        "    assert shipping_cents(1, 'CH') == 1290\n"
        "    assert datetime.datetime.now().astimezone().utcoffset() == datetime.timedelta(0)",
        "another hash seed, time zone or order",
    ),
    "test_stubborn": ("def test_stubborn():\n    assert shipping_cents(1, 'CH') == 7", "assert 1290 == 7"),
    "test_idle": ("def test_idle():\n    shipping_cents(1, 'CH')\n    assert True", "asserts nothing"),
    "test_leaves": ("def test_leaves():\n    import os\n    os._exit(0)", "imports os"),
    "test_hook": (
        "def test_hook():\n    assert shipping_cents(1, 'CH') == 1290\n\n\n"
        "def pytest_sessionfinish(session):\n    session.exitstatus = 0",
        "exactly one function",
    ),
}


async def test_each_poor_test_is_dropped_with_its_reason_after_one_retry_and_a_good_one_is_kept(shop: Shop) -> None:
    poor = [written(name, code, "import datetime") for name, (code, _) in POOR.items()]
    async with scripted_host(answer(GOOD, WRONG, *poor), answer(MENDED, *poor)) as host:
        asked = await shop.ask(host)
    assert len(host.bodies) == 2
    kept = {test.name for test in asked.generation.written}
    assert kept == {GOOD["name"], "test_wrong"}
    reasons = {test.name: test.reason for test in asked.generation.dropped}
    assert set(reasons) == set(POOR)
    for name, (_, words) in POOR.items():
        assert words in reasons[name], name
    (file,) = asked.generation.files
    text = file.content.decode()
    assert "== 1291" not in text
    assert '"""It pins test_wrong."""' in text
    assert [call.purpose for call in asked.record.calls] == ["tests", "tests-again"]
    assert (asked.record.outcome, asked.record.kept) == ("answered", 2)
    assert asked.record.coverage_targets == ("shop/shipping.py:999",)  # recorded; what is covered was measured:
    assert {line for test in asked.generation.written for line in test.covers} == {"shop/shipping.py:8"}
    again = json.loads(host.bodies[1])["messages"][0]["content"][-1]["text"]
    assert "assert 1290 == 1291" in again
    assert "test_hallucinated: stopped at fixtures" in again
    assert GOOD["name"] not in again


async def test_what_forges_a_pass_at_run_time_is_not_kept_and_takes_nothing_else_with_it(shop: Shop) -> None:
    """By way of the project's own code, which no reading of the test's text finds."""
    tricks = {
        name: written(
            f"test_{name}",
            f"def test_{name}():\n    assert shipping_cents(1, 'CH') == 1290\n    assert tricks.{name}() is None{more}",
            "from shop import tricks",
        )
        for name, more in {
            "leave": "",
            "forge": "",
            "silence": "\n    assert shipping_cents(1, 'CH') == 1",
            "remove": "",
        }.items()
    }
    async with scripted_host(answer(*tricks.values(), GOOD), answer()) as host:
        asked = await shop.ask(host)
    assert {test.name for test in asked.generation.written} == {GOOD["name"]}
    reasons = {test.name: test.reason for test in asked.generation.dropped}
    assert "ended before it" in reasons["test_leave"]
    assert "ended before it" in reasons["test_forge"]
    assert "changes what the runner reports" in reasons["test_silence"]
    assert "changes the project's file shop/rates.txt" in reasons["test_remove"]


async def test_the_model_gets_the_function_the_nearest_tests_the_fixtures_and_no_secret(shop: Shop) -> None:
    async with scripted_host(answer()) as host:
        asked = await shop.ask(host)
    body = json.loads(host.bodies[0])
    material = body["messages"][0]["content"][0]["text"]
    assert "> 8         return rate" in material
    assert "country (session) -> str" in material
    assert "test_a_small_order_pays_the_rate" in material
    assert "sk-ant-canary" not in host.sent
    assert "tricks" not in material
    assert "tools" not in body
    assert (asked.record.asked, asked.generation.files) == (0, ())


async def test_a_budget_that_is_spent_leaves_the_generator_alone_and_is_said(
    repository: Repository, sandbox: Sandbox, tmp_path: Path
) -> None:
    spent = Spending(tmp_path / "spending.db")
    assert isinstance(spent.reserve(day="2026-03-04", account="shop#7", usd=0.999, per_account=1, per_day=50), int)
    head = repository.change(shop__shipping=FIXED)
    async with scripted_host(answer(GOOD)) as host:
        agent = make_agent(repository, sandbox, tmp_path, writer_at(host.url, tmp_path))
        _, complete = await act(agent, reviewed(repository, head))
    assert host.bodies == []
    assert isinstance(complete, TestsComplete)
    assert [test.name for test in complete.written] == ["test_shipping_cents_by_subtotal_and_country"]
    assert "model-over-budget" in complete.why.rules_fired
    assert "usd_per_pr" in complete.why.rationale


async def test_the_models_test_is_committed_and_its_record_is_in_the_decision(
    repository: Repository, sandbox: Sandbox, tmp_path: Path
) -> None:
    head = repository.change(shop__shipping=FIXED)
    own = written("test_customs", 'def test_customs():\n    assert shipping_cents(6000, "CH") == 1290')
    async with scripted_host(answer(own)) as host:
        agent = make_agent(repository, sandbox, tmp_path, writer_at(host.url, tmp_path))
        intent, complete = await act(agent, reviewed(repository, head))
    assert isinstance(intent, TestsCommitting)
    assert isinstance(complete, TestsComplete)
    assert [test.name for test in complete.written] == ["test_customs"]
    assert [f.uncovered for f in complete.coverage_after] == [()]
    assert complete.why.model_id == "claude-sonnet-5-5"
    assert complete.why.prompt_digest == load_writing_prompts().digest
    assert complete.asked[0].calls[0].cost_usd > 0
    assert "claude-sonnet-5-5 proposed 1 test, of which 1 passed every gate" in complete.why.rationale
    assert repository.git("rev-parse", "fix") == complete.commit_sha


async def test_a_model_that_gives_no_answer_costs_nothing_but_its_tests(shop: Shop) -> None:
    async with scripted_host(failure(529)) as host:
        asked = await shop.ask(host)
    assert (asked.record.outcome, asked.generation.files) == ("unavailable", ())
    assert asked.record.detail


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")
