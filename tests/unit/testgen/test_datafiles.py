"""Texts of the files that tests name."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenlane.testgen.datafiles import is_named, texts_of_files
from greenlane.testgen.literals import MAX_TEXT


def test_files_that_a_test_names_give_their_first_lines_and_others_nothing(tmp_path: Path) -> None:
    rows = tmp_path / "tests/rows"
    rows.mkdir(parents=True)
    (rows / "short.txt").write_text("head\nmode 1\n")
    (rows / "long.txt").write_text("a line\n" * 100)
    (rows / "other.txt").write_text("other\n")
    (tmp_path / "tests/bytes.bin").write_bytes(b"\xff\xfe")
    (rows / "outside.txt").symlink_to("/etc/hostname")
    (tmp_path / "tests/test_a.py").write_text(
        "def test_a():\n    names = 'rows/short.txt', 'rows/long.txt', 'bytes.bin', 'missing.txt'\n"
    )
    (rows / "one.csv").write_text("1,2\n")
    (rows / "two.csv").write_text("1,2\n")
    short, named, long, *more = texts_of_files(tmp_path, ["tests/test_a.py", "tests/test_b.py"])
    assert (named, more) == ("rows/one.csv", ["rows/two.csv", "rows/other.txt"])
    assert short == "head\nmode 1\n"
    assert long == "a line\n" * (MAX_TEXT // 7)


def test_a_folder_beside_that_of_the_tests_is_looked_into_and_a_long_document_gives_small_ones(tmp_path: Path) -> None:
    for folder in ("tests/data", "tests/formats"):
        (tmp_path / folder).mkdir(parents=True)
    rows = "".join(f"<row n='{n}'/>" for n in range(99))
    (tmp_path / "tests/data/a.xml").write_text(f"<rows>{rows}<last>b</last></rows>")
    (tmp_path / "tests/formats/test_a.py").write_text("NAME = 'a.xml'\n")
    first, *_ = texts_of_files(tmp_path, ["tests/formats/test_a.py"])
    assert first == "<rows><row n='0'/></rows>"


def test_a_program_below_the_tests_that_one_names_is_data_and_no_other_code_is(tmp_path: Path) -> None:
    for folder in ("shop/tests/programs", "shop/till"):
        (tmp_path / folder).mkdir(parents=True)
    for path in ("shop/tests/programs/one.py", "shop/tests/programs/test_two.py", "shop/till/three.py"):
        (tmp_path / path).write_text(f"{Path(path).stem} = 1\n")
    names = "NAMES = 'one.py', 'test_two.py', 'three.py'\n"
    (tmp_path / "shop/tests/test_a.py").write_text(names)
    assert texts_of_files(tmp_path, ["shop/tests/test_a.py"]) == ["one = 1\n"]


def test_files_that_are_named_without_their_ending_lead_to_those_beside_them(tmp_path: Path) -> None:
    (tmp_path / "tests/samples").mkdir(parents=True)
    for name in ("log_error", "log_object", "try_else"):
        (tmp_path / f"tests/samples/{name}.py").write_text("x = 1\n")
    test = tmp_path / "tests/test_a.py"
    test.write_text("def test_a():\n    read('log_error')\n    read('log_object')\n")
    assert texts_of_files(tmp_path, ["tests/test_a.py"]) == ["try_else"]
    test.write_text("def test_a():\n    read('log_error')\n")
    assert texts_of_files(tmp_path, ["tests/test_a.py"]) == []


@pytest.mark.parametrize(
    ("word", "is_one"),
    [
        ("a.{:03d}.html", True), ("a.%03d.html", True), ("data/a.{number}.html", True), ("a.{}.json", False),
        ("{}", False), ("{}.js", False), ("{}.{}.{}.html", False),
    ],
)  # fmt: skip
def test_a_name_with_gaps_names_what_would_be_left_with_something_in_them(word: str, is_one: bool) -> None:
    assert is_named(Path("/tree/tests/data/a.001.html"), word) == is_one
