"""Calls that show nothing but what they log or print, perhaps before an error: the same with a look at that. Pure; for
`search.py`.

rule.apply(commit)                           with patch("logging.Logger.warning") as warning:
                                     ->          rule.apply(commit)
                                             warning.call_args.args

main(["--unknown"])                          with pytest.raises(SystemExit):
                                     ->          main(["--unknown"])
                                             capsys.readouterr().err
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.suite.lines import nodes_of
from greenlane.testgen.code import enclosing
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Import, Script
from greenlane.testgen.shown import INSIDE
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
_STREAMS = {"out": "stdout", "err": "stderr"}
_LOGGER = re.compile(r"(?:(?:^|[._])(?:log|logger|logging)(?:\(\))?|\bgetLogger\(.*\))$", re.IGNORECASE | re.DOTALL)


def logged(observed: Sequence[Observed], source: Source, left: Targets, *, unittest: bool) -> list[Case]:
    """What ran an open line and logged or printed something in the same function, with a look at that; `unittest`:
    without fixtures."""
    rows: dict[tuple[int, str], list[Case]] = {}
    for line in sorted({line_of(target) for target in left}):
        function = enclosing(source.functions, line)
        calls = dict(_telling(source.tree, function.first, function.last)) if function is not None else {}
        for place in sorted(calls, key=lambda place: (abs(place - line), place)):
            lines = {line, place}
            near = [o for o in observed if lines <= o.lines.get(source.path, frozenset())]
            near.sort(key=lambda one: one.case.plainness)
            made = (other for one in near for other in _with_look(one, calls[place], unittest=unittest))
            rows.setdefault((place, calls[place]), []).extend(itertools.islice(made, _CALLS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _telling(tree: ast.Module, first: int, last: int) -> Iterator[tuple[int, str]]:
    """The lines of a function on which something is logged, with the level, or printed, with the stream."""
    for node in nodes_of(tree):
        if not isinstance(node, ast.Call) or not first <= node.lineno <= last:
            continue
        called = ast.unparse(node.func)
        if called == "print":
            files = [ast.unparse(k.value) for k in node.keywords if k.arg == "file"] or ["sys.stdout"]
            yield from ((node.lineno, stream) for stream, name in _STREAMS.items() if files == [f"sys.{name}"])
        elif called in {"sys.stdout.write", "sys.stderr.write"}:
            yield node.lineno, called.split(".")[1].removeprefix("std")
        elif isinstance(node.func, ast.Attribute):
            level = _LEVELS.get(node.func.attr)
            if level is not None and _LOGGER.search(ast.unparse(node.func.value)):
                yield node.lineno, level


def _with_look(one: Observed, told: str, *, unittest: bool) -> Iterator[Case]:
    case, script = one.case, as_script(one.case)
    if case.entry.asynchronous and case.script is None:
        return
    before, done, own = script.setup, script.look, "|patch"
    if script.look == INSIDE and before[-1].startswith("with patch("):  # that is of something else, put around the call
        before, done, own = before[:-1], before[-1], ""
    if re.search(rf"\b(?:{told}|{_STREAMS.get(told, told)}|caplog|capsys|redirect_\w+{own})\b", script.text):
        return  # it looks at it itself
    error = _error_of(one)
    if one.outcome.kind == "raises" and error is None:
        return
    if not unittest:
        fixture = "capsys" if told in _STREAMS else "caplog"
        shown, imports = _in_block([], done, error, "pytest.raises", ("pytest", ""))
        setup = (*(["caplog.set_level('DEBUG')"] if fixture == "caplog" else ()), *before, shown)
        look = f"capsys.readouterr().{told}" if told in _STREAMS else "caplog.messages"
        yield from _made(case, script, setup, look, imports, fixture)
    if told in _STREAMS:
        heads, looks = [f"redirect_{_STREAMS[told]}(StringIO()) as printed"], ["printed.getvalue()"]
        needs: set[Import] = {("contextlib", f"redirect_{_STREAMS[told]}"), ("io", "StringIO")}
    else:
        heads, looks = (
            [f"patch('logging.Logger.{told}') as {told}"],
            [f"{told}.call_args.args", f"{told}.call_args.args[0]"],
        )
        needs = {("unittest.mock", "patch")}
    shown, imports = _in_block(heads, done, error, "suppress", ("contextlib", "suppress"))
    for look in looks:
        yield from _made(case, script, (*before, shown), look, needs | imports)


def _error_of(one: Observed) -> tuple[str, str] | None:
    """The class of the error that it ends with, if somebody raised that on purpose and a test can name it."""
    outcome = one.outcome
    told = outcome.kind == "raises" and outcome.deliberate and outcome.importable
    return outcome.error if told and outcome.error is not None and "." not in outcome.error[1] else None


def _in_block(
    heads: Sequence[str], done: str, error: tuple[str, str] | None, bears: str, needs: Import
) -> tuple[str, set[Import]]:
    """A statement inside of these, and of what bears the error that it ends with; with what that imports."""
    own = {error} if error is not None and error[0] != "builtins" else set[Import]()
    heads = [*heads, *([f"{bears}({error[1]})"] if error is not None else ())]
    text = f"with {', '.join(heads)}:\n{textwrap.indent(done, '    ')}" if heads else done
    return text, own | ({needs} if error is not None else set())


def _made(
    case: Case, script: Script, setup: Sequence[str], look: str, imports: Iterable[Import], *fixtures: str
) -> Iterator[Case]:
    if all(len(text) <= MAX_STATEMENT for text in setup):
        imports = script.imports | {*imports}
        yield case.with_script(
            msgspec.structs.replace(script, setup=tuple(setup), look=look, imports=imports), case.fixtures | {*fixtures}
        )
