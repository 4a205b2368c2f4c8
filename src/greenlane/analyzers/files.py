"""What a file is, and how it is read: kinds of paths, bounded reading, and parsing of Python that no author can trick.

Used by every analyzer. A file that can't be read raises `UnreadableError`; `reading.py` reports it, once.
"""

from __future__ import annotations

import ast
import codecs
import io
import re
import tokenize
from collections import OrderedDict
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar

MAX_DEPTH = 400
"""Deepest nesting of a syntax tree that is analysed; visitors recurse, and real code stays under 100."""


MAX_PARTS = 300_000
"""Names, numbers, commas and brackets of a Python file that is parsed. Four times what the largest modules of real
libraries have; a file of a megabyte that is nothing but a list has more, and its tree would take 300 MB."""
_KEPT_PARTS = 300_000
"""Of the files whose syntax trees are held at the same time: a part takes some 500 bytes, look-ups included."""
_KEPT_TREES = 2
"""Trees that are held however large they are: both sides of the file that is looked at."""
_PART = re.compile(r"\w+|[,;.\[({'\"]")

opened: set[str] = set()
"""Paths whose content was read for its own sake in this process. `worker.py` tells them to the record of reading."""


class UnreadableError(Exception):
    """The file can't be analysed; the text says why."""


class Kind(StrEnum):
    PYTHON = "python"
    STUB = "stub"
    SQL = "sql"
    SCRIPT = "script"
    """JavaScript and TypeScript."""
    SHELL = "shell"
    MARKUP = "markup"
    """HTML, templates of it, and drawings: text that a browser may run."""
    CODE = "code"
    """Code in a language that no analyzer reads."""
    MEDIA = "media"
    TEXT = "text"
    """Documents, data, templates, configuration: read by the analyzers of text."""


_SCRIPT = frozenset({".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".mts", ".cts"})
_SHELL = frozenset({".sh", ".bash", ".zsh", ".ksh"})
_MARKUP = frozenset({
    ".html", ".htm", ".xhtml", ".jinja", ".jinja2", ".j2", ".djhtml", ".mako", ".svg",
})  # fmt: skip
_SHELL_LINE = re.compile(r"#!\s*\S*/(env\s+(-S\s+)?)?(ba|z|da|k|a)?sh\b")
_CODE = frozenset({
    ".coffee", ".go", ".java", ".kt", ".kts",
    ".scala", ".groovy", ".gradle", ".rb", ".php", ".rs", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh",
    ".cs", ".fs", ".vb", ".swift", ".m", ".mm", ".fish", ".ps1", ".psm1",
    ".bat", ".cmd", ".vbs", ".pl", ".pm", ".lua", ".r", ".jl", ".ex", ".exs", ".erl", ".hs", ".ml", ".clj",
    ".cljs", ".dart", ".vue", ".svelte", ".pyx", ".pxd", ".pxi", ".ipynb", ".tf", ".hcl", ".sol", ".asm",
    ".s", ".wat", ".wasm", ".pth", ".awk", ".tcl", ".nim", ".zig", ".cr", ".elm", ".f90", ".f", ".cu",
    ".rego", ".xsh",
})  # fmt: skip
_MEDIA = frozenset({
    ".png", ".jpg", ".jpeg", ".gif", ".ico", ".webp", ".avif", ".bmp", ".woff", ".woff2", ".ttf", ".otf",
    ".eot", ".pdf", ".mp3", ".mp4", ".webm", ".mo",
})  # fmt: skip
_SUFFIXES = (
    (Kind.SCRIPT, _SCRIPT), (Kind.SHELL, _SHELL), (Kind.MARKUP, _MARKUP), (Kind.CODE, _CODE), (Kind.MEDIA, _MEDIA),
)  # fmt: skip
_MEDIA_FOLDERS = frozenset({
    "docs", "doc", "static", "_static", "assets", "images", "img", "media", "fonts", "public", "screenshots",
    "artwork", "lc_messages",
})  # fmt: skip
_DOCUMENT = frozenset({
    ".md", ".rst", ".txt", ".adoc", ".markdown",
})  # fmt: skip
_TEST_NAME = re.compile(r"^(test_.*|.*_test|conftest|tests)\.pyi?$")
_SUPPORT_FOLDERS = frozenset({
    "tests", "test", "docs", "doc", "examples", "example", "benchmarks", "bench", "benchmark",
})  # fmt: skip
_LOCK = re.compile(
    r"(^|/)(poetry\.lock|uv\.lock|pdm\.lock|Pipfile\.lock|package-lock\.json|yarn\.lock|pnpm-lock\.yaml|Cargo\.lock"
    r"|go\.sum|composer\.lock|Gemfile\.lock|requirements[^/]*\.lock|[^/]*\.lock|conda-lock\.yml)$"
)


def kind_of(path: str, first_line: str = "") -> Kind:
    """The kind of a file by its name, and by its `#!` line where the name says nothing."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in (".py", ".pyw"):
        return Kind.PYTHON
    if suffix == ".pyi":
        return Kind.STUB
    if suffix == ".sql":
        return Kind.SQL
    for kind, suffixes in _SUFFIXES:
        if suffix in suffixes:
            return kind
    if first_line.startswith("#!"):
        if _SHELL_LINE.match(first_line):
            return Kind.SHELL
        return Kind.PYTHON if "python" in first_line else Kind.CODE
    return Kind.TEXT


def is_test(path: str) -> bool:
    """Test code, by the conventions of pytest and unittest."""
    parts = PurePosixPath(path).parts
    return any(p in ("tests", "test") for p in parts[:-1]) or bool(_TEST_NAME.match(parts[-1]))


def is_support(path: str) -> bool:
    """Code that production does not run: tests, documentation, examples, benchmarks."""
    return is_test(path) or any(p.lower() in _SUPPORT_FOLDERS for p in PurePosixPath(path).parts[:-1])


def begins_to_run(old_path: str, path: str) -> bool:
    """Whether a file moves to where production runs it: what it held before was not dangerous there."""
    return (is_support(old_path) and not is_support(path)) or (
        kind_of(old_path) is not kind_of(path) and kind_of(old_path) in (Kind.TEXT, Kind.MEDIA)
    )


def is_document(path: str) -> bool:
    """Prose. `requirements.txt` and its like are not."""
    name = PurePosixPath(path).name.lower()
    return PurePosixPath(path).suffix.lower() in _DOCUMENT and "requirement" not in name and "constraint" not in name


def is_lock_file(path: str) -> bool:
    return bool(_LOCK.search(path))


def is_harmless_media(path: str) -> bool:
    """An image, font or document in a folder that is only served: it has no code that runs."""
    parts = PurePosixPath(path).parts
    return kind_of(path) is Kind.MEDIA and any(p.lower() in _MEDIA_FOLDERS for p in parts[:-1])


_MAGIC = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"\x00\x00\x01\x00", b"wOFF", b"wOF2", b"BM", b"RIFF",
    b"\xde\x12\x04\x95", b"OTTO", b"\x00\x01\x00\x00",
)  # fmt: skip


def is_genuine_media(tree: Path, path: str, limit: int) -> bool:
    """An image, a font or a catalogue of translations by its first bytes as well as by its name: nothing runs it."""
    if kind_of(path) is not Kind.MEDIA or path.lower().endswith(".pdf"):
        return False
    try:
        return read_bytes(tree, path, limit).startswith(_MAGIC)
    except UnreadableError:
        return False


def read_bytes(tree: Path, path: str, limit: int) -> bytes:
    """The bytes of a plain file inside the tree. Raises UnreadableError: absent, a link, not plain, too large."""
    full = tree / path
    try:
        if full.is_symlink():
            raise UnreadableError("it is a symbolic link")
        if not full.resolve().is_relative_to(tree.resolve()):
            raise UnreadableError("it leads out of the repository")
        if not full.is_file():
            raise UnreadableError("it is not a plain file")
        if full.stat().st_size > limit:
            raise UnreadableError(f"it is larger than {limit // 1024} KiB")
        data = full.read_bytes()
    except OSError as error:
        raise UnreadableError(f"it can't be read ({error.strerror})") from error
    opened.add(path)
    return data


def read_text(tree: Path, path: str, limit: int) -> str:
    """The text of a UTF-8 file. Raises UnreadableError."""
    data = read_bytes(tree, path, limit)
    if b"\x00" in data:
        raise UnreadableError("it is not text (it holds NUL bytes)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("it is not UTF-8") from error


class _Parsed:
    """A syntax tree with what is looked up in it."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree

    @cached_property
    def statements(self) -> dict[int, ast.stmt]:
        """The innermost statement of each line: ast.walk goes level by level, so inner ones come later."""
        found: dict[int, ast.stmt] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.stmt):
                found.update(dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), node))
        return found

    @cached_property
    def starts(self) -> dict[tuple[int, int], ast.expr]:
        """The expression that starts at each place: the innermost call, else the innermost of all."""
        found: dict[tuple[int, int], ast.expr] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.expr):
                place = (node.lineno, node.col_offset)
                if isinstance(node, ast.Call) or not isinstance(found.get(place), ast.Call):
                    found[place] = node
        return found


class PythonFile:
    """A Python file: its text, its lines and its syntax tree.

    Trees of many files at once would fill the memory, so only those used last are held; an older one is parsed again
    when it is asked for, and its nodes are others then: keep none beyond the work on one file.
    """

    _held: ClassVar[OrderedDict[PythonFile, _Parsed]] = OrderedDict()

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._parsed  # noqa: B018  # raises UnreadableError here, where callers expect it

    @cached_property
    def lines(self) -> list[str]:
        """As Python counts lines; str.splitlines knows more ends."""
        return re.split(r"\r\n|\r|\n", self.text)

    @cached_property
    def parts(self) -> int:
        return count_parts(self.text)

    @property
    def tree(self) -> ast.Module:
        return self._parsed.tree

    @property
    def _parsed(self) -> _Parsed:
        held = PythonFile._held
        parsed = held.get(self)
        if parsed is None:
            parsed = held[self] = _Parsed(parse_python(self.text))
            while len(held) > _KEPT_TREES and sum(file.parts for file in held) > _KEPT_PARTS:
                held.popitem(last=False)
        held.move_to_end(self)
        return parsed

    def statement_at(self, line: int) -> ast.stmt | None:
        return self._parsed.statements.get(line)

    def expression_at(self, line: int, column: int) -> ast.expr | None:
        """The innermost call that starts at this place (0-based column), or else the innermost expression."""
        return self._parsed.starts.get((line, column))

    def quote(self, line: int) -> str:
        """The line, stripped; empty if there is none."""
        return self.lines[line - 1].strip()[:300] if 0 < line <= len(self.lines) else ""


def parse_python(text: str) -> ast.Module:
    """The syntax tree. Raises UnreadableError: for a syntax error, and for what would fool or crash an analyzer.

    A declared encoding other than UTF-8 makes Python read other characters than the analyzers do, so it counts as
    unreadable unless the file is plain ASCII under an encoding that contains ASCII.
    """
    _check_encoding(text)
    if count_parts(text) > MAX_PARTS:
        raise UnreadableError(f"it has more than {MAX_PARTS} names, numbers and brackets")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise UnreadableError(f"syntax error in line {error.lineno or 0}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise UnreadableError(f"it can't be parsed ({type(error).__name__})") from error
    _check_depth(tree)
    return tree


def count_parts(text: str) -> int:
    """How much there is to parse, quickly and from above: the size of the syntax tree follows it."""
    return sum(1 for _ in _PART.finditer(text))


_ASCII_COMPATIBLE = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252"})


def _check_encoding(text: str) -> None:
    try:
        declared, _ = tokenize.detect_encoding(io.BytesIO(text.encode("utf-8")).readline)
        name = codecs.lookup(declared).name
    except (SyntaxError, LookupError) as error:
        raise UnreadableError(f"its declared encoding is unknown ({error})") from error
    if name != "utf-8" and not (name in _ASCII_COMPATIBLE and text.isascii()):
        raise UnreadableError(f"it declares the encoding {declared}")


def _check_depth(tree: ast.Module) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise UnreadableError(f"it is nested deeper than {MAX_DEPTH} levels")


def read_python(tree: Path, path: str, limit: int) -> PythonFile:
    """Raises UnreadableError."""
    return PythonFile(path, read_text(tree, path, limit))


def first_line(tree: Path, path: str, limit: int) -> str:
    """The first line of a text file; empty if it can't be read."""
    known = path in opened
    try:
        return read_text(tree, path, limit).partition("\n")[0]
    except UnreadableError:
        return ""
    finally:
        if not known:
            opened.discard(path)  # to look what a file is is not to read it
