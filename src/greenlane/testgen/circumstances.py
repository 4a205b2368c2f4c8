"""What a function reads and reaches beside its arguments: environment variables, flags of its module, the platform,
programs that it starts. Each is set in a test as a careful colleague would: `monkeypatch.setenv`, a stand-in for what
goes out of the process, whose arguments are looked at. Pure; what is found stands in a `World`, `staged.py` writes it.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.commandlines import typed_lines
from greenlane.testgen.consoles import Console, console_of
from greenlane.testgen.inputs import Import
from greenlane.testgen.memory import Memory, memory_of
from greenlane.testgen.uses import nodes_by_line
from greenlane.testgen.versions import versions_of

_ENVIRON = frozenset({"os.environ", "environ"})
_GETTERS = frozenset({"os.environ.get", "environ.get", "os.getenv", "getenv"})
_MAX_VALUES = 5
_MAX_TEXT = 24
_DONE = ("CompletedProcess([], 0, 'out', '')", "CompletedProcess([], 1, '', 'error')")
OUTSIDE: dict[str, tuple[str, ...]] = {
    "subprocess.Popen": (), "subprocess.run": _DONE, "subprocess.call": ("0", "1"), "subprocess.check_call": ("0",),
    "subprocess.check_output": ("b'out'", "''"), "subprocess.getoutput": ("'out'",), "os.system": ("0", "1"),
    "os.startfile": (), "os.execv": (), "os.execvp": (), "os.kill": (), "webbrowser.open": ("True", "False"),
    "time.sleep": ("None",), "shutil.which": ("'/bin/other'", "None"),
    "importlib.util.find_spec": ("object()", "None"), "pkgutil.find_loader": ("object()", "None"),
}  # fmt: skip
"""What goes out of the process, and what it may give back (empty: something of its own kind)."""


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """A call that goes out: where it is put in its place, what it may give (`!` and an error: raise), what is looked at
    of its arguments."""

    target: str
    name: str
    gives: tuple[str, ...]
    keywords: tuple[str, ...] = ()
    """Keywords that the function fills with something of its own."""
    variables: tuple[str, ...] = ()
    """Environment variables of the program that is started."""
    absent: bool = False
    """It may not be there at all, on this platform."""
    called: bool = True
    """It is a function; else what it gives is put in its place as it is."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """`variables`: by name, texts to try, most telling first. `places`: by dotted name, expressions to try."""

    variables: tuple[tuple[str, tuple[str, ...]], ...] = ()
    places: tuple[tuple[str, tuple[str, ...]], ...] = ()
    held: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Containers that the module fills as it runs: by dotted name, as they are at first, and with something in them."""
    outside: tuple[StandIn, ...] = ()
    streams: tuple[str, ...] = ()
    """Which of `out` and `err` it writes to."""
    manages: bool = False
    """It is a context manager."""
    gives: tuple[str, ...] = ()
    """Names for the parts of what it gives inside, where those are several."""

    @property
    def is_empty(self) -> bool:
        return not (self.variables or self.places or self.outside or self.streams or self.held)


@functools.lru_cache(maxsize=256)
def world_of(tree: ast.Module, entry: Function) -> World:
    """The circumstances of one function of the module."""
    node = nodes_by_line(tree).get(entry.first)
    if node is None or entry.asynchronous:
        return World()
    variables = tuple(dict.fromkeys(_variables(node)))
    console = console_of(tree, node)
    manages = any(ast.unparse(d).split(".")[-1] == "contextmanager" for d in node.decorator_list)
    memory = memory_of(tree, node, entry.module)
    return World(
        held=memory.held,
        variables=tuple((name, _texts(name, node, entry)) for name in variables),
        places=tuple(_places(tree, node, entry, console, memory)),
        outside=tuple(_outside(tree, node, entry, variables)),
        streams=console.streams,
        manages=manages,
        gives=_given(node) if manages else (),
    )


def _places(
    tree: ast.Module, node: FunctionNode, entry: Function, console: Console, memory: Memory
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each place once, with all that there is to try of it."""
    rows = (
        _standard_input(console),
        _command_lines(tree, node, entry),
        _flags(tree, node, entry.module),
        versions_of(tree, node, entry.module),
        _platforms(node),
        _own_name(node, entry.module),
        memory.places,
    )
    found: dict[str, dict[str, None]] = {}
    for place, values in (one for row in rows for one in row):
        found.setdefault(place, {}).update(dict.fromkeys(values))
    yield from ((place, tuple(values)) for place, values in found.items())


_HOMES = {"CompletedProcess": "subprocess", "StringIO": "io", "MagicMock": "unittest.mock"}


def imports_of(expression: str) -> frozenset[Import]:
    return frozenset((home, name) for name, home in _HOMES.items() if f"{name}(" in expression)


def _standard_input(console: Console) -> Iterator[tuple[str, tuple[str, ...]]]:
    if console.inputs:
        yield "sys.stdin", console.inputs


def _command_lines(tree: ast.Module, node: FunctionNode, entry: Function) -> Iterator[tuple[str, tuple[str, ...]]]:
    if lines := typed_lines(tree, node, entry):
        yield "sys.argv", lines


# ------------------------------------------------------------------ environment variables


def _variables(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        given: ast.expr | None = None
        if isinstance(part, ast.Call) and ast.unparse(part.func) in _GETTERS:
            given = part.args[0] if part.args else None
        elif isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Load):
            given = part.slice if ast.unparse(part.value) in _ENVIRON else None
        elif isinstance(part, ast.Compare) and ast.unparse(part.comparators[0]) in _ENVIRON:
            given = part.left
        if isinstance(given, ast.Constant) and isinstance(given.value, str) and given.value:
            yield given.value


def _texts(name: str, node: ast.AST, entry: Function) -> tuple[str, ...]:
    """Values for a variable: what the code asks of it or puts there, then other texts of the function."""
    asked = [ast.literal_eval(parse_expression(text)) for text in dict(entry.held).get(name, ())]
    asked += _put(name, node)
    keys = {*_variables(node), *entry.keys}
    texts = [c for c in (*asked, *entry.constants) if isinstance(c, str) and c not in keys and len(c) <= _MAX_TEXT]
    return tuple(dict.fromkeys([*texts[: _MAX_VALUES - 2], "1", "other", ""]))[:_MAX_VALUES]


def _put(name: str, node: ast.AST) -> Iterator[object]:
    """What the function itself puts under this name, in whatever: `env["LESS"] = "-R"`."""
    for part in ast.walk(node):
        if not isinstance(part, ast.Assign) or not isinstance(part.value, ast.Constant):
            continue
        target = part.targets[0]
        key = target.slice if isinstance(target, ast.Subscript) else None
        if isinstance(key, ast.Constant) and key.value == name:
            yield part.value.value


# ------------------------------------------------------------------ flags and the platform


def _flags(tree: ast.Module, node: ast.AST, module: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names in capitals that the module binds and this function asks for as true or false."""
    bound = set(_switches(tree.body))
    tests = [n.test for n in ast.walk(node) if isinstance(n, ast.If | ast.IfExp | ast.While)]
    asked = [name for test in tests for name in _truths(test)]
    asked += [n for b in ast.walk(node) if isinstance(b, ast.BoolOp) for n in _truths(b)]
    for name in dict.fromkeys(asked):
        if name in bound and name.isupper() and len(name) > 1:
            yield f"{module}.{name}", ("True", "False")


def _switches(body: list[ast.stmt]) -> Iterator[str]:
    """Names that stand for true or false, as far as one can see: imported ones, and those that are told or computed."""
    for node in body:
        if isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign) and _may_be_bool(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.If | ast.Try):
            inner = [*node.body, *node.orelse, *(n for h in getattr(node, "handlers", []) for n in h.body)]
            yield from _switches(inner)


def _may_be_bool(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return isinstance(value.value, bool)
    return isinstance(value, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Call)


def _truths(test: ast.expr) -> Iterator[str]:
    if isinstance(test, ast.BoolOp):
        yield from (name for value in test.values for name in _truths(value))
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _truths(test.operand)
    elif isinstance(test, ast.Name):
        yield test.id


def _platforms(node: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """`sys.platform` as the function compares it."""
    found = []
    for part in ast.walk(node):
        asked: list[ast.expr] = []
        if isinstance(part, ast.Compare) and ast.unparse(part.left) == "sys.platform":
            asked = part.comparators
        elif isinstance(part, ast.Call) and ast.unparse(part.func) == "sys.platform.startswith":
            asked = part.args
        values = [n.value for one in asked for n in ast.walk(one) if isinstance(n, ast.Constant)]
        found += [repr(value) for value in values if isinstance(value, str)]
    if found:
        yield "sys.platform", tuple(dict.fromkeys([*found, "'linux'"]))


def _own_name(node: ast.AST, module: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """`__name__` as the function compares it: `if __name__ == "__main__": main()`."""
    sides = [s for p in ast.walk(node) if isinstance(p, ast.Compare) for s in (p.left, *p.comparators)]
    if any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides):
        texts = [side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str)]
        yield f"{module}.__name__", tuple(map(repr, dict.fromkeys(texts)))


# ------------------------------------------------------------------ what goes out


def _outside(tree: ast.Module, node: ast.AST, entry: Function, variables: tuple[str, ...]) -> Iterator[StandIn]:
    """Each program that is started, or other way out, once."""
    top = {a.asname or a.name: f"{n.module}.{a.name}" for n in tree.body if isinstance(n, ast.ImportFrom)
           for a in n.names}  # fmt: skip
    written = {
        part.slice.value
        for part in ast.walk(node)
        if isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store) and isinstance(part.slice, ast.Constant)
    }
    names = tuple(dict.fromkeys([*variables, *sorted(v for v in written if isinstance(v, str) and v.isupper())]))
    seen = set()
    for call in [n for n in ast.walk(node) if isinstance(n, ast.Call)]:
        text = ast.unparse(call.func)
        known = top.get(text, text)
        if known not in OUTSIDE or known in seen:
            continue
        seen.add(known)
        own = tuple(k.arg for k in call.keywords if k.arg and k.arg != "env" and isinstance(k.value, ast.Name))
        env = any(k.arg == "env" for k in call.keywords)
        name = known.split(".")[-1].lower()
        yield StandIn(
            target=f"{entry.module}.{text}" if text in top else known,
            name=f"fake_{name}" if name == entry.called else name,
            gives=OUTSIDE[known],
            keywords=own,
            variables=names if env else (),
        )


def _given(node: ast.AST) -> tuple[str, ...]:
    """Names for the parts of a tuple that a context manager gives."""
    for part in ast.walk(node):
        if isinstance(part, ast.Yield) and isinstance(part.value, ast.Tuple):
            items = part.value.elts
            return tuple(item.id if isinstance(item, ast.Name) else f"part_{n}" for n, item in enumerate(items, 1))
    return ()
