"""Scripts for a method that is found by a word of a text (`getattr(self, f"convert_{tag}")`): those of its siblings,
with the sibling's word in their texts made its own. Pure; for `search.py`.

`md('<img src="a.png"/>')` in a test runs `convert_img`; for a new `convert_video` it becomes
`md('<video src="a.png"/>')`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.code import Function
from greenlane.testgen.scripts import FoundScript

_MOST, _OWN = 4, 2


def words_apart(name: str, other: str) -> tuple[str, str] | None:
    """The words in which two names differ that share their first or last words: `convert_img` and `convert_video` give
    `img` and `video`. None if they share none, or one has nothing of its own."""
    first, second = name.split("_"), other.split("_")
    shared = 0
    for place in (0, -1):
        while len(first) > 1 and len(second) > 1 and first[place] == second[place]:
            shared += bool(first.pop(place)) and bool(second.pop(place))
    return ("_".join(first), "_".join(second)) if shared and first != second else None


def own_words(entry: Function, kin: Sequence[Function]) -> list[str]:
    """The words of its name by which it may be found, apart from what it shares with its siblings: `has` of
    `xpath_has_function`."""
    pairs = (words_apart(entry.name, other.name) for other in kin if other.owner == entry.owner and other != entry)
    words = [pair[0] for pair in pairs if pair is not None and pair[0]]
    counts = {word: words.count(word) for word in words}
    best = sorted(counts, key=lambda word: (-counts[word], len(word)))[:_OWN]
    return [form for word in best for form in dict.fromkeys([word.replace("_", "-"), word])]


def swap_words(found: FoundScript, entry: Function, kin: Sequence[Function]) -> Iterator[FoundScript]:
    """The script with a sibling's word in its texts made the entry's, for the first siblings whose word is there."""
    texts = (*found.script.setup, found.script.look)
    plain, count = found.script.text, 0
    for sibling in kin:
        pair = words_apart(entry.name, sibling.name) if sibling.owner == entry.owner and sibling != entry else None
        if pair is None or not all(pair) or count >= _MOST or not any(f in plain for f in _forms(pair[1])):
            continue
        swapping = _Swapping(*pair)
        try:
            changed = [ast.unparse(swapping.visit(parse_source(text))) for text in texts]
        except UnreadableSourceError:
            return
        if swapping.swapped:
            count += 1
            script = msgspec.structs.replace(found.script, setup=tuple(changed[:-1]), look=changed[-1])
            yield msgspec.structs.replace(found, script=script)


def _forms(word: str) -> list[str]:
    return [word.replace("_", sign) for sign in "_-"]


class _Swapping(ast.NodeTransformer):
    """In texts alone: names of the code stay as they are."""

    def __init__(self, own: str, theirs: str) -> None:
        self._forms = list(zip(_forms(theirs), _forms(own), strict=True))
        self.swapped = False

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        text = node.value
        for theirs, own in self._forms:
            text = re.sub(rf"(?<![\w-]){re.escape(theirs)}(?![\w-])", own, text)
        if text == node.value:
            return node
        self.swapped = True
        return ast.copy_location(ast.Constant(value=text), node)
