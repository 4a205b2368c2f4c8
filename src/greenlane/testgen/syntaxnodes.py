"""Nodes of Python's own syntax for a parameter that is one: short programs, and the way to the node in them. Pure; for
`uses.py`.

def visit_Try(self, node): ...              ast.parse('try:\\n    a()\\nexcept:\\n    raise\\n').body[0]
def name_of(call: ast.Call): ...            ast.parse('a.b(c)').body[0].value
"""

from __future__ import annotations

import ast
import functools
import re
from collections import deque

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.pythontexts import PROGRAMS
from greenlane.testgen.reading import parse_text

_MOST, _LONGEST = 8, 110
_VISITING = re.compile(r"_*(?:visit|leave|enter|exit|check|on|handle)_([A-Z]\w*)")
_KIND = re.compile(r"\bast\.([A-Z]\w*|expr|stmt|mod)\b")
_SHORT = (
    "a", "a.b", "a(b)", "a.b(c, d=1)", "a('b')", "a().b[0]", "a(*b, **c)", "a = 1", "a.b = c[0]", "a['b'] = c",
    "import a", "from a import b as c", "1", "'a'", "b'a'", "None", "[a for b in c if d]", "a if b else c",
    "a and b or not c", "a == 1", "a is None", "a not in (1, 2)", "a + 'b'", "'%s' % a", "'{}'.format(a)", "f'{a!r}b'",
    "a[1:2]", "(a := b)", "-1", "(a, b)", "[a, *b]", "{a}", "{'a': 1, **b}", "if a:\n    b = c",
    "for a in b:\n    c(a)", "while a:\n    break", "def f():\n    pass", "def f(a, b=1):\n    'Text.'\n    return a",
    "class A:\n    pass", "class A(B):\n    'Text.'\n\n    def f(self):\n        pass",
    "try:\n    a()\nexcept:\n    raise", "try:\n    a()\nexcept ValueError as error:\n    raise error",
    "try:\n    a()\nexcept ValueError:\n    raise KeyError('a')", "try:\n    a()\nexcept (ValueError, b.C):\n    pass",
    "try:\n    a()\nfinally:\n    b()", "raise ValueError('a') from b", "raise a", "with a() as b:\n    pass",
    "assert a, 'b'", "async def f():\n    await a()", "lambda a: b", "return_ = yield_ = a", "del a",
    "async def f():\n    async with a as b:\n        c",
)  # fmt: skip


def syntax_nodes(param: str, annotation: str, function: FunctionNode) -> tuple[str, ...]:
    """Expressions for a node of the kind that its annotation says, or the name of the method that visits it, first
    those with most of what the function speaks of; none for anything else."""
    given = function.args
    first = next((one.arg for one in (*given.posonlyargs, *given.args) if one.arg not in {"self", "cls"}), "")
    visited = _VISITING.fullmatch(function.name) if param == first else None
    names = _KIND.findall(annotation) or ([visited[1]] if visited and not annotation else [])
    kinds = tuple(
        kind for name in names if isinstance(kind := getattr(ast, name, None), type) and issubclass(kind, ast.AST)
    )
    if not kinds:
        return ()
    spoken = {n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute)} | {
        n.id for n in ast.walk(function) if isinstance(n, ast.Name)
    }
    found = []
    for text, tree in _programs():
        way = _way_to(tree, kinds)
        if way is not None:
            shown = {type(n).__name__ for n in ast.walk(tree)} & spoken
            found.append((-len(shown), len(text), f"ast.parse({text!r}){way}"))
    return tuple(text for _, _, text in sorted(found)[:_MOST])


@functools.cache
def _programs() -> tuple[tuple[str, ast.Module], ...]:
    texts = [*_SHORT, *(one.strip() for one in PROGRAMS.split("---\n"))]
    parsed = ((text, parse_text(text)) for text in texts if len(text) <= _LONGEST)
    return tuple((text, tree) for text, tree in parsed if tree is not None)


def _way_to(tree: ast.Module, kinds: tuple[type[ast.AST], ...]) -> str | None:
    """`.body[0].value` for the first node of one of these kinds, the outermost first; nothing for the whole program."""
    waiting: deque[tuple[ast.AST, str]] = deque([(tree, "")])
    while waiting:
        node, way = waiting.popleft()
        if isinstance(node, kinds) and (way or ast.Module in kinds):
            return way
        for field, value in ast.iter_fields(node):
            parts = enumerate(value) if isinstance(value, list) else ((None, value),)
            waiting.extend(
                (part, f"{way}.{field}" + (f"[{number}]" if number is not None else ""))
                for number, part in parts
                if isinstance(part, ast.AST)
            )
    return None
