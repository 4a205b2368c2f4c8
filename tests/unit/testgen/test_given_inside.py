"""What the programs inside are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

from greenlane.domain.service_settings import Service
from greenlane.testgen.explore import Given
from greenlane.testgen.scene import Scene
from tests.support.insides import INSIDE


class _Scene:
    service = Service(name="shop")
    folder = "tests"
    tree = Path()
    modules = frozenset({"shop"})


def test_half_of_a_surrogate_pair_reaches_the_inside() -> None:
    given = Given(cast(Scene, _Scene()))
    told = json.loads(given.encode(words=("\ud800", "a"), counts={1: frozenset({2})}))
    assert told["words"] == ["\ud800", "a"]
    assert told["counts"] == {"1": [2]}
    assert told["tests"] == "{tree}/tests"


TILL = """
from collections import Counter
import greenlane_given


class Till:
    def __init__(self):
        self.rows, self.last = {"a": 1}, None


till, counts = Till(), Counter()
kept = greenlane_given.Fixtures({"till": till, "counts": counts})
for name in "bc":
    given = kept.fresh()["till"]
    assert given is till
    given.rows[name], given.last, given.more = 2, name, name
    counts[name] += 1
kept.fresh()
print(till.rows, till.last, hasattr(till, "more"), len(counts))
"""


def test_an_object_of_the_project_is_for_each_try_as_its_fixture_gave_it(tmp_path: Path) -> None:
    (tmp_path / "till.py").write_text(TILL)
    path = f"{INSIDE}{os.pathsep}{tmp_path}"
    run = subprocess.run(
        [sys.executable, "-c", "import till"], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert run.stdout == "{'a': 1} None False 2\n"


MOVED = """
import os
import greenlane_given

home = os.getcwd()
kept = greenlane_given.Fixtures({})
os.chdir("/")
kept.fresh()
print(os.getcwd() == home)
"""


def test_each_try_begins_where_the_first_one_did(tmp_path: Path) -> None:
    (tmp_path / "moved.py").write_text(MOVED)
    run = subprocess.run(
        [sys.executable, "-c", "import moved"],
        env={"PYTHONPATH": f"{INSIDE}{os.pathsep}{tmp_path}"}, capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert run.stdout == "True\n"
