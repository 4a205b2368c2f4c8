"""Tests that a change makes easier to pass are findings; ordinary changes of tests are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenlane.analyzers.base import ReviewInput
from greenlane.analyzers.weakened import analyze
from greenlane.domain.findings import Finding, Severity
from greenlane.domain.settings import Settings
from greenlane.policy.review import assess_review
from greenlane.policy.risk import RiskFacts
from tests.unit.review.review_trees import diff_of, write_tree

CODE = "def price(net, tax):\n    return net * (1 + tax)\n"
CHANGED = "def price(net, tax):\n    return net + tax\n"
TEST = """\
import pytest
from shop.pricing import price


@pytest.mark.parametrize(("net", "tax"), [(1, 0), (2, 0), (3, 1)])
def test_each(net, tax):
    assert price(net, tax) == net * (1 + tax)


def test_price():
    assert price(10, 0.2) == pytest.approx(12, abs=0.01)
    assert price(0, 0.2) == 0


def test_refusal():
    with pytest.raises(ValueError, match="negative"):
        price(-1, 0)
"""


def findings(tmp_path: Path, head_test: str | None, *, code: str = CHANGED, **more: tuple[str, str]) -> list[Finding]:
    base = {"shop/__init__.py": "", "shop/pricing.py": CODE, "tests/test_pricing.py": TEST}
    head = {"shop/__init__.py": "", "shop/pricing.py": code}
    if head_test is not None:
        head["tests/test_pricing.py"] = head_test
    for name, (old, new) in more.items():
        path = {"pyproject": "pyproject.toml", "coverage": ".coveragerc", "tox": "tox.ini"}[name]
        base[path], head[path] = old, new
    write_tree(tmp_path / "base", base)
    write_tree(tmp_path / "head", head)
    review = ReviewInput(diff=diff_of(base, head), base_tree=str(tmp_path / "base"), head_tree=str(tmp_path / "head"))
    return list(analyze(review).findings)


@pytest.mark.parametrize(
    ("old", "new", "rule", "quotation"),
    [
        ("    assert price(0, 0.2) == 0\n", "", "assertion-removed", "def test_price():"),
        ("price(0, 0.2) == 0", "price(0, 0.2) in (0, 0.2)", "assertion-loosened", "assert price(0, 0.2) in (0, 0.2)"),
        ("price(0, 0.2) == 0", "price(0, 0.2) is not None", "assertion-loosened", "assert price(0, 0.2) is not None"),
        ("price(0, 0.2) == 0", "price(0, 0.2) == 0 or True", "assertion-empty", "assert price(0, 0.2) == 0 or True"),
        ("price(0, 0.2) == 0", "True", "assertion-empty", "assert True"),
        ("abs=0.01", "abs=1", "tolerance-raised", "assert price(10, 0.2) == pytest.approx(12, abs=1)"),
        ('ValueError, match="negative"', "Exception", "assertion-loosened", "with pytest.raises(Exception):"),
        ("def test_price", "@pytest.mark.skip\ndef test_price", "skipped", "@pytest.mark.skip"),
        ("def test_price", "@pytest.mark.xfail()\ndef test_price", "skipped", "@pytest.mark.xfail()"),
        ("def test_price():\n", "def test_price():\n    return\n", "skipped", "return"),
        (", (3, 1)]", "]", "inputs-dropped", '@pytest.mark.parametrize(("net", "tax"), [(1, 0), (2, 0)])'),
        (TEST[TEST.index("def test_refusal") :], "", "test-deleted", "def test_refusal():"),
    ],
)  # fmt: skip
def test_a_weaker_test_is_a_finding_at_its_place(tmp_path: Path, old: str, new: str, rule: str, quotation: str) -> None:
    assert old in TEST
    found = findings(tmp_path, TEST.replace(old, new))
    assert [(f.rule, f.quotation) for f in found] == [(f"weakened.{rule}", quotation)]
    assert found[0].path == "tests/test_pricing.py"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("price(0, 0.2) == 0", "price(0, 0.2) == 0.2"),  # another value: the behaviour changed
        ("abs=0.01", "abs=0.001"),
        ("def test_price", "def test_the_price"),  # renamed
        ("def test_price", "@pytest.mark.skipif(sys.platform == 'win32', reason='no')\ndef test_price"),
        ("    assert price(0, 0.2) == 0\n", "    free = price(0, 0.2)\n    assert free == 0\n"),
        (", (3, 1)]", ", (3, 2), (4, 1)]"),
    ],
)
def test_an_ordinary_change_of_a_test_is_none(tmp_path: Path, old: str, new: str) -> None:
    assert old in TEST
    assert findings(tmp_path, TEST.replace(old, new)) == []


def test_a_test_that_goes_with_what_it_tested_is_no_finding(tmp_path: Path) -> None:
    assert findings(tmp_path, None, code="def other():\n    return 1\n") == []
    assert {f.rule for f in findings(tmp_path / "kept", None)} == {"weakened.test-deleted"}


def test_settings_that_demand_less_are_findings(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        TEST,
        pyproject=("[tool.coverage.report]\nfail_under = 90\n", "[tool.coverage.report]\nfail_under = 70\n"),
        coverage=("[run]\nbranch = true\n", "[run]\nbranch = true\nomit = shop/pricing.py\n"),
    )
    assert {(f.rule, f.path) for f in found} == {
        ("weakened.limit-lowered", "pyproject.toml"),
        ("weakened.code-left-out", ".coveragerc"),
    }


def test_another_command_for_the_tests_is_a_finding_and_another_version_of_the_runner_is_none(tmp_path: Path) -> None:
    old = "[testenv]\ndeps =\n    pytest<8\ncommands =\n    pytest tests {posargs}\n"
    (found,) = findings(tmp_path / "a", TEST, tox=(old, old.replace("pytest tests", "pytest tests/unit")))
    assert (found.rule, found.severity) == ("weakened.command-changed", Severity.LOW)
    assert found.message == "the tests were run by: pytest tests {posargs}"
    assert findings(tmp_path / "b", TEST, tox=(old, old.replace("pytest<8", "pytest<9"))) == []


def test_it_adds_points_and_asks_nobody_by_itself(tmp_path: Path) -> None:
    weak = findings(tmp_path, TEST.replace("price(0, 0.2) == 0", "True"))
    assert [f.severity for f in weak] == [Severity.MEDIUM]
    verdict = assess_review(RiskFacts(findings=tuple(weak)), paths=(), labels=(), services=(), settings=Settings())
    assert verdict.gates == ()
    assert verdict.risk.score == 2.0
    alone = findings(tmp_path / "alone", TEST.replace("price(0, 0.2) == 0", "True"), code=CODE)
    assert [f.severity for f in alone] == [Severity.LOW]  # no code that production runs is touched
