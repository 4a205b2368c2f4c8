"""What is listed is a folder, what is opened a file, and something is there before the call."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import Function, FunctionNode, list_functions
from greenlane.testgen.folders import with_files
from greenlane.testgen.importers import offered_by
from greenlane.testgen.inputs import Case, Description, Receiver
from greenlane.testgen.madeup import made_receivers, made_up_calls
from greenlane.testgen.pathkinds import path_kind
from greenlane.testgen.uses import told_by_uses


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("return os.listdir(source)", "Folder"),
        ("source = Path(source).resolve()\n    return list(source.rglob('*.py'))", "Folder"),
        ("return open(os.path.join(source, 'a.ini')).read()", "Folder"),
        ("return (Path(source) / 'a.ini').read_text()", "Folder"),
        ("with open(source) as f:\n        return f.read()", "File"),
        ("name = source or 'a.txt'\n    return io.open(name, encoding='utf-8').read()", "File"),
        ("return json.loads(Path(source).read_text())", "File"),
        ("open(source, 'w').write('a')", ""),
        ("return re.compile(source)", ""),
        ("return webbrowser.open(source)", ""),
    ],
)
def test_the_kind_of_a_path_is_told_by_what_is_done_with_it(body: str, kind: str) -> None:
    (node,) = ast.parse(f"def load(source):\n    {body}\n").body
    assert isinstance(node, FunctionNode)
    assert path_kind("source", node) == kind


TEXT = """
import os, json

class Secrets:
    def __init__(self, source='/run/secrets'):
        self.data = {name: open(os.path.join(source, name)).read() for name in os.listdir(source)}

    def __contains__(self, key):
        return key in self.data

def load(path: str):
    with open(path) as file:
        return json.load(file)
"""
TREE = ast.parse(TEXT)
FUNCTIONS = told_by_uses(list_functions(TREE, "shop.py", "shop"), TREE)


def written(entry: Function) -> list[tuple[str, ...]]:
    constructors = offered_by(FUNCTIONS, TREE)
    made: list[Case] = made_up_calls(entry, 0, 4, made_receivers(entry, [], constructors), constructors)
    return [(*one.script.setup, one.script.look) for one in with_files(made) if one.script]


def test_a_folder_has_a_file_of_the_name_that_the_call_asks_for() -> None:
    contains = next(f for f in FUNCTIONS if f.name == "__contains__")
    found = written(contains)
    assert any("tmp_path / 'abc'" in row[0] and row[1].startswith("'abc' in Secrets(source=") for row in found)


def test_a_file_holds_what_the_code_reads_it_as() -> None:
    load = next(f for f in FUNCTIONS if f.name == "load")
    assert written(load)[0] == ("(tmp_path / 'a.txt').write_text('{\"a\": 1}')", "load(str(tmp_path / 'a.txt'))")


def test_a_data_file_that_a_test_gave_is_exchanged_for_one_of_the_test_to_come() -> None:
    load = next(f for f in FUNCTIONS if f.name == "load")
    given = Case(
        entry=load, receiver=None, arguments=((None, "str(Path(__file__).parent / 'rows.json')"),),
        imports=frozenset({("pathlib", "Path")}), fixtures=frozenset(), carved=True,
    )  # fmt: skip
    found = with_files([given])
    assert found[0].script is not None
    assert found[0].script.look == "load(str(tmp_path / 'a.txt'))"
    assert found[0].fixtures == {"tmp_path"}


def test_what_is_read_as_an_archive_is_one_with_a_file_of_a_name_that_is_asked_for() -> None:
    text = (
        "def kind(path):\n    names = zipfile.ZipFile(path).namelist()\n    return 'x' if 'a/book.xml' in names else ''"
    )
    tree = ast.parse(text)
    (kind,) = told_by_uses(list_functions(tree, "box.py", "box"), tree)
    first, second, *_ = [setup for setup, look in written(kind) if look == "kind(str(tmp_path / 'a.txt'))"]
    assert first == "with ZipFile(tmp_path / 'a.txt', 'w') as archive:\n    archive.writestr('a/book.xml', 'abc')"
    assert "writestr('a.txt'" in second


def test_of_a_method_that_gives_nothing_the_object_is_looked_at() -> None:
    text = (
        "class Box:\n    def __init__(self): self.rows = []\n"
        "    def fill(self, path):\n        self.rows = open(path).read()"
    )
    tree = ast.parse(text)
    fill = told_by_uses(list_functions(tree, "box.py", "box"), tree)[-1]
    (case, *_) = made_up_calls(fill, 0, 4, [Receiver(Description("Box()", (("box", "Box"),)))], {})
    (found, *_) = with_files([case])
    assert found.script is not None
    assert (*found.script.setup[1:], found.script.look) == ("box = Box()", "box.fill(str(tmp_path / 'a.txt'))", "box")
