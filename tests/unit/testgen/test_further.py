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


def test_a_part_that_equality_does_not_see_is_noticed_by_a_look_at_that_part_alone(tmp_path: Path) -> None:
    (tmp_path / "version.py").write_text(VERSION)
    environment = {"PYTHONPATH": f"{INSIDE}{os.pathsep}{tmp_path}", "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([sys.executable, "-c", ASKED], env=environment, check=True, capture_output=True, timeout=60)
    assert json.loads(run.stdout) == [["result.build."], [""], [""]]
