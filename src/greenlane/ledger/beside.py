"""The verifier's look at the files beside a ledger: checkpoints, seal, write-ahead log. Reads only."""

from __future__ import annotations

import time
from pathlib import Path

from greenlane.ledger.connect import wal_is_empty, wal_of
from greenlane.ledger.report import Findings, HeadCheck, SealState
from greenlane.ledger.sidefiles import Seal, compute_seal, parse_checkpoints, read_seal, seal_path
from greenlane.ledger.wal import find_damage

LOG_ATTEMPTS = 3
MAX_LOG_BYTES = 64 * 2**20
"""More of a write-ahead log is not checked frame by frame; the writer starts it anew after 8 MB."""
LOG_RETRY_S = 0.05
MAX_CHECKPOINT_BYTES = 64 * 2**20


def expect_checkpoints(path: Path, heads: HeadCheck, findings: Findings, *, must_exist: bool = False) -> None:
    """Take in the heads of a checkpoint file; lines that are none are problems, a torn last line is not."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CHECKPOINT_BYTES + 1)
    except FileNotFoundError:
        if must_exist:
            findings.add(None, "", f"there is no checkpoint file {path}")
        return
    except OSError as error:
        findings.add(None, "", f"the checkpoint file {path} can't be read: {error.strerror}")
        return
    if len(data) > MAX_CHECKPOINT_BYTES:
        findings.add(None, "", f"the checkpoint file {path} is larger than any that was written")
        return
    found, bad, torn = parse_checkpoints(data.decode("utf-8", errors="replace").splitlines(keepends=True))
    for checkpoint in found:
        heads.expect(checkpoint, f"the checkpoint of {checkpoint.time}")
    for number in bad[:3]:
        findings.add(None, "", f"line {number} of {path.name} is no checkpoint")
    if torn:
        findings.notes.append(f"the last line of {path.name} is torn, as a crash leaves it; it was passed over")


def check_seal(path: Path, closed: bool) -> tuple[SealState, str]:
    """Whether the closed file is byte for byte what was closed, and what is wrong if not."""
    if not closed:
        return "open", ""
    try:
        seal = read_seal(path)
        if seal is None:
            return "none", ""
        actual = compute_seal(path)
    except (ValueError, OSError) as error:
        return "broken", f"its seal {seal_path(path).name} can't be used: {error}"
    if actual == seal:
        return "matches", ""
    if not wal_is_empty(path) or _seal_now(path) != seal:
        return "open", ""  # a writer came meanwhile: it removes the seal before it writes
    return "broken", (
        "it is not byte for byte the file that was closed (its seal differs); if no entry is named here, what was"
        " altered lies outside the entries and their tree"
    )


def _seal_now(path: Path) -> Seal | None:
    try:
        return read_seal(path)
    except (ValueError, OSError):
        return None


def check_log(path: Path) -> str:
    """What is wrong with the write-ahead log of a ledger that is open, or was not closed; empty if nothing is."""
    for attempt in range(1, LOG_ATTEMPTS + 1):
        try:
            with wal_of(path).open("rb") as file:
                log = file.read(MAX_LOG_BYTES)
        except OSError:
            return ""
        damage = find_damage(log)
        if not damage or attempt == LOG_ATTEMPTS:
            return damage
        time.sleep(LOG_RETRY_S)  # a writer may have been in the middle of a frame: damage stays, and that does not
    return ""
