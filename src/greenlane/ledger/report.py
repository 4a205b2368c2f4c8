"""What a verification found, and how problems are gathered: bounded, the first bad entry always among them."""

from __future__ import annotations

from typing import Literal

import msgspec

from greenlane.ledger.sidefiles import Checkpoint

MAX_PROBLEMS = 50
"""Problems that are named one by one; a ledger in ruins would have one for each entry."""

SealState = Literal["matches", "broken", "none", "open"]


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: which entry (`seq`, None if no single one), which run, and what."""

    seq: int | None
    stream: str
    what: str

    def __str__(self) -> str:
        where = f"entry {self.seq}" if self.seq is not None else "the file"
        run = f" ({self.stream})" if self.stream else ""
        return f"{where}{run}: {self.what}"


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `verify`. `size` and `root` are what was computed; they mean nothing unless `ok`.

    `seal`: whether the file is byte for byte what was closed; `open` if a writer has (or left) it open, so that no seal
    applies; `none` if there is none.
    """

    ok: bool
    size: int
    root: str
    first_bad: Problem | None
    problems: tuple[Problem, ...]
    problems_left_out: int
    checkpoints_matched: int
    seal: SealState
    notes: tuple[str, ...]
    seconds: float


class Findings:
    """Problems as they turn up."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.left_out = 0
        self.first: Problem | None = None
        self.notes: list[str] = []

    def add(self, seq: int | None, stream: str, what: str) -> None:
        problem = Problem(seq, stream, what)
        earlier = self.first is None or (seq is not None and (self.first.seq is None or seq < self.first.seq))
        if earlier:
            self.first = problem
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
        else:
            self.left_out += 1


class HeadCheck:
    """Holds the growing tree against heads that somebody kept, as it passes their sizes."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._waiting: dict[int, list[tuple[Checkpoint, str]]] = {}
        self._last_good = 0
        self._failed = False
        self.matched = 0

    def expect(self, head: Checkpoint, source: str) -> None:
        self._waiting.setdefault(head.size, []).append((head, source))

    @property
    def sizes(self) -> set[int]:
        return set(self._waiting)

    def passed(self, size: int, root: str) -> None:
        """The tree has `size` entries and this root now."""
        for head, source in self._waiting.pop(size, ()):
            if head.root == root:
                self.matched += 1
                self._last_good = size
                continue
            if self._failed:  # every later head differs too: one problem, not a thousand
                continue
            self._failed = True
            self._findings.add(
                min(self._last_good + 1, size) or None,
                "",
                f"the first {size} entries have not the root that {source} states: one of the entries"
                f" {self._last_good + 1} to {size} was altered, or the statement was",
            )

    def finish(self, size: int) -> None:
        """The tree ended at `size`; heads of larger trees tell of entries that are gone."""
        for larger in sorted(self._waiting):
            head, source = self._waiting[larger][0]
            what = f"{source} states {head.size} entries, but there are {size}: the last {head.size - size} are missing"
            self._findings.add(size + 1, "", what)
            return
