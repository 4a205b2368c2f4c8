"""Is SQLite's write-ahead log whole? Pure parsing of its format (sqlite.org/fileformat2.html, section 4).

SQLite passes over everything from the first broken frame of the log on, and says nothing: right after a crash, which
tears the last transaction, and wrong if somebody altered a byte, for then commits that were on the disk are gone. The
two can be told apart: each commit is flushed before the next begins, so a crash leaves no commit after the torn one.
"""

from __future__ import annotations

import struct
import sys
from array import array

HEADER = struct.Struct(">8I")
FRAME = struct.Struct(">6I")
MAGIC_LITTLE_ENDIAN = 0x377F0682
MAGIC_BIG_ENDIAN = 0x377F0683
MASK = 0xFFFFFFFF


def find_damage(log: bytes) -> str:
    """What is wrong with a log beyond what a crash leaves; empty if nothing is."""
    if len(log) < HEADER.size + FRAME.size:
        return ""
    magic, _, page_size, _, salt1, salt2, sum1, sum2 = HEADER.unpack_from(log)
    swap = (magic == MAGIC_BIG_ENDIAN) != (sys.byteorder == "big")
    sums = _checksum(log[:24], 0, 0, swap)
    if magic not in (MAGIC_LITTLE_ENDIAN, MAGIC_BIG_ENDIAN) or sums != (sum1, sum2):
        return "the header of its write-ahead log is broken, so that all commits in it are lost"
    broken = 0
    commits_after = 0
    for number, at in enumerate(range(HEADER.size, len(log) - FRAME.size - page_size + 1, FRAME.size + page_size), 1):
        _, commit, frame_salt1, frame_salt2, sum1, sum2 = FRAME.unpack_from(log, at)
        current = (frame_salt1, frame_salt2) == (salt1, salt2)
        if not broken:
            sums = _checksum(log[at : at + 8], *sums, swap)
            sums = _checksum(log[at + FRAME.size : at + FRAME.size + page_size], *sums, swap)
            if current and sums == (sum1, sum2):
                continue
            broken = number
        commits_after += current and commit > 0
    if commits_after > 1:
        return (
            f"frame {broken} of its write-ahead log is broken, so that {commits_after} commits from there on are lost"
        )
    return ""


def _checksum(data: bytes, first: int, second: int, swap: bool) -> tuple[int, int]:
    """The running sums over data, whose length is a multiple of eight."""
    words = array("I", data)
    if swap:
        words.byteswap()
    pairs = iter(words)
    for left, right in zip(pairs, pairs, strict=True):
        first = (first + left + second) & MASK
        second = (second + right + first) & MASK
    return first, second
