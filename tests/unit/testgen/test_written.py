"""What a test does to a file by a call that it asserts on stands before a look at the file."""

from __future__ import annotations

from pathlib import Path

from greenlane.testgen.scripts import read_scripts
from tests.support.projects import write_tree

TESTS = """
from zipfile import ZipFile
import pytest
from shop import Archive, main, area


def test_sorts(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("b a")
    assert main([str(path)]) == 1
    assert path.read_text() == "a b"


def test_archive(tmp_path):
    path = tmp_path / "a.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("RECORD", "")
    error = pytest.raises(ValueError, Archive, path)
    error.match("no record")


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


def test_what_is_given_a_file_comes_after_what_was_done_to_it(tmp_path: Path) -> None:
    block = "with ZipFile(path, 'w') as archive:\n    archive.writestr('RECORD', '')"
    assert (["path = tmp_path / 'a.zip'", block], "Archive(path)") in scripts(tmp_path, "test_archive")


def test_a_look_at_a_file_comes_after_the_asserted_call_that_is_given_it(tmp_path: Path) -> None:
    made = ["path = tmp_path / 'list.txt'", "path.write_text('b a')"]
    found = scripts(tmp_path, "test_sorts")
    assert (made, "main([str(path)])") in found
    assert ([*made, "main([str(path)])"], "path.read_text()") in found


def test_an_asserted_call_that_is_given_no_file_is_left_out(tmp_path: Path) -> None:
    assert ([], "shape.width()") in scripts(tmp_path, "test_areas")


def test_what_a_test_prints_is_looked_at(tmp_path: Path) -> None:
    assert ([], "shape.width()") in scripts(tmp_path, "test_prints")


ON_DISK = """
import os
from zipfile import ZipFile
from shop import main, run

HERE = os.path.dirname(__file__)
DATA = os.path.join(HERE, "data", "a.txt")


def test_packs(tmp_path_factory, tmp_path):
    folder = tmp_path_factory.mktemp("in")
    with ZipFile(DATA) as file:
        file.extractall(folder)
    unused = sorted([3])
    args = ["-o", tmp_path, folder]
    run("pack", *args)
    assert (tmp_path / "a.zip").is_file()


def test_moves(tmpdir):
    made = os.path.join(str(tmpdir), "a.txt")
    before = os.getcwd()
    os.chdir(str(tmpdir))
    try:
        main(["a.txt"])
    finally:
        os.chdir(before)
    with open(made) as file:
        found = file.read()
    assert found == "a"
    assert len(found) == 1


def test_needs_what_no_other_file_has(tmp_path):
    folder = tmp_path / "a"
    filled_by_nobody(folder)
    assert (tmp_path / "b").exists()
"""


def on_disk(folder: Path, name: str) -> dict[str, list[str]]:
    write_tree(folder, {"tests/sub/test_disk.py": ON_DISK, "tests/sub/__init__.py": "", "tests/__init__.py": ""})
    found = read_scripts(folder, [f"tests/sub/test_disk.py::{name}"], "tests")
    return {one.script.look: [*one.script.setup] for one in found}


def test_a_look_at_the_disk_comes_after_all_that_was_done_there(tmp_path: Path) -> None:
    found = on_disk(tmp_path, "test_packs")
    assert found["(tmp_path / 'a.zip').is_file()"] == [
        "folder = tmp_path_factory.mktemp('in')",
        "with ZipFile(DATA) as file:\n    file.extractall(folder)",
        "args = ['-o', tmp_path, folder]",
        "run('pack', *args)",
    ]


def test_in_a_folder_of_its_own_every_call_counts(tmp_path: Path) -> None:
    setup = on_disk(tmp_path, "test_moves")["found"]
    assert "try:\n    main(['a.txt'])\nfinally:\n    os.chdir(before)" in setup
    assert setup.index("os.chdir(str(tmpdir))") < len(setup) - 1


def test_where_what_was_done_cannot_come_along_the_look_stands_alone(tmp_path: Path) -> None:
    assert on_disk(tmp_path, "test_needs_what_no_other_file_has")["(tmp_path / 'b').exists()"] == []


def test_a_constant_that_tells_where_its_file_stands_is_imported_elsewhere(tmp_path: Path) -> None:
    on_disk(tmp_path, "test_packs")
    (one,) = [
        one
        for one in read_scripts(tmp_path, ["tests/sub/test_disk.py::test_packs"], "tests")
        if "is_file" in one.script.look
    ]
    assert ("tests.sub.test_disk", "DATA") in one.script.imports
    beside = read_scripts(tmp_path, ["tests/sub/test_disk.py::test_packs"], "tests/sub")
    assert any("DATA = os.path.join(HERE, 'data', 'a.txt')" in script.script.setup for script in beside)
