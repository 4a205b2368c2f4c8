"""Long documents of a known form, cut so that they are still of that form: elements with what stands around them, lists
with fewer items. The first lines of one are none. Pure; for the texts that a hunt tries.

    <pets kind="a"><pet/>...<pet name="b"><toy/></pet></pets>      <pets kind="a"><pet name="b"><toy/></pet></pets>
    {"pets": [{"name": "a"}, {"name": "b"}, ...]}                  {"pets": [{"name": "a"}]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import msgspec

LONGEST = 40_000
_MOST, _ELEMENTS, _DEPTH = 4, 800, 40
_TAG = re.compile(
    r"<!--.{0,4000}?-->|<!\[CDATA\[.*?\]\]>|<[?!][^<>]*>"
    r"|<(?P<close>/?)(?P<name>[A-Za-z_][\w:.-]*)(?P<inside>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?)(?P<empty>/?)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_FEWER = ((3, 80), (2, 40), (1, 40), (1, 12))
"""Items that are kept of a list, and characters of a text, before more is left out."""


class _Element(msgspec.Struct, kw_only=True, eq=False):
    """From where to where an element stands, its tag, and the elements around it, outermost first."""

    first: int
    inside: int
    last: int
    tag: str
    around: tuple[_Element, ...]
    says: frozenset[str]
    """Its name and attributes, with short values."""


def shortened(text: str, most: int) -> list[str]:
    """A few documents of at most `most` characters that were cut out of this one, each with something that those before
    it do not say; none if it is of no known form, or fits as it is."""
    text = text.strip()
    if not most < len(text) <= LONGEST:
        return []
    if text.startswith("<"):
        return list(_cut_markup(text, most))[:_MOST]
    return _cut_json(text, most) if text.startswith(("{", "[")) else []


# ------------------------------------------------------------------ elements


def _cut_markup(text: str, most: int) -> Iterator[str]:
    """Elements that fit, as large as may be, each within those around it; what says most that is new comes first."""
    elements = _elements(text)
    fitting: list[tuple[_Element, frozenset[str]]] = []
    taken: list[_Element] = []
    for element in elements:  # an element comes before those inside of it
        if any(outer in element.around for outer in taken) or _length(element) > most:
            continue
        taken.append(element)
        inner = (other.says for other in elements if other is element or element in other.around)
        fitting.append((element, frozenset().union(*inner)))
    told: frozenset[str] = frozenset()
    while fitting:
        best = max(fitting, key=lambda pair: len(pair[1] - told))
        if not best[1] - told:
            return
        told |= best[1]
        fitting.remove(best)
        yield _within(text, best[0])


def _length(element: _Element) -> int:
    around = sum(outer.inside - outer.first + len(outer.tag) + 3 for outer in element.around)
    return element.last - element.first + around


def _within(text: str, element: _Element) -> str:
    before = "".join(text[outer.first : outer.inside] for outer in element.around)
    after = "".join(f"</{outer.tag}>" for outer in reversed(element.around))
    return f"{before}{text[element.first : element.last]}{after}"


def _elements(text: str) -> list[_Element]:
    """All elements in their order; what is not closed is none."""
    opened: list[_Element] = []
    closed: list[_Element] = []
    for tag in _TAG.finditer(text):
        name = tag["name"]
        if name is None:
            continue
        if tag["close"]:
            if any(one.tag == name for one in opened):
                while opened[-1].tag != name:
                    opened.pop()
                opened[-1].last = tag.end()
                closed.append(opened.pop())
            continue
        one = _Element(
            first=tag.start(), inside=tag.end(), last=tag.end(), tag=name, around=tuple(opened),
            says=frozenset(_said(name, tag["inside"])),
        )  # fmt: skip
        if tag["empty"]:
            closed.append(one)
        else:
            opened.append(one)
        if len(closed) > _ELEMENTS or len(opened) > _DEPTH:
            break
    ended = {id(one) for one in closed}
    for one in closed:
        one.around = tuple(outer for outer in one.around if id(outer) in ended)
    return sorted(closed, key=lambda one: one.first)


def _said(name: str, inside: str) -> Iterator[str]:
    yield name
    for key, *values in _ATTRIBUTE.findall(inside):
        value = "".join(values)
        yield f"{name} {key}"
        if value.isalpha():
            yield f"{name} {key}={value}"


# ------------------------------------------------------------------ JSON


def _cut_json(text: str, most: int) -> list[str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    for items, letters in _FEWER:
        for keys in (99, 12, 6, 3):
            cut = json.dumps(_less(value, items, letters, keys, 8), ensure_ascii=False)
            if len(cut) <= most:
                return [cut]
    return []


def _less(value: object, items: int, letters: int, keys: int, depth: int) -> object:
    """The value with fewer items in its lists, shorter texts, and fewer entries."""
    if depth < 0:
        return None
    if isinstance(value, dict):
        kept: Sequence[tuple[str, object]] = list(value.items())[:keys]
        return {key: _less(one, items, letters, keys, depth - 1) for key, one in kept}
    if isinstance(value, list):
        return [_less(one, items, letters, keys, depth - 1) for one in value[:items]]
    return value[:letters] if isinstance(value, str) else value
