"""How the tests beside the changed code look, so that generated ones look alike. Reads files, runs nothing."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Container, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from greenlane.domain.service_settings import Service
from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.awaited import marks_of, marks_of_file
from greenlane.testgen.collection import file_patterns, paths_of, patterns_told, takes_classes
from greenlane.testgen.layout import Layout, read_layout

MARKER = "Characterisation tests, written by Greenlane"
"""How a file that Greenlane wrote begins: only such a file is ever replaced."""
_MAX_FILES = 500
_MAX_BYTES = 1 << 20

Form = Literal["function", "class", "unittest"]
ImportForm = Literal["names", "module", "package"]


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """`names`: `from shop.pricing import price`; `package`: `from shop import pricing`; `module`: `import
    shop.pricing`. `folder` is where the nearest test file lies, relative to the tree."""

    form: Form = "function"
    imports: ImportForm = "names"
    folder: str
    layout: Layout = Layout()
    name_last: bool = False
    """Files are called `pricing_test.py` rather than `test_pricing.py`."""
    patterns: tuple[str, ...] = ()
    """What the command of the suite says the names of test files are like."""
    loop: tuple[str, ...] | None = None
    """Where a plugin runs tests that await: the marks that they carry. None where none awaits."""


def read_style(service: Service, tree: Path, path: str, module: str, collected: Container[str] | None = None) -> Style:
    """The style of the test file nearest to a source file: one that imports it, or is named after it. Only files that
    the suite `collected` count, where that is known: beside another one (cases for a type checker, say) no test would
    ever run."""
    folder = service.tests_dir.strip("/") or "."
    best: tuple[tuple[int, int], str, ast.Module] | None = None
    votes: dict[Form, int] = {}
    for name, parsed in _test_files(tree, folder, collected):
        form = _form_of(parsed)
        votes[form] = votes.get(form, 0) + 1
        score = _nearness(name, parsed, path, module, folder)
        if score > (0, 0) and (best is None or score > best[0]):
            best = (score, name, parsed)
    by_command: Form | None = "unittest" if "unittest" in service.commands.test else None
    patterns = patterns_told(service.commands.test)
    if best is None:
        common: Form = max(votes, key=lambda form: votes[form]) if votes else "function"
        common = "function" if common == "class" and not takes_classes(tree) else common
        return Style(form=by_command or common, folder=folder, layout=read_layout(tree), patterns=patterns)
    form = _form_of(best[2])
    return Style(
        form=by_command or ("function" if form == "class" and not takes_classes(tree) else form),
        imports="names" if _is_hidden(tree, path) else _imports_of(best[2], module),
        folder=str(PurePosixPath(best[1]).parent),
        layout=read_layout(tree, (tree / best[1]).read_text(encoding="utf-8-sig")),
        name_last=best[1].endswith("_test.py") and not PurePosixPath(best[1]).name.startswith("test_"),
        patterns=patterns,
        loop=_loop_of(best[2]),
    )


def _is_hidden(tree: Path, path: str) -> bool:
    """Whether the package of a module gives the module's name to something else: a function `retry` in the package of
    `retry.py`, or an object that it makes (`retry = Retry()`)."""
    stem, file = PurePosixPath(path).stem, (tree / path).with_name("__init__.py")
    try:
        parsed = parse_source(file.read_text(encoding="utf-8-sig"))
    except (UnreadableSourceError, UnicodeDecodeError, OSError):
        return False
    for node in parsed.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == stem:
            return True
        if isinstance(node, ast.ImportFrom) and node.module and any((a.asname or a.name) == stem for a in node.names):
            return True
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(n, ast.Name) and n.id == stem for target in targets for n in ast.walk(target)):
            return True
    return False


def nearest_test(service: Service, tree: Path, path: str, module: str) -> str | None:
    """The test file nearest to a source file, relative to the tree; None if no file imports it or is named after it."""
    folder = service.tests_dir.strip("/") or "."
    files = _test_files(tree, folder)
    scores = [(_nearness(name, parsed, path, module, folder), name) for name, parsed in files]
    score, name = max(scores, key=lambda pair: pair[0], default=((0, 0), ""))
    return name if score[0] else None


def free_path(tree: Path, style: Style, module: str, taken: Iterable[str] = ()) -> str:
    """A path for the new test file, of a name that the project's pytest collects: none that exists is touched, and
    none of those `taken` by new files of other modules, nor their names (`shop.views.cart` beside `shop.cart`): without
    packages around them pytest takes two of one name for the same."""
    parts = [re.sub(r"\W", "_", part.strip("_")) for part in module.split(".")]
    given, patterns = set(taken), style.patterns or file_patterns(tree)
    names = {PurePosixPath(p).name for p in given if "generated" in PurePosixPath(p).name}
    stems = dict.fromkeys("_".join(filter(None, parts[-count:])) or "module" for count in ((1, 2) if given else (1,)))
    rows = [paths_of(style.folder, f"{stem}_generated", patterns, style.name_last) for stem in stems]
    paths = (path for path in itertools.chain((next(row) for row in rows), *rows[:1]) if path not in given)
    unlike = (path for path in paths if PurePosixPath(path).name not in names)
    return next(p for p in unlike if not (tree / p).exists() and not (tree / p).is_symlink())


def _test_files(tree: Path, folder: str, collected: Container[str] | None = None) -> Iterator[tuple[str, ast.Module]]:
    """Those that `collected` names; where that is not known, those that the patterns of pytest's settings collect."""
    patterns = ("test*.py", "*_tests.py", *file_patterns(tree))
    root = tree / folder
    if not root.is_dir() or not root.resolve().is_relative_to(tree.resolve()):
        return
    for number, file in enumerate(sorted(root.rglob("*.py"))):
        if number >= _MAX_FILES:
            return
        if file.is_symlink() or file.stat().st_size > _MAX_BYTES:
            continue
        name = file.relative_to(tree).as_posix()
        if collected is None and not any(fnmatch(file.name, p) for p in patterns):
            continue
        if collected is not None and name not in collected:
            continue
        try:
            text = file.read_text(encoding="utf-8-sig")
            if MARKER not in text[:500]:
                yield name, parse_source(text)
        except (UnreadableSourceError, UnicodeDecodeError):
            continue


def _form_of(parsed: ast.Module) -> Form:
    counts: dict[Form, int] = {"function": 0, "class": 0, "unittest": 0}
    for node in parsed.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            counts["function"] += 1
        elif isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base) for base in node.bases]
            form: Form = "unittest" if any(base.endswith("TestCase") for base in bases) else "class"
            members = (m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef))
            counts[form] += sum(member.name.startswith("test") for member in members)
    return max(counts, key=lambda form: counts[form])


def _loop_of(parsed: ast.Module) -> tuple[str, ...] | None:
    """The marks of its first test that awaits."""
    own = marks_of_file(parsed)
    for holder in parsed.body:
        for node in holder.body if isinstance(holder, ast.ClassDef) else [holder]:
            if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test"):
                return marks_of(node, holder, own)
    return None


def _nearness(name: str, parsed: ast.Module, path: str, module: str, folder: str) -> tuple[int, int]:
    """How much speaks for a test file, and in how many folders of one name both lie, below the `folder` of the tests:
    of several `test_client.py` that of `shop/carts/client.py` is `tests/carts/test_client.py`, which alone is given
    what a `conftest.py` there gives."""
    base = PurePosixPath(path).stem.strip("_")
    stem = PurePosixPath(name).stem
    score = 2 if stem in {f"test_{base}", f"{base}_test", f"tests_{base}"} else 0
    above = {*PurePosixPath(folder).parts, module.partition(".")[0]}
    folders = {part.strip("_").removeprefix("test_") for part in PurePosixPath(name).parent.parts if part not in above}
    shared = sum(part.strip("_") in folders for part in PurePosixPath(path).parent.parts)
    return score + (3 if _imports_module(parsed, module) else 0), shared


def _imports_module(parsed: ast.Module, module: str) -> bool:
    package, _, last = module.rpartition(".")
    for node in ast.walk(parsed):
        if isinstance(node, ast.ImportFrom):
            if node.module == module or (node.module == package and any(a.name == last for a in node.names)):
                return True
        elif isinstance(node, ast.Import) and any(alias.name == module for alias in node.names):
            return True
    return False


def _imports_of(parsed: ast.Module, module: str) -> ImportForm:
    package, _, last = module.rpartition(".")
    for node in ast.walk(parsed):
        if isinstance(node, ast.ImportFrom):
            if node.module == module:
                return "names"
            if node.module == package and any(alias.name == last and not alias.asname for alias in node.names):
                return "package"
        elif isinstance(node, ast.Import) and any(a.name == module and not a.asname for a in node.names):
            return "module"
    return "names"
