"""Tests whose text somebody else wrote: what their text says of them, and the file that is made of several. Pure, apart
from the formatter at the end.

Called by the gates and by `render_file`, so that such a test goes the same way as one of the generator's own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

import msgspec

from greenlane.policy.testing import TestFacts
from greenlane.suite.lines import UnreadableSourceError, parse_source
from greenlane.testgen.code import FunctionNode
from greenlane.testgen.formatting import wrapped
from greenlane.testgen.harms import asserts_something, foreign_names, list_harms
from greenlane.testgen.neighbours import MARKER, Style

_NO_FIXTURES = frozenset({"self"})


class GivenText(msgspec.Struct, frozen=True, kw_only=True):
    """A test function as text, its imports (one statement each), and the source file that it is about."""

    imports: tuple[str, ...]
    code: str
    about: str


class GivenLike(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a test here: its name, its sentence and its text."""

    name: str
    purpose: str
    text: GivenText


def read_function(code: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The one function of this text; None if it is not exactly one. Raises UnreadableSourceError."""
    body = parse_source(code).body
    return body[0] if len(body) == 1 and isinstance(body[0], FunctionNode) else None


def given_facts(name: str, text: GivenText, modules: frozenset[str]) -> TestFacts:
    """What can be said of a test without running it."""
    try:
        function = read_function(text.code)
        imports = [parse_source(statement) for statement in text.imports]
    except UnreadableSourceError:
        return TestFacts(parses=False)
    foreign: list[str] = []
    for tree in (*imports, *([function] if function else [])):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                foreign += foreign_names(node, modules)
    harms: list[str] = []
    if not all(len(t.body) == 1 and isinstance(t.body[0], ast.Import | ast.ImportFrom) for t in imports):
        harms.append("imports by something else than one import statement")
    if function is None or function.name != name:
        harms.append("is not exactly one function of its name")
    else:
        harms += list_harms(function)
    return TestFacts(
        parses=True,
        foreign_imports=tuple(dict.fromkeys(foreign)),
        harms=tuple(harms),
        asserts=function is not None and asserts_something(function),
    )


def fixtures_of(text: GivenText) -> frozenset[str]:
    """Names that the function takes, less those that its own parametrisation gives: fixtures, if they exist."""
    try:
        function = read_function(text.code)
    except UnreadableSourceError:
        return frozenset()
    if function is None:
        return frozenset()
    arguments = {a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("parametrize") and decorator.args:
            names = decorator.args[0]
            parts = names.elts if isinstance(names, ast.Tuple | ast.List) else [names]
            for part in parts:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    arguments -= set(re.split(r"[,\s]+", part.value))
    return frozenset(arguments - _NO_FIXTURES)


def given_source(tests: Sequence[GivenLike], style: Style) -> str:
    """The whole file, before it is formatted: it says what it is, and holds each test with its sentence."""
    imports = sorted({line.strip() for test in tests for line in test.text.imports}, key=_import_order)
    if style.form == "unittest":
        imports = ["import unittest", *(line for line in imports if line != "import unittest")]
    about = ", ".join(sorted({test.text.about for test in tests}))
    said = f"They run changed lines of {about} that no test ran. Proposed by a language model; each was run, and would "
    said += "fail if the lines that it covers were wrong."
    head = f'"""{MARKER}.\n\n{wrapped(said, style.layout.line_length)}\n'
    blocks = [_with_sentence(test) for test in tests]
    text = head + '"""\n\n' + "\n".join(imports) + "\n\n\n"
    if style.form == "function":
        return text + "\n\n".join(blocks)
    title = "".join(
        part.capitalize() for part in re.split(r"\W|_", about.rpartition("/")[2].removesuffix(".py")) if part
    )
    first = (
        f"class {title}ProposedTest(unittest.TestCase):" if style.form == "unittest" else f"class Test{title}Proposed:"
    )
    return text + first + "\n" + "\n".join(_indented(_with_self(block)) for block in blocks)


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


def _with_sentence(test: GivenLike) -> str:
    """The function with its purpose as docstring, if it has none."""
    code = test.text.code.strip("\n") + "\n"
    function = read_function(code)
    if function is None or ast.get_docstring(function) is not None:
        return code
    lines = code.splitlines(keepends=True)
    first = function.body[0]
    if first.lineno == function.lineno:
        return code  # all in one line: left as it is
    sentence = " ".join(test.purpose.split()).replace("\\", "\\\\").replace('"', "'")
    above = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))]) - 1
    indent = re.match(r"\s*", lines[first.lineno - 1])
    return "".join([*lines[:above], f'{indent[0] if indent else "    "}"""{sentence}"""\n', *lines[above:]])


def _with_self(code: str) -> str:
    function = read_function(code)
    if function is None or any(a.arg == "self" for a in function.args.args[:1]):
        return code
    takes = function.args.posonlyargs or function.args.args or function.args.kwonlyargs
    head = re.compile(rf"(def\s+{re.escape(function.name)}\s*\()")
    return head.sub(r"\g<1>self, " if takes else r"\g<1>self", code, count=1)


def _indented(code: str) -> str:
    """One level deeper, except for the inside of texts over several lines, which indentation would change."""
    inside: set[int] = set()
    for node in ast.walk(parse_source(code)):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno and node.end_lineno > node.lineno:
            inside |= set(range(node.lineno + 1, node.end_lineno + 1))
    lines = code.splitlines(keepends=True)
    return "".join(
        line if number in inside or not line.strip() else f"    {line}" for number, line in enumerate(lines, 1)
    )
