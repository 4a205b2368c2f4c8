"""People's judgement of findings: who may give it, what is counted, and when a prompt may ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.policy.feedback import assess_feedback, assess_prompt, compute_rates, finding_id, judged_findings
from greenlane.policy.lifecycle import assess_standing
from greenlane.policy.people import Refused

from . import changes as c
from .conftest import CommandLine

SQL = Finding(
    rule="ruff.S608", category=Category.SECURITY, severity=Severity.HIGH, message="an SQL statement from a string",
    path="shop/orders.py", line=41, quotation='cursor.execute("SELECT " + order_id)',
)  # fmt: skip
GUARD = Finding(
    rule="guards.check-dropped", category=Category.SECURITY, severity=Severity.MEDIUM, message="a check is gone",
    path="shop/orders.py", line=50, quotation="if not allowed:",
)  # fmt: skip


def reviewed(*events: e.AnyEvent, number: int = 12) -> Change:
    return c.change_of(c.reviewed(findings=(SQL, GUARD)), *events, first=c.opened(number))


def judged(change: Change, by: str, verdict: str, finding: Finding = SQL) -> e.FindingJudged:
    event = assess_feedback(change, finding_id(finding), verdict, by=by, reason="looked")  # type: ignore[arg-type]
    assert isinstance(event, e.FindingJudged)
    return event


def test_a_judgement_changes_nothing_of_the_run() -> None:
    before = reviewed()
    after = reviewed(judged(before, "Grace Hopper", "false-positive"))
    assert assess_standing(after) == assess_standing(before)
    assert judged_findings(after)[0].verdict == "false-positive"


@pytest.mark.parametrize(
    ("by", "name", "rule"),
    [
        ("  ", finding_id(SQL), "nobody"),
        ("renovate[bot]", finding_id(SQL), "program"),
        ("Grace Hopper", "ffffffff", "no-such-finding"),
        ("Grace Hopper", "", "no-such-finding"),
    ],
)
def test_a_judgement_needs_a_person_and_a_finding(by: str, name: str, rule: str) -> None:
    refused = assess_feedback(reviewed(), name, "confirmed", by=by, reason="looked")
    assert isinstance(refused, Refused)
    assert refused.rule == rule
    if rule == "no-such-finding":
        assert "ruff.S608 at shop/orders.py:41" in refused.reason


def test_an_authors_word_on_their_own_change_is_kept_and_not_counted() -> None:
    change = reviewed()
    talked = reviewed(judged(change, "ada", "false-positive"))
    assert judged_findings(talked)[0].verdict is None
    rate = next(r for r in compute_rates([talked]) if r.rule == "ruff.S608")
    assert (rate.judged, rate.false.count, rate.by_authors) == (0, 0, 1)


def test_the_last_word_on_a_finding_counts_and_the_rate_has_its_interval() -> None:
    change = reviewed()
    first, last = judged(change, "Grace Hopper", "false-positive"), judged(change, "Mary Keller", "confirmed")
    other = reviewed(judged(change, "Grace Hopper", "false-positive"), number=13)
    rate = next(r for r in compute_rates([reviewed(first, last), other]) if r.rule == "ruff.S608")
    assert (rate.fired, rate.runs, rate.judged, rate.false.count) == (2, 2, 2, 1)
    assert rate.false.low == pytest.approx(0.0945, abs=1e-3)  # Wilson's interval of 1 in 2
    assert rate.false.high == pytest.approx(0.9055, abs=1e-3)


def test_a_prompt_ships_only_if_held_out_recall_does_not_fall() -> None:
    held_out = ["a", "b", "c"]
    assert assess_prompt(held_out, found_before=["a", "b"], found_after=["b", "c"]).ships
    falls = assess_prompt(held_out, found_before=["a", "b"], found_after=["c", "elsewhere"])
    assert (falls.ships, falls.lost) == (False, ("a", "b"))
    assert not assess_prompt([], found_before=[], found_after=[]).ships


def test_the_commands_keep_a_word_show_it_and_offer_it_as_an_example(cli: CommandLine, tmp_path: Path) -> None:
    change = reviewed()
    cli.application.changes = {change.run: change}
    name = finding_id(SQL)
    assert cli("feedback", "#12", name, "--by", "Grace Hopper").exit_code == 2
    done = cli("feedback", "#12", name[:5], "--false-positive", "--by", "Grace Hopper", "--reason", "a constant")
    assert done.exit_code == 0, done.stderr
    assert "ruff.S608 at shop/orders.py:41" in done.stderr + done.stdout
    shown = cli("explain", "#12")
    assert name in shown.stdout
    assert "false positive: Grace Hopper: a constant" in " ".join(shown.stdout.split())
    folder = tmp_path / "examples"
    cli.application.ledger_path.parent.mkdir(parents=True, exist_ok=True)
    told = json.loads(cli("rules", "--json", "--examples", str(folder)).stdout)
    assert [r["rule"] for r in told if r["judged"]] == ["ruff.S608"]
    example = (folder / f"{name}.md").read_text()
    assert "kind: harmless" in example
    assert SQL.quotation in example
    assert "Grace" not in example
    assert cli("rules").exit_code == 0
