"""The lines of one test's body, in the assertion style of the file: pytest's or unittest's. Pure; for `render.py`."""

from __future__ import annotations

import ast
import re

from greenlane.suite.lines import parse_expression
from greenlane.testgen.beginnings import as_beginning
from greenlane.testgen.explore import Outcome
from greenlane.testgen.neighbours import Style
from greenlane.testgen.views import Import

_MAX_MATCH = 80
_ANYTHING = "\u2026"


class Body:
    """The lines of one test's body, in the assertion style of the file."""

    def __init__(self, style: Style, prefixes: dict[str, str]) -> None:
        self.unittest = style.form == "unittest"
        self.prefixes = prefixes
        self.loop = None if self.unittest else style.loop
        self.awaits = False
        self.lines: list[str] = []
        self.imports: set[Import] = set()
        self.parameters: list[tuple[str, list[str]]] = []

    @property
    def modules(self) -> set[str]:
        """Modules that the file imports and reaches other names through: no variable may hide one."""
        return {prefix.split(".")[0] for prefix in self.prefixes.values() if prefix}

    def write(self, description_text: str) -> str:
        """An expression with names of the tested module spelled as the file imports them."""
        tree = parse_expression(description_text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and self.prefixes.get(node.id):
                node.id = f"{self.prefixes[node.id]}{node.id}"
        return ast.unparse(tree)

    def equal(self, left: str, right: str) -> str:
        if isinstance(parse_expression(left).body, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.IfExp | ast.Lambda):
            left = f"({left})"
        if (begun := as_beginning(left, right)) is not None:
            return f"self.assertTrue({begun})" if self.unittest else f"assert {begun}"
        if right in {"None", "True", "False", "NotImplemented"}:
            methods = {"None": "assertIsNone", "True": "assertIs", "False": "assertIs", "NotImplemented": "assertIs"}
            if self.unittest:
                return f"self.{methods[right]}({left}{'' if right == 'None' else f', {right}'})"
            return f"assert {left} is {right}"
        if self.unittest:
            return f"self.assertEqual({left}, {right})"
        if is_rough(right):
            self.imports.add(("pytest", ""))
            return f"assert {left} == pytest.approx({right})"
        return f"assert {left} == {right}"

    @property
    def caught(self) -> str:
        """The error that was raised, after it was."""
        return "caught.exception" if self.unittest else "caught.value"

    def raises(self, error: str, pattern: str, *, caught: bool = False) -> str:
        """What expects an error with this pattern in its text (empty: any); `caught`: it is looked at afterwards."""
        end = " as caught:" if caught else ":"
        if self.unittest:
            expected = f"assertRaisesRegex({error}, {pattern})" if pattern else f"assertRaises({error})"
            return f"with self.{expected}{end}"
        self.imports.add(("pytest", ""))
        return f"with pytest.raises({error}{f', match={pattern}' if pattern else ''}){end}"

    def warned(self, outcome: Outcome, call: str) -> str:
        """The look at a call; one that warns is made first, where the warning is asked for."""
        if outcome.warned is None:
            return call
        _, name, message = outcome.warned
        kind, pattern = self.write(name), pattern_of(message)
        if self.unittest:
            head = f"self.assertWarnsRegex({kind}, {pattern})" if pattern else f"self.assertWarns({kind})"
        else:
            self.imports.add(("pytest", ""))
            head = f"pytest.warns({kind}{f', match={pattern}' if pattern else ''})"
        self.lines += [f"with {head}:", f"    result = {call}"]
        return "result"

    def parametrize(self) -> str:
        """The decorator that gives a test its rows."""
        names = ", ".join(repr(name) for name, _ in self.parameters)
        given = f"({names})" if len(self.parameters) > 1 else names
        return f"@pytest.mark.parametrize({given}, [{', '.join(self._rows())}])"

    def subtests(self) -> list[str]:
        """The lines, each row of parameters in a subtest."""
        names = [name for name, _ in self.parameters]
        shown = ", ".join(f"{name}={name}" for name in names if name not in {"expected", "message"})
        head = [f"for {', '.join(names)} in [{', '.join(self._rows())}]:", f"    with self.subTest({shown}):"]
        return head + [f"        {line}" for line in self.lines]

    def _rows(self) -> list[str]:
        rows = zip(*(values for _, values in self.parameters), strict=True)
        return [f"({', '.join(row)})" if len(row) > 1 else row[0] for row in rows]


def is_rough(text: str) -> bool:
    """A number (or a flat collection of numbers) with more digits than anybody means."""
    tree = parse_expression(text).body
    numbers = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, float)]
    flat = isinstance(tree, ast.Constant | ast.UnaryOp) or (
        isinstance(tree, ast.List | ast.Tuple)
        and all(isinstance(item, ast.Constant) and isinstance(item.value, int | float) for item in tree.elts)
    )
    return flat and any(len(repr(number).replace(".", "").strip("0")) > 6 for number in numbers)


def pattern_of(message: str) -> str:
    """A message as a literal that it matches, whatever path or address stands where it has an ellipsis; empty for an
    empty one."""
    line = message.strip().splitlines()[0].strip() if message.strip() else ""
    if len(line) > _MAX_MATCH:
        line = line[:_MAX_MATCH].rpartition(" ")[0] or line[:_MAX_MATCH]
    line = line.strip(f"{_ANYTHING} ")
    if not line:
        return ""
    escaped = re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", line).replace(_ANYTHING, ".*")
    if "\\" not in escaped:
        return repr(escaped)
    quote = "'" if '"' in escaped else '"'
    return repr(escaped) if quote in escaped or escaped.endswith("\\") else f"r{quote}{escaped}{quote}"
