"""What kind of change this is, as far as paths and lines decide it; nothing that its author says counts.

Called where the facts of the risk score are gathered. A kind that would make anything laxer has to hold for every file
on both sides of a rename: one line of anything else, and the change is an ordinary one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from greenlane.analyzers import files
from greenlane.analyzers.dependencies import is_manifest
from greenlane.analyzers.summary import is_production
from greenlane.domain.diff import ChangeType, Diff, FileDiff
from greenlane.policy.paths import folder_of

FEATURE_LINES, FEATURE_FILE_LINES = 100, 50
"""Lines of new code, all together or in one new file, from which on a change is a feature."""
FEATURE_REMOVED_SHARE = 0.2
_INSTRUCTS = frozenset({"agents.md", "claude.md", "gemini.md", "copilot-instructions.md"})
_KNOWN_TEXT = re.compile(r"(readme|changes|changelog|history|news|authors|contributors|licen[cs]e|copying|todo)\b")
_IMPORT = re.compile(r"\s*(import|from)\s")


def detect_change_type(diff: Diff) -> ChangeType:
    changed = diff.files
    if not changed:
        return ChangeType.OTHER
    if _all(changed, _is_prose):
        return ChangeType.DOCUMENTS
    if _all(changed, lambda path: _is_prose(path) or files.is_test(path)):
        return ChangeType.TESTS
    if _all(changed, lambda path: _is_prose(path) or _is_dependency(path)):
        return ChangeType.DEPENDENCIES
    production = [f for f in changed if is_production(f.path) or is_production(f.old_path or f.path)]
    if _is_moved(changed, production):
        return ChangeType.MOVED
    added, removed = sum(len(f.added) for f in production), sum(len(f.removed) for f in production)
    new_file = any(f.status == "added" and len(f.added) >= FEATURE_FILE_LINES for f in production)
    if removed <= added * FEATURE_REMOVED_SHARE and (added >= FEATURE_LINES or new_file):
        return ChangeType.FEATURE
    return ChangeType.OTHER


def _all(changed: tuple[FileDiff, ...], holds: Callable[[str], bool]) -> bool:
    return all(holds(path) for f in changed for path in (f.path, f.old_path or f.path))


def _is_prose(path: str) -> bool:
    """Prose or an image of the documentation. Prose inside a package may be what a program says or reads; so may a
    plain text beside it (`runtime.txt`, `CMakeLists.txt`), and some prose instructs machines."""
    name = path.rpartition("/")[2].lower()
    if name in _INSTRUCTS:
        return False
    if files.is_document(path):
        at_root = folder_of(path) == "." and (not name.endswith(".txt") or bool(_KNOWN_TEXT.match(name)))
        return at_root or (files.is_support(path) and name != "cmakelists.txt")
    return files.is_support(path) and files.is_harmless_media(path)


def _is_dependency(path: str) -> bool:
    return is_manifest(path) or files.is_lock_file(path)


def _is_moved(changed: tuple[FileDiff, ...], production: list[FileDiff]) -> bool:
    """Whether every line of code that went stands in another file now, with its indentation, and nothing else came but
    imports. Lines that only change their order within a file may change what it does."""
    if not production or any(f.skipped for f in changed):
        return False
    gone: Counter[str] = Counter()
    came: Counter[str] = Counter()
    for file in production:
        old = file.old_path or file.path
        if not (is_production(old) and is_production(file.path)) or files.kind_of(old) is not files.kind_of(file.path):
            return False
        own_gone, own_came = _lines(file, removed=True), _lines(file, removed=False)
        if own_gone & own_came:
            return False
        gone += own_gone
        came += own_came
    return gone == came and (bool(gone) or any(f.status == "renamed" for f in production))


def _lines(file: FileDiff, *, removed: bool) -> Counter[str]:
    lines = file.removed if removed else file.added
    texts = (line.text.rstrip() for line in lines)
    python = files.kind_of(file.path) is files.Kind.PYTHON
    return Counter(text for text in texts if text and not (python and _IMPORT.match(text)))
