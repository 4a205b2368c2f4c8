"""What the configuration may hold, asked of its JSON Schema: the sections, their keys, and the allowed values in words.

Read by the errors (`problems.py`), the reference page (`reference.py`) and `greenlane init`.
"""

from __future__ import annotations

import functools
from typing import Any, TypeAlias, cast

from greenlane.config.document import KeyPath
from greenlane.domain.freeze import MOMENT
from greenlane.domain.notifications import ADDRESS, VARIABLE
from greenlane.domain.settings import FLAG_CONDITIONS, RISK_CONDITION, Settings

SchemaPart: TypeAlias = dict[str, Any]
"""A part of a JSON Schema: its values are of every JSON type, so it stays untyped within this module."""

CONDITION_WORDS = "`risk_score >= NUMBER`, or one of " + ", ".join(FLAG_CONDITIONS)

_PATTERN_WORDS = {
    "": "",
    "^/": " that begins with /",
    r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*\.?[A-Za-z0-9_-]*greenlane-risk\.json$": (
        ": a path in the repository that ends in greenlane-risk.json"
    ),
    r"^[a-z0-9][a-z0-9-]{0,62}$": " of lower-case letters, digits and hyphens (at most 63)",
    ADDRESS: ", an address with https (or http on this machine) without user, password and query",
    MOMENT: ' like "16:00", "fri 16:00" or "2026-12-20T16:00"',
    VARIABLE: ", the name of an environment variable (capitals, digits, _), not the secret itself",
}


@functools.cache
def json_schema() -> SchemaPart:
    """The JSON Schema of `greenlane.yaml`, for editors."""
    schema = Settings.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "greenlane.yaml"}


def resolve(part: SchemaPart) -> SchemaPart:
    """The part itself, without `$ref` and without the `null` of an optional value."""
    if "$ref" in part:
        return cast(SchemaPart, json_schema()["$defs"][part["$ref"].rsplit("/", 1)[-1]])
    options = [o for o in part.get("anyOf", ()) if o.get("type") != "null"]
    return resolve(options[0]) if len(options) == 1 else part


def part_at(path: KeyPath) -> SchemaPart | None:
    """The schema of what stands at this path; None if nothing may stand there."""
    part: SchemaPart = json_schema()
    for step in path:
        part = resolve(part)
        below = part.get("items") if isinstance(step, int) else part.get("properties", {}).get(step)
        if below is None:
            return None
        part = below
    return resolve(part)


def keys_at(path: KeyPath) -> tuple[str, ...]:
    """The keys that a section may have; none if the path leads to a value."""
    part = part_at(path)
    return tuple(part.get("properties", ())) if part else ()


def choices_at(path: KeyPath) -> tuple[str, ...]:
    """The words of which a value must be one; none if it is not a choice."""
    part = part_at(path) or {}
    if _is_condition(part):
        return FLAG_CONDITIONS
    return tuple(str(o) for o in part.get("enum", [part["const"]] if "const" in part else ()))


def places_of(key: str) -> tuple[str, ...]:
    """Every section in which this key stands: `thresholds.risk_score_max`."""
    found = []

    def walk(part: SchemaPart, prefix: str) -> None:
        for name, below in resolve(part).get("properties", {}).items():
            here = f"{prefix}.{name}" if prefix else name
            inner = resolve(below)
            many = inner.get("type") == "array"
            if name == key:
                found.append(here)
            walk(inner.get("items", {}) if many else inner, here + "[]" if many else here)

    walk(json_schema(), "")
    return tuple(found)


def allowed_words(part: SchemaPart) -> str:
    """What may be written, in words: `a number from 0 to 1`."""
    part = resolve(part)
    if _is_condition(part):
        return CONDITION_WORDS
    if "enum" in part:
        return "one of " + ", ".join(map(str, part["enum"]))
    if "const" in part:
        return f"only {part['const']}"
    match part.get("type"):
        case "boolean":
            return "true or false"
        case "integer":
            return "a whole number" + _range_words(part)
        case "number":
            return "a number" + _range_words(part)
        case "array":
            return "a list, each item " + allowed_words(part["items"])
        case "object":
            return "a section with the keys " + ", ".join(part.get("properties", ()))
    return "a text" + _PATTERN_WORDS.get(part.get("pattern", ""), "")


def _is_condition(part: SchemaPart) -> bool:
    return str(part.get("pattern", "")).startswith(RISK_CONDITION)


def _range_words(part: SchemaPart) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    over, under = part.get("exclusiveMinimum"), part.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    words = [
        f"{word} {value:g}"
        for word, value in (("over", over), ("of at least", low), ("under", under), ("of at most", high))
        if value is not None
    ]
    return " " + " and ".join(words) if words else ""
