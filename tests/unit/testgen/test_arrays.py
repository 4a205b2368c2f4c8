"""What an array shows: its numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from greenlane.testgen.explore import Outcome
from greenlane.testgen.inputs import Description
from greenlane.testgen.views import viewed
from tests.support.insides import INSIDE

LENGTHS = """
import array, json
from greenlane_looks import describe_value
from greenlane_values import Describer

class Lengths:
    def __init__(self, *lengths):
        self._lengths = lengths

    def __len__(self):
        return len(self._lengths)

    def __iter__(self):
        return iter([object() for _ in self._lengths])

    def tolist(self):
        return list(self._lengths)

values = [Lengths(1.5, 2.0), array.array("i", [1, 2]), Lengths(*range(20))]
seen = [describe_value(value, Describer(forbidden=(), allowed=None)) for value in values]
print(json.dumps([[one.get("view"), (one.get("value") or {}).get("text")] for one in seen]))
"""


def test_an_array_shows_its_numbers_before_anything_else_unless_they_are_many() -> None:
    environment = {"PYTHONPATH": str(INSIDE), "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", LENGTHS]
    said = subprocess.run(command, env=environment, check=True, timeout=60, capture_output=True).stdout
    of_class, of_language, long = json.loads(said)
    assert of_class == ["tolist", "[1.5, 2.0]"]
    assert of_language == [None, "array('i', [1, 2])"]  # which can be written down as it is
    assert long[0] != "tolist"


def test_it_is_written_as_everybody_does() -> None:
    outcome = Outcome(case=0, kind="value", value=Description("[1]"), view="tolist")
    assert viewed(outcome, "made", set()) == "made.tolist()"
    assert viewed(outcome, "a * b", set()) == "(a * b).tolist()"
