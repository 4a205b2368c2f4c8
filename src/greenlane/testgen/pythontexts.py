"""Short Python programs as texts to try, for code that works on Python programs. Pure; for `hunt.py`.

Where a project's tests hold programs as texts, and a change is about a construct of the language (`visit_Match`,
`ast.Starred`), a program with that construct leads there, which no recombination of other programs gives.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import itertools
import re
import textwrap
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set

from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.reading import parse_text
from greenlane.testgen.turns import in_turn

_FEWEST, _SHARE, _MANY = 5, 0.5, 40
"""So many texts that are programs, and so large a share of those that are no single word, make a project one that
works on programs; or very many, whatever else there is."""
_IN_PROGRAMS, _MOST_NESTED, _LONGEST = 3, 240, 400
_MOST_ENCLOSED, _MOST_PLAIN = 60, 12
"""So many programs are put into one statement; fewer where it binds nothing."""
"""An expression is put into so many programs for each kind of place; so many programs in all, no longer ones."""
_HOLDING = {
    "Attribute": "%s.b", "Call": "%s()", "Subscript": "%s[0]", "Tuple": "(%s, c)", "List": "[%s, c]", "Set": "{%s}",
    "Dict": "{'a': %s}", "BinOp": "(%s + 1)", "UnaryOp": "(-%s)", "BoolOp": "(%s or c)", "Compare": "(%s == 1)",
    "IfExp": "(%s if c else d)", "Lambda": "(lambda c: %s)", "ListComp": "[c for c in %s]", "NamedExpr": "(c := %s)",
    "SetComp": "{c for c in %s}", "GeneratorExp": "(c for c in %s)", "JoinedStr": "f'{%s}'", "Starred": "[*%s]",
}  # fmt: skip
"""By kind, an expression of it around another one."""
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_OVER_LINES = re.compile(r"[(\[{]\n")
_MOST_SHOWN = 10
"""A kind that more of the programs show stands in most of those of the tests as well."""
_MOST_NAMED = 3
"""A field of so many kinds of nodes at most says something of the kind."""

PROGRAMS = """
match x:
    case 1 as y:
        print(y)
---
match x:
    case [first, *rest]:
        print(first, rest)
---
match x:
    case {"key": value, **rest}:
        print(value, rest)
---
match x:
    case Point(a, b=0) | Other(a):
        print(a)
---
match x:
    case None | -1 | a.b:
        pass
    case _ if x > 1:
        pass
---
type Pair[T] = tuple[T, T]
---
def first[T: int, *Ts, **P](value: T) -> T:
    return value
---
class Box[T](Base, metaclass=Meta):
    value: T
---
try:
    work()
except* ValueError as error:
    print(error)
---
try:
    work()
except ValueError:
    pass
---
try:
    work()
except (TypeError, ValueError) as error:
    raise RuntimeError from error
else:
    done()
finally:
    close()
---
if (count := len(values)) > 1:
    print(count)
---
async def read(lines):
    async with open(lines) as file:
        async for line in file:
            await line
    return [line async for line in file]
---
@decorator
def f(a, /, b: int = 1, *args, c=None, **options) -> str:
    return f"{a!r:>{b}}"
---
class A(B):
    '''About A.'''

    x: int = 1

    def method(self):
        return super().method()
---
for i, (a, *b) in enumerate(values):
    continue
else:
    print(b)
---
while True:
    break
---
with open("a") as f, open("b"):
    pass
---
squares = {x: x ** 2 for x in values if x}
---
names = {name for name in values}
---
total = sum(x for row in rows for x in row)
---
f = lambda x, *y: x if y else None
---
a = b = values[1:2, ::3]
---
a, *b = c
---
a += 1
---
x: int
---
del a.b, c[0]
---
assert x, "message"
---
global x
x = 1
---
def outer():
    x = 1
    def inner():
        nonlocal x
        x = 2
    return inner
---
def numbers():
    x = yield 1
    yield from values
---
raise ValueError("message")
---
import a.b as c
---
from . import a
from b import *
---
from __future__ import annotations
---
not x and y or z
---
a < b <= c is not None
---
print(-x, ~y, x @ y, x // y, [*a], {**b}, f(*a, **b), ..., b"", 1j)
---
def f(x):
    if x:
        return 1
    elif not x:
        return
    else:
        pass
"""
"""Each shows one construct or a few that belong together."""


def python_texts(texts: Sequence[str], words: Iterable[str], around: Iterable[str] = ()) -> list[str]:
    """Programs with the constructs that these words of the code name (by kind of node, `MATCHAS` or `visit_MatchAs`,
    or by a field of few kinds), each also within a function; then the tests' own with expressions of these kinds in
    them, also inside of others that the words `around` name, or inside of the statements of these kinds, where the
    names that those bind are used; and the first spread over lines, where some of the tests' own are. Nothing unless
    these texts of the tests are programs."""
    if not _are_programs(texts):
        return []
    fields, words = _fields(), list(words)
    kinds = _kinds_named(words)
    kinds |= {kind for word in words if len(fields.get(word, ())) <= _MOST_NAMED for kind in fields.get(word, ())}
    programs = {f"{one.strip()}\n": _kinds_of(f"{one.strip()}\n") for one in PROGRAMS.split("---\n")}
    counts = Counter(kind for shown in programs.values() for kind in shown)
    telling = {kind for kind in kinds if counts[kind] <= _MOST_SHOWN}
    found = [text for text, shown in programs.items() if telling & shown]
    nested = _nested(texts, kinds, kinds | _kinds_named(around))
    within = (f"def f():\n{textwrap.indent(text, '    ')}" for text in found)
    spread = map(spread_out, found) if any(_OVER_LINES.search(text) for text in texts) else ()
    return list(dict.fromkeys(in_turn([[*found, *within], nested, _enclosed(texts, found, telling), spread])))


def spread_out(text: str) -> str:
    """The program with what stands in brackets on lines of its own: for code that is about how programs are laid out.
    As it is where a bracket is open over lines, and where it can't be read."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return text
    places: list[tuple[int, int, int]] = []
    depth = 0
    for token, after in itertools.pairwise(tokens):
        if token.type == tokenize.NL and depth:
            return text
        opens, closes = token.string in _OPENING, after.string in _CLOSING
        depth += opens - (token.string in _CLOSING)
        if depth and not closes and (opens or token.string == ","):
            places.append((*token.end, depth))
        elif closes and not opens:
            places.append((*after.start, depth - 1))
    lines = text.splitlines(keepends=True)
    for row, column, deep in reversed(places):
        line = lines[row - 1]
        indent = line[: len(line) - len(line.lstrip())] + "    " * deep
        lines[row - 1] = f"{line[:column]}\n{indent}{line[column:].lstrip(' ')}"
    return "".join(lines)


def _kinds_named(words: Iterable[str]) -> set[str]:
    asked = {re.sub(r"[^a-z]", "", form) for word in words for form in (word.lower(), word.lower().partition("_")[2])}
    return {kind for kind in dir(ast) if kind.lower() in asked}


def _nested(texts: Sequence[str], wanted: Set[str], known: Set[str]) -> list[str]:
    """The programs with expressions of the `wanted` kinds in places where one of a `known` kind stands, alone and
    inside of another known one: where `except Error:` is read, `except a().b:` may be read otherwise."""
    plain = [_HOLDING[kind] % "a" for kind in sorted(wanted & _HOLDING.keys())]
    inside = [_HOLDING[kind] % one for one in plain for kind in sorted(known & _HOLDING.keys())]
    forms = list(dict.fromkeys([*plain, *inside]))
    counts: dict[tuple[str, str, str], int] = {}
    rows: dict[tuple[str, str, str], list[str]] = {}
    for text in sorted(dict.fromkeys(texts), key=lambda one: (len(one), one)) if forms else ():
        parsed = _parsed(text) if len(text) <= _LONGEST and _is_program(text) else None
        for holder, field, old in _places(parsed) if parsed is not None else ():
            place = (type(holder).__name__, field, type(old).__name__)
            counts[place] = counts.get(place, 0) + 1
            if parsed is not None and place[2] in known and counts[place] <= _IN_PROGRAMS:
                rows.setdefault(place, []).extend(_with_each(parsed, old, forms))
    return list(dict.fromkeys(in_turn(rows.values())))[:_MOST_NESTED]


def _places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, ast.expr]]:
    """Expressions that are read, with what holds them and as what; of an f-string those that it shows."""
    for holder in ast.walk(tree):
        shown = not isinstance(holder, ast.JoinedStr)
        for field, value in ast.iter_fields(holder) if shown else ():
            for node in value if isinstance(value, list) else [value]:
                if isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", None), ast.Load | None):
                    yield holder, field, node


def _with_each(tree: ast.Module, old: ast.expr, forms: Sequence[str]) -> Iterator[str]:
    for form in forms:
        new = ast.Name(id=form, ctx=ast.Load())  # it is written as it stands
        with contextlib.suppress(ValueError):  # it can't be written, as a backslash in an f-string
            text = ast.unparse(Exchanging(old, new).visit(tree))
            if _parsed(text) is not None:
                yield f"{text}\n"


def _enclosed(texts: Sequence[str], shown: Iterable[str], kinds: Set[str]) -> list[str]:
    """The tests' own programs inside of a statement of one of these kinds, as each of the `shown` has one, and with a
    name that it binds in place of an expression: for `log(a)` also `except ValueError as error: log(error)`."""
    bodies = [body for text in sorted(set(texts), key=lambda one: (len(one), one)) if (body := _body_of(text))]
    rows = []
    for outer in filter(None, map(_parsed, shown if bodies else ())):
        holder = _holder_of(outer, kinds)
        if holder is not None:
            rows.append(list(itertools.islice(_inside(outer, holder, bodies), _MOST_ENCLOSED)))
    return list(in_turn(rows))[:_MOST_NESTED]


def _body_of(text: str) -> list[ast.stmt]:
    parsed = _parsed(text) if len(text) <= _LONGEST and _is_program(text) else None
    return parsed.body if parsed is not None else []


def _holder_of(tree: ast.Module, kinds: Set[str]) -> ast.AST | None:
    """The innermost part with statements of its own around the first node of such a kind, or that node itself."""
    above = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    part: ast.AST | None = next((node for node in ast.walk(tree) if type(node).__name__ in kinds), None)
    while part is not None and not isinstance(getattr(part, "body", None), list):
        part = above.get(id(part))
    return None if isinstance(part, ast.Module) else part


def _inside(outer: ast.Module, holder: ast.AST, bodies: Sequence[Sequence[ast.stmt]]) -> Iterator[str]:
    names, counts = _bound_by(holder), Counter[tuple[str, str, str]]()
    for body in bodies if names else bodies[:_MOST_PLAIN]:
        imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        inner = ast.Module(body=[node for node in body if node not in imports], type_ignores=[])
        exchanged = []
        for place, field, old in _places(inner) if names else ():
            kind = (type(place).__name__, field, type(old).__name__)
            counts[kind] += 1
            if counts[kind] <= _IN_PROGRAMS:
                exchanged.append(Exchanging(old, ast.Name(id=names[0], ctx=ast.Load())).visit(inner))
        for one in [inner, *exchanged] if inner.body else ():
            made = copy.copy(holder)
            made.body = one.body  # type: ignore[attr-defined]  # it has one
            whole = Exchanging(holder, made).visit(outer)
            with contextlib.suppress(ValueError):  # it can't be written, as a backslash in an f-string
                text = f"{ast.unparse(ast.Module(body=[*imports, *whole.body], type_ignores=[]))}\n"
                if _parsed(text) is not None:
                    yield text


def _bound_by(holder: ast.AST) -> list[str]:
    """The names that a statement binds for those in it: what is caught, its parameters, what a loop goes through."""
    own = {id(part) for part in holder.body for part in ast.walk(part)}  # type: ignore[attr-defined]  # it has some
    found = []
    for node in (one for one in ast.walk(holder) if id(one) not in own):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append(node.id)
        elif isinstance(node, ast.arg):
            found.append(node.arg)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.append(node.name)
    return found


def _are_programs(texts: Sequence[str]) -> bool:
    longer = [text for text in texts if re.search(r"\w\W+\w", text)]
    programs = sum(_is_program(text) for text in longer)
    return programs >= _MANY or (programs >= _FEWEST and programs >= len(longer) * _SHARE)


def _is_program(text: str) -> bool:
    """Whether it does more than give a value."""
    body = _parsed(text)
    return any(not isinstance(node, ast.Expr) for node in body.body) if body is not None else False


def _parsed(text: str) -> ast.Module | None:
    return parse_text(textwrap.dedent(text))


def _kinds_of(text: str) -> set[str]:
    parsed = _parsed(text)
    if parsed is None:  # of a newer Python than this one: told by what it looks like
        return {"TypeAlias", "TypeVar", "TypeVarTuple", "ParamSpec"} if "[T" in text else {"TryStar"}
    return {type(node).__name__ for node in ast.walk(parsed)}


def _fields() -> dict[str, set[str]]:
    """By field the kinds of nodes that have it."""
    found: dict[str, set[str]] = {}
    for name in dir(ast):
        kind = getattr(ast, name)
        if isinstance(kind, type) and issubclass(kind, ast.AST):
            for field in kind._fields:
                found.setdefault(field, set()).add(name)
    return found
