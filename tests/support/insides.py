"""Running a search of `greenlane/testgen/inside` as the sandbox would, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import greenlane.testgen

INSIDE = Path(greenlane.testgen.__file__).with_name("inside")


def search(folder: Path, name: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that `greenlane_<name>` writes for its first group, with a project in this folder."""
    given = asked | {"project": str(folder), "tests": str(folder / "tests")}
    (folder / "input").write_text(json.dumps(given).replace("{tree}", str(folder)))
    (folder / "output").unlink(missing_ok=True)
    environment = {
        "GREENLANE_INPUT": str(folder / "input"), "GREENLANE_OUTPUT": str(folder / "output"), "PATH": os.defpath,
        "PYTHONPATH": f"{INSIDE}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    command = [sys.executable, "-c", f"import greenlane_{name}; greenlane_{name}.run(0, {{}})"]
    subprocess.run(command, env=environment, check=True, timeout=60, capture_output=True)
    return [json.loads(line) for line in (folder / "output").read_text().splitlines()]
