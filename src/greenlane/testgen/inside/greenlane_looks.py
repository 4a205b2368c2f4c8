"""Runs inside the sandbox: what can be seen of a value, or of an object after a call, as a test would look at it.

A value that can't be written down is seen through a *view*: what it holds (`list`, `dict`), what it shows (`repr`,
`str`, with the addresses in it masked), and last its type. What is tried and not used is not measured.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import os
import pathlib
import re
import shutil
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from greenlane_values import Describer  # type: ignore[import-not-found]  # it lies beside this file inside

MAX_LISTED = 12
_MAX_ATTRIBUTES = 4
_MAX_FILE = 400
_MAX_ATTRIBUTE = 80
_MAX_OF_EACH = 240
_SIMPLE = (type(None), bool, int, float, str, bytes)
_STAND_IN = re.compile(r"<\w*Mock\b[^<>]* id='\d+'>")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_KEY = re.compile(r"[A-Za-z_][\w .:/-]{0,39}", re.ASCII)
_PLACE = re.compile(r"[^\s'\"`,;:()<>\[\]]*(?:greenlane-job-|/pytest-of-)[^\s'\"`,;:()<>\[\]]*")
_SOMEWHERE = "\u2026"
"""In what an error says, for a path or an address: any text."""
_UNSTEADY = re.compile(r" at 0x[0-9a-fA-F]+|frozenset\(\{[^}]*,")
"""What a text shows otherwise in another run: an address, the order of a set."""
_KINDS_OF_CODE = (type, type(len), type(lambda: None), type(sys))


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """What runs in here is not measured: a test may not come to look at it."""
    tracing = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracing)


class Listed:
    """What a generator gave, so that it can be told apart from a list."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items


def is_stream(value: Any) -> bool:
    """Whether it gives its items once, one after the other."""
    return hasattr(type(value), "__next__") and hasattr(type(value), "__iter__") and not isinstance(value, io.IOBase)


def describe_value(outcome: Any, describer: Describer) -> dict[str, Any]:
    """Kind and value of what a call gave; of something that can't be written down a view, or its attributes."""
    listed = isinstance(outcome, Listed)
    value = outcome.items if isinstance(outcome, Listed) else outcome
    if type(value).__module__ == "unittest.mock":  # a stand-in that we gave: it shows nothing of the code
        return {"kind": "opaque", "attributes": []}
    if listed and len(value) > MAX_LISTED:
        return {"kind": "opaque", "attributes": []}
    described = _faithful(value, describer)
    dated = described is not None and is_dated(described["text"])
    if described is not None and not (dated and isinstance(value, (list, tuple, dict))):
        return {"kind": "value", "value": described, "listed": listed, "dated": dated}
    each = [] if is_stream(value) else looks_at_each(value, describer)
    if dated:  # not all that stands in it, perhaps
        return _seen_as(*each[0]) if each else {"kind": "value", "value": described, "listed": listed, "dated": True}
    if listed:
        return _seen_as(*each[0]) if each else {"kind": "opaque", "attributes": []}
    with quietly():
        held = _first_view(value, describer, ("masked", "str") if isinstance(value, str) else _HOLDING)
        attributes = [] if held else _attributes(value, describer)
        shown = held or (None if attributes else each[0] if each else _first_view(value, describer, _SHOWING))
    if shown is None:
        return {"kind": "opaque", "attributes": attributes}
    with contextlib.suppress(Exception):
        _VIEWS[shown[0]](value)  # once more, measured
    return _seen_as(*shown)


def _seen_as(view: str, shown: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "value", "view": view, "value": shown, "dated": is_dated(shown["text"])}


def looks_at_each(value: Any, describer: Describer) -> list[tuple[str, dict[str, Any]]]:
    """Of something that holds objects, the views `each name` with what they show: an attribute that all of them have
    (of dicts a key, `each [key]`) and that can be written down; those that differ most come first. Of a dict that
    can't be written down as a whole the views `part [key]`, those first that show most."""
    with quietly():
        if type(value) is dict:
            return _looks_at_parts(value, describer)
        try:
            items = [] if isinstance(value, Mapping) else _as_list(value) or []
            parts = [dict(_parts_in_row(item)) for item in items if not isinstance(item, _KINDS_OF_CODE)]
        except Exception:  # what it holds can't be listed
            return []
        names = set(parts[0]).intersection(*parts[1:]) if parts and len(parts) == len(items) else set()
        found = []
        for name in sorted(name for name in names if name.isascii()):
            column = [part[name] for part in parts]
            shown = _faithful(column, describer) if any(item is not None for item in column) else None
            if shown is not None and len(shown["text"]) <= _MAX_OF_EACH and not is_dated(shown["text"]):
                found.append((-len({repr(item) for item in column}), len(shown["text"]), f"each {name}", shown))
    return [(view, shown) for _, _, view, shown in sorted(found, key=lambda one: one[:3])]


def _looks_at_parts(value: dict[Any, Any], describer: Describer) -> list[tuple[str, dict[str, Any]]]:
    whole = _faithful(value, describer)
    if whole is not None and not is_dated(whole["text"]):
        return []
    shown = [(f"part {key}", _faithful(part, describer)) for key, part in _parts_in_row(value)]
    told = [(view, part) for view, part in shown if part is not None and not is_dated(part["text"])]
    fitting = [(view, part) for view, part in told if len(part["text"]) <= _MAX_OF_EACH]
    return sorted(fitting, key=lambda pair: (-len(pair[1]["text"]), pair[0]))


def _first_view(value: Any, describer: Describer, names: tuple[str, ...]) -> tuple[str, dict[str, Any]] | None:
    for name in names:
        try:
            seen = _VIEWS[name](value)
        except Exception:  # it has no such side, or a broken one
            continue
        described = _faithful(seen, describer) if seen is not None else None
        if described is not None:
            return name, described
    return None


def _as_dict(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) and len(value) <= MAX_LISTED else None


def _as_list(value: Any) -> Any:
    """The items; of sets, which have no order, none."""
    kind = type(value)
    in_row = isinstance(getattr(kind, "__getitem__", None), types.WrapperDescriptorType)  # an element of a tree
    sized = hasattr(kind, "__len__") and (hasattr(kind, "__iter__") or in_row)
    if not sized or isinstance(value, (str, bytes, set, frozenset, type)) or len(value) > MAX_LISTED:
        return None
    return list(itertools.islice(value, MAX_LISTED + 1))


def _to_list(value: Any) -> Any:
    """Of an array its numbers, as those of `array`, of NumPy and of pandas give them."""
    if not hasattr(type(value), "tolist"):
        return None
    size = getattr(value, "size", None)
    count = size if isinstance(size, int) else len(value)
    return value.tolist() if count <= MAX_LISTED else None


def _has_own(value: Any, name: str) -> bool:
    return getattr(type(value), name) is not getattr(object, name)


def _as_repr(value: Any) -> Any:
    own = _has_own(value, "__repr__") and not isinstance(value, (str, *_KINDS_OF_CODE))
    text = repr(value) if own else ""
    return text if text and not _UNSTEADY.search(text) else None


def _as_text(value: Any) -> Any:
    own = _has_own(value, "__str__") and type(value) is not str and not isinstance(value, _KINDS_OF_CODE)
    text = str(value) if own else ""
    return text if text and not _UNSTEADY.search(text) else None


def _masked(value: Any) -> Any:
    return _ADDRESS.sub(" at ...", value) if isinstance(value, str) and _ADDRESS.search(value) else None


def _kind(value: Any) -> Any:
    return type(value).__name__ if value is not None else None


_VIEWS: dict[str, Callable[[Any], Any]] = {
    "dict": _as_dict, "list": _as_list, "len": len, "repr": _as_repr, "str": _as_text, "masked": _masked,
    "type": _kind, "tolist": _to_list,
}  # fmt: skip
_HOLDING = ("masked", "dict", "tolist", "list")
_SHOWING = ("repr", "str", "len", "type")
"""`list` of a mapping that can't be written down are its keys."""
_CHANGING = ("dict", "tolist", "list", "repr", "str", "len")


def _attributes(value: Any, describer: Describer) -> list[Any]:
    found = []
    for name, item in [] if isinstance(value, _KINDS_OF_CODE) else public_parts(value):
        shown = described_attribute(item, describer)
        if shown is not None:
            found.append([name, shown])
    return found[:_MAX_ATTRIBUTES]


def public_parts(value: Any) -> list[tuple[str, Any]]:
    """The attributes that stand in an object itself, by their names in order; of one with `__slots__`, those."""
    held = dict(vars(value)) if hasattr(value, "__dict__") else {}
    slots = (vars(kind).get("__slots__", ()) for kind in type(value).__mro__)
    for name in (n for named in slots for n in ([named] if isinstance(named, str) else tuple(named))):
        if not name.startswith("_") and name not in held:
            with contextlib.suppress(AttributeError):  # it was not given anything yet
                held[name] = object.__getattribute__(value, name)
    return [(name, held[name]) for name in sorted(n for n in held if isinstance(n, str)) if not name.startswith("_")]


def _parts_in_row(item: Any) -> list[tuple[str, Any]]:
    """The attributes of an object that stands among others; of one that is not written in Python, such as an element
    of a tree, those that its class keeps; the items of a tuple by their place, those of a dict by their key."""
    if type(item) is dict:
        keys = [key for key in item if isinstance(key, str) and _KEY.fullmatch(key)]
        return [(f"[{key}]", item[key]) for key in keys[:MAX_LISTED]]
    if type(item) is tuple:
        return [(str(place), part) for place, part in enumerate(item[:10])]
    parts = public_parts(item)
    if parts or isinstance(item, _SIMPLE):
        return parts
    kept = (types.GetSetDescriptorType, types.MemberDescriptorType)
    for name in sorted(name for name, member in members_of(type(item)).items() if isinstance(member, kept)):
        with contextlib.suppress(Exception):  # it has no value now
            parts.append((name, getattr(item, name)))
    return parts


def described_attribute(item: Any, describer: Describer) -> dict[str, Any] | None:
    """What an attribute holds, if it is plain and short enough to be compared with."""
    shown = describer.describe(item) if isinstance(item, (*_SIMPLE, list, tuple, dict, set)) else None
    fits = shown is not None and len(shown["text"]) <= _MAX_ATTRIBUTE and not is_dated(shown["text"])
    return dict(shown) if fits and shown is not None else None


def _faithful(value: Any, describer: Describer) -> dict[str, Any] | None:
    """The description of a value, if an equal one is made from it again."""
    described = describer.describe(value)
    if described is None:
        return None
    try:
        names = {name: getattr(importlib.import_module(module), name) for module, name in described["imports"]}
        again = eval(described["text"], names | describer.places)
        same = type(again) is type(value) and bool(again == value) and " at 0x" not in repr(value)
    except Exception:
        return None
    return dict(described) if same else None


def is_dated(text: str) -> bool:
    """Whether the text seems to hold the present day, a path or the number of a stand-in of this very run."""
    now = time.gmtime()
    return (
        f"{now.tm_year}" in text
        or str(int(time.time()))[:5] in text
        or _PLACE.search(text) is not None
        or _STAND_IN.search(text) is not None
    )


def paths_of(fixtures: Mapping[str, Any]) -> dict[str, Any]:
    """The fixtures that are a path of this very run."""
    held = {name: value for name, value in fixtures.items() if isinstance(value, (str, os.PathLike))}
    return {name: value for name, value in held.items() if _PLACE.fullmatch(str(os.fspath(value)))}


def without_places(message: str) -> str:
    """What an error says, with a sign in place of paths and addresses of this very run."""
    return _PLACE.sub(_SOMEWHERE, _ADDRESS.sub(f" at {_SOMEWHERE}", message))


# ------------------------------------------------------------------ what a call changed


def files_here() -> set[pathlib.Path]:
    return set(pathlib.Path().iterdir())


def remove_new(before: set[pathlib.Path]) -> list[str]:
    """New files where the tests are run, which no test of ours may leave: removed, and told by their names."""
    left = sorted(files_here() - before)
    for path in left:
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return [path.name for path in left if not path.name.startswith((".", "__"))]


def state_of(value: Any, describer: Describer, *, wholly: bool) -> dict[tuple[str, str], Any]:
    """What can be seen of a mutable value from outside, by attribute and view: itself if it is a container, else its
    public attributes; `wholly` also what it holds and shows and its properties."""
    if isinstance(value, (list, dict, set)) and type(value) in (list, dict, set):
        return {("", ""): describer.describe(value)}
    if isinstance(value, (*_SIMPLE, *_KINDS_OF_CODE)):
        return {}
    if isinstance(value, (io.StringIO, io.BytesIO)):
        return {("getvalue", "call"): None if value.closed else describer.describe(value.getvalue())}
    if isinstance(value, pathlib.Path):
        return {("read_text", "call"): _text_in(value, describer)}
    found = {(name, ""): describer.describe(item) for name, item in public_parts(value)}
    for name, item in public_parts(value):
        found |= _size_of(name, item, describer) if found[name, ""] is None else {}
    if not wholly or is_stream(value):
        return found
    with quietly():
        for name, item in sorted(members_of(type(value)).items()):
            if isinstance(item, property):
                with contextlib.suppress(Exception):
                    found[name, ""] = _faithful(getattr(value, name), describer)
        for view in _CHANGING:
            with contextlib.suppress(Exception):
                seen = _VIEWS[view](value)
                found["", view] = _faithful(seen, describer) if seen is not None else None
    return found


def _size_of(name: str, item: Any, describer: Describer) -> dict[tuple[str, str], Any]:
    """Of a container that can't be written down as a whole how much there is."""
    return {(name, "len"): describer.describe(len(item))} if type(item) in (dict, list, set) else {}


def _text_in(path: pathlib.Path, describer: Describer) -> Any:
    try:
        return describer.describe(path.read_text()) if path.is_file() and path.stat().st_size <= _MAX_FILE else None
    except (OSError, ValueError):
        return None


def members_of(kind: type) -> dict[str, Any]:
    """The public members of a class and its bases, as they stand in it."""
    return {n: i for base in reversed(kind.__mro__) for n, i in vars(base).items() if not n.startswith("_")}


def changes_of(before: dict[str, Any], after: dict[str, Any]) -> list[Any]:
    """Visible effects: [where, attribute, description, view]."""
    return [
        [where, attribute, shown, view]
        for where, state in after.items()
        for (attribute, view), shown in state.items()
        if shown is not None and before[where].get((attribute, view)) != shown and not is_dated(shown["text"])
    ]
