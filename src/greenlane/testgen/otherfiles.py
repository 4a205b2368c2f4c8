"""Tests that read a data file, with another file from beside it that holds what the code asks for: a program in another
dialect, a settings file with a further key. For `gathering.py`; reads files, runs nothing.

    load(EXAMPLES / "basic.conf")        ->      load(EXAMPLES / "priority.conf")
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

import msgspec

from greenlane.testgen.code import Function
from greenlane.testgen.copied import Copier
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.literals import literals
from greenlane.testgen.reading import read_inside
from greenlane.testgen.scripts import FoundScript

_BYTES, _MOST_FILES, _OTHERS = 60_000, 200, 3
_SHORTEST, _COMMON = 4, 0.25
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]+")


class Swapper:
    """Gives scripts other files of the project; each folder is read once."""

    def __init__(self, tree: Path, copier: Copier) -> None:
        self._tree, self._copier = tree, copier
        self._words: dict[Path, dict[Path, Set[str]]] = {}

    def swapped(self, found: FoundScript, asked: Set[str]) -> Iterator[FoundScript]:
        """The script with each of the few files beside the one it names that hold most of these words, which that one
        lacks; nothing where none does."""
        rows = [*found.script.setup, found.script.look]
        for place, tree, named, file in self._copier.named(found):
            for other in _fitting(self._beside(file), file, asked):
                word = ast.Constant(value=str(named.value).removesuffix(file.name) + other.name)
                texts = [*rows[:place], ast.unparse(Exchanging(named, word).visit(tree)), *rows[place + 1 :]]
                script = msgspec.structs.replace(found.script, setup=tuple(texts[:-1]), look=texts[-1])
                yield msgspec.structs.replace(found, script=script)

    def _beside(self, file: Path) -> Mapping[Path, Set[str]]:
        """The words of files of this one's kind in its folder, itself among them."""
        if file not in self._words:
            files = [one for one in sorted(file.parent.glob(f"*{file.suffix}")) if one.is_file()][:_MOST_FILES]
            self._words[file] = {one: self._words_of(one) for one in {file: None} | dict.fromkeys(files)}
        return self._words[file]

    def _words_of(self, file: Path) -> Set[str]:
        return frozenset(words_in(f"{file.stem}\n{read_inside(self._tree, file, _BYTES) or ''}"))


def words_asked(functions: Iterable[Function], tree: ast.Module) -> frozenset[str]:
    """The words in the names and literal texts of functions."""
    spans = [(function.first, function.last) for function in functions]
    texts = [function.name for function in functions]
    for node, value in literals(tree):
        if isinstance(value, str) and any(first <= node.lineno <= last for first, last in spans):
            texts.append(value)
    return frozenset(word for text in texts for word in words_in(text))


def words_in(text: str) -> Iterator[str]:
    return (word.lower() for word in _WORD.findall(text) if len(word) >= _SHORTEST)


def _fitting(files: Mapping[Path, Set[str]], file: Path, asked: Set[str]) -> Sequence[Path]:
    """Those with words that are asked for, that the file itself lacks, and that few of the others have; best first."""
    counts = {word: sum(word in words for words in files.values()) for word in asked - files.get(file, frozenset())}
    rare = {word: 1 / count for word, count in counts.items() if 0 < count <= max(1, _COMMON * len(files))}
    worth = {one: sum(rare.get(word, 0.0) for word in words & rare.keys()) for one, words in files.items()}
    best = sorted((one for one in files if worth[one]), key=lambda one: (-worth[one], len(files[one]), one.name))
    return best[:_OTHERS]
