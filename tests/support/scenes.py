"""Where generated tests are tried in tests: this interpreter as a project's environment, and a small project's tree."""

from __future__ import annotations

import sys
from pathlib import Path

from greenlane.domain.service_settings import Service
from greenlane.ports.environments import PythonEnvironment
from greenlane.testgen.scene import Scene

OWN_ENVIRONMENT = PythonEnvironment(
    python=Path(sys.executable),
    read_only=tuple(dict.fromkeys(Path(p) for p in (sys.prefix, sys.base_prefix))),
    digest="own",
)


def scene_at(tree: Path, *, measured: tuple[str, ...] = ()) -> Scene:
    """The package `shop`, with its tests in `tests`."""
    return Scene(
        service=Service(name="shop"),
        environment=OWN_ENVIRONMENT,
        tree=tree,
        folder="tests",
        modules=frozenset({"shop"}),
        measured=measured,
    )
