"""What an analyzer is: it reads a checked-out change and returns findings with the evidence that proves them.

Implemented by the modules beside this one, run by `isolated.py` in a process of their own, called by the review agent.
A finding is something that the change *brings*. What an analyzer should have read and could not is a `SkippedFile`:
silence would be taken for a clean bill.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from greenlane.domain.diff import Diff, FileDiff
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import FileCoverage, Finding

if TYPE_CHECKING:
    from greenlane.domain.service_settings import Service  # for a signature only: it would cost every worker 0.2 s

EVERYTHING = "*"
"""The path of a `SkippedFile` that stands for every file of the change: the analyzer itself failed."""


class SourceRoot(msgspec.Struct, frozen=True, kw_only=True):
    """A folder on a service's import path, relative to the repository ('.' is its root).

    `deployed` says that the service is started and reached over the network: its Python names are internal then, and
    its contract is what it answers over HTTP. Without a start command it is a library, whose names are the contract.
    """

    path: str
    service: str
    deployed: bool


class PastLine(msgspec.Struct, frozen=True):
    """A line that stood at `path` in one commit of the change. Its number is that of then."""

    commit: str
    path: str
    number: int
    text: str


class ReviewInput(msgspec.Struct, frozen=True, kw_only=True):
    """What an analyzer gets: the exported merge base, the exported head, and the difference between both.

    Paths of trees are absolute. It crosses a process boundary as JSON, so it holds plain values only.
    """

    diff: Diff
    base_tree: str
    head_tree: str
    roots: tuple[SourceRoot, ...] = ()
    max_file_bytes: int = 1 << 20
    past: tuple[PastLine, ...] = ()
    """Lines that commits of the change added and that its head no longer has."""
    rules_at: tuple[str, ...] = ()
    """Files, and folders whose files, the configuration names as part of what judges changes."""

    @property
    def base(self) -> Path:
        return Path(self.base_tree)

    @property
    def head(self) -> Path:
        return Path(self.head_tree)

    @property
    def readable(self) -> tuple[FileDiff, ...]:
        """Files that have content at the head, and whose difference could be read."""
        return tuple(f for f in self.diff.files if f.status != "deleted" and f.skipped is None)


class AnalysisResult(msgspec.Struct, frozen=True, kw_only=True):
    """`read` names the files of the change whose content was looked at; None: it is not known which."""

    findings: tuple[Finding, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    read: tuple[str, ...] | None = None


class Analyzer(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Its own version and that of its tools, for the record: `1 (ruff 0.17.5, bandit 1.9.4)`."""

    async def analyze(self, review: ReviewInput) -> AnalysisResult:
        """What the change brings. Never raises for the content of the change: that is a `SkippedFile`."""


class CoverageReport(msgspec.Struct, frozen=True, kw_only=True):
    """Changed executable lines per file, and how the suite went. `output` is the tail of what the suite printed;
    `unavailable` says why nothing could be measured (then every changed line counts as uncovered)."""

    files: tuple[FileCoverage, ...] = ()
    suite_passed: bool = True
    tests_run: int = 0
    output: str = ""
    unavailable: str = ""
    failing: tuple[str, ...] = ()
    """Names of the tests that failed, as far as the suite reports them."""


class CoverageMeter(Protocol):
    async def measure(self, service: Service, tree: Path, changed: Mapping[str, frozenset[int]]) -> CoverageReport:
        """Run the service's tests on this tree in the sandbox; `changed` gives the added lines of each file."""
