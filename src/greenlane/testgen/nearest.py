"""Which calls are varied next: those that came nearest to what is open. Pure. Called by `search.py`."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence, Set

from greenlane.testgen.choose import is_tellable, taste
from greenlane.testgen.explore import Observed
from greenlane.testgen.guards import Guard, guards_of
from greenlane.testgen.inputs import Case
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets, line_of

BASES_A_LINE = 3
BASES_A_ROUND = 24


def nearest(observed: Sequence[Observed], source: Source, left: Targets, varied: set[str]) -> list[Observed]:
    """Calls that ran the condition right before an open line and were not varied yet: one step may be enough. Those
    that give something which the condition names come first. Adds them to `varied`."""
    found: dict[str, Observed] = {}
    for line in sorted({line_of(target) for target in left}):
        for guard in reversed(_ways_to(source.tree, line, left)):
            near = [
                o for o in observed if guard.line in o.lines.get(source.path, frozenset()) and o.case.key not in varied
            ]
            if near:
                words = set(re.findall(r"[A-Za-z_]{2,}", guard.test))
                near.sort(
                    key=lambda o: (-_mentions(o.case, words), o.case.steps, o.case.rank, o.case.length, o.case.key)
                )
                found |= {o.case.key: o for o in _of_both_kinds(near)}
                break
    chosen = list(found.values())[:BASES_A_ROUND]
    varied |= {o.case.key for o in chosen}
    return chosen


def with_silent(candidates: Sequence[Observed], seen: Sequence[Observed], path: str, lines: Set[int]) -> list[Observed]:
    """The candidates and, for lines that none of them runs, a few that were seen to run them but notice nothing there:
    calls like them may."""
    left = lines - {line for one in candidates for line in one.lines.get(path, ())}
    found: dict[str, Observed] = {}
    for line in sorted(left):
        silent = [one for one in seen if line in one.lines.get(path, frozenset()) and is_tellable(one)]
        found |= {one.case.key: one for one in sorted(silent, key=taste, reverse=True)[:BASES_A_LINE]}
    return [*candidates, *found.values()]


def _of_both_kinds(near: Sequence[Observed]) -> list[Observed]:
    """The nearest ones, a call and a test of the project among them where there are both: a private function may be
    reached by the one only, a crash by the other."""
    first = list(near[:BASES_A_LINE])
    for is_script in (True, False):
        best = next((o for o in near if (o.case.script is not None) is is_script), None)
        if best is not None and best not in first:
            first[-1] = best
    return first


def _mentions(case: Case, words: set[str]) -> int:
    text = case.script.text if case.script else " ".join(f"{name or ''} {value}" for name, value in case.arguments)
    return sum(word in text for word in words)


def _ways_to(tree: ast.Module, line: int, left: Targets) -> tuple[Guard, ...]:
    """The conditions before a line; for an open branch, the condition on the line itself as well."""
    guards = guards_of(tree, line)
    if not any(len(target) == 3 and line_of(target) == line for target in left):
        return guards
    for node in ast.walk(tree):
        test = getattr(node, "test", None)
        if isinstance(node, ast.stmt) and node.lineno == line and isinstance(test, ast.expr):
            return (*guards, Guard(test=ast.unparse(test), met=True, line=line))
    return (*guards, Guard(test="", met=True, line=line))
