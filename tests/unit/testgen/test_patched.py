"""What a test sets outside of itself is set in its scripts, in a way that pytest takes back."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from greenlane.testgen.scripts import read_scripts
from tests.support.projects import write_tree

TESTS = """
import os
from shop import sep
import shop.settings as settings
from shop import Till


class TestTill:
    def setup_method(self):
        self.before = os.environ
        os.environ = Till.world = {"LANG": "C"}
        self.till = Till()

    def teardown_method(self):
        assert self.before is not None
        os.environ = self.before

    def test_total(self):
        assert self.till.total() == 1


class TestNamed:
    def setup_method(self):
        os.sep = Till.sep = sep.copy()
        self.till = Till()

    def test_total(self):
        assert self.till.total() == 1


class TestClosed:
    def setup_method(self):
        self.till = Till()

    def teardown_method(self):
        self.till.close()

    def test_total(self):
        assert self.till.total() == 1


def test_debug():
    settings.DEBUG = True
    settings.RATES["a"] = 2
    try:
        assert Till().total() == 2
    finally:
        settings.DEBUG = False


def test_deleted():
    settings.DEBUG = True
    del settings.RATES["a"]
    assert Till().total() == 2
"""


def scripts(folder: Path, name: str) -> list[tuple[list[str], str]]:
    write_tree(folder, {"tests/test_shop.py": textwrap.dedent(TESTS)})
    found = read_scripts(folder, [f"tests/test_shop.py::{name}"])
    return [([*one.script.setup], one.script.look) for one in found]


def test_an_object_that_is_set_in_two_places_gets_a_name(tmp_path: Path) -> None:
    (patched,) = scripts(tmp_path, "TestTill::test_total")
    assert patched == (
        [
            "environ = {'LANG': 'C'}",
            "monkeypatch.setattr(os, 'environ', environ)",
            "monkeypatch.setattr(Till, 'world', environ)",
            "till = Till()",
        ],
        "till.total()",
    )


def test_the_name_of_such_an_object_is_none_that_is_taken(tmp_path: Path) -> None:
    patched = scripts(tmp_path, "TestNamed::test_total")[0]
    assert patched[0][:2] == ["new_sep = sep.copy()", "monkeypatch.setattr(os, 'sep', new_sep)"]


def test_a_flag_and_an_item_are_set(tmp_path: Path) -> None:
    made = ["monkeypatch.setattr(settings, 'DEBUG', True)", "monkeypatch.setitem(settings.RATES, 'a', 2)"]
    assert (made, "Till().total()") in scripts(tmp_path, "test_debug")


@pytest.mark.parametrize("name", ["TestClosed::test_total", "test_deleted"])
def test_what_no_fixture_takes_back_is_left_out_as_before(tmp_path: Path, name: str) -> None:
    assert not [setup for setup, _ in scripts(tmp_path, name) if "monkeypatch" in " ".join(setup)]
