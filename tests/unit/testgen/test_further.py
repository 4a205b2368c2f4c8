"""Which looks at a call a fault alters: those that a test would see it by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.insides import INSIDE

VERSION = """
class Version:
    def __init__(self, major, build):
        self.major, self.build = major, build

    def __eq__(self, other):
        return self.major == other.major
"""
ASKED = """
import json
from greenlane_further import expectation, unlike

def seen(text, build):
    value = {"text": text, "imports": [["version", "Version"]] if "Version" in text else []}
    return {"kind": "value", "value": value, "more": [["result", "build", {"text": build}, ""]]}

first = expectation(seen("Version(1, 'a')", "'a'"))
print(json.dumps([
    unlike(first, seen("Version(1, 'b')", "'b'")),
    unlike(first, seen("Version(2, 'a')", "'a'")),
    unlike(expectation(seen("1", "2")), seen("True", "2")),
]))
"""


INSIDE_OF = """
import collections, json, os
from greenlane_further import own_attributes
from greenlane_values import Describer
import version

Log = collections.namedtuple("Log", "rows position")
held = version.Version(Log(collections.deque([object()]), 3), {"a": object()})
held.other = version.Version(1, object())
held.rows = version.Version(1, [version.Version(2, object()), version.Version(3, object())])
print(json.dumps(own_attributes("result", held, Describer(forbidden=(), allowed=None), os.getcwd())))
"""


def test_of_a_part_that_cannot_be_written_down_its_own_parts_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "version.py").write_text(VERSION)
    environment = {"PYTHONPATH": f"{INSIDE}{os.pathsep}{tmp_path}", "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}
    environment["GREENLANE_INPUT"] = str(tmp_path / "input")
    (tmp_path / "input").write_text(json.dumps({"project": str(tmp_path), "tests": str(tmp_path / "tests")}))
    command = [sys.executable, "-c", INSIDE_OF]
    run = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60, cwd=tmp_path)
    found = [(look[1], look[2]["text"], look[3]) for look in json.loads(run.stdout)]
    assert found == [
        ("build", "1", "len"),
        ("major.rows", "1", "len"),
        ("major.position", "3", ""),
        ("other.major", "1", ""),
        ("rows.build", "[2, 3]", "each major"),
        ("rows.build", "2", "len"),
        ("rows.major", "1", ""),
    ]


def test_a_part_that_equality_does_not_see_is_noticed_by_a_look_at_that_part_alone(tmp_path: Path) -> None:
    (tmp_path / "version.py").write_text(VERSION)
    environment = {"PYTHONPATH": f"{INSIDE}{os.pathsep}{tmp_path}", "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([sys.executable, "-c", ASKED], env=environment, check=True, capture_output=True, timeout=60)
    assert json.loads(run.stdout) == [["result.build."], [""], [""]]
