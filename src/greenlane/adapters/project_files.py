"""Reads the files by which a project says how it is tested (`suite/project`), from a tree that strangers wrote."""

from __future__ import annotations

import functools
from pathlib import Path

from packaging.markers import default_environment

from greenlane.domain.service_settings import Service
from greenlane.suite.project import Plan, plan_project

_MAX_BYTES = 8 << 20
_MAX_READ = 200
_GLOB = frozenset("*?[{!")
_SIGNS = (
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "tox.ini",
    "noxfile.py",
    "manage.py",
    "uv.lock",
)


def read_plan(service: Service, tree: Path) -> Plan | None:
    """How this service's tests get what they need, by what the tree says; None if it says nothing. Takes its time:
    call it in a thread."""
    root = tree.resolve()
    count = 0

    @functools.cache
    def read(path: str) -> str | None:
        nonlocal count
        file = root / path
        if count >= _MAX_READ or file.is_symlink() or not file.is_file() or not file.resolve().is_relative_to(root):
            return None
        if file.stat().st_size > _MAX_BYTES:
            return None
        count += 1
        return file.read_bytes().decode("utf-8-sig", "replace")

    environment = {name: str(value) for name, value in default_environment().items()}
    return plan_project(_folders(service, root), read, environment)


def _folders(service: Service, root: Path) -> tuple[str, ...]:
    """Where the service's project may be: the folder that its paths share or one above it, the tree itself last."""
    heads = [_plain_head(pattern) for pattern in service.paths]
    shared = heads[0] if heads else ()
    for head in heads[1:]:
        shared = tuple(a for a, b in zip(shared, head, strict=False) if a == b)
    found = ["/".join(shared[:length]) for length in range(len(shared), 0, -1)]
    return (*(f for f in found if any((root / f / sign).is_file() for sign in _SIGNS)), "")


def _plain_head(pattern: str) -> tuple[str, ...]:
    """The folders that a glob names before its first wildcard."""
    parts = pattern.removeprefix("/").split("/")[:-1]
    plain = next((i for i, part in enumerate(parts) if _GLOB & set(part)), len(parts))
    return tuple(parts[:plain])
