"""What is written down of the calls that tests make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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
    write_tree(tmp_path, FILES)
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
    calls = [json.loads(line)["positional"] for line in (tmp_path / "output").read_text().splitlines()]
    assert [(value["text"], value["fixtures"]) for (value,) in calls] == [("[1, 2]", []), ("basket", ["basket"])]
