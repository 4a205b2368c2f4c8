"""Reading what a change does to files, from git's own raw list and patch. Used by `LocalGit.diff`.

Names come from the raw list (separated by zero bytes, so nothing in a name can pretend to be a header); lines come from
the patch, whose hunks are read by their counted length, so nothing in a line can either. A file that can't be read
as text, or is too large, stands in the result with the reason, and the rest is read nevertheless.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from typing import IO

import msgspec

from greenlane.adapters.git.process import Git
from greenlane.domain.diff import Diff, FileDiff, FileStatus, Line
from greenlane.domain.errors import FinalError

MAX_FILE_BYTES = 1 << 20
"""A file over this is not source that a person wrote; git treats it as binary, and so neither loads it."""

MAX_TOTAL_BYTES = 20 << 20
"""Text of one change that is held in memory; what comes after is skipped."""

MAX_TOTAL_LINES = 250_000
"""The same bound for changes of very many very short lines."""

_OPTIONS = (
    "-r", "--full-index", "-M", "--no-ext-diff", "--no-textconv", "--no-color", "--diff-algorithm=myers",
    "--no-indent-heuristic", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", "--ignore-submodules=none",
)  # fmt: skip
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_STATUS: dict[str, FileStatus] = {"A": "added", "D": "deleted", "R": "renamed", "C": "added"}
_LINK, _MODULE = "120000", "160000"


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A record of git's raw list."""

    old_mode: str
    new_mode: str
    old_object: str
    new_object: str
    letter: str
    old_path: bytes
    path: bytes

    @property
    def sections(self) -> int:
        """How many patches git prints for it: a file that became a link is deleted and added."""
        return 2 if self.letter == "T" else 1


class _Patch(msgspec.Struct, kw_only=True):
    """What the patches of one file hold. `reason` says why the lines are not there."""

    added: list[Line] = msgspec.field(default_factory=list)
    removed: list[Line] = msgspec.field(default_factory=list)
    reason: str | None = None


class _Budget:
    """How much text may still be kept."""

    def __init__(self) -> None:
        self._bytes = MAX_TOTAL_BYTES
        self._lines = MAX_TOTAL_LINES

    def take(self, size: int) -> bool:
        if self._bytes < size or self._lines < 1:
            self._bytes = self._lines = 0
            return False
        self._bytes -= size
        self._lines -= 1
        return True


def read_diff(git: Git, base_sha: str, head_sha: str) -> Diff:
    """What `head_sha` changes relative to `base_sha`. Memory is bounded whatever the change holds."""
    entries = _raw_entries(git, base_sha, head_sha)
    patches, digest = _patches(git, base_sha, head_sha, entries)
    sizes = _sizes(git, [e for e, p in zip(entries, patches, strict=True) if p.reason == "binary"])
    files = tuple(_file(entry, patch, sizes) for entry, patch in zip(entries, patches, strict=True))
    return Diff(base_sha=base_sha, head_sha=head_sha, sha256=digest, files=files)


def _raw_entries(git: Git, base_sha: str, head_sha: str) -> list[_Entry]:
    out = git.run("diff-tree", "--raw", "-z", "--no-abbrev", *_OPTIONS, "--end-of-options", base_sha, head_sha)
    fields = iter(out.split(b"\0")[:-1])
    entries = []
    for meta in fields:
        old_mode, new_mode, old_object, new_object, status = meta.decode("ascii").lstrip(":").split(" ")
        old_path = path = next(fields)
        if status[0] in "RC":
            path = next(fields)
        entries.append(
            _Entry(
                old_mode=old_mode,
                new_mode=new_mode,
                old_object=old_object,
                new_object=new_object,
                letter=status[0],
                old_path=old_path,
                path=path,
            )
        )
    return entries


def _patches(git: Git, base_sha: str, head_sha: str, entries: list[_Entry]) -> tuple[list[_Patch], str]:
    """The lines of each entry, and the SHA-256 of all bytes that git printed."""
    owners = [index for index, entry in enumerate(entries) for _ in range(entry.sections)]
    patches = [_Patch() for _ in entries]
    digest = hashlib.sha256()
    budget = _Budget()
    section = -1
    threshold = ("-c", f"core.bigFileThreshold={MAX_FILE_BYTES}")
    with git.start(*threshold, "diff-tree", "-p", "-U0", *_OPTIONS, "--end-of-options", base_sha, head_sha) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        lines = _hashed(process.stdout, digest)
        for line in lines:
            if line.startswith(b"diff --git "):
                section += 1
                if section >= len(owners):
                    break
            elif line.startswith(b"Binary files "):
                patches[owners[section]].reason = "binary"
            elif hunk := _HUNK.match(line):
                _read_hunk(lines, hunk, patches[owners[section]], budget)
        code = process.wait()
    if code != 0 or section != len(owners) - 1:
        raise FinalError(
            f"git could not compare {base_sha[:10]} with {head_sha[:10]}",
            hint="run `git fsck`: a commit or a file of the change may be missing",
        )
    return patches, "sha256:" + digest.hexdigest()


def _hashed(stream: IO[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for line in stream:
        digest.update(line)
        yield line


def _read_hunk(lines: Iterator[bytes], hunk: re.Match[bytes], patch: _Patch, budget: _Budget) -> None:
    old_at, old_count, new_at, new_count = (int(g) if g is not None else 1 for g in hunk.groups())
    while old_count or new_count:
        line = next(lines, b"")
        sign, content = line[:1], line[1:]
        if sign == b"-" and old_count:
            _keep(patch, patch.removed, old_at, content, budget)
            old_at, old_count = old_at + 1, old_count - 1
        elif sign == b"+" and new_count:
            _keep(patch, patch.added, new_at, content, budget)
            new_at, new_count = new_at + 1, new_count - 1
        elif sign != b"\\":
            raise FinalError("git's patch ended in the middle of a hunk", hint="run `git fsck` on the repository")


def _keep(patch: _Patch, into: list[Line], number: int, content: bytes, budget: _Budget) -> None:
    if patch.reason:
        return
    if not budget.take(len(content)):
        patch.reason = f"the change is larger than {MAX_TOTAL_BYTES >> 20} MB or {MAX_TOTAL_LINES} lines in total"
    else:
        try:
            into.append(Line(number, content.removesuffix(b"\n").removesuffix(b"\r").decode()))
        except UnicodeDecodeError:
            patch.reason = "not UTF-8 text"
    if patch.reason:
        patch.added.clear()
        patch.removed.clear()


def _sizes(git: Git, entries: list[_Entry]) -> dict[str, int]:
    """The size of each version of these files, by object name; absent for what is no file."""
    names = sorted({name for e in entries for name in (e.old_object, e.new_object)})
    if not names:
        return {}
    out = git.run("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin="\n".join(names).encode() + b"\n")
    rows = (line.split() for line in out.decode("ascii").splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def _file(entry: _Entry, patch: _Patch, sizes: dict[str, int]) -> FileDiff:
    reason = patch.reason
    if reason == "binary":
        size = max(sizes.get(entry.old_object, 0), sizes.get(entry.new_object, 0))
        reason = f"larger than 1 MB ({size / (1 << 20):.1f} MB)" if size > MAX_FILE_BYTES else "binary"
    modes = {entry.old_mode, entry.new_mode}
    if _MODULE in modes:
        reason = "a submodule: its content is in another repository"
    elif _LINK in modes:
        reason = "a symbolic link"
    name_problem = _problem_of_name(entry.path) or _problem_of_name(entry.old_path)
    reason = name_problem or reason
    return FileDiff(
        path=_text(entry.path),
        old_path=_text(entry.old_path) if entry.letter in "RC" else None,
        status=_STATUS.get(entry.letter, "modified"),
        added=() if reason else tuple(patch.added),
        removed=() if reason else tuple(patch.removed),
        skipped=reason,
    )


def _text(path: bytes) -> str:
    """The name as text that can be stored and shown; where it is not the file's own name, the file is skipped."""
    shown = path.decode("utf-8", "backslashreplace")
    return "".join(c if _printable(c) else f"\\x{ord(c):02x}" for c in shown)


def _problem_of_name(path: bytes) -> str | None:
    try:
        name = path.decode()
    except UnicodeDecodeError:
        return "its name is not UTF-8"
    return None if all(map(_printable, name)) else "its name holds control characters"


def _printable(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp")
