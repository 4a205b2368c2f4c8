"""Tests that put stand-ins in the place of something: what looks at nothing of them needs them nonetheless."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from greenlane.testgen.scripts import read_programs, scripts_of
from tests.support.projects import write_tree

TESTS = """
from unittest import mock
from unittest.mock import patch
import shop

def test_block():
    with mock.patch("shop.rate") as rate:
        rate.return_value = 3
        assert shop.price(1) == 3

def test_fixture(mocker):
    rate = mocker.patch("shop.rate")
    rate.return_value = 3
    other = mocker.patch("shop.other")
    assert shop.price(1) == 3
    rate.assert_called_once_with("a", day=1)

def test_patched(monkeypatch):
    fake = mock.Mock()
    fake.get.return_value = 4
    monkeypatch.setattr(shop, "client", fake)
    unused = mock.Mock()
    assert shop.price(1) == 4

@patch("shop.zone", "a")
class TestTill:
    @patch.object(shop, "tax")
    @mock.patch("shop.rate")
    def test_decorated(self, rate, tax, server):
        server.answer("/", "5")
        rate.side_effect = [1, 2]
        assert shop.price(1) == 1
        assert tax.call_count == 1

def test_told(told):
    answers = told("/prices", "7")
    assert shop.price(7) == 7
    assert answers.calls[0].path == "/prices"

def test_long(monkeypatch):
    monkeypatch.setattr(shop, "client", lambda: unknown)
    assert shop.price(2) == 4
"""


def _scripts(name: str) -> list[tuple[tuple[str, ...], str]]:
    return [(one.script.setup, one.script.look) for one in scripts_of(ast.parse(TESTS), name)]


def test_what_a_stand_in_is_told_stays() -> None:
    block = "with mock.patch('shop.rate') as rate:\n    rate.return_value = 3\n    inside = shop.price(1)"
    assert _scripts("test_block") == [((block,), "inside")]


def test_a_fixture_that_patches_stays_and_what_a_stand_in_was_called_with_is_looked_at() -> None:
    first = ("rate = mocker.patch('shop.rate')", "rate.return_value = 3", "other = mocker.patch('shop.other')")
    found = _scripts("test_fixture")
    assert (first, "shop.price(1)") in found
    assert ((*first, "shop.price(1)"), "rate.call_args.args") in found
    assert ((*first, "shop.price(1)"), "rate.call_args.kwargs") in found


def test_what_a_fixture_that_is_a_function_was_told_stays_and_what_was_asked_for_is_looked_at_after_the_call() -> None:
    found = _scripts("test_told")
    assert (("answers = told('/prices', '7')",), "shop.price(7)") in found
    assert (("answers = told('/prices', '7')", "shop.price(7)"), "answers.calls[0].path") in found


def test_what_is_patched_by_hand_stays_with_what_it_needs_alone() -> None:
    setup = ("fake = mock.Mock()", "fake.get.return_value = 4", "monkeypatch.setattr(shop, 'client', fake)")
    assert (setup, "shop.price(1)") in _scripts("test_patched")


def test_decorators_that_patch_are_blocks_around_the_test() -> None:
    block = (
        "with patch('shop.zone', 'a'):\n    with patch.object(shop, 'tax') as tax:\n"
        "        with mock.patch('shop.rate') as rate:\n            server.answer('/', '5')\n"
        "            rate.side_effect = [1, 2]\n            inside = shop.price(1)"
    )
    found = _scripts("TestTill::test_decorated")
    assert ((block,), "inside") in found
    assert any("shop.price(1)\n            inside = tax.call_count" in setup[0] for setup, _ in found)


def test_where_the_scene_cannot_be_set_the_look_is_taken_without_it() -> None:
    assert _scripts("test_long") == [((), "shop.price(2)")]


def test_a_test_that_is_gone_on_from_has_its_scene_set(tmp_path: Path) -> None:
    test = "import shop\n\ndef test_it(monkeypatch):\n    monkeypatch.setenv('A', 'b')\n    till = shop.Till()\n"
    write_tree(tmp_path, {"tests/test_it.py": test})
    (found,) = read_programs(tmp_path, ["tests/test_it.py::test_it"])
    assert found.script.setup == ("monkeypatch.setenv('A', 'b')", "till = shop.Till()")


ANSWERED = """
import responses, httpretty, requests_mock
from freezegun import freeze_time
import shop

@responses.activate
def test_fetch():
    responses.add(responses.GET, "http://a", body="{}")
    assert shop.fetch("http://a") == {}

@freeze_time("2020-01-31")
@httpretty.activate(allow_net_connect=False)
def test_late():
    httpretty.register_uri(httpretty.GET, "http://a")
    assert shop.is_late()

class TestTill:
    @requests_mock.Mocker()
    def test_given(self, answers):
        answers.get("http://a", text="1")
        assert shop.fetch("http://a") == 1

def test_by_hand():
    with responses.RequestsMock() as answers:
        answers.add("GET", "http://a")
        assert shop.fetch("http://a") == 2
"""


@pytest.mark.parametrize(
    ("test", "block"),
    [
        (
            "test_fetch",
            "with responses.mock:\n    responses.add(responses.GET, 'http://a', body='{}')\n"
            "    inside = shop.fetch('http://a')",
        ),
        (
            "test_late",
            "with freeze_time('2020-01-31'):\n    with httpretty.enabled(allow_net_connect=False):\n"
            "        httpretty.register_uri(httpretty.GET, 'http://a')\n        inside = shop.is_late()",
        ),
        (
            "TestTill::test_given",
            "with requests_mock.Mocker() as answers:\n    answers.get('http://a', text='1')\n"
            "    inside = shop.fetch('http://a')",
        ),
        (
            "test_by_hand",
            "with responses.RequestsMock() as answers:\n    answers.add('GET', 'http://a')\n"
            "    inside = shop.fetch('http://a')",
        ),
    ],
)
def test_decorators_that_answer_or_hold_the_clock_are_blocks_around_the_test(test: str, block: str) -> None:
    assert ((block,), "inside") in [
        (one.script.setup, one.script.look) for one in scripts_of(ast.parse(ANSWERED), test)
    ]
