"""Tests that read a data file are tried with another one from beside it."""

from __future__ import annotations

import ast
from pathlib import Path

from greenlane.testgen.code import list_functions
from greenlane.testgen.copied import Copier
from greenlane.testgen.inputs import Script
from greenlane.testgen.otherfiles import Swapper, words_asked
from greenlane.testgen.scripts import FoundScript

CODE = 'def load(path):\n    """Words of prose."""\n    if "p_priority" in read(path):\n        return 1\n'


def swapped(folder: Path, look: str, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    asked = words_asked(list_functions(ast.parse(CODE), "shop.py", "shop"), ast.parse(CODE))
    script = Script(imports=frozenset({("shop", "load")}), setup=(), look=look)
    found = FoundScript(test="tests/test_a.py::test_a", script=script)
    return [one.script.look for one in Swapper(folder, Copier(folder)).swapped(found, asked)]


def test_a_file_that_holds_what_the_code_asks_for_comes_in_place_of_the_one_that_a_test_names(tmp_path: Path) -> None:
    files = {
        "examples/basic.conf": "policy = sub",
        "examples/explicit.conf": "policy = priority, sub",
        "examples/other.conf": "policy = prose",
        "examples/explicit.csv": "priority",
    }
    assert swapped(tmp_path, "load(get('basic.conf'))", files) == ["load(get('explicit.conf'))"]


def test_a_folder_before_the_name_stays(tmp_path: Path) -> None:
    files = {"tests/data/basic.conf": "a = 1", "tests/data/priority.conf": "a = 2"}
    assert swapped(tmp_path, "load('data/basic.conf')", files) == ["load('data/priority.conf')"]


def test_what_all_files_hold_tells_none_of_them_from_another(tmp_path: Path) -> None:
    files = {"examples/basic.conf": "a"} | {f"examples/{n}.conf": "priority" for n in "abcde"}
    assert swapped(tmp_path, "load('basic.conf')", files) == []


def test_files_of_packages_are_not_for_tests_to_read(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "", "shop/basic.conf": "a", "shop/priority.conf": "priority"}
    assert swapped(tmp_path, "load('basic.conf')", files) == []
