"""Calls that end the process they are made in, as the generator leaves them out."""

from __future__ import annotations

import json

import msgspec

from greenlane.suite.lines import parse_source
from greenlane.testgen.code import list_functions
from greenlane.testgen.endless import Endless, ended_by
from greenlane.testgen.inputs import Case
from tests.unit.testgen.test_nearest import suite

(ENTRY,) = list_functions(parse_source("def fill(count):\n    return set(range(count))\n"), "a.py", "a")


def case(text: str) -> Case:
    return Case(
        entry=ENTRY, receiver=None, arguments=((None, text),), imports=frozenset(), fixtures=frozenset(), carved=False
    )  # fmt: skip


def test_the_call_that_was_begun_last_ended_a_run_with_nothing_after_it() -> None:
    cases = [case("1"), case("10000000000")]
    begun, done = ({"begun": 0}, {"case": 0, "kind": "opaque"}), {"begun": 1}
    rows = [json.dumps(row) for row in (*begun, done)]
    ended = msgspec.structs.replace(suite({}), plugin_output="\n".join(rows).encode() + b"\n")
    whole = msgspec.structs.replace(ended, plugin_output="\n".join(rows[:2]).encode() + b"\n")
    assert ended_by(ended, cases) == cases[1]
    assert [ended_by(whole, cases), ended_by(suite({}), cases), ended_by(ended, cases[:1])] == [None, None, None]


def test_what_ended_a_run_is_left_out_with_others_that_hold_its_large_number() -> None:
    endless = Endless()
    endless.add(case("10000000000"))
    endless.add(case("3"))
    cases = [case("1"), case("3"), case("[10000000000]"), case("10000000001"), case("10000000000")]
    assert [one.arguments[0][1] for one in cases if endless.allows(one)] == ["1", "10000000001"]
