"""Runs inside the sandbox: what a test can look at beside the first thing that a call shows, and which of it a fault
alters.

A look is `[where, attribute, description, view]`; `where` is the `result`, the `error`, the `receiver` or an argument
(`#n`). The first look is what a test asserts anyway; a further one is written only where it notices a fault.
"""

from __future__ import annotations

import collections
import contextlib
import importlib
import json
import os
import sys
from typing import Any

from greenlane_looks import (  # type: ignore[import-not-found]  # it lies beside this file inside
    Listed,
    described_attribute,
    is_stream,
    looks_at_each,
    members_of,
    public_parts,
    quietly,
)
from greenlane_values import Describer  # type: ignore[import-not-found]  # as above

_MAX_LOOKS, _MAX_INSIDE, _MAX_EACH = 12, 12, 3
_CONTAINERS = (str, bytes, list, tuple, dict, set, frozenset, collections.deque)
_UNSEEN = ("entered", "decorated")


def further_looks(record: dict[str, Any], outcome: Any, describer: Describer, project: str) -> list[Any]:
    """What else there is to see after a call that gave something: other changes, the value where a change is looked at
    first, the attributes of an object of the project's own, and those of the objects in a list, or of a generator."""
    changes = record.get("changes", [])
    looks = list(changes[1:])
    if record.get("called", -1) >= 0 or any(record.get(flag) for flag in _UNSEEN):
        return looks[:_MAX_LOOKS]
    if changes and record["kind"] == "value" and record["value"]["text"] != "None":
        looks.append(["result", "", record["value"], record.get("view", "")])
    shown = set() if changes else {name for name, _ in record.get("attributes", [])}
    looks += [look for look in own_attributes("result", outcome, describer, project) if look[1] not in shown]
    held = outcome.items if isinstance(outcome, Listed) else outcome
    each = [] if is_stream(held) else looks_at_each(held, describer)
    looks += [["result", "", seen, view] for view, seen in each if view != record.get("view")]
    return looks[: _MAX_LOOKS + _MAX_INSIDE]


def own_attributes(where: str, value: Any, describer: Describer, project: str) -> list[Any]:
    """Public attributes and properties of an object whose class is the project's; then what is inside of those that
    can't be written down, as far as that shows most."""
    kind = type(value)
    if not _is_of_project(kind, project):
        return []
    names = [name for name, _ in public_parts(value)]
    names += [name for name, member in members_of(kind).items() if isinstance(member, property)]
    found, inside = [], []
    with quietly():
        for name in sorted(set(names)):
            with contextlib.suppress(Exception):  # a property that is of no use now
                item = getattr(value, name)
                shown = described_attribute(item, describer)
                found += [[where, name, shown, ""]] if shown is not None else []
                if isinstance(item, (list, tuple)) and shown is None:
                    found += [[where, name, seen, view] for view, seen in looks_at_each(item, describer)[:1]]
                if shown is None:
                    inside += _inside(where, name, item, describer, project)
    telling = sorted(range(len(inside)), key=lambda number: -len(inside[number][2]["text"]))[:_MAX_INSIDE]
    return [*found[:_MAX_LOOKS], *(inside[number] for number in sorted(telling))]


def _is_of_project(kind: type, project: str) -> bool:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    return file.startswith(project + os.sep)


def _inside(where: str, name: str, item: Any, describer: Describer, project: str) -> list[Any]:
    """Of a part: its own parts, if it is a named tuple or an object of the project; of each list what its items have,
    of any container how much it holds."""
    fields = getattr(item, "_fields", ()) if isinstance(item, tuple) else ()
    parts = [(field, getattr(item, field)) for field in fields if not field.startswith("_")]
    parts = parts or (public_parts(item) if _is_of_project(type(item), project) else [])
    found = []
    for path, held in [(f"{name}.{part}", held) for part, held in parts] or [(name, item)]:
        shown, view = described_attribute(held, describer), ""
        if shown is None and isinstance(held, (list, tuple)) and path != name:
            found += [[where, path, seen, view] for view, seen in looks_at_each(held, describer)[:_MAX_EACH]]
        if shown is None and isinstance(held, _CONTAINERS):
            shown, view = describer.describe(len(held)), "len"
        found += [[where, path, shown, view]] if shown is not None else []
    return found


def expectation(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What a test written from this record would compare: `first` without a further look, `more` with one."""
    looks = _looks(record)
    changes = [_key(change) for change in record.get("changes", [])][:1]
    attributes = [f"result.{name}." for name, _ in record.get("attributes", [])]
    first = ["", *(changes or ["value", *attributes])]
    more = [_key(look) for look in record.get("more", [])]
    return {"first": {key: looks[key] for key in first}, "more": {key: looks[key] for key in more if key not in first}}


def unlike(expected: dict[str, dict[str, Any]], record: dict[str, Any]) -> list[str]:
    """The further looks that see something else than expected; an empty text stands for the first look."""
    looks = _looks(record)
    altered = [key for key, text in expected["more"].items() if looks.get(key) != text]
    first = (key for key, text in expected["first"].items() if looks.get(key) != text)
    return [""] * any(key != "value" or not _equal(expected["first"][key], looks[key]) for key in first) + altered


def _equal(expected: list[Any], seen: list[Any]) -> bool:
    """Whether a test would take one object of a class for the other, though they are written otherwise: `==` need not
    look at all that an object holds."""
    if not expected[-1] or expected[:1] + expected[2:] != seen[:1] + seen[2:]:
        return False
    with contextlib.suppress(Exception):
        names = {name: getattr(importlib.import_module(module), name) for module, name in expected[-1]}
        return bool(eval(seen[1], dict(names)) == eval(expected[1], dict(names)))
    return False


def looked_at(record: dict[str, Any]) -> str:
    """All looks as one text."""
    return json.dumps(expectation(record))


def _looks(record: dict[str, Any]) -> dict[str, Any]:
    gave = record["kind"] in ("value", "opaque")
    value = record.get("value") or {}
    head = ["gives" if gave else record["kind"], record.get("error"), record.get("message", "")[:80]]
    looks: dict[str, Any] = {"": [*head, record.get("warned")]}
    imports = value.get("imports") if not record.get("view") else None
    looks["value"] = [record["kind"], value.get("text"), record.get("listed"), record.get("view", ""), imports]
    for look in (*record.get("more", []), *record.get("changes", [])):
        looks[_key(look)] = look[2]["text"]
    for name, shown in record.get("attributes", []):
        looks[f"result.{name}."] = shown["text"]
    return looks


def _key(look: Any) -> str:
    where, attribute, _, view = look
    return f"{where}.{attribute}.{view}"
