"""Who may decide: the table first, then the rules that need more than a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.policy.people import Allowed, Refused, assess_approval, detect_program, detect_same_person

from . import changes as c

WAITING = c.change_of(
    c.reviewed(), c.asked(), first=c.opened(coauthors=("Charles Babbage <12345+cbabbage@users.noreply.example.org>",))
)

TABLE = [
    # by, head, gate -> rule of the refusal, or None
    ("Grace Hopper", None, None, None),
    ("Grace Hopper <grace@example.org>", None, "review-1", None),
    ("Grace Hopper", c.HEAD, None, None),
    ("Grace Hopper", c.HEAD[:10].upper(), None, None),
    ("   ", None, None, "nobody"),
    ("!?", None, None, "nobody"),
    ("renovate[bot]", None, None, "program"),
    ("release-bot <release@example.org>", None, None, "program"),
    ("Greenlane", None, None, "program"),
    ("greenlane/deployment", None, None, "program"),
    ("Ada Lovelace <ada@example.org>", None, None, "author"),
    ("ada lovelace", None, None, "author"),
    ("  ADA \u00a0 LOVELACE ", None, None, "author"),
    ("Ada\u200b Lovelace", None, None, "author"),
    ("Adà Lovelace", None, None, "author"),
    ("Ａｄａ Lovelace", None, None, "author"),
    ("ADA@EXAMPLE.ORG", None, None, "author"),
    ("<ada@example.org>", None, None, "author"),
    ("ada", None, None, "author"),
    ("@ada", None, None, "author"),
    ("ada+review@elsewhere.example", None, None, "author"),
    ("Somebody Else <ada@elsewhere.example>", None, None, "author"),
    ("charles.babbage", None, None, "author"),
    ("cbabbage", None, None, "author"),
    ("Grace <noreply@example.org>", None, None, None),
    ("Adam", None, None, None),
    ("Grace Hopper", "f" * 40, None, "stale-head"),
    ("Grace Hopper", c.HEAD[:6], None, "stale-head"),
    ("Grace Hopper", "", None, "stale-head"),
    ("Grace Hopper", None, "review-2", "no-such-gate"),
]


@pytest.mark.parametrize(("by", "head", "gate", "rule"), TABLE)
def test_decision_table(by: str, head: str | None, gate: str | None, rule: str | None) -> None:
    verdict = assess_approval(WAITING, by=by, head=head, gate=gate)
    if rule is None:
        assert verdict == Allowed(gate_ids=("review-1",), head_sha=c.HEAD)
    else:
        assert isinstance(verdict, Refused)
        assert verdict.rule == rule
        assert verdict.reason
        assert verdict.hint


STATES: list[tuple[str, Change, str]] = [
    ("no gate", c.change_of(c.reviewed()), "no-gate"),
    ("decided", c.change_of(c.reviewed(), c.asked(), c.approved()), "decided"),
    ("blocked", c.change_of(c.reviewed(proceed=False), c.asked()), "ended"),
    ("deployed", c.change_of(*c.GREEN_WAY, c.deployed()), "ended"),
    (
        "superseded",
        c.change_of(c.reviewed(), c.asked(), e.RunSuperseded(by_run="shop-12-99999999", new_head_sha="9" * 40)),
        "superseded",
    ),
]


@pytest.mark.parametrize(("change", "rule"), [s[1:] for s in STATES], ids=[s[0] for s in STATES])
def test_a_change_that_asks_nobody_takes_no_approval(change: Change, rule: str) -> None:
    verdict = assess_approval(change, by="Grace Hopper")
    assert isinstance(verdict, Refused)
    assert verdict.rule == rule


def test_an_approval_looked_at_before_tests_were_committed_is_stale() -> None:
    change = c.change_of(c.reviewed(), c.asked(), c.ran_tests(commit="9" * 40))
    verdict = assess_approval(change, by="Grace Hopper", head=c.HEAD)
    assert isinstance(verdict, Refused)
    assert verdict.rule == "stale-head"
    assert assess_approval(change, by="Grace Hopper") == Allowed(gate_ids=("review-1",), head_sha="9" * 40)


def test_every_open_gate_is_meant_unless_one_is_named() -> None:
    change = c.change_of(c.reviewed(), c.asked(), c.asked(c.MIGRATION, gate="schema-1"))
    assert assess_approval(change, by="Grace") == Allowed(gate_ids=("review-1", "schema-1"), head_sha=c.HEAD)
    assert assess_approval(change, by="Grace", gate="schema-1") == Allowed(gate_ids=("schema-1",), head_sha=c.HEAD)


names = st.text(st.characters(categories=("Lu", "Ll", "Nd")), min_size=2, max_size=12)


@given(first=names, last=names, domain=st.sampled_from(["example.org", "sub.example.com"]))
def test_no_way_to_write_an_author_gets_past(first: str, last: str, domain: str) -> None:
    author = f"{first} {last} <{first}.{last}@{domain}>"
    for writing in (
        author,
        f"{first} {last}",
        f"{first}.{last}",
        f"{first}.{last}@{domain}",
        f" {first}  {last.upper()} ",
    ):
        assert detect_same_person(writing, author)


def test_people_are_not_taken_for_programs() -> None:
    assert not detect_program("Abbott")
    assert not detect_program("Elliot Robot <elliot@example.org>")
    assert detect_program("41898282+github-actions[bot]@users.noreply.example.org")
