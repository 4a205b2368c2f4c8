from __future__ import annotations

from pathlib import Path

import pytest

from greenlane.suite import plugins
from greenlane.suite.plugins import idle_plugins


def put(tree: Path, path: str, text: str) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text, encoding="utf-8")


def test_what_nothing_names_is_idle(tmp_path: Path) -> None:
    put(tmp_path, "tests/test_till.py", "def test_till(): ...\n")
    assert "benchmark" in idle_plugins(tmp_path)
    assert "pytest_mock" in idle_plugins(tmp_path)


def test_a_fixture_of_a_plugin_keeps_it(tmp_path: Path) -> None:
    put(tmp_path, "tests/test_till.py", "def test_till(mocker): ...\n")
    assert "pytest_mock" not in idle_plugins(tmp_path)
    assert "benchmark" in idle_plugins(tmp_path)


def test_a_setting_or_an_option_of_a_plugin_keeps_it(tmp_path: Path) -> None:
    put(tmp_path, "setup.cfg", "[tool:pytest]\naddopts = --benchmark-skip\ntimeout = 30\n")
    found = idle_plugins(tmp_path)
    assert "benchmark" not in found
    assert "timeout" not in found


def test_what_needs_another_keeps_that(tmp_path: Path) -> None:
    put(tmp_path, "tests/test_till.py", "def test_till(data_regression): ...\n")
    assert not {"regressions", "pytest-datadir"} & set(idle_plugins(tmp_path))


def test_an_environment_inside_of_the_tree_is_not_read(tmp_path: Path) -> None:
    put(tmp_path, ".venv/lib/site.py", "import typeguard\n")
    assert "typeguard" in idle_plugins(tmp_path)


def test_nothing_is_idle_where_there_is_too_much_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        put(tmp_path, f"shop/part_{number}.py", "")
    assert idle_plugins(tmp_path)
    monkeypatch.setattr(plugins, "_MOST_FILES", 3)
    assert idle_plugins(tmp_path) == ()
