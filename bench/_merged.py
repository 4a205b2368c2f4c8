"""Merged changes of public repositories, read by the analyzers: for the benchmarks that are given `--repos DIR`.

DIR holds clones, bare or plain, named OWNER+NAME (or OWNER+NAME/repo, or NAME). Nothing in them is written: trees are
checked out beside, one pair a repository, moved from commit to commit. What an analyzer found in a change is kept
under a digest of its sources, so that after a change to one analyzer only that one runs again.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec

import greenlane
from greenlane.adapters.git.diffs import read_diff
from greenlane.adapters.git.process import Git
from greenlane.analyzers import tools
from greenlane.analyzers.base import AnalysisResult, CoverageReport, ReviewInput, SourceRoot
from greenlane.analyzers.reader import Reading, rank_findings
from greenlane.analyzers.summary import bound_diff
from greenlane.analyzers.worker import IMPORTED
from greenlane.analyzers.worker import run as run_analyzer
from greenlane.domain.diff import Diff
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings

_BOT = re.compile(r"\[bot\]|dependabot|renovate|pre-commit-ci|weblate|transifex|pyup|greenkeeper|github-actions", re.I)
_TOOLS = (
    "ruff", "bandit", "griffe", "detect-secrets", "sqlglot", "packaging", "tree-sitter", "tree-sitter-javascript",
    "tree-sitter-typescript", "graphql-core", "proto-schema-parser",
)  # fmt: skip


class Case(msgspec.Struct, frozen=True):
    """One change: what `head` makes of `base`. `label` says what it is (an advisory, or nothing)."""

    repository: str
    base: str
    head: str
    label: str = ""


class Place(msgspec.Struct, frozen=True):
    """Where a repository lies, and where what is derived from it is kept."""

    repository: str
    path: str
    cache: str


def find_clone(folder: Path, repository: str) -> Path | None:
    """The clone of OWNER/NAME below `folder`; None if there is none."""
    joined = repository.replace("/", "+")
    for name in (f"{joined}/repo", joined, f"{joined}.git", repository.split("/")[1]):
        if (folder / name / "HEAD").is_file() or (folder / name / ".git").exists():
            return folder / name
    return None


def clone_words(missing: Sequence[str], folder: Path) -> str:
    """How to get what is not there."""
    lines = [
        f"git clone --bare https://github.com/{name}.git {folder}/{name.replace('/', '+')}" for name in sorted(missing)
    ]
    return "\n".join(lines)


def merged_changes(repository: str, clone: Path, *, last: int, wanted: int) -> list[Case]:
    """`wanted` changes, evenly over the last `last` that people merged (the first-parent line, without bots and
    without commits that leave the files as they are), newest first."""
    log = _git(clone, "log", "--first-parent", "--no-color", f"-{last * 3}", "--format=%H%x09%T%x09%P%x09%an <%ae>")
    rows = [line.split("\t") for line in log.splitlines()]
    trees = {row[0]: row[1] for row in rows}
    people = [
        Case(repository, parents.split()[0], commit)
        for commit, tree, parents, author in rows
        if parents and not _BOT.search(author) and trees.get(parents.split()[0]) not in (tree, None)
    ][:last]
    if len(people) <= wanted:
        return people
    return [people[len(people) * index // wanted] for index in range(wanted)]


def has_commit(clone: Path, commit: str) -> bool:
    return bool(_git(clone, "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}", check=False).strip())


def parent_of(clone: Path, commit: str) -> str:
    return _git(clone, "rev-parse", f"{commit}^1").strip()


def changed_paths(clone: Path, base: str, head: str) -> list[str]:
    return [p for p in _git(clone, "diff", "--no-renames", "--name-only", "-z", base, head).split("\0") if p]


def read_cases(place: Place, cases: Sequence[Case], analyzers: Sequence[str], settings: Settings) -> list[Reading]:
    """What the analyzers see of each case, in the order given. Runs in this process; makes its temporary trees
    below `place.cache`."""
    _settle()
    git = Git(Path(place.path))
    trees = _Trees(place)
    return [_read(place, git, trees, case, analyzers, settings) for case in cases]


def _settle() -> None:
    """As the analyzers' own process does: room to recurse, and tools that are imported once and forked."""
    sys.setrecursionlimit(6000)
    for name in IMPORTED:
        importlib.import_module(name)
    tools.may_fork = True


def project_settings(place: Path | str, commit: str) -> Settings:
    """What an adopter would write for a library: one service, nothing deployed, everything else by default."""
    source = "src" if _git(Path(place), "ls-tree", "-d", "--name-only", commit, "src").strip() else "."
    return Settings(services=(Service(name="project", source_roots=(source,)),))


def _read(place: Place, git: Git, trees: _Trees, case: Case, analyzers: Sequence[str], settings: Settings) -> Reading:
    diff = bound_diff(read_diff(git, case.base, case.head), settings.review)
    service = settings.services[0]
    roots = tuple(SourceRoot(path=root, service=service.name, deployed=False) for root in service.source_roots)
    results = [_cached(place, trees, case, name, diff, roots) for name in analyzers]
    return Reading(
        diff=diff,
        services=(service,),
        unclaimed=(),
        findings=rank_findings([f for r in results for f in r.findings]),
        skipped=tuple(s for r in results for s in r.skipped),
        coverage=CoverageReport(),
    )


def _cached(
    place: Place, trees: _Trees, case: Case, name: str, diff: Diff, roots: tuple[SourceRoot, ...]
) -> AnalysisResult:
    key = f"{case.base}-{case.head}-{'-'.join(r.path for r in roots)}"
    kept = Path(place.cache) / "results" / f"{name}-{analyzer_digest(name)}" / f"{key}.json"
    if kept.is_file():
        return msgspec.json.decode(kept.read_bytes(), type=AnalysisResult)
    trees.show(case)
    review = ReviewInput(diff=diff, base_tree=str(trees.base), head_tree=str(trees.head), roots=roots)
    result = run_analyzer(name, review)
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(f".{os.getpid()}")
    part.write_bytes(msgspec.json.encode(result))
    part.replace(kept)
    return result


class _Trees:
    """The two trees of one repository. Git moves them from one commit to the next, which costs what differs."""

    def __init__(self, place: Place) -> None:
        self._clone = Path(place.path)
        self._folder = Path(place.cache) / "trees" / f"{place.repository.replace('/', '+')}-{os.getpid()}"
        self.base, self.head = self._folder / "base", self._folder / "head"
        self._shown: tuple[str, str] = ("", "")

    def show(self, case: Case) -> None:
        for tree, commit, shown in zip((self.base, self.head), (case.base, case.head), self._shown, strict=True):
            if commit != shown:
                self._move(tree, shown, commit)
        self._shown = (case.base, case.head)

    def _move(self, tree: Path, shown: str, commit: str) -> None:
        """A clone may lack its largest files: whatever else the commit holds is written."""
        tree.mkdir(parents=True, exist_ok=True)
        index = Path(f"{tree}.index")
        self._git_in(tree, index, "read-tree", commit)
        if not shown:
            self._git_in(tree, index, "checkout-index", "--all", "--force", "--quiet")
            return
        paths = changed_paths(self._clone, shown, commit)
        for path in paths:
            with contextlib.suppress(OSError):
                (tree / path).unlink()
        names = "".join(f"{path}\0" for path in paths)
        self._git_in(tree, index, "checkout-index", "--force", "--quiet", "-z", "--stdin", given=names)

    def _git_in(self, tree: Path, index: Path, *arguments: str, given: str = "") -> None:
        folder = self._clone / ".git" if (self._clone / ".git").exists() else self._clone
        argv = ["git", "-C", str(tree), f"--git-dir={folder}", f"--work-tree={tree}", *arguments]
        environment = {**_environment(), "GIT_INDEX_FILE": str(index)}
        subprocess.run(argv, input=given.encode(), capture_output=True, env=environment, timeout=600, check=False)


@cache
def analyzer_digest(name: str) -> str:
    """Of the sources that an analyzer is made of (its module and what that imports of Greenlane), and of its tools."""
    root = Path(greenlane.__file__).parent
    seen: dict[Path, bytes] = {}
    pending = [root / "analyzers" / f"{name}.py"]
    while pending:
        path = pending.pop()
        if path in seen or not path.is_file():
            continue
        seen[path] = path.read_bytes()
        pending.extend(_imported(ast.parse(seen[path]), root))
    tools = " ".join(f"{tool} {importlib.metadata.version(tool)}" for tool in _TOOLS)
    text = b"\0".join(seen[p] for p in sorted(seen)) + tools.encode()
    return hashlib.sha256(text).hexdigest()[:16]


def _imported(tree: ast.Module, root: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("greenlane.analyzers"):
            folder = root.joinpath(*(node.module or "").split(".")[1:])
            yield folder.with_suffix(".py")
            yield from (folder / f"{alias.name}.py" for alias in node.names)


def _environment() -> dict[str, str]:
    return {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


def _git(clone: Path, *arguments: str, check: bool = True) -> str:
    argv = ["git", "-C", str(clone), *arguments]
    done = subprocess.run(argv, capture_output=True, check=check, env=_environment(), timeout=600)
    return done.stdout.decode("utf-8", "replace")
