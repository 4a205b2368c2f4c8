"""How generated tests reach the author: as one commit on the branch, or, where it can't be pushed to, as a patch.

For `testing.py`. The patch is a mail that `git am` takes; it is the same each time it is made of the same tests.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from pathlib import Path

from greenlane.agents.testing_bundle import Bundle
from greenlane.agents.testing_text import commit_message
from greenlane.domain.change import Change
from greenlane.domain.events import Input, Reasoning, TestsCommitting, TestsDelivery
from greenlane.testgen import GeneratedFile

_SENDER = "Greenlane <greenlane@localhost>"
_NOBODY = "0" * 40


def digests(bundle: Bundle) -> tuple[Input, ...]:
    return tuple(
        Input(file.path, f"sha256:{hashlib.sha256(file.content).hexdigest()}")
        for file in sorted(bundle.files, key=lambda file: file.path)
    )


def delivery_of(change: Change, wanted: TestsDelivery) -> TestsDelivery:
    """A patch where the configuration says so, or where the head is known to be somebody else's."""
    return "commit" if wanted == "commit" and change.opened.head_writable else "patch"


def intend(change: Change, bundle: Bundle, delivery: TestsDelivery) -> TestsCommitting:
    """The decision to hand these tests over, before anything is done."""
    files = digests(bundle)
    key = hashlib.sha256("\n".join([change.run, *(f"{f.name} {f.digest}" for f in files)]).encode()).hexdigest()[:20]
    count = sum(len(service.written) for service in bundle.services)
    how = "" if delivery == "commit" else " They go out as a patch: nothing is pushed."
    return TestsCommitting(
        why=Reasoning(
            decision="commit-tests" if delivery == "commit" else "hand-over-patch",
            rationale=f"{count} generated {'test' if count == 1 else 'tests'} in {len(files)} "
            f"{'file' if len(files) == 1 else 'files'} passed every gate in the sandbox and "
            f"hold changed lines that no test ran, or ran and held to nothing.{how}",
            rules_fired=("tests-validated",),
            risk_score=change.risk_score,
            inputs=files,
        ),
        expected_head=change.head_sha,
        files=files,
        key=f"tests-{key}",
        delivery=delivery,
    )


def patch_path(work_dir: Path, change: Change) -> Path:
    """Beside the folder of work, so that it outlives the run."""
    return work_dir.parent / "patches" / f"{change.run}.patch"


def write_patch(path: Path, change: Change, bundle: Bundle) -> None:
    """Write it whole or not at all; a second time, the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(compose_patch(change, bundle))
    partial.replace(path)


def compose_patch(change: Change, bundle: Bundle) -> bytes:
    """The tests as a mail for `git am`: files that are new to the branch, so that no line around them is needed."""
    written = [test for service in bundle.services for test in service.written]
    subject, _, body = commit_message(change, written).partition("\n")
    opened = datetime.fromisoformat(change.history[0].timestamp).astimezone(UTC)
    head = [
        f"From {_NOBODY} Mon Sep 17 00:00:00 2001",
        f"From: {_SENDER}",
        f"Date: {format_datetime(opened)}",
        f"Subject: {Header(f'[PATCH] {subject}', maxlinelen=900).encode()}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=UTF-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        body.strip("\n").replace("\n---", "\n ---"),
        "---",
        "",
    ]
    files = sorted(bundle.files, key=lambda file: file.path)
    text = "\n".join(head) + "".join(line for file in files for line in _added(file)) + "-- \nGreenlane\n"
    return text.encode("utf-8", "surrogateescape")


def _added(file: GeneratedFile) -> Iterator[str]:
    path = _quoted(f"b/{file.path}")
    yield f"diff --git {_quoted(f'a/{file.path}')} {path}\nnew file mode 100644\n--- /dev/null\n+++ {path}\n"
    lines = file.content.decode("utf-8", "surrogateescape").split("\n")
    ends = lines and lines[-1] == ""
    lines = lines[:-1] if ends else lines
    hunk = list(difflib.unified_diff([], [f"{line}\n" for line in lines], n=0))[2:]
    yield "".join(hunk)
    if not ends:
        yield "\\ No newline at end of file\n"


def _quoted(path: str) -> str:
    """As git writes a path: in quotes, with escapes, if anything in it is not plain."""
    plain = path.isascii() and path.isprintable() and '"' not in path and "\\" not in path
    if plain:
        return path
    shown = "".join(
        f"\\{chr(byte)}" if chr(byte) in '"\\' else chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
        for byte in path.encode("utf-8", "surrogateescape")
    )
    return f'"{shown}"'
