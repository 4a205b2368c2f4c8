"""Tests that read a data file, with a short file of their own in its place: its text can be varied, as the data file of
the project can't. For `gathering.py`; reads files, runs nothing.

    pets = load(DATA / "pets.xml")       ->      (tmp_path / "pets.xml").write_text("<pets><pet/></pets>")
                                                 pets = load(tmp_path / "pets.xml")
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.datafiles import contents_of, files_around, is_named
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.inputs import MAX_STATEMENT, Script, imports_named
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.scripts import FoundScript

_GIVING_TEXT = frozenset({"join", "str", "fspath", "abspath", "realpath", "normpath", "as_posix"})
_GIVING_PATHS = frozenset({"Path", "PurePath", "joinpath", "resolve", "absolute", "expanduser"})
_NAME = re.compile(r"[\w./-]{2,80}")
_CONTENTS, _LONG = 2, 100


class Copier:
    """Gives scripts files of their own; what lies around the tests is listed once."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._files: dict[Path, list[Path]] = {}
        self._texts: dict[Path, list[str]] = {}

    def copies(self, found: FoundScript) -> Iterator[FoundScript]:
        """The script for each of a few texts, where it names a data file; nothing for any other."""
        helpers = _helpers_of((*found.script.setup, found.script.look))
        for place, tree, named, file in self.named(found):
            if not any(isinstance(node, FunctionNode | ast.ClassDef) for node in tree.body):
                yield from self._with_file(found, place, tree, _whole_path(tree, named, helpers), file)
                return

    def named(self, found: FoundScript) -> Iterator[tuple[int, ast.Module, ast.Constant, Path]]:
        """The data files that a script names: the number of the statement, its tree, the text in that, and the file."""
        for place, text in enumerate((*found.script.setup, found.script.look)):
            try:
                tree = parse_source(text)
            except UnreadableSourceError:
                continue
            for named in _names_in(tree):
                file = self._file_of(found.test, str(named.value))
                if file is not None:
                    yield place, tree, named, file

    def _file_of(self, test: str, word: str) -> Path | None:
        folder = (self._tree / test.partition("::")[0]).parent
        if folder not in self._files:
            self._files[folder] = files_around(self._tree, folder)
        return next((file for file in self._files[folder] if is_named(file, word.removeprefix("./"))), None)

    def _with_file(
        self, found: FoundScript, place: int, tree: ast.Module, whole: tuple[ast.expr, bool], file: Path
    ) -> Iterator[FoundScript]:
        if file not in self._texts:
            self._texts[file] = contents_of(self._tree, file)[:_CONTENTS]
        node, is_text = whole
        own = f"tmp_path / {PurePosixPath(file).name!r}"
        made = parse_expression(f"str({own})" if is_text else own).body
        texts = [*found.script.setup, found.script.look]
        texts[place] = ast.unparse(Exchanging(node, made).visit(tree))
        if place == len(texts) - 1 and texts[place] == ast.unparse(made):
            return  # a path is all that is looked at
        for content in self._texts[file]:
            given = repr(content) if content.isascii() else f"{content!r}, encoding='utf-8'"
            rows = [*texts[:place], f"({own}).write_text({given})", *texts[place:]]
            script = _without_unused(found.script, rows)
            if all(len(row) <= MAX_STATEMENT for row in rows):
                yield msgspec.structs.replace(found, script=script, fixtures=found.fixtures | {"tmp_path"})


def is_given_text(found: FoundScript) -> bool:
    """Whether a script holds a longer text itself, or one of several lines: that is varied without a file."""
    for text in (*found.script.setup, found.script.look):
        try:
            nodes = ast.walk(parse_source(text))
        except UnreadableSourceError:
            continue
        said = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
        if any(len(one) > _LONG or "\n" in one.strip() for one in said):
            return True
    return False


def _helpers_of(texts: Sequence[str]) -> dict[str, str]:
    """The short functions that a script brings, by name."""
    found = {}
    for text in texts:
        match = re.match(r"def (\w+)\(", text)
        if match is not None:
            found[match[1]] = text
    return found


def _names_in(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        named = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if isinstance(node, ast.Constant) and "." in named.strip(".") and _NAME.fullmatch(named):
            yield node


def _whole_path(tree: ast.Module, name: ast.expr, helpers: Mapping[str, str]) -> tuple[ast.expr, bool]:
    """The expression that makes a path of a name, and whether it is a text: `os.path.join(HERE, "a.txt")`."""
    above = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    whole, is_text = name, True
    while True:
        parent = above.get(id(whole))
        if isinstance(parent, ast.Attribute) and parent.attr in _GIVING_TEXT | _GIVING_PATHS:
            parent = above.get(id(parent))
        called = name_of(parent) if isinstance(parent, ast.Call) else ""
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Div):
            whole, is_text = parent, False
        elif isinstance(parent, ast.Call) and called in _GIVING_TEXT | _GIVING_PATHS:
            whole, is_text = parent, called in _GIVING_TEXT
        elif isinstance(parent, ast.Call) and called in helpers:
            whole, is_text = parent, "Path" not in helpers[called]
        else:
            return whole, is_text


def _without_unused(script: Script, rows: Sequence[str]) -> Script:
    """The script with these statements, but for helpers and imports that nothing names any more."""
    used = [row for row in rows if (m := re.match(r"def (\w+)\(", row)) is None or _is_used(m[1], rows)]
    imports = imports_named(script.imports, used)
    return msgspec.structs.replace(script, imports=imports, setup=tuple(used[:-1]), look=used[-1])


def _is_used(name: str, rows: Sequence[str]) -> bool:
    return sum(len(re.findall(rf"\b{name}\b", row)) for row in rows) > 1
