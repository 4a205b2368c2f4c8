"""What a `try` calls fails, where its handler is open: no input may lead there. Pure; for `search.py`.

def load(path):                      monkeypatch.setattr(
    try:                                 "shop.pipe.os.readlink", MagicMock(side_effect=OSError("abc"))
        return os.readlink(path)     )
    except OSError:               -> with pytest.raises(Missing):
        raise Missing(path)              load("a")
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, nodes_of, parse_source
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.explore import Observed
from greenlane.testgen.inlined import own_nodes
from greenlane.testgen.inputs import Case, Constructors, Import, Script, is_error
from greenlane.testgen.pretended import flat
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.staged import as_script, before_and_call_of
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn
from greenlane.testgen.under import Placed, under

_CALLS, _FAILURES, _ERRORS, _MOST = 3, 4, 4, 120
_NOT_THERE = ("ImportError(", "ModuleNotFoundError(", "Exception(")
_FIRST_ARGUMENTS = {
    "UnicodeDecodeError": "'utf-8', b'abc', 0, 1, 'abc'", "UnicodeEncodeError": "'utf-8', 'abc', 0, 1, 'abc'",
    "JSONDecodeError": "'abc', 'abc', 0", "CalledProcessError": "1, 'abc'", "TimeoutExpired": "'abc', 1",
}  # fmt: skip
"""What errors take that take more than a text."""
_KEPT = frozenset({"os.path", "os.fspath", "os.getcwd", "os.stat", "os.lstat", "sys"})
"""What the test runner itself asks while the test runs."""


def failing(observed: Sequence[Observed], source: Source, left: Targets, *, unittest: bool) -> list[Case]:
    """What ran a `try` whose handler is open, with each thing that is called there failing as the handler expects;
    what is plainest first. `unittest`: without fixtures."""
    rows: dict[tuple[int, Placed], list[Case]] = {}
    for line, function, node in open_functions(source, left):
        found = _handler_at(node, line)
        if found is None:
            continue
        tried, handler = found
        inside = {stmt.lineno for stmt in tried.body} | {part.lineno for part in _calls(tried)}
        near = [o.case for o in observed if not inside.isdisjoint(o.lines.get(source.path, frozenset()))]
        near = [case for case in near if not (unittest and case.fixtures)]
        near = [case for case in near if case.script is not None or not case.entry.asynchronous]
        near.sort(key=lambda case: (case.steps, len(case.fixtures), case.length, case.key))
        for failure in _failures(source, function, tried, handler) if near else ():
            key = (tried.lineno, failure)
            if key not in rows:
                rows[key] = [m for case in near[:_CALLS] for m in _with(failure, case, function, unittest=unittest)]
    cases = {case.key: case for case in in_turn(rows.values())}
    return list(cases.values())[:_MOST]


def _handler_at(node: FunctionNode, line: int) -> tuple[ast.Try, ast.ExceptHandler] | None:
    """The innermost handler that a line stands in, with its `try`."""
    found = None
    for part in ast.walk(node):  # outer ones first
        for handler in part.handlers if isinstance(part, ast.Try) else ():
            if handler.lineno <= line <= (handler.end_lineno or handler.lineno):
                assert isinstance(part, ast.Try)
                found = (part, handler)
    return found


# -------------------------------------------------------------- what fails, and how


def _failures(source: Source, function: Function, tried: ast.Try, handler: ast.ExceptHandler) -> Iterator[Placed]:
    """What can be put in place so that a handler is needed."""
    errors = list(_errors(source, handler))[:_ERRORS]
    targets = list(dict.fromkeys(_targets(source, function, tried)))[:_FAILURES]
    if any(error.startswith(_NOT_THERE) for error, _ in errors):
        for module in _imported(tried):
            yield Placed(place="sys.modules", key=module, value="None")
    for error, imports in errors:
        for target in targets:
            place, _, attribute = target.rpartition(".") if target.startswith("self.") else (target, "", None)
            created = target == f"{source.module}.open"
            yield Placed(place=place, attribute=attribute, value=error, fails=True, imports=imports, created=created)


def _imported(tried: ast.Try) -> Iterator[str]:
    """The modules that a `try` imports."""
    for node in tried.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _errors(source: Source, handler: ast.ExceptHandler) -> Iterator[tuple[str, frozenset[Import]]]:
    """Errors that a handler takes, as expressions: each kind with a text, then with the texts that it asks for."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type] if handler.type else []
    asked = [n.value for n in ast.walk(handler) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    branches = any(isinstance(n, ast.If | ast.IfExp) for n in ast.walk(handler))
    texts = [repr("abc"), *(repr(text) for text in dict.fromkeys(asked if branches else ()) if 0 < len(text) < 80)]
    bound = {name for name, _ in _bound(flat(source.tree.body))}
    codes = [ast.unparse(n) for n in ast.walk(handler) if isinstance(n, ast.Attribute) and _is_code(n)]
    for kind in kinds or [ast.Name("RuntimeError")]:
        name = ast.unparse(kind)
        root = name.partition(".")[0]
        home = frozenset({(source.module, root)}) if root in bound else frozenset[Import]()
        if not home and not is_error(name):
            continue
        for code in dict.fromkeys(codes):
            yield f"{name}({code}, 'abc')", home | {("errno", "")}
        for text in texts[:3]:
            yield f"{name}({_arguments(name, text, source.constructors)})", home


def _is_code(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "errno"


def _arguments(name: str, text: str, constructors: Constructors) -> str:
    last = name.rpartition(".")[2]
    if last in _FIRST_ARGUMENTS:
        return _FIRST_ARGUMENTS[last]
    params = constructors.get(last)
    needed = [param for param in params or () if param.default is None]
    given = [f"{param.name}={text}" if param.keyword_only else text for param in needed]
    return ", ".join(given) if params is not None and len(needed) > 1 else text


def _targets(source: Source, function: Function, tried: ast.Try) -> Iterator[str]:
    """Dotted places of what is called in a `try`, in their order."""
    own = dict(_bound(part for part in nodes_of(source.tree) if function.first <= _line(part) <= function.last))
    bound = dict(_bound(flat(source.tree.body)))
    for call in _calls(tried):
        text = ast.unparse(call.func)
        root, _, rest = text.partition(".")
        if not all(part.isidentifier() for part in text.split(".")):
            continue
        real = own.get(root, bound.get(root, "")) + text[len(root) :]
        if root in ("self", "cls") and function.owner and rest:
            yield text if "." in rest else f"{source.module}.{function.owner}.{rest}"
        elif any(f"{real}.".startswith(f"{kept}.") for kept in _KEPT):
            continue
        elif root in own and "." in real:
            yield real
        elif text == "open" or root in bound:
            yield f"{source.module}.{text}"


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _bound(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """The names that these statements bind, each with what stands behind it: `os`, `shop.win.mode_of`, or nothing."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, "") for alias in node.names)
        elif isinstance(node, FunctionNode | ast.ClassDef):
            yield node.name, ""


def _calls(tried: ast.Try) -> list[ast.Call]:
    """The calls of a `try`, in the order in which they are made."""
    calls = [n for stmt in tried.body for n in own_nodes(stmt) if isinstance(n, ast.Call)]
    return sorted(calls, key=lambda n: (n.end_lineno or 0, n.end_col_offset or 0))


# -------------------------------------------------------------- the call


def _with(failure: Placed, case: Case, function: Function, *, unittest: bool) -> Iterator[Case]:
    """A case with the failure right before its look, and before all: what is set up may need what fails then. What the
    object of the method holds fails after that was made."""
    if failure.attribute is None:
        ways = [(case, failure, len(as_script(case).setup)), (case, failure, 0)]
    else:
        ways = list(_on_object(failure, case, function))
    made = (under(one, placed, unittest=unittest, after=after) for one, placed, after in ways)
    yield from (one for one in made if one is not None)


def _on_object(failure: Placed, case: Case, function: Function) -> Iterator[tuple[Case, Placed, int]]:
    """A case whose object has a name, with the failure on that, and after how many statements."""
    if case.script is None and case.receiver is not None:
        before, called = before_and_call_of(case.entry.holder, case)
        case = case.with_script(Script(imports=case.imports, setup=before, look=called))
    if case.script is None or case.entry.owner != function.owner:
        return
    for number, text in enumerate(case.texts):
        try:
            calls = [n.func for n in ast.walk(parse_source(text)) if isinstance(n, ast.Call)]
        except UnreadableSourceError:
            return
        named = [f for f in calls if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name)]
        holders = [ast.unparse(f.value) for f in named if f.attr in (function.name, case.entry.name)]
        if holders:
            place = holders[0] + failure.place.removeprefix("self")
            yield case, msgspec.structs.replace(failure, place=place), number
            return
