"""`greenlane.yaml`: found, read, validated. Every error names file, line and column, and all of them come at once.

Called by `bootstrap` and by the command line. The values themselves are `greenlane.domain.settings`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
from pydantic import ValidationError

from greenlane.config.crosschecks import detect_contradictions, effective_thresholds
from greenlane.config.document import Document, Problem, Value, decode, parse, read_bytes
from greenlane.config.problems import explain, prune
from greenlane.config.shape import json_schema
from greenlane.domain.errors import ConfigError
from greenlane.domain.settings import Settings

__all__ = [
    "CONFIG_NAME",
    "LoadedSettings",
    "effective_thresholds",
    "find_config",
    "json_schema",
    "load_settings",
    "override_settings",
    "parse_settings",
]

CONFIG_NAME = "greenlane.yaml"
MAX_PROBLEMS_SHOWN = 50
PRUNE_PASSES = 3
"""The file as it is; without its wrong values; and with a stand-in for what is required and was wrong."""


class LoadedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, the file they came from, and the SHA-256 (hex) of its bytes, which goes into every decision."""

    settings: Settings
    sha256: str
    path: Path


def find_config(start: Path) -> Path | None:
    """The nearest `greenlane.yaml` from this folder up to the root of its git repository; None if there is none."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME
        if (folder / ".git").exists():
            return None
    return None


def load_settings(path: Path) -> LoadedSettings:
    """Read and validate a configuration. Raises ConfigError that tells every problem, one a line."""
    return parse_settings(read_bytes(path), path)


def parse_settings(data: bytes, path: Path, name: str = "") -> LoadedSettings:
    """Validate a configuration's bytes; errors call it `name` (the path if empty). Raises ConfigError."""
    name = name or str(path)
    document = parse(decode(data, name), name)
    settings, problems = _validate(document)
    if settings is None or problems:
        raise _error_of(problems, name)
    return LoadedSettings(settings=settings, sha256=hashlib.sha256(data).hexdigest(), path=path)


def _validate(document: Document) -> tuple[Settings | None, list[Problem]]:
    """The settings if the file is right; else every problem, those between values included where they can be seen."""
    problems = list(document.problems)
    told = {(p.path, p.place) for p in problems}
    root = document.root
    for attempt in range(PRUNE_PASSES):
        # JSON and strict: a list is a tuple, a whole number is a number, and nothing else is taken for something else.
        try:
            settings = Settings.model_validate_json(json.dumps(root), strict=True)
        except ValidationError as error:
            if attempt == 0:
                problems += [p for p in explain(error, document) if (p.path, p.place) not in told]
            root = prune(root, error)
        else:
            return settings, problems + detect_contradictions(settings, document)
    return None, problems


def _error_of(problems: list[Problem], file: str) -> ConfigError:
    ordered = sorted(problems, key=lambda p: (p.place.line, p.place.column))
    lines = [p.render(file) for p in ordered[:MAX_PROBLEMS_SHOWN]]
    if len(ordered) > MAX_PROBLEMS_SHOWN:
        lines.append(f"and {len(ordered) - MAX_PROBLEMS_SHOWN} more")
    return ConfigError(
        "\n".join(lines), hint="`greenlane config schema` prints a JSON Schema with every key for your editor"
    )


def override_settings(data: bytes, path: Path, changes: Sequence[str], name: str = "") -> LoadedSettings:
    """The configuration with values replaced for this time: each of `changes` is `thresholds.risk_score_max=8`.

    The value is read as YAML; a list is counted from 0 (`services.0.tier=critical`). The result is validated as a file
    is. Raises ConfigError that names the key.
    """
    name = name or str(path)
    document = parse(decode(data, name), name)
    if document.problems or not changes:
        return parse_settings(data, path, name)
    for change in changes:
        key, sign, text = change.partition("=")
        if not sign or not key.strip():
            raise ConfigError(f"--set {change}: it is no KEY=VALUE", hint="e.g. --set thresholds.risk_score_max=8")
        value = parse(f"value: {text}\n", f"--set {key}").root.get("value")
        _put(document.root, key.strip().split("."), value, change)
    return parse_settings(json.dumps(document.root).encode(), path, f"{name} with --set")


def _put(root: dict[str, Value], keys: list[str], value: Value, change: str) -> None:
    at: Value = root
    for depth, key in enumerate(keys):
        final = depth == len(keys) - 1
        if isinstance(at, dict):
            if final:
                at[key] = value
            else:
                at = at.setdefault(key, {})
        elif isinstance(at, list) and key.isdigit() and int(key) < len(at):
            if final:
                at[int(key)] = value
            else:
                at = at[int(key)]
        else:
            where = ".".join(keys[:depth])
            raise ConfigError(f"--set {change}: {where} has no {key}", hint="`greenlane config schema` lists every key")
