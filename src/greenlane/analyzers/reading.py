"""What was read and what was not: every file that no analyzer can judge, with the reason.

The one place that reports unreadable files, so that each appears once. Policy: code in a language without an analyzer,
a file that can't be parsed or decoded, a binary that is not plainly an image, a pointer to content that is elsewhere,
and text that is shown otherwise than it runs are gaps. Documents, data, styles, translations and configuration are
none: nothing runs them, and the analyzers of text (secrets, infrastructure, dependencies) read their lines.
"""

from __future__ import annotations

import io
import re
import tokenize
import unicodedata

from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.analyzers.files import (
    Kind,
    UnreadableError,
    first_line,
    is_genuine_media,
    is_harmless_media,
    kind_of,
    parse_python,
    read_text,
)
from greenlane.domain.diff import FileDiff
from greenlane.domain.events import SkippedFile

NAME = "reading"
_RUNNABLE = (Kind.PYTHON, Kind.STUB, Kind.SQL, Kind.SCRIPT, Kind.SHELL, Kind.MARKUP)
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile("[\u200b\u2060\u2061-\u2064\ufeff\u00ad\U000e0000-\U000e007f]")
_LINE_END = re.compile("[\x0b\x1c-\x1e\x85\u2028\u2029]|\r(?!\n|$)")
_TEXT_ONLY = (".po", ".pot", ".md", ".rst", ".txt", ".json")
_POINTER = "version https://git-lfs.github.com/spec/"


def analyze(review: ReviewInput) -> AnalysisResult:
    gaps = []
    for file in review.diff.files:
        reason = _gap_of(review, file)
        if reason:
            gaps.append(SkippedFile(path=file.path, analyzer=NAME, reason=reason))
    return AnalysisResult(skipped=tuple(gaps))


def _gap_of(review: ReviewInput, file: FileDiff) -> str:
    """Why this file was not analysed; empty if it was. A deleted file brings nothing."""
    limit = review.max_file_bytes
    if file.status == "deleted" or is_harmless_media(file.path):
        return ""
    if file.skipped in (None, "binary", "not UTF-8 text") and is_genuine_media(review.head, file.path, limit):
        return ""
    if file.skipped:
        return file.skipped
    kind = kind_of(file.path, first_line(review.head, file.path, limit))
    if kind is Kind.CODE:
        return "no analyzer reads this language"
    if kind is Kind.MEDIA:
        return "it is binary and stands outside the folders of assets"
    try:
        text = read_text(review.head, file.path, limit)
        if kind in (Kind.PYTHON, Kind.STUB):
            parse_python(text)
    except UnreadableError as error:
        return str(error)
    if text.startswith(_POINTER):
        return "it only points to content that is stored elsewhere (Git LFS)"
    return _disguise(file, kind, text)


def _disguise(file: FileDiff, kind: Kind, text: str) -> str:
    """Why what a reader sees is not what runs; empty if it is."""
    added = "\n".join(line.text for line in file.added)
    if not file.path.lower().endswith(_TEXT_ONLY) and _BIDI.search(added):
        return "it holds characters that change the order in which text is shown"
    if kind not in _RUNNABLE or kind is Kind.MARKUP or (added.isascii() and not _LINE_END.search(added)):
        return ""
    if _INVISIBLE.search(added):
        return "it holds characters that are not shown"
    if _LINE_END.search(added):
        return "it holds line ends that not every program takes for one"
    mixed = _mixed_name(text, {line.number for line in file.added}) if kind is Kind.PYTHON else ""
    return f"the name {mixed!r} mixes alphabets that look alike" if mixed else ""


def _mixed_name(text: str, added: set[int]) -> str:
    """The first name in these lines that mixes Latin letters with Greek or Cyrillic ones."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return ""
    for token in tokens:
        if token.type != tokenize.NAME or token.string.isascii() or token.start[0] not in added:
            continue
        scripts = {unicodedata.name(c, "?").split()[0] for c in token.string if c.isalpha()}
        if ("LATIN" in scripts and scripts & {"CYRILLIC", "GREEK"}) or any(s in scripts for s in _LOOK_ALIKE):
            return token.string
    return ""


_LOOK_ALIKE = ("FULLWIDTH", "MATHEMATICAL", "SCRIPT", "DOUBLE-STRUCK", "CHEROKEE")
