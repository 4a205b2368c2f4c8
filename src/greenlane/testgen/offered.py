"""What tests type to a program, with an option that the change offers. Pure; for `nearby.py`.

parser.add_argument("--never", action="store_true")

    main(["a.py"])               ->   main(["a.py", "--never"])
    run("pack", "-o", "out")     ->   run("pack", "-o", "out", "--never")
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.commandlines import options_of
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_CALLS, _LINES_A_CALL, _MOST = 16, 2, 60
_ARGUMENTS = ("args", "argv", "arguments", "cmd", "command", "options", "params")


def offered(seen: Sequence[Observed], source: Source, places: Targets, beside: Sequence[Source]) -> list[Case]:
    """The scripts and calls that ran the lines where the options are offered, first those that came furthest; with each
    option behind what is typed, then before it. `beside` are the other files of the change."""
    rows: list[list[Case]] = []

    def order(one: Observed) -> tuple[bool, int, object]:
        return one.outcome.kind == "raises", -len(one.lines.get(source.path, ())), one.case.plainness

    for one in (source, *beside) if places else ():
        for first, last, words in options_of(one.tree, one.gap.changed):
            around = range(first, last + 1)
            ran = [o for o in seen if not o.lines.get(one.path, frozenset()).isdisjoint(around)]
            near = sorted(ran or seen, key=order)  # else it is offered while the module is imported
            made = (other for o in near for other in _with(o.case, words))
            rows.append([other for other, _ in zip(made, range(_CALLS), strict=False)])
    found = {case.key: case for case in in_turn(rows)}
    return list(found.values())[:_MOST]


def _with(case: Case, words: Sequence[str]) -> Iterator[Case]:
    number = 0
    for place, text in enumerate(case.texts):
        for other in _typed(text, [ast.Constant(word) for word in words]):
            made = case.with_text(place, other)
            if made is not None and number < _LINES_A_CALL:
                number += 1
                yield made


def _typed(text: str, words: Sequence[ast.expr]) -> Iterator[str]:
    """The text with the words in one of its command lines."""
    try:
        tree = parse_source(text)
    except UnreadableSourceError:
        return
    for node in [node for node in ast.walk(tree) if _is_command_line(node, tree)]:
        for items in _around(node, words):
            yield ast.unparse(ast.fix_missing_locations(Exchanging(node, items).visit(tree)))


def _is_command_line(node: ast.AST, tree: ast.AST) -> bool:
    """`["-x", path]`, `main([path])`, `args = [path]`; `run("pack", "-x")`, where the words are handed on by place."""
    if isinstance(node, ast.Call):
        return any(_is_option(one) for one in node.args)
    if not isinstance(node, ast.List | ast.Tuple) or not isinstance(node.ctx, ast.Load):
        return False
    if any(isinstance(one, ast.Constant) and not isinstance(one.value, str) for one in node.elts):
        return False
    return any(_is_option(one) for one in node.elts) or any(_is_typed_in(one, node) for one in ast.walk(tree))


def _is_option(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("-")


def _is_typed_in(holder: ast.AST, node: ast.AST) -> bool:
    if isinstance(holder, ast.Call):
        parses = "parse" in name_of(holder)
        return node in [*holder.args, *(one.value for one in holder.keywords)] and (parses or _takes_words(holder))
    names = [ast.unparse(one) for one in holder.targets] if isinstance(holder, ast.Assign) else []
    return isinstance(holder, ast.Assign) and holder.value is node and any(one.endswith(_ARGUMENTS) for one in names)


def _takes_words(call: ast.Call) -> bool:
    return any(word in name_of(call).lower() for word in ("main", "run", "invoke", "cli", "call", "exec", "command"))


def _around(node: ast.AST, words: Sequence[ast.expr]) -> Iterator[ast.expr]:
    """What is typed with the words behind it, and before it."""
    if isinstance(node, ast.Call):
        yield ast.Call(func=node.func, args=[*node.args, *words], keywords=node.keywords)
    elif isinstance(node, ast.List | ast.Tuple):
        kind = type(node)
        yield kind(elts=[*node.elts, *words], ctx=ast.Load())
        yield kind(elts=[*words, *node.elts], ctx=ast.Load())
