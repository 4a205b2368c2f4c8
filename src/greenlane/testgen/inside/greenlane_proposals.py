"""Runs inside the sandbox: what a hunt (`greenlane_hunt.py`) tries next of an input, where chance plays no part.

Each proposal is an input again: the number of a call and the values in its slots.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import greenlane_texts as texts  # type: ignore[import-not-found]  # they lie beside this file inside
from greenlane_templates import Entry, longest_text, with_value  # type: ignore[import-not-found]

_MOST_MARKED, _MOST_AKIN, _MOST_LINED, _LINES_A_GOAL = 1_000, 12, 40, 2
_MOST_PAIRED, _WORDS_PAIRED = 48, 4
_MOST_JOINED, _SHORT, _MOST_BESIDE = 24, 400, 32

Proposal = tuple[int, tuple[Any, ...]]


def marked(entries: Sequence[Entry]) -> Iterator[Proposal]:
    """These inputs with each mark in each place: a format's signs stand in no condition."""
    rows = [
        ((entry.template, with_value(entry.values, place, text)) for text in texts.with_marks(entry.values[place]))
        for entry in entries
        if (place := longest_text(entry.values)) is not None and isinstance(entry.values[place], str)
    ]
    turns = (one for row in itertools.zip_longest(*rows) for one in row if one is not None)
    return itertools.islice(turns, _MOST_MARKED)


def lined(entry: Entry, goals: Iterable[dict[str, Any]]) -> list[Proposal]:
    """The input, where it is a text of several lines that came to all conditions before something open, with a line
    more of what these ask for."""
    place = longest_text(entry.values)
    text = entry.values[place] if place is not None else None
    if place is None or not isinstance(text, str) or "\n" not in text.strip("\n"):
        return []
    near = [goal for goal in goals if goal["chain"] and entry.lines.issuperset(goal["chain"])]
    words = dict.fromkeys(word for goal in near for word in goal["words"][:_LINES_A_GOAL] if "\n" not in word[:-1])
    rows = [texts.with_lines(text, word) for word in words]
    others = [other for row in itertools.zip_longest(*rows) for other in row if other is not None]
    return [(entry.template, with_value(entry.values, place, other)) for other in others[:_MOST_LINED]]


def beside(entry: Entry, goals: Iterable[dict[str, Any]]) -> list[Proposal]:
    """The input, where it is a text that came to all conditions but the last before something open, and these ask for a
    sign, with that sign on its lines: between a line and a word, or the next line."""
    place = longest_text(entry.values)
    text = entry.values[place] if place is not None else None
    if place is None or not isinstance(text, str):
        return []
    near = [goal for goal in goals if goal["chain"] and entry.lines.issuperset(goal["chain"][:-1])]
    signs = dict.fromkeys(word for goal in near for word in goal["words"] if re.fullmatch(r"[^\w\s]{1,2}", word))
    rows = [texts.with_sign(text, sign) for sign in signs]
    others = [other for row in itertools.zip_longest(*rows) for other in row if other and len(other) <= texts.MAX_TEXT]
    return [(entry.template, with_value(entry.values, place, other)) for other in others[:_MOST_BESIDE]]


def joined(goals: Sequence[dict[str, Any]], corpus: Sequence[Entry], fresh: Sequence[Entry]) -> list[Proposal]:
    """Inputs that came to all conditions before something open, with another text of several lines before them: what
    the condition asks about may have to be said there. The first of `fresh` is new, the others are not."""
    found: dict[Proposal, None] = {}
    for entry in fresh:
        place = longest_text(entry.values)
        text = entry.values[place] if place is not None else None
        near = any(goal["chain"] and entry.lines.issuperset(goal["chain"]) for goal in goals)
        if place is None or not isinstance(text, str) or not near:
            continue
        others = {v for e in (corpus if entry is fresh[0] else fresh[:1]) for v in e.values if isinstance(v, str)}
        several = (v for v in others - {text} if len(v) <= _SHORT and "\n" in f"{v.strip()}{text}".strip())
        for other in sorted(several, key=lambda v: (len(v), v))[:_MOST_JOINED]:
            both = f"{other.rstrip()}\n{text.lstrip()}"
            if len(both) <= texts.MAX_TEXT:
                found[entry.template, with_value(entry.values, place, both)] = None
    return list(found)


def repeated(entries: Iterable[Entry]) -> Iterator[Proposal]:
    """These inputs with one value in the place of another: what is named in one place may have to be there in
    another."""
    for entry in entries:
        for place, value in enumerate(entry.values):
            others = dict.fromkeys(v for v in entry.values if isinstance(v, str) and v != value)
            for other in others if isinstance(value, str) else ():
                yield entry.template, with_value(entry.values, place, other)


def akin(entry: Entry, goals: Iterable[dict[str, Any]]) -> list[Proposal]:
    """The input with a word that the code asks for in the way it asks for one that is wanted made that word."""
    found: dict[Proposal, None] = {}
    for goal in goals:
        for wanted in goal["words"]:
            for place, value in enumerate(entry.values):
                for word in (*goal.get("kin", ()), *goal["words"]):
                    other = texts.with_kin(value, word, wanted) if isinstance(value, str) else None
                    if other is not None:
                        found.setdefault((entry.template, with_value(entry.values, place, other)))
    return list(found)[:_MOST_AKIN]


def paired(entry: Entry, goals: Iterable[dict[str, Any]]) -> list[Proposal]:
    """The input, where it came to all conditions before something open, with two words that these ask for as a name and
    its value (what is read by a name is held against something); where it came to all but the last, with one of them as
    an element."""
    place = longest_text(entry.values)
    text = entry.values[place] if place is not None else None
    if place is None or not isinstance(text, str):
        return []
    rows = []
    for goal in (one for one in goals if one["chain"] and entry.lines.issuperset(one["chain"][:-1])):
        words = [word for word in dict.fromkeys(goal["words"]) if re.fullmatch(r"\w[\w:-]+", word)][:_WORDS_PAIRED]
        pairs = [(name, value) for name in words for value in words if name != value]
        pairs = pairs if entry.lines.issuperset(goal["chain"]) else []
        kin = goal.get("kin", ())
        rows.append([other for name, value in pairs for other in texts.with_pair(text, name, value, kin)])
        rows.append([other for word in words for other in texts.with_element(text, word)])
    others = [other for row in itertools.zip_longest(*rows) for other in row if other and len(other) <= texts.MAX_TEXT]
    return [(entry.template, with_value(entry.values, place, one)) for one in dict.fromkeys(others)][:_MOST_PAIRED]


def crossed(entry: Entry, others: Iterable[Entry]) -> Iterator[Proposal]:
    """The input and each of these crossed, where both are rows of as many values: what makes one of them special, with
    what leads the other near to something open."""
    place, known = longest_text(entry.values), set[Any]()
    for other in others:
        own = longest_text(other.values)
        if place is None or own is None or other.values[own] in known:
            continue
        known.add(other.values[own])
        pair = entry.values[place], other.values[own]
        for text in texts.crossed(*pair) if all(isinstance(one, str) for one in pair) else ():
            yield other.template, with_value(other.values, own, text)


def corresponding(entry: Entry, near: set[int], met_near: set[int]) -> Iterator[Proposal]:
    """The input with a value that was compared made the value that it was compared with; whole words and numbers
    first, and what stands near the conditions right before what is open."""

    def order(row: tuple[int, Any, Any]) -> tuple[bool, bool, bool, int]:
        whole = any(texts.stands_in(side, value) for side in row[1:] for value in entry.values)
        far = min((abs(abs(row[0]) - line) for line in near), default=0)
        return row[0] not in met_near, not whole, row[0] < 0, far

    rows = sorted(entry.compared, key=order)
    for _, left, right in rows:
        for found, wanted in ((left, right), (right, left)):
            same = {place for place, value in enumerate(entry.values) if value == found != wanted}
            if len(same) > 1:  # one name, given in several places
                yield entry.template, tuple(wanted if n in same else v for n, v in enumerate(entry.values))
            for place, value in enumerate(entry.values):
                for other in texts.exchanged(value, found, wanted):
                    yield entry.template, with_value(entry.values, place, other)
