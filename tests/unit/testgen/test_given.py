"""Fixtures in a search: what one try does to them is nothing to the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.insides import INSIDE

ASKED = """
import pathlib, sys
from greenlane_given import Fixtures

folder = pathlib.Path(sys.argv[1])
(folder / "a.txt").write_text("first")
(folder / "inner").mkdir()
fixtures = Fixtures({"tmp_path": folder, "rows": [[1]], "name": "a"})

for _ in range(2):  # a change that leaves size and moment of a file alone is seen as well
    given = fixtures.fresh()
    assert (folder / "a.txt").read_text() == "first"
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "inner"]
    assert given["rows"] == [[1]] and given["name"] == "a" and given["tmp_path"] is folder
    given["rows"][0].append(2)
    (folder / "a.txt").write_text("other")
    (folder / "inner").rmdir()
    (folder / "new").mkdir()
    (folder / "new" / "b.txt").write_text("b")

outside = pathlib.Path(sys.argv[2])
kept = Fixtures({"path": outside})
(outside / "new").mkdir()
kept.fresh()
assert (outside / "new").is_dir()

import os
import greenlane_given
from pytest import MonkeyPatch

before = os.environ
fixtures = Fixtures({"monkeypatch": MonkeyPatch()})
for _ in range(2):
    given = fixtures.fresh()
    assert os.environ is before
    given["monkeypatch"].setattr(os, "environ", {})
greenlane_given.take_back()
assert os.environ is before
"""


def test_files_and_containers_of_fixtures_are_as_they_were_before_each_try(tmp_path: Path) -> None:
    folder, outside = tmp_path / "passing" / "test", tmp_path / "project"
    folder.mkdir(parents=True)
    outside.mkdir()
    environment = {"PYTHONPATH": str(INSIDE), "PATH": os.defpath, "TMPDIR": str(tmp_path / "passing")}
    command = [sys.executable, "-B", "-c", ASKED, str(folder), str(outside)]
    run = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
