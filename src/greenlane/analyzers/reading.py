"""What was read and what was not: every file that no analyzer can judge, with the reason.

The one place that reports unreadable files, so that each appears once. Policy: code in a language without an analyzer,
a file that can't be parsed or decoded, and a binary outside the folders that are only served are gaps. Documents, data,
templates and configuration are none: the analyzers of text read them.
"""

from __future__ import annotations

from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.analyzers.files import (
    Kind,
    UnreadableError,
    first_line,
    is_harmless_media,
    kind_of,
    parse_python,
    read_text,
)
from greenlane.domain.diff import FileDiff
from greenlane.domain.events import SkippedFile

NAME = "reading"
_POINTER = "version https://git-lfs.github.com/spec/"
"""How a pointer of git LFS begins: what stands in its place on a checkout is not in the repository."""


def analyze(review: ReviewInput) -> AnalysisResult:
    gaps = []
    for file in review.diff.files:
        reason = _gap_of(review, file)
        if reason:
            gaps.append(SkippedFile(path=file.path, analyzer=NAME, reason=reason))
    return AnalysisResult(skipped=tuple(gaps))


def _gap_of(review: ReviewInput, file: FileDiff) -> str:
    """Why this file was not analysed; empty if it was. A deleted file brings nothing."""
    if file.status == "deleted" or is_harmless_media(file.path):
        return ""
    if file.skipped:
        return file.skipped
    limit = review.max_file_bytes
    kind = kind_of(file.path, first_line(review.head, file.path, limit))
    if kind is Kind.CODE:
        return "no analyzer reads this language"
    if kind is Kind.MEDIA:
        return "it is binary and stands outside the folders of assets"
    try:
        text = read_text(review.head, file.path, limit)
        if text.startswith(_POINTER):
            return "it is a pointer of git LFS: its content is not in the repository"
        if kind in (Kind.PYTHON, Kind.STUB):
            parse_python(text)
    except UnreadableError as error:
        return str(error)
    return ""
