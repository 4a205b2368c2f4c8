"""Tests that read a data file of the project get a short one of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenlane.testgen.copied import Copier, is_given_text
from greenlane.testgen.inputs import Script
from greenlane.testgen.scripts import FoundScript

HELPER = "def place(name):\n    return Path(__file__).parent / 'data' / name"
IMPORTS = frozenset({("shop", "load"), ("os", ""), ("pathlib", "Path")})
WRITTEN = "(tmp_path / 'a.xml').write_text('<a/>')"


def copies(folder: Path, *setup: str, look: str, text: str = "<a/>") -> list[FoundScript]:
    (folder / "tests/data").mkdir(parents=True)
    (folder / "tests/data/a.xml").write_text(text)
    (folder / "tests/data/b.bin").write_bytes(b"\xff\x00")
    script = Script(imports=IMPORTS, setup=setup, look=look)
    return list(Copier(folder).copies(FoundScript(test="tests/test_a.py::test_a", script=script)))


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("place('a.xml')", "tmp_path / 'a.xml'"),
        ("os.path.join(os.path.dirname(__file__), 'data', 'a.xml')", "str(tmp_path / 'a.xml')"),
        ("Path(__file__).parent / 'data' / 'a.xml'", "tmp_path / 'a.xml'"),
        ("str(Path('tests/data/a.xml').resolve())", "str(tmp_path / 'a.xml')"),
        ("'tests/data/a.xml'", "str(tmp_path / 'a.xml')"),
    ],
)
def test_a_file_of_its_own_stands_where_a_data_file_was_read(tmp_path: Path, path: str, own: str) -> None:
    (one,) = copies(tmp_path, HELPER, f"rows = load({path})", look="rows.names")
    assert (one.script.setup, one.script.look) == ((WRITTEN, f"rows = load({own})"), "rows.names")
    assert (one.script.imports, one.fixtures) == ({("shop", "load")}, {"tmp_path"})


def test_a_long_document_gives_short_ones_and_what_is_not_ascii_says_how_it_is_written(tmp_path: Path) -> None:
    rows = "".join(f"<row n='{n}'>\u00e9</row>" for n in range(40))
    first, _ = copies(tmp_path, look="load('data/a.xml')", text=f"<rows>{rows}</rows>")
    written = "(tmp_path / 'a.xml').write_text(\"<rows><row n='0'>\u00e9</row></rows>\", encoding='utf-8')"
    assert first.script.setup == (written,)


@pytest.mark.parametrize("look", ["load('data/b.bin')", "load('data/none.xml')", "load('a')", "place('a.xml')"])
def test_what_reads_no_text_file_of_the_tests_is_left_alone(tmp_path: Path, look: str) -> None:
    assert copies(tmp_path, HELPER, look=look) == []


@pytest.mark.parametrize(
    ("look", "given"), [("load('a.xml', 'b')", False), ("parse('a\\nb')", True), (f"parse({'a' * 101!r})", True)]
)
def test_what_is_given_a_text_needs_no_file(look: str, given: bool) -> None:
    script = Script(imports=IMPORTS, setup=(), look=look)
    assert is_given_text(FoundScript(test="tests/test_a.py::test_a", script=script)) is given
