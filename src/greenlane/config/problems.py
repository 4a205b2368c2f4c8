"""What pydantic found wrong, told to the person who wrote the file: what was given, what is allowed, what was meant."""

from __future__ import annotations

import difflib

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from greenlane.config import shape
from greenlane.config.document import Document, KeyPath, Problem, Value, shown


def explain(error: ValidationError, document: Document) -> list[Problem]:
    """A problem for each error, with its place in the file."""
    return [_explain_one(details, document) for details in error.errors(include_url=False)]


def _explain_one(details: ErrorDetails, document: Document) -> Problem:
    path: KeyPath = details["loc"]
    if details["type"] == "extra_forbidden":
        return Problem(place=document.place_of(path, key=True), path=path, text=_explain_unknown_key(path))
    if details["type"] == "missing":
        return Problem(place=document.place_of(path[:-1]), path=path, text=f"is missing: give {_allowed(path)}")
    return Problem(place=document.place_of(path), path=path, text=_explain_value(path, details["input"]))


def _allowed(path: KeyPath) -> str:
    part = shape.part_at(path)
    return shape.allowed_words(part) if part else "something else"


def _explain_value(path: KeyPath, given: object) -> str:
    meant = _nearest(given, shape.choices_at(path)) if isinstance(given, str) else None
    guess = f" (did you mean {meant}?)" if meant else ""
    return f"{_given_words(given)} is not allowed{guess}: give {_allowed(path)}{_quoting_advice(path, given)}"


def _given_words(given: object) -> str:
    if given is None:
        return "an empty value"
    if isinstance(given, dict):
        return "a section"
    if isinstance(given, list | tuple):
        return "a list"
    return "true" if given is True else "false" if given is False else shown(given)


def _quoting_advice(path: KeyPath, given: object) -> str:
    """YAML reads `no` as false and `1.0` as a number: quotes make it a text, and the reverse."""
    kind = (shape.part_at(path) or {}).get("type")
    if kind == "string" and isinstance(given, bool | int | float):
        return " (in quotes, so that YAML takes it as text)"
    if kind in ("number", "integer", "boolean") and isinstance(given, str) and _looks_like(given, kind):
        return " (without quotes)"
    return ""


def _looks_like(given: str, kind: str) -> bool:
    if kind == "boolean":
        return given.strip().lower() in ("true", "false", "yes", "no", "on", "off")
    return given.strip().replace(".", "", 1).isdigit()


def _explain_unknown_key(path: KeyPath) -> str:
    key = str(path[-1])
    known = shape.keys_at(path[:-1])
    meant = _nearest(key, known)
    if meant:
        return f"there is no such key (did you mean {meant}?): the keys here are {', '.join(known)}"
    elsewhere = shape.places_of(key)
    if elsewhere:
        return (
            f"there is no such key here (it stands in {' and '.join(elsewhere)}): the keys here are {', '.join(known)}"
        )
    return f"there is no such key: the keys here are {', '.join(known)}"


def _nearest(given: str, known: tuple[str, ...]) -> str | None:
    folded = {name.casefold().replace("-", "_"): name for name in known}
    close = difflib.get_close_matches(given.casefold().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def prune(root: dict[str, Value], error: ValidationError) -> dict[str, Value]:
    """A copy without the values that are wrong, so that the rest can be checked in the same pass."""
    copy = _copied(root)
    for details in error.errors(include_url=False):
        path = details["loc"]
        if details["type"] == "missing":
            _put(copy, path, f"unnamed-{path[-2] if len(path) > 1 else 0}")
        else:
            _drop(copy, path)
    return copy


def _copied(value: dict[str, Value]) -> dict[str, Value]:
    def copied(v: Value) -> Value:
        if isinstance(v, dict):
            return {k: copied(x) for k, x in v.items()}
        return [copied(x) for x in v] if isinstance(v, list) else v

    return {k: copied(v) for k, v in value.items()}


def _put(root: dict[str, Value], path: KeyPath, value: str) -> None:
    holder: Value = root
    for step in path[:-1]:
        holder = holder[step]  # type: ignore[index]  # the path came from validating this very value
    if isinstance(holder, dict):
        holder[str(path[-1])] = value


def _drop(root: dict[str, Value], path: KeyPath) -> None:
    """Remove the innermost key on the path that holds the value; for an item of a list of values, the whole list."""
    holder: Value = root
    last: tuple[dict[str, Value], str] | None = None
    for step in path:
        if isinstance(holder, dict) and isinstance(step, str):
            if step not in holder:
                break
            last = (holder, step)
            holder = holder[step]
        elif isinstance(holder, list) and isinstance(step, int) and step < len(holder):
            holder = holder[step]
        else:
            break
    if last:
        last[0].pop(last[1], None)
