"""The ledger as a text file that needs no database: written by `write_export`, checked by `verify_export`.

One line for each entry, its bytes exactly as they were hashed; then one line with the head of the tree:
`{"ledger_head":{"size":3,"root":"..."}}`. docs/ledger.md shows how to check it with nothing but SHA-256.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import msgspec

from greenlane.ledger import queries
from greenlane.ledger.beside import expect_checkpoints
from greenlane.ledger.connect import VERIFY_HINT, check_identity, open_reader, read_node, translate
from greenlane.ledger.entry import decode_entry
from greenlane.ledger.merkle import Edge, compute_root, hash_leaf
from greenlane.ledger.report import Findings, HeadCheck, VerifyReport
from greenlane.ledger.sidefiles import parse_head
from greenlane.ledger.store import LedgerCorruptError, LedgerUnavailableError, TreeHead
from greenlane.ledger.verify import check_body, make_report

MAX_LINE_BYTES = 64 * 2**20
"""Longer lines are not read as one: no entry is that long."""


def head_line(head: TreeHead) -> bytes:
    return b'{"ledger_head":{"size":%d,"root":"%s"}}\n' % (head.size, head.root.encode())


def write_export(ledger: Path | str, out: BinaryIO, *, advance: Callable[[int], None] | None = None) -> TreeHead:
    """Write all entries and the head to `out`; gives the head. `advance(n)` is told of each n lines written.

    Raises LedgerCorruptError rather than export an entry that is not what was hashed, and OSError if `out` fails.
    """
    ledger = Path(ledger)
    edge = Edge()
    try:
        with closing(open_reader(ledger)) as connection:
            check_identity(connection, ledger)
            connection.execute("BEGIN")
            for seq, leaf, data in connection.execute(queries.EXPORT):
                if seq != edge.size + 1 or hash_leaf(data) != leaf or b"\n" in data:
                    raise LedgerCorruptError(
                        f"entry {edge.size + 1} of {ledger} is not what was hashed", hint=VERIFY_HINT
                    )
                edge.append(leaf)
                out.write(data + b"\n")
                if advance and seq % 1000 == 0:
                    advance(1000)
            stored = compute_root(edge.size, lambda level, index: read_node(connection, level, index))
            if stored != edge.root():
                raise LedgerCorruptError(f"the tree stored in {ledger} is not that of its entries", hint=VERIFY_HINT)
    except sqlite3.Error as error:
        raise translate(error, ledger) from error
    head = TreeHead(edge.size, edge.root().hex())
    out.write(head_line(head))
    return head


def verify_export(
    path: Path | str, *, expected_head: str | None = None, checkpoints: Path | None = None
) -> VerifyReport:
    """Check an export: every line, the tree, the head in its last line, and heads kept elsewhere if given.

    Raises LedgerUnavailableError if there is no file to read, ValueError if `expected_head` is no head.
    """
    path = Path(path)
    started = time.monotonic()
    findings = Findings()
    heads = HeadCheck(findings)
    if expected_head:
        heads.expect(parse_head(expected_head), "the head that was given")
    if checkpoints is not None:
        expect_checkpoints(checkpoints, heads, findings, must_exist=True)
    edge = Edge()
    try:
        with path.open("rb") as file:
            _check_lines(file, findings, heads, edge)
    except OSError as error:
        raise LedgerUnavailableError(
            f"the export {path} can't be read: {error.strerror}", hint="check the path"
        ) from error
    return make_report(findings, heads, edge, "none", time.monotonic() - started)


def _check_lines(file: BinaryIO, findings: Findings, heads: HeadCheck, edge: Edge) -> None:
    versions: dict[str, int] = {}
    sizes = heads.sizes
    line = file.readline(MAX_LINE_BYTES)
    while line:
        following = file.readline(MAX_LINE_BYTES)
        if not following:
            break
        data = line.removesuffix(b"\n")
        seq = edge.size + 1
        stream, what = _check_line(data, seq, versions)
        if what:
            findings.add(seq, stream, what)
        edge.append(hash_leaf(data))
        if seq in sizes:
            heads.passed(seq, edge.root().hex())
        line = following
    heads.finish(edge.size)
    _check_head_line(line, findings, edge)


def _check_line(data: bytes, seq: int, versions: dict[str, int]) -> tuple[str, str]:
    """The run of an entry's line, and what is wrong with the line; empty if nothing is."""
    try:
        entry = decode_entry(data)
    except (msgspec.MsgspecError, UnicodeError) as error:
        return "", f"its line is no entry: {error}"
    previous = versions.get(entry.stream, 0)
    versions[entry.stream] = entry.version
    if entry.seq != seq:
        return entry.stream, f"its line says that it is entry {entry.seq}"
    if entry.version != previous + 1:
        return entry.stream, f"version {entry.version} follows version {previous}"
    return entry.stream, check_body(entry)


def _check_head_line(line: bytes, findings: Findings, edge: Edge) -> None:
    root = edge.root().hex()
    if line == head_line(TreeHead(edge.size, root)):
        return
    if not line.startswith(b'{"ledger_head":'):
        findings.add(None, "", "its last line is not the head of the ledger: it was cut off, or the line altered")
        return
    findings.add(
        None,
        "",
        f"its last line does not state the head that its {edge.size} entries have ({edge.size}:{root}): an entry was"
        " altered, added or taken away, or that line was altered",
    )
