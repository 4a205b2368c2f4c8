"""Where tests are looked for and tried: handed from the generator to whatever asks the sandbox. Pure."""

from __future__ import annotations

from pathlib import Path

import msgspec

from greenlane.domain.service_settings import Service
from greenlane.ports.environments import PythonEnvironment


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """The service, its environment, its tree, the folder of the tests to come, the modules of the project (top-level
    names), the files whose lines are measured, and the plugins of pytest that the suite has no use for."""

    service: Service
    environment: PythonEnvironment
    tree: Path
    folder: str
    modules: frozenset[str]
    measured: tuple[str, ...]
    idle_plugins: tuple[str, ...] = ()
