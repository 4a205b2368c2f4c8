"""What the data files of tests hold, as texts to try: a format that tests read from files stands in none of their
literals. For `hunt.py`; reads files, runs nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.documents import shortened
from greenlane.testgen.literals import MAX_TEXT, literals
from greenlane.testgen.reading import read_inside
from greenlane.testgen.turns import in_turn

_MOST_LISTED, _MOST, _BYTES, _TESTS, _SEVERAL = 600, 24, 60_000, 40, 2
_COMPILED = frozenset({".pyc", ".so"})
_CODE = _COMPILED | {".py", ".pyi"}
_OF_TESTS = re.compile(r"(test|conftest|setup|__init__)\w*\.|\w*_test\.")
_GAP, _SAID, _PARTS = re.compile(r"\{[^{}/]*\}|%0?\d*[sd]"), 4, 3
"""What a name leaves open, how many signs of it are said at least, and in how many parts at most."""
_NEVER = frozenset({"__pycache__", ".git", ".hg", "node_modules"})


def texts_of_files(tree: Path, tests: Iterable[str]) -> list[str]:
    """The first lines of files that these test files name (of a document smaller ones first), of those that lie below
    their folder or the one around it, the shortest files first; and the names of the files beside those, one of each
    ending before a second."""
    found: dict[Path, None] = {}
    others: dict[str, None] = {}
    listed: dict[Path, list[Path]] = {}
    for path in list(dict.fromkeys(tests))[:_TESTS]:
        texts = [text for text in _texts_in(tree, tree / path) if "\n" not in text]
        words = {text.removeprefix("./") for text in texts if "." in text}
        folder = (tree / path).parent
        if folder not in listed:
            listed[folder] = files_around(tree, folder)
        named = [(file, word) for word in sorted(words) for file in listed[folder] if is_named(file, word)]
        found |= {file: None for file, _ in named}
        others |= {text: None for text in _beside(named, listed[folder]) if text not in words}
        others |= dict.fromkeys(_stems_beside({*texts}, listed[folder], folder))
    rows = sorted((contents_of(tree, file) for file in found), key=lambda row: sum(map(len, row)))
    return list(in_turn([dict.fromkeys(text for row in rows for text in row), others]))[:_MOST]


def files_around(tree: Path, folder: Path) -> list[Path]:
    """The data files below a folder of tests, then those below the one around it, if that is not the whole tree, and
    those below the folders of the tree that hold no code. Below the tests programs may be data as well: those that are
    no tests themselves."""
    around = [] if tree in {folder, folder.parent} else [folder.parent]
    around += [one for one in _top_folders(tree) if one not in {folder, *folder.parents}]
    own = (file for file in _below(folder, _COMPILED) if file.suffix not in _CODE or not _OF_TESTS.match(file.name))
    return list(dict.fromkeys([*own, *(file for one in around for file in _below(one, _CODE))]))


def _top_folders(tree: Path) -> list[Path]:
    """Folders of the tree like `examples` and `data`: no packages, and none that hold one."""
    places = [one for one in sorted(tree.iterdir()) if one.is_dir() and not one.is_symlink()]
    shown = (one for one in places if not one.name.startswith(".") and one.name not in _NEVER)
    return [one for one in shown if not any(one.glob("__init__.py")) and not any(one.glob("*/__init__.py"))]


def contents_of(tree: Path, file: Path) -> list[str]:
    """Texts of a file that are short enough to stand in a test: parts of a document, its first lines; nothing where it
    holds no text."""
    text = read_inside(tree, file, _BYTES)
    return [*shortened(text, MAX_TEXT), _beginning(text)] if text and "\x00" not in text else []


def _beside(named: Sequence[tuple[Path, str]], files: Iterable[Path]) -> Iterator[str]:
    """Other files of the folders that these lie in, written as a test writes those; of other endings first."""
    rows: dict[tuple[str, str], list[str]] = {}
    folders = {file.parent: word.removesuffix(file.name) for file, word in named if word.endswith(file.name)}
    for file in files:
        if file.parent in folders:
            text = f"{folders[file.parent]}{file.name}"
            rows.setdefault((folders[file.parent], file.suffix), []).append(text)
    known = {file.suffix for file, _ in named}
    yield from in_turn(rows[key] for key in sorted(rows, key=lambda key: key[1] in known))


def _stems_beside(words: Set[str], files: Iterable[Path], folder: Path) -> Iterator[str]:
    """Names without endings of files in folders of which the tests name several so, as `sample("log_error")` does: of
    those that they do not name."""
    stems: dict[Path, list[str]] = {}
    for file in files:
        if file.parent != folder:
            stems.setdefault(file.parent, []).append(file.stem)
    named = (row for row in stems.values() if len(words & {*row}) >= _SEVERAL)
    yield from (stem for row in named for stem in row if stem not in words)


def _texts_in(tree: Path, file: Path) -> list[str]:
    """Literals of a test file that are short enough to name a file."""
    try:
        parsed = parse_source(read_inside(tree, file) or "")
    except UnreadableSourceError:
        return []
    return [text for _, text in literals(parsed) if isinstance(text, str) and 2 < len(text) <= MAX_TEXT]


def _below(folder: Path, without: Set[str]) -> Iterator[Path]:
    seen = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _NEVER)
        for name in sorted(names):
            seen += 1
            file = Path(place, name)
            if file.suffix not in without and not file.is_symlink():
                yield file
        if seen > _MOST_LISTED:
            return


def is_named(file: Path, word: str) -> bool:
    """Whether a word of a test names the file, or would with something in its gaps: `"sample.{:03d}.html"`."""
    path = f"/{file.as_posix()}"
    said = _GAP.split(word)
    if len(said) == 1:
        return path.endswith(f"/{word}")
    if len(said) > _PARTS or sum(map(len, said)) < _SAID:
        return False
    return re.search(rf"/{'[^/]*'.join(map(re.escape, said))}$", path) is not None


def _beginning(text: str) -> str:
    """As many whole lines as a text may be long."""
    if len(text) <= MAX_TEXT:
        return text
    lines = text[:MAX_TEXT].splitlines(keepends=True)
    return "".join(lines[:-1]) or text[:MAX_TEXT]
