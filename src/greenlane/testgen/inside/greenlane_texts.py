"""Runs inside the sandbox: other texts and numbers, made from those that are there. Pure; chance comes from outside.

Texts are altered by words and by what surrounds them, so that what comes out still looks like what a person wrote.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

MAX_TEXT = 400
_TOKENS = re.compile(r"\s+|\w+|[^\w\s]")
_MARKS = "+-*/=<>!?.,:;#$%&@^|~()[]{}'\"\\_`"
_SEPARATORS = (" ", " ", "\n", "", ";\n", ", ")
_PARTING = (r"(\s+)", r"([,;|&])", r"([:/.@-])")
"""What parts the values of a row, the first that there is."""
_MOST_FIELDS, _MOST_TAGS = 12, 6
_OCCURRENCES = 3
_SPAN, _SIGNED = 8, 4
_MOST_TOKENS = 30
_LADDER = (0, 1, -1, 10**6, 10**9, 10**12, 10**15, 10**17, 10**20, 0.5)


def tokens_of(text: str) -> list[str]:
    """Words, single marks and white space; together they are the text again."""
    return _TOKENS.findall(text)


def stands_in(part: Any, value: Any) -> bool:
    """Whether a part of a text is a word of it, or more than one; of anything else, whether it is the value."""
    if not isinstance(part, str) or not isinstance(value, str):
        return bool(part == value)
    return re.search(rf"(?<!\w){re.escape(part)}(?!\w)", value, re.IGNORECASE) is not None


def with_wanted(text: str, found: str, wanted: str) -> Iterator[str]:
    """The text with what the code found in it made what the code compares it with, in its place, before or after it
    (input-to-state correspondence: Aschermann et al., "REDQUEEN", NDSS 2019)."""
    if not found or found == wanted:
        return
    start, low, key = 0, text.lower(), found.lower()
    for _ in range(_OCCURRENCES):
        place = low.find(key, start)
        if place < 0:
            return
        end = place + len(found)
        yield text[:place] + wanted + text[end:]
        yield text[:end] + _joint(text[place:end], wanted) + wanted + text[end:]
        yield text[:place] + wanted + _joint(wanted, text[place:end]) + text[place:]
        start = end


def exchanged(value: Any, found: Any, wanted: Any) -> Iterator[Any]:
    """Other values, with what was found in this one made what was wanted there."""
    if isinstance(value, str) and isinstance(found, str) and isinstance(wanted, str):
        yield from (text for text in with_wanted(value, found, wanted) if len(text) <= MAX_TEXT)
    elif all(isinstance(one, (int, float)) for one in (value, found, wanted)) and value == found != wanted:
        yield from (wanted, wanted + 1, wanted - 1)


def with_kin(text: str, word: str, wanted: str) -> str | None:
    """The text with another word in the first place of this one; None where it stands in none, or inside of a longer
    one."""
    asked = word != wanted and not (word in wanted and wanted in text) and re.search(r"\w\w", word)
    place = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) if asked else None
    other = text[: place.start()] + wanted + text[place.end() :] if place is not None else text
    return other if other != text and len(other) <= MAX_TEXT else None


def with_pair(text: str, name: str, value: str, kin: Sequence[str]) -> Iterator[str]:
    """The text with `name` and this value in the place of another pair (of `kin`, or of the name itself), in the same
    signs: `size="1"`, `"size": "1"`, `size = 1`; in a text with tags, in each tag that says nothing of it."""
    for word in (name, *kin):
        place = re.search(rf"(?<![\w-]){re.escape(word)}([\"']?\s*[=:]\s*[\"']?)[^\"'\s,;<>&{{}}()\[\]]+", text)
        if place is not None:
            yield text[: place.start()] + name + place[1] + value + text[place.end() :]
    for tag in _tags(text):
        if f" {name}=" not in tag[0]:
            yield f'{text[: tag.end(1)]} {name}="{value}"{text[tag.end(1) :]}'


def with_element(text: str, name: str) -> Iterator[str]:
    """The text, if it is one with tags, with an element of this name inside of each kind of element, the last first."""
    for tag in reversed(_tags(text)) if re.fullmatch(r"[A-Za-z][\w-]*", name) else ():
        if not tag[0].endswith("/>"):
            yield f"{text[: tag.end()]}<{name}>a</{name}>{text[tag.end() :]}"


def _tags(text: str) -> list[re.Match[str]]:
    """The first tag of each name in a text that begins with one."""
    found: dict[str, re.Match[str]] = {}
    for tag in re.finditer(r"<([A-Za-z][\w:.-]*)(?=[\s/>])[^<>]*>", text) if text.lstrip().startswith("<") else ():
        found.setdefault(tag[1], tag)
    return list(found.values())[:_MOST_TAGS]


@functools.lru_cache(maxsize=4096)
def fields_of(text: str) -> tuple[str, ...]:
    """What a row of values is made of, with what parts them: `1 2` gives `1`, ` `, `2`; nothing where it is none."""
    for sign in _PARTING:
        parts = re.split(sign, text)
        if 1 < len(parts) // 2 + 1 <= _MOST_FIELDS and all(parts[::2]):
            return tuple(parts)
    return ()


def crossed(text: str, other: str) -> Iterator[str]:
    """Two rows of as many values: the first values of one and the last of the other, then one value of the other in its
    place."""
    own, its = fields_of(text), fields_of(other)
    if not own or len(own) != len(its):
        return
    found = {text, other}
    places = range(0, len(own), 2)
    rows = [row for n in places[1:] for row in (own[:n] + its[n:], its[:n] + own[n:])]
    rows += [(*row[:n], value[n], *row[n + 1 :]) for n in places for row, value in ((own, its), (its, own))]
    for row in rows:
        joined = "".join(row)
        if joined not in found and len(joined) <= MAX_TEXT:
            found.add(joined)
            yield joined


def altered(text: str, words: Sequence[str], texts: Sequence[str], chance: random.Random) -> str:
    """The text with one thing or a few changed in it."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        text = _altered_once(text, words, texts, chance)
    return text[:MAX_TEXT]


def _altered_once(text: str, words: Sequence[str], texts: Sequence[str], chance: random.Random) -> str:
    tokens = tokens_of(text)
    place = chance.randrange(len(tokens) + 1)
    kind = chance.randrange(12)
    if kind < 4 and words:
        return _with_word(tokens, place, chance.choice(words))
    if kind < 6 and words and tokens:
        solid = [n for n, token in enumerate(tokens) if not token.isspace()] or [0]
        tokens[chance.choice(solid)] = chance.choice(words)
        return "".join(tokens)
    if kind == 6:
        del tokens[place : place + chance.choice((1, 1, 2, 4))]
        return "".join(tokens)
    if kind == 7 and tokens:
        span = tokens[place : place + chance.randint(1, _SPAN)]
        return "".join([*tokens[:place], *span, *tokens[place:]])
    if kind == 8 and texts:
        other = tokens_of(chance.choice(texts))
        first = chance.randrange(len(other) + 1)
        span = other[first : first + chance.randint(1, _SPAN)]
        return "".join([*tokens[:place], *span, *tokens[place:]])
    if kind == 9 and texts:
        return text + chance.choice(_SEPARATORS) + chance.choice(texts)
    if kind == 10:
        return "".join([*tokens[:place], chance.choice(_MARKS), *tokens[place:]])
    return "".join([*tokens[:place], chance.choice((" ", "\n", "0", "a")), *tokens[place:]])


def with_words(text: str, words: Sequence[str], chance: random.Random) -> str:
    """The text with one of these words or a few put into it, often at its end."""
    for _ in range(chance.choice((1, 1, 2, 2, 3))):
        tokens = tokens_of(text)
        place = len(tokens) if chance.random() < 0.4 else chance.randrange(len(tokens) + 1)
        text = _with_word(tokens, place, chance.choice(words))
    return text[:MAX_TEXT]


def _with_word(tokens: list[str], place: int, word: str) -> str:
    """A word between two others stands apart from them."""
    before, after = "".join(tokens[:place]), "".join(tokens[place:])
    return before + _joint(before, word) + word + _joint(word, after) + after


def _joint(before: str, after: str) -> str:
    return " " if re.match(r"\w", before[-1:]) and re.match(r"\w", after[:1]) else ""


def with_lines(text: str, line: str) -> Iterator[str]:
    """The text with one line more, at any place between its own: what is read row by row has no other places."""
    rows = text.splitlines(keepends=True)
    ended = [*rows[:-1], rows[-1].rstrip("\r\n") + "\n"] if rows else []
    for place in range(len(ended), -1, -1):
        other = "".join([*ended[:place], line.rstrip("\r\n") + "\n", *ended[place:]])
        if len(other) <= MAX_TEXT:
            yield other


def with_marks(text: str) -> Iterator[str]:
    """The text with one mark more, between any two of its tokens; each mark in all places before the next."""
    tokens = tokens_of(text)
    if len(tokens) > _MOST_TOKENS:
        return
    for mark in _MARKS:
        for place in range(len(tokens) + 1):
            yield "".join([*tokens[:place], mark, *tokens[place:]])


def shortened(text: str) -> Iterator[str]:
    """The text without a run of its tokens, long runs first."""
    tokens = tokens_of(text)
    size = max(len(tokens) // 2, 1)
    while size:
        for place in range(0, len(tokens), size):
            yield "".join([*tokens[:place], *tokens[place + size :]])
        size //= 2


def other_number(value: float, numbers: Sequence[float], chance: random.Random) -> float:
    """Another number: one of the code, a neighbour, or one of another magnitude."""
    near = (value + 1, value - 1, -value, value * 2)
    return chance.choice((*numbers, *near, *_LADDER))


def with_sign(text: str, sign: str) -> Iterator[str]:
    """With a sign on a line, the last ones first: `a; line`, `line; a`, and the line joined with the next one."""
    lines = text.split("\n")
    full = [number for number, line in enumerate(lines) if line.strip()]
    for number in full[: -_SIGNED - 1 : -1]:
        line = lines[number]
        indent, own = line[: len(line) - len(line.lstrip())], line.strip()
        for other in (f"a{sign} {own}", f"{own}{sign} a", f"a {sign} {own}  # a", f"{own}{sign}a"):
            yield "\n".join([*lines[:number], indent + other, *lines[number + 1 :]])
        if number + 1 < len(lines) and lines[number + 1].strip():
            joined = f"{line.rstrip()}{sign} {lines[number + 1].lstrip()}"
            yield "\n".join([*lines[:number], joined, *lines[number + 2 :]])
