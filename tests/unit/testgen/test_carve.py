"""What is written down of the calls that tests make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
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


def test_a_fixture_is_named_and_a_value_of_a_parametrised_test_is_written_out(tmp_path: Path) -> None:
    calls = carved(tmp_path, FILES)
    assert [(value["text"], value["fixtures"]) for (value,) in calls] == [("[1, 2]", []), ("basket", ["basket"])]


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
    (row,), (path,), (text,), (missing,) = carved(tmp_path, files)
    assert row == {"text": "str(Path(__file__).parent / 'rows.txt')", "imports": [["pathlib", "Path"]], "fixtures": []}
    assert path["text"] == "Path(__file__).parents[1] / 'examples/a.conf'"
    assert text["text"] == "str(Path(__file__).parents[1] / 'examples/a.conf')"
    assert missing["text"] == repr(f"{tmp_path}/tests/missing.txt")
    assert is_harmless(Description(text["text"], (("pathlib", "Path"),)))


def carved(tmp_path: Path, files: Mapping[str, str]) -> list[list[Any]]:
    """What is written down of the arguments of each call of `total`."""
    write_tree(tmp_path, files)
    given = {
        "targets": [[f"{tmp_path}/shop.py", "total", 1]], "project": str(tmp_path), "tests": f"{tmp_path}/tests",
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
    return [json.loads(line)["positional"] for line in (tmp_path / "output").read_text().splitlines()]
