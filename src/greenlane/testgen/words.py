"""Words for the names and sentences of tests, from pieces of code. Pure."""

from __future__ import annotations

import ast
import re

from greenlane.suite.lines import parse_expression

EMPTY = frozenset({"''", '""', "[]", "{}", "()", "set()", "b''"})
_MARKS = re.compile(r"[^\w .,:'\"-]|[^\x00-\x7f]")
"""A text with such marks (a tag, a pattern, a line break) is no part of a name."""
_KINDS: dict[type, str] = {
    ast.List: "list", ast.Dict: "dict", ast.Tuple: "tuple", ast.Set: "set", ast.JoinedStr: "text",
}  # fmt: skip


def words_of(text: str) -> str:
    """A piece of code as words: `self.total_cents` gives `total cents`."""
    text = re.sub(r"\bself\.|\bcls\.", "", text)
    text = re.sub(r"(?<=\d)\.0\b", "", text)
    text = re.sub(r"(?<=\d)\.(?=\d)", " point ", text)
    text = re.sub(r"(?<![\w)\]])-(?=\d)", "minus ", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z][A-Za-z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    return " ".join(re.findall(r"[A-Za-z]+|\d+", text)).lower()


def slug(words: str) -> str:
    return re.sub(r"\W+", "_", words.lower()).strip("_")


def spoken(text: str) -> str:
    """A value as words that say it; empty where its marks say more than its words."""
    if text in EMPTY:
        return "empty"
    node = literal_of(text)
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        said = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        return "" if _MARKS.search(said) else words_of(said)
    return words_of(text)


def shown_kind(text: str) -> str:
    """What a sentence calls a value that is too long to stand in it: `this text`, `this list`, ``this `Point` ``."""
    node = literal_of(text)
    if isinstance(node, ast.Constant):
        kind = type(node.value)
        return "this text" if kind is str else "these bytes" if kind is bytes else "this value"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        return f"this `{ast.unparse(node.func)}`"
    return f"this {_KINDS.get(type(node), 'value')}"


def literal_of(text: str) -> ast.expr | None:
    """The expression of a text, of a negative number the number; None if it is none."""
    try:
        node = parse_expression(text).body
    except SyntaxError:
        return None
    return node.operand if isinstance(node, ast.UnaryOp) else node


def is_constant(text: str) -> bool:
    return isinstance(literal_of(text), ast.Constant)
