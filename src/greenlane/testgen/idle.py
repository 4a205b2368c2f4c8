"""What a script binds and nothing after it uses: it was of use to a look that is no longer there. Pure.

For `scripts.py` and `search.py`.
"""

from __future__ import annotations

import ast
import functools

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.inputs import Script, imports_named

_BUSY = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom, ast.Attribute, ast.Subscript)
"""What may do something, or run something of the project, beside giving a value."""


@functools.lru_cache(maxsize=4096)  # the same script is asked about for each line that it is near to
def without_idle(script: Script, *, calls: bool = False) -> Script:
    """Without the assignments of values that nobody uses, and what was imported for them. `calls`: also of what calls
    give; such a call may have been made for what it does."""
    used: set[str] = set()
    kept: list[str] = []
    for text in (script.look, *reversed(script.setup)):
        try:
            (node,) = parse_source(text).body
        except (UnreadableSourceError, ValueError):
            return script
        names = _assigned(node) if text is not script.look else None
        if names is not None and not names & used and (calls or not _is_busy(node)):
            continue
        used |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
        kept.append(text)
    if len(kept) == 1 + len(script.setup):
        return script
    imports = imports_named(script.imports, kept)
    return msgspec.structs.replace(script, imports=imports, setup=tuple(reversed(kept[1:])))


def _assigned(node: ast.stmt) -> set[str] | None:
    """The names that a statement gives a value to; None if it does anything else."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    parts = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return names if parts and len(names) == len(parts) else None


def _is_busy(node: ast.stmt) -> bool:
    return any(isinstance(part, _BUSY) for part in ast.walk(node))
