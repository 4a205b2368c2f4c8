"""The whole review, with its real analyzers in their own processes, over trees that a double of git hands out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from greenlane.agents.review import ReviewAgent
from greenlane.analyzers.base import AnalysisResult, CoverageReport, ReviewInput
from greenlane.analyzers.catalog import build_analyzers
from greenlane.analyzers.isolated import IsolatedAnalyzer
from greenlane.analyzers.reader import ChangeReader
from greenlane.domain.change import Change, Recorded, fold
from greenlane.domain.diff import Diff
from greenlane.domain.errors import ChangeError
from greenlane.domain.events import HumanRequested, Lane, PrOpened, ReviewComplete, Stage, decode_event, encode_event
from greenlane.domain.findings import FileCoverage
from greenlane.domain.service_settings import Commands, Service
from greenlane.domain.settings import Lanes, Review, Settings
from greenlane.ports.code_host import Step
from tests.unit.review.review_trees import Tree, diff_of, write_tree

SETTINGS = Settings(services=(Service(name="shop", commands=Commands(start="{python} -m shop")),))
BASE = "b" * 40
HEAD = "e" * 40


def only(*names: str) -> tuple[IsolatedAnalyzer, ...]:
    """Some of the real analyzers: each costs a process."""
    return tuple(IsolatedAnalyzer(name, "1", timeout_s=60) for name in names)


class Trees:
    """SourceControl over two trees in memory."""

    def __init__(self, base: Tree, head: Tree) -> None:
        self._trees = {BASE: base, HEAD: head}

    async def diff(self, base_sha: str, head_sha: str) -> Diff:
        return diff_of(self._trees[base_sha], self._trees[head_sha])

    async def commits(self, base_sha: str, head_sha: str, *, limit: int) -> tuple[Step, ...]:
        return (Step(base_sha, head_sha),)[:limit]

    async def export(self, commit: str, into: Path) -> None:
        write_tree(into, self._trees[commit])

    async def merge(self, base_sha: str, head_sha: str, *, message: str) -> str:
        raise NotImplementedError

    async def revert_to(self, tree_of: str, parent: str, *, message: str) -> str:
        raise NotImplementedError


class Meter:
    """Says that every changed line is run by a test, or what it is told to say; remembers what it was asked."""

    def __init__(self, report: CoverageReport | Exception | None = None) -> None:
        self._report = report
        self.asked: list[dict[str, frozenset[int]]] = []

    async def measure(self, service: Service, tree: Path, changed: Mapping[str, frozenset[int]]) -> CoverageReport:
        self.asked.append(dict(changed))
        for path in changed:
            (tree / path).write_text("x = 1\n")  # tests may write where they run; the analyzers must not see it
        if isinstance(self._report, Exception):
            raise self._report
        covered = tuple(FileCoverage(path=p, covered=tuple(sorted(n)), uncovered=()) for p, n in changed.items())
        return self._report or CoverageReport(files=covered, tests_run=3)


def opened(**more: object) -> Change:
    event = PrOpened(
        repo="shop", pr_number=1, title="t", branch="x", base_branch="main", head_sha=HEAD, base_sha=BASE,
        merge_base_sha=BASE, author="A <a@x>", diff_sha256="0" * 64,
    )  # fmt: skip
    event = msgspec.structs.replace(event, **more)
    return fold("shop-1", [Recorded(seq=1, event_id="1", agent="host", timestamp="2026-01-01T00:00:00Z", event=event)])


async def review(tmp_path, base: Tree, head: Tree, *, settings=SETTINGS, meter=None, analyzers=None, change=None):
    """(the result, the gates by id) of a review."""
    reader = ChangeReader(Trees(base, head), analyzers or build_analyzers(60), settings, coverage=meter or Meter())
    agent = ReviewAgent(reader, settings, tmp_path / "work")
    groups = [group async for group in agent.act(change or opened())]
    assert len(groups) == 1
    group = groups[0]
    assert isinstance(group, tuple)
    complete = group[-1]
    assert isinstance(complete, ReviewComplete)
    assert complete.proceed
    gates = {e.gate.gate_id: e.gate for e in group[:-1] if isinstance(e, HumanRequested)}
    assert len(gates) == len(group) - 1
    assert all(decode_event(encode_event(e)) == e for e in group)
    assert list((tmp_path / "work").iterdir()) == []
    return complete, gates


APP = {
    "shop/__init__.py": "",
    "shop/store.py": 'def find(c, name):\n    return c.execute("SELECT * FROM t WHERE n = ?", (name,))\n',
    "README.md": "# Shop\n",
    "requirements.txt": "httpx==0.27.0\n",
    "tests/test_store.py": "def test_find():\n    assert True\n",
}

HARMLESS = {
    "refactoring": {
        "shop/store.py": 'QUERY = "SELECT * FROM t WHERE n = ?"\n\n\n'
        'def lookup(c, name):\n    """Rows of that name."""\n    return c.execute(QUERY, (name,))\n'
    },
    "documents": {
        "README.md": "# Shop\n\nSee https://acme.io. DROP TABLE users; password = hunter2\n",
        "docs/a.rst": "x",
    },
    "version bump": {"requirements.txt": "httpx==0.28.1\n"},
    "new test": {
        "tests/test_more.py": "import subprocess\n\n\ndef test_x():\n    assert subprocess.run('ls', shell=True)\n"
    },
    "new function": {"shop/price.py": "def gross(net, rate):\n    return round(net * (1 + rate), 2)\n"},
}


@pytest.mark.parametrize("name", HARMLESS)
async def test_a_harmless_change_is_green(tmp_path, name) -> None:
    complete, gates = await review(tmp_path, APP, {**APP, **HARMLESS[name]})
    assert (complete.lane, gates) == (Lane.GREEN, {})
    assert complete.risk_score < 4
    assert complete.why.decision == "proceed"


INJECTION = "def find(c, name):\n    return c.execute(f\"SELECT * FROM t WHERE n = '{name}'\")"


async def test_an_injection_asks_a_human_before_staging_with_proof(tmp_path) -> None:
    complete, gates = await review(tmp_path, APP, {**APP, "shop/store.py": INJECTION + "\n"})
    assert complete.lane is Lane.RED
    assert complete.risk_score >= 8
    assert gates["red"].before is Stage.STAGING
    trigger = gates["red"].triggers[0]
    assert trigger.rule == "security_finding"
    assert trigger.evidence[0].startswith('shop/store.py:2 [greenlane.sql-injection]  return c.execute(f"SELECT')
    assert "reaches the limit of 7 set by thresholds.risk_score_max" in complete.why.rationale
    assert "greenlane.sql-injection" in complete.why.rules_fired
    assert [i.name for i in complete.why.inputs] == ["diff", "merge-base", "head"]


SILENCED = {
    "inline": {"shop/store.py": INJECTION + "  # noqa  # nosec\n"},
    "whole file": {"shop/store.py": "# ruff: noqa\n# @generated\n" + INJECTION + "\n"},
    "tool configuration": {
        "shop/store.py": INJECTION + "\n", "ruff.toml": 'exclude = ["*"]\n', ".bandit": "[bandit]\nskips: B608\n",
    },
    "own configuration": {"greenlane.yaml": "thresholds: {risk_score_max: 10}\n"},
    "syntax error": {"shop/store.py": INJECTION + "\n\ndef x(:\n"},
    "newer syntax": {"shop/store.py": INJECTION + "\n\n\nclass A[T = int]: ...\n"},
    "other encoding": {"shop/store.py": INJECTION.encode("utf-16")},
    "declared encoding": {"shop/store.py": "# -*- coding: utf-7 -*-\n# +AAo-import os\n"},
    "size": {"shop/store.py": INJECTION + "\n\nX = '" + "a" * (2 << 20) + "'\n"},
    "other language": {"shop/native.go": "package main\n"},
    "no suffix": {"bin/run": "#!/usr/bin/perl\nunlink;\n"},
    "deep nesting": {"shop/deep.py": "x = " + "-" * 3000 + "1\n"},
}  # fmt: skip


@pytest.mark.parametrize("name", SILENCED)
async def test_silencing_an_analyzer_never_makes_a_change_green(tmp_path, name) -> None:
    judges = only("reading", "security", "infrastructure")
    complete, gates = await review(tmp_path, APP, {**APP, **SILENCED[name]}, analyzers=judges)
    assert complete.lane is Lane.RED
    assert "red" in gates


@pytest.mark.parametrize(
    ("head", "lane", "gate", "flag"),
    [
        (
            {"migrations/2.sql": "ALTER TABLE t ADD COLUMN p INTEGER;\n"},
            Lane.SCHEMA,
            "schema",
            "schema_changes_detected",
        ),
        (
            {"requirements.txt": "httpx==0.27.0\nstripe==9\n", "shop/pay.py": "import stripe\n"},
            Lane.INTEGRATION,
            "integration",
            "new_service_integration",
        ),
    ],
)
async def test_a_lane_of_its_own_asks_before_deployment_only(tmp_path, head, lane, gate, flag) -> None:
    complete, gates = await review(tmp_path, APP, {**APP, **head})
    assert complete.lane is lane
    assert [(g.gate_id, g.before) for g in gates.values()] == [(gate, Stage.DEPLOYMENT)]
    assert getattr(complete, flag)


async def test_labels_and_paths_under_audit_and_hot_paths_choose_their_lane(tmp_path) -> None:
    head = {**APP, "shop/price.py": "x = 1\n"}
    complete, gates = await review(tmp_path, APP, head, change=opened(labels=("SOX",)), analyzers=only("reading"))
    assert (complete.lane, list(gates)) == (Lane.COMPLIANCE, ["compliance"])
    hot = SETTINGS.model_copy(update={"lanes": Lanes(performance_critical_paths=("shop/price.py",))})
    complete, gates = await review(tmp_path, APP, head, settings=hot, analyzers=only("reading"))
    assert (complete.lane, gates) == (Lane.PERFORMANCE, {})


async def test_a_secret_stands_in_no_event(tmp_path) -> None:
    secret = "9f$Kq2!mZx81"
    head = {**APP, "shop/conf.py": f'import os\n\nos.system("x " + os.environ["A"]); password = "{secret}"\n'}
    complete, gates = await review(tmp_path, APP, head)
    assert {"secret_found", "security_finding"} <= {t.rule for t in gates["red"].triggers}
    assert secret not in msgspec.json.encode((complete, tuple(gates.values()))).decode()


async def test_coverage_counts_changed_lines_of_production_code_and_a_gap_alone_stays_green(tmp_path) -> None:
    gap = FileCoverage(path="shop/price.py", covered=(1,), uncovered=(2,))
    meter = Meter(CoverageReport(files=(gap,), tests_run=3))
    head = {**APP, "shop/price.py": "def a():\n    return 1\n", "tests/test_b.py": "x = 1\n", "README.md": "y\n"}
    complete, gates = await review(tmp_path, APP, head, meter=meter, analyzers=only("reading"))
    assert meter.asked == [{"shop/price.py": frozenset({1, 2})}]
    assert (complete.lane, gates, complete.coverage) == (Lane.GREEN, {}, (gap,))
    assert "no test runs 1 of 2 changed lines" in [p.reason for p in complete.risk_points]


@pytest.mark.parametrize(
    "report", [CoverageReport(unavailable="no tests were found"), ChangeError("dependencies can't be installed")]
)
async def test_coverage_that_cannot_be_measured_is_an_incomplete_analysis(tmp_path, report) -> None:
    complete, gates = await review(
        tmp_path, APP, {**APP, "shop/price.py": "x = 1\n"}, meter=Meter(report), analyzers=only("reading")
    )
    assert complete.lane is Lane.RED
    assert [(s.path, s.analyzer) for s in complete.skipped] == [("*", "coverage")]
    assert [t.rule for t in gates["red"].triggers] == ["incomplete_analysis", "risk_score"]


class Broken:
    name, version = "broken", "1"

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def analyze(self, review: ReviewInput) -> AnalysisResult:
        if self._error:
            raise self._error
        await asyncio.sleep(3600)
        return AnalysisResult()


async def test_an_analyzer_that_fails_is_a_gap_and_no_failure_of_the_review(tmp_path) -> None:
    complete, gates = await review(tmp_path, APP, {**APP, "README.md": "y\n"}, analyzers=(Broken(ValueError("boom")),))
    assert complete.lane is Lane.RED
    assert "boom" in complete.skipped[0].reason
    assert "red" in gates


async def test_an_analyzer_process_that_is_too_slow_is_ended(make_review) -> None:
    started = time.monotonic()
    result = await IsolatedAnalyzer("security", "1", timeout_s=0.02).analyze(make_review({}, {"a.py": "x = 1\n"}))
    assert time.monotonic() - started < 5
    assert [(s.path, s.analyzer, s.reason) for s in result.skipped] == [("*", "security", "it took longer than 0.02 s")]


async def test_an_analyzer_process_that_dies_is_a_gap(make_review) -> None:
    result = await IsolatedAnalyzer("unknown", "1", timeout_s=30).analyze(make_review({}, {"a.py": "x = 1\n"}))
    assert [s.path for s in result.skipped] == ["*"]


async def test_a_change_beyond_the_limits_is_bounded_and_goes_to_a_human(tmp_path) -> None:
    settings = SETTINGS.model_copy(update={"review": Review(max_files=3, max_added_lines=50)})
    head = {**APP, **{f"docs/{n}.md": "a\n" for n in range(6)}, "a.txt": "x\n" * 100}
    complete, gates = await review(tmp_path, APP, head, settings=settings, analyzers=only("reading"))
    reasons = {s.reason for s in complete.skipped}
    assert reasons == {"the change adds more than 50 lines", "the change has more than 3 files"}
    assert "red" in gates


async def test_files_of_no_service_are_named(tmp_path) -> None:
    two = Settings(services=(Service(name="a", paths=("a/**",)), Service(name="b", paths=("b/**",))))
    complete, _ = await review(
        tmp_path, {}, {"a/x.txt": "1\n", "other/y.txt": "1\n"}, settings=two, analyzers=only("reading")
    )
    assert complete.services == ("a",)
    assert complete.summary[-1] == "in no service: 1 file (other/y.txt)"


async def test_a_review_that_stands_is_not_done_again(tmp_path) -> None:
    complete, _ = await review(tmp_path, APP, {**APP, "README.md": "y\n"}, analyzers=only("reading"))
    done = msgspec.structs.replace(opened(), review=complete)
    agent = ReviewAgent(ChangeReader(Trees({}, {}), (), SETTINGS, coverage=Meter()), SETTINGS, tmp_path / "work")
    assert [group async for group in agent.act(done)] == []
