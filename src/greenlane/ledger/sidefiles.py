"""The two small files beside a ledger: their formats and how they are read. Pure parsing; the writer writes them.

`LEDGER.checkpoints` has one line `size root time` for each head that the ledger once had and wrote down. It is only
ever appended to. A copy kept elsewhere shows later that nothing before it was altered, even if all hashes were redone.

`LEDGER.seal` has the SHA-256 of the whole file at its last clean close, as `sha256:HEX LENGTH`. It is removed before
the next commit. It shows an altered byte even where SQLite keeps nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import msgspec

SEAL_MAX_BYTES = 256 * 2**20
"""A larger file is not sealed: closing it would take longer than half a second."""

_CHECKPOINT = re.compile(r"(\d{1,18}) ([0-9a-f]{64}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_SEAL = re.compile(r"sha256:([0-9a-f]{64}) (\d{1,18})")
_CHUNK = 2**20


class Checkpoint(msgspec.Struct, frozen=True):
    """A head of the tree at some time: what somebody may keep elsewhere."""

    size: int
    root: str
    time: str = ""

    def line(self) -> str:
        return f"{self.size} {self.root} {self.time}\n"


class Seal(msgspec.Struct, frozen=True):
    """What the whole file was when it was closed."""

    digest: str
    length: int

    def line(self) -> str:
        return f"sha256:{self.digest} {self.length}\n"


def checkpoints_path(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".checkpoints")


def seal_path(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".seal")


def parse_checkpoints(lines: Iterable[str]) -> tuple[list[Checkpoint], list[int], bool]:
    """The checkpoints, the numbers (from 1) of lines that are none, and whether the last line is torn.

    A line without its line end is what a crash leaves: it is torn, and no evidence of anything.
    """
    found: list[Checkpoint] = []
    bad: list[int] = []
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            return found, bad, True
        match = _CHECKPOINT.fullmatch(line[:-1])
        if match:
            found.append(Checkpoint(int(match[1]), match[2], match[3]))
        else:
            bad.append(number)
    return found, bad, False


def parse_head(text: str) -> Checkpoint:
    """A head given by a person as `size:root`. Raises ValueError."""
    size, _, root = text.strip().partition(":")
    if not size.isdecimal() or not re.fullmatch(r"[0-9a-f]{64}", root):
        raise ValueError(f"{text!r} is no head; it is written size:root, the root in 64 hex digits")
    return Checkpoint(int(size), root)


def read_seal(ledger: Path) -> Seal | None:
    """The seal, or None if there is none. Raises ValueError if it is not readable as one."""
    try:
        text = seal_path(ledger).read_bytes().decode("ascii", errors="replace")
    except FileNotFoundError:
        return None
    match = _SEAL.fullmatch(text.removesuffix("\n"))
    if not match or not text.endswith("\n"):
        raise ValueError("the seal is not readable")
    return Seal(match[1], int(match[2]))


def compute_seal(ledger: Path) -> Seal:
    digest = sha256()
    length = 0
    with ledger.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            length += len(chunk)
    return Seal(digest.hexdigest(), length)
