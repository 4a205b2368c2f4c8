"""What is written down of the calls that tests make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from greenlane.testgen.inputs import Description, is_harmless
from tests.support.insides import INSIDE
from tests.support.projects import write_tree

FILES = {
    "shop.py": "def total(basket):\n    return len(basket)\n",
    "tests/conftest.py": "import pytest\n\n@pytest.fixture\ndef basket():\n    return [object()]\n",
    "tests/test_shop.py": """
import pytest
from shop import total

@pytest.mark.parametrize("row", [[1, 2]])
def test_row(row):
    assert total(row) == 2

def test_basket(basket):
    assert total(basket) == 1
""",
}


HELPED = {
    "shop.py": "class Row:\n    @classmethod\n    def read(cls, like):\n        return cls()\n",
    "tests/__init__.py": "",
    "tests/models.py": """
from shop import Row

class Fruit(Row):
    def __init__(self, name="a"):
        self.name = name
""",
    "tests/test_shop.py": """
from shop import Row
from tests.models import Fruit

class Own(Row):
    pass

def test_read():
    assert Fruit.read(Fruit("pear")).name == "a"
    assert Own.read(None)
""",
}


def carved(tmp_path: Path, files: dict[str, str], name: str, line: int, *, rows: bool = False) -> list[dict[str, Any]]:
    """The calls of a function, or the rows of tests with parameters."""
    write_tree(tmp_path, files)
    given = {
        "targets": [[f"{tmp_path}/shop.py", name, line]], "project": str(tmp_path), "tests": f"{tmp_path}/tests",
        "near": "tests",
    }  # fmt: skip
    (tmp_path / "input").write_text(json.dumps(given))
    paths = {"GREENLANE_INPUT": str(tmp_path / "input"), "GREENLANE_OUTPUT": str(tmp_path / "output")}
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "greenlane_carve", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        env=os.environ | paths | {"PYTHONPATH": os.pathsep.join([str(INSIDE), str(tmp_path)])},
        check=True,
        capture_output=True,
        timeout=60,
    )
    records = [json.loads(text) for text in (tmp_path / "output").read_text().splitlines()]
    return [record for record in records if rows == ("test" in record)]


def test_a_fixture_is_named_and_a_value_of_a_parametrised_test_is_written_out(tmp_path: Path) -> None:
    calls = [call["positional"] for call in carved(tmp_path, FILES, "total", 1)]
    assert [(value["text"], value["fixtures"]) for (value,) in calls] == [("[1, 2]", []), ("basket", ["basket"])]


def test_what_a_module_beside_the_tests_offers_is_named_and_what_a_test_file_holds_is_not(tmp_path: Path) -> None:
    fruit, own = carved(tmp_path, HELPED, "read", 2)
    assert (fruit["receiver"]["text"], fruit["receiver"]["imports"]) == ("Fruit", [["tests.models", "Fruit"]])
    assert fruit["positional"][0]["text"] == "Fruit('pear')"
    assert own["receiver"] is None


def test_a_file_of_the_project_is_written_from_where_the_tests_stand(tmp_path: Path) -> None:
    test = """
import os
from pathlib import Path
from shop import total

HERE = os.path.dirname(os.path.abspath(__file__))

def test_paths():
    total(HERE + "/rows.txt")
    total(Path(HERE, "..", "examples", "a.conf"))
    total(HERE + "/../examples/a.conf")
    total(HERE + "/missing.txt")
"""
    own = "def total(basket):\n    return 1\n"
    files = {"shop.py": own, "tests/test_shop.py": test, "tests/rows.txt": "1", "examples/a.conf": "a"}
    (row,), (path,), (text,), (missing,) = [call["positional"] for call in carved(tmp_path, files, "total", 1)]
    assert row == {"text": "str(Path(__file__).parent / 'rows.txt')", "imports": [["pathlib", "Path"]], "fixtures": []}
    assert path["text"] == "Path(__file__).parents[1] / 'examples/a.conf'"
    assert text["text"] == "str(Path(__file__).parents[1] / 'examples/a.conf')"
    assert missing["text"] == repr(f"{tmp_path}/tests/missing.txt")
    assert is_harmless(Description(text["text"], (("pathlib", "Path"),)))


def test_what_makes_an_object_is_written_without_its_class(tmp_path: Path) -> None:
    files = {
        "shop.py": "class Row:\n    def __new__(_cls, name):\n        return object.__new__(_cls)\n",
        "tests/test_shop.py": "from shop import Row\n\ndef test_it():\n    Row('a')\n",
    }
    (made,) = carved(tmp_path, files, "__new__", 2)
    assert made["receiver"] is None
    assert [value["text"] for value in made["positional"]] == ["'a'"]


def test_what_a_test_is_given_by_its_parameters_is_written_down(tmp_path: Path) -> None:
    test = """
import pytest
from pathlib import Path

@pytest.fixture(params=[1])
def till(request):
    return request.param

@pytest.mark.parametrize("path", [Path(name) for name in ("a", "b")])
@pytest.mark.parametrize("kind", [object])
def test_paths(path, kind):
    pass

@pytest.mark.parametrize("path", [open(__file__)])
def test_unknown(path):
    pass

def test_till(till):
    pass
"""
    files = {"shop.py": "", "tests/test_shop.py": test}
    first, second = carved(tmp_path, files, "total", 1, rows=True)
    assert first["test"] == "tests/test_shop.py::test_paths[object-path0]"
    assert {name: value["text"] for name, value in second["values"]} == {"path": "Path('b')", "kind": "object"}
