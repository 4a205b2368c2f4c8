"""The record of what was read: every hunk is analysed, or a gap with its reason that closes the green lane."""

from __future__ import annotations

from greenlane.analyzers.base import AnalysisResult
from greenlane.analyzers.catalog import build_analyzers
from greenlane.analyzers.record import count_hunks, reading_words, record_reading
from greenlane.domain.diff import Diff, FileDiff, Line
from tests.unit.review.conftest import MakeReview


def lines(*numbers: int) -> tuple[Line, ...]:
    return tuple(Line(n, "x") for n in numbers)


def test_hunks_are_counted_as_git_separates_them() -> None:
    def hunks(removed: tuple[int, ...], added: tuple[int, ...]) -> int:
        return count_hunks(FileDiff(path="a", status="modified", removed=lines(*removed), added=lines(*added)))

    assert hunks((), (1, 2, 3)) == 1
    assert hunks((2, 3), (2, 3, 4)) == 1  # two lines replaced by three
    assert hunks((2,), (2, 9)) == 2  # a replaced line, and a new one further down
    assert hunks((2, 8), (7,)) == 2  # a deleted line, and one replaced, which stands one line higher now
    assert hunks((5,), (2,)) == 2  # an added line above a deleted one


def test_a_file_that_its_analyzer_did_not_open_is_a_gap() -> None:
    files = (
        FileDiff(path="a.py", status="modified", added=lines(1)),
        FileDiff(path="b.py", status="modified", added=lines(1)),
        FileDiff(path="notes.md", status="modified", added=lines(1)),
        FileDiff(path="gone.py", status="deleted", removed=lines(1)),
    )
    diff = Diff(base_sha="b" * 40, head_sha="e" * 40, sha256="0", files=files)
    results = {"security": AnalysisResult(read=("a.py",)), "secrets": AnalysisResult(read=("a.py", "b.py"))}
    read, gaps = record_reading(diff, results)
    assert {(g.path, g.reason) for g in gaps} == {
        ("b.py", "the analyzer security did not read it"),
        ("notes.md", "no analyzer read it"),
    }
    assert read[0].by == ("security", "secrets")
    assert reading_words(read) == "2 of 4 hunks in 4 files analysed"


async def test_the_real_analyzers_open_what_the_record_wants_of_them(make_review: MakeReview) -> None:
    head = {"app.py": "import os\n", "m.sql": "select 1;\n", "README.md": "words\n", "x.toml": "a = 1\n", "e.py": ""}
    review = make_review({"app.py": "x = 1\n"}, head, deployed=False)
    analyzers = build_analyzers(60)
    results = {a.name: await a.analyze(review) for a in analyzers}
    read, gaps = record_reading(review.diff, results)
    assert not gaps
    by = {f.path: f.by for f in read}
    assert {"reading", "security", "secrets", "guards"} <= set(by["app.py"])
    assert "schema" in by["m.sql"]
    assert "security" not in by["README.md"]  # looking what a file is is not reading it
