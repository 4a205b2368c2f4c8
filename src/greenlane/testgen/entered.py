"""Scripts that make a context manager by a function of the project, which runs as it is entered. Pure; for `nearby.py`.

@contextmanager                     call = till.opened("a")        with till.opened("a") as call:
def opened(self, name): ...         till.rows                 ->       pass
                                                                   till.rows
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from greenlane.suite.lines import UnreadableSourceError, nodes_of, parse_source
from greenlane.testgen.code import Function, FunctionNode, enclosing
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Script
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.shown import INSIDE
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets, line_of

_MOST = 60


def entered(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What calls an open function of that kind, with the call entered; what is plainest first."""
    lines = sorted({line_of(target) for target in left})
    functions = dict.fromkeys(enclosing(source.functions, line) for line in lines)
    managing = [one for one in functions if one is not None and _is_managing(source.tree, one)]
    found: dict[str, Case] = {}
    for case in sorted((o.case for o in observed), key=lambda case: case.plainness) if managing else ():
        entry = next((one for one in managing if case.script and f"{one.called}(" in case.script.text), None)
        script = _with_block(case.script, entry.called) if case.script is not None and entry is not None else None
        if script is not None:
            found.setdefault(script.text, case.with_script(script))
    return list(found.values())[:_MOST]


def _is_managing(tree: ast.Module, function: Function) -> bool:
    return any(
        ast.unparse(mark).rpartition(".")[2] == "contextmanager"
        for node in nodes_of(tree)
        if isinstance(node, FunctionNode)
        and node.name == function.name
        and function.first <= node.lineno <= function.last
        for mark in node.decorator_list
    )


def _with_block(script: Script, called: str) -> Script | None:
    """The script with the last statement or look that is such a call as a block; None where there is none."""
    texts = [*script.setup, script.look]
    for place in reversed(range(len(texts))):
        block = next(_as_block(texts[place], called, is_look=place == len(script.setup)), None)
        if block is not None and len(block) <= MAX_STATEMENT:
            looked = INSIDE if place == len(script.setup) else script.look
            setup = (*texts[:place], block, *texts[place + 1 : -1])
            return Script(imports=script.imports, setup=setup, look=looked, marks=script.marks)
    return None


def _as_block(text: str, called: str, *, is_look: bool) -> Iterator[str]:
    try:
        body = parse_source(text).body
    except UnreadableSourceError:
        return
    node = body[0] if len(body) == 1 else None
    if not isinstance(node, ast.Expr | ast.Assign) or name_of(node.value) != called:
        return
    target = node.targets[0] if isinstance(node, ast.Assign) else ast.Name(id=INSIDE, ctx=ast.Store())
    held = ast.withitem(
        context_expr=node.value, optional_vars=target if is_look or isinstance(node, ast.Assign) else None
    )
    yield ast.unparse(ast.fix_missing_locations(ast.With(items=[held], body=[ast.Pass()], lineno=1)))
