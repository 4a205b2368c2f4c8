"""The words by which a function is found in a table of its file, beside which no condition stands. Pure; for
`quarry.py`.

    HANDLERS = [(re.compile("W(\\d+)"), handle_wind), ...]          "W1" leads to `handle_wind`
    COMMANDS = {"stop": Shop.close, ...}                             "stop" leads to `Shop.close`
    @register("image")                                               "image" leads to what is decorated so
    def p_select(p): refuse(p, "select command")                     "select" leads to `refuse`
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from greenlane.suite.lines import nodes_of
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.patterns import pattern_of

_PLAIN = (ast.Constant, ast.Name, ast.Attribute)
"""What a word is written as: a text, or a constant's name."""
_HANDED = 12


def beside(tree: ast.Module, entry: Function) -> list[ast.expr]:
    """What stands beside the function in tables, registering calls and its own decorators, as it is written there."""
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            found += [key for key, value in pairs if key is not None and _holds(value, entry)]
        elif isinstance(node, ast.Tuple | ast.List | ast.Call):
            given = node.args if isinstance(node, ast.Call) else node.elts
            if any(_is_named(one, entry) for one in given):
                found += [one for one in given if not _is_named(one, entry)]
        elif isinstance(node, FunctionNode) and node.name == entry.name and node.lineno == entry.first:
            calls = [one for one in node.decorator_list if isinstance(one, ast.Call)]
            found += [one for call in calls for one in (*call.args, *(k.value for k in call.keywords))]
    return [part for one in found for part in _words_in(one)]


def handed_over(tree: ast.Module, entry: Function) -> list[ast.expr]:
    """The words that other functions give it as they are: what it does is mostly about something of that name."""
    calls = [node for node in nodes_of(tree) if isinstance(node, ast.Call) and _is_named(node.func, entry)]
    given = [one for call in calls for one in (*call.args, *(keyword.value for keyword in call.keywords))]
    texts = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    short = [text for text in texts if re.fullmatch(r"[\w-]+(?: [\w-]+)?", text)]
    words = dict.fromkeys(word for text in short for word in text.split())
    return [ast.Constant(value=word) for word in list(words)[:_HANDED]]


def _holds(value: ast.expr, entry: Function) -> bool:
    """Whether it is the function, or a row that it stands in."""
    row = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    return any(_is_named(one, entry) for one in row)


def _is_named(node: ast.expr, entry: Function) -> bool:
    named = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
    return named == entry.name


def _words_in(node: ast.expr) -> Iterator[ast.expr]:
    """The words of one place of a table: there may be several for one function, or a pattern that is compiled there."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        yield from (one for one in node.elts if isinstance(one, _PLAIN))
    elif isinstance(node, _PLAIN) or (isinstance(node, ast.Call) and pattern_of(node) is not None):
        yield node
