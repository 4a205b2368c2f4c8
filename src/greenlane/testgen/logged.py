"""Calls that show nothing but what they log: the same with a look at that. Pure; for `search.py`.

rule.apply(commit)                           with patch("logging.Logger.warning") as warning:
                                     ->          rule.apply(commit)
                                             warning.call_args.args
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from greenlane.testgen.code import enclosing
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import MAX_STATEMENT, Case
from greenlane.testgen.source import Source
from greenlane.testgen.staged import as_script
from greenlane.testgen.targets import Targets, line_of
from greenlane.testgen.turns import in_turn

_CALLS, _MOST = 6, 80
_LEVELS = {
    "debug": "debug", "info": "info", "warning": "warning", "warn": "warning", "error": "error", "exception": "error",
    "critical": "critical", "fatal": "critical", "log": "log",
}  # fmt: skip
"""By the method that is called, the one that it ends up in."""
_LOGGER = re.compile(r"(?:(?:^|[._])(?:log|logger|logging)(?:\(\))?|\bgetLogger\(.*\))$", re.IGNORECASE | re.DOTALL)


def logged(observed: Sequence[Observed], source: Source, left: Targets, *, unittest: bool) -> list[Case]:
    """What ran an open line and a call of a logger in the same function, with a look at what was logged; `unittest`:
    without fixtures."""
    rows: dict[tuple[int, str], list[Case]] = {}
    for line in sorted({line_of(target) for target in left}):
        function = enclosing(source.functions, line)
        calls = dict(_log_calls(source.tree, function.first, function.last)) if function is not None else {}
        for place in sorted(calls, key=lambda place: (abs(place - line), place)):
            lines = {line, place}
            near = [o.case for o in observed if lines <= o.lines.get(source.path, frozenset())]
            near.sort(key=lambda case: case.plainness)
            made = (other for case in near for other in _with_look(case, calls[place], unittest=unittest))
            rows.setdefault((place, calls[place]), []).extend(itertools.islice(made, _CALLS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _log_calls(tree: ast.Module, first: int, last: int) -> Iterator[tuple[int, str]]:
    """The lines of a function on which something is logged, with the level."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and first <= node.lineno <= last:
            level = _LEVELS.get(node.func.attr)
            if level is not None and _LOGGER.search(ast.unparse(node.func.value)):
                yield node.lineno, level


def _with_look(case: Case, level: str, *, unittest: bool) -> Iterator[Case]:
    if case.entry.asynchronous and case.script is None:
        return
    script = as_script(case)
    if re.search(rf"\b(?:{level}|caplog|patch)\b", script.text):
        return  # it looks at it itself
    if not unittest:
        setup = ("caplog.set_level('DEBUG')", *script.setup, script.look)
        other = msgspec.structs.replace(script, setup=setup, look="caplog.messages")
        yield case.with_script(other, case.fixtures | {"caplog"})
    block = f"with patch('logging.Logger.{level}') as {level}:\n{textwrap.indent(script.look, '    ')}"
    imports = script.imports | {("unittest.mock", "patch")}
    for look in (f"{level}.call_args.args", f"{level}.call_args.args[0]"):
        other = msgspec.structs.replace(script, setup=(*script.setup, block), look=look, imports=imports)
        if len(block) <= MAX_STATEMENT:
            yield case.with_script(other)
