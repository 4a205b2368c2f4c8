"""Finds a service's OpenAPI document in a merged tree. Used by the staging agent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import yaml

from greenlane.domain.contract import DocumentedGet
from greenlane.domain.service_settings import Service
from greenlane.policy.contract import find_requests
from greenlane.policy.paths import match_paths

_NAMES = ("openapi", "swagger")
_SKIPPED = frozenset({"tests", "test", "node_modules", ".git", "docs", "examples", "fixtures", "testdata"})
_FILE_MAX_BYTES = 1 << 20


def documented_requests(tree: Path, service: Service) -> tuple[DocumentedGet, ...]:
    """Of the document nearest to the top that belongs to the service; empty without one that can be read."""
    for path in sorted(_documents(tree), key=lambda p: (len(p.parts), p.as_posix())):
        if not match_paths(service.paths, (path.as_posix(),)):
            continue
        try:
            with (tree / path).open("rb") as file:
                text = file.read(_FILE_MAX_BYTES + 1)
            if len(text) > _FILE_MAX_BYTES or (tree / path).is_symlink():
                continue
            document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            continue  # a document that can't be read is the review's to tell
        if isinstance(document, dict):
            return find_requests(document)
    return ()


def _documents(tree: Path) -> Iterator[PurePosixPath]:
    for folder, folders, files in os.walk(tree):
        folders[:] = sorted(f for f in folders if f.lower() not in _SKIPPED)
        for name in files:
            lower = name.lower()
            if lower.endswith((".json", ".yaml", ".yml")) and any(n in lower for n in _NAMES):
                yield PurePosixPath((Path(folder) / name).relative_to(tree).as_posix())
