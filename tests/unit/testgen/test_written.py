"""What a test does to a file by a call that it asserts on stands before a look at the file."""

from __future__ import annotations

from pathlib import Path

from greenlane.testgen.scripts import read_scripts
from tests.support.projects import write_tree

TESTS = """
from shop import main, area


def test_sorts(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("b a")
    assert main([str(path)]) == 1
    assert path.read_text() == "a b"


def test_areas(shape):
    assert area(shape) == 1
    assert shape.width() == 2


def test_prints(shape):
    print(shape.width())
    print("done", shape)
"""


def scripts(folder: Path, name: str) -> list[tuple[list[str], str]]:
    write_tree(folder, {"tests/test_shop.py": TESTS})
    found = read_scripts(folder, [f"tests/test_shop.py::{name}"])
    return [([*one.script.setup], one.script.look) for one in found]


def test_a_look_at_a_file_comes_after_the_asserted_call_that_is_given_it(tmp_path: Path) -> None:
    made = ["path = tmp_path / 'list.txt'", "path.write_text('b a')"]
    found = scripts(tmp_path, "test_sorts")
    assert (made, "main([str(path)])") in found
    assert ([*made, "main([str(path)])"], "path.read_text()") in found


def test_an_asserted_call_that_is_given_no_file_is_left_out(tmp_path: Path) -> None:
    assert ([], "shape.width()") in scripts(tmp_path, "test_areas")


def test_what_a_test_prints_is_looked_at(tmp_path: Path) -> None:
    assert ([], "shape.width()") in scripts(tmp_path, "test_prints")
