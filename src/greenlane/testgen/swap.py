"""Scripts for a function that no test calls yet: those of its kin, with a call of the kin swapped for one of it. Pure.

`Query().val.one_of([1])` in a test, and a new method `fragment`: `Query().val.fragment([1])` and the like. The receiver
and what is done with the result stay in the project's own words. Objects that are called like functions (what a
decorator makes of a method, say) are taken by their calls: `cached.get(0)` becomes `cached.get.cache`.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.code import Function, Param
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.guesses import guess_values, needs_of
from greenlane.testgen.inputs import CarvedCall, Script, bound_by
from greenlane.testgen.scripts import FoundScript
from greenlane.testgen.turns import in_turn
from greenlane.testgen.views import as_written

_ROWS = 6
_GUESSES = 3
_OWN_LITERALS = 4
_CHAINED = 2
_WITHOUT_ITEMS = frozenset({"__repr__", "__str__", "__len__", "__hash__", "__bool__"})
_GATHERING = frozenset({"list", "sorted", "set", "tuple", "len"})
_COMPARING = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})


def swap_calls(
    found: FoundScript, entry: Function, kin: Sequence[Function], alike: Sequence[CarvedCall] = ()
) -> Iterator[FoundScript]:
    """The script with one call of a function of `kin` (of the same class, or the same module) made one of `entry`;
    `alike` are calls of others of its name."""
    own = [f for f in kin if f.owner == entry.owner and f != entry]
    places = {f.name: f.places for f in own}
    names = {f.name for f in own if not f.name.startswith("__")}
    shown = {f.name for f in own if f.kind == "property"}
    called = entry.owner is not None and any(f.name == "__call__" for f in own)
    texts = [*found.script.setup, found.script.look]
    for place, text in reversed(list(enumerate(texts))):  # all that the script makes is there at its end
        if not called and not any(name in text for name in names):
            continue
        try:
            tree = parse_source(text)
        except UnreadableSourceError:
            continue
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
        held = [(n, _as_method(n)) for n in calls if called and _is_held(n, found.script)]
        read = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)]
        seen = [(n, _as_call(n)) for n in read if n.attr in shown]
        for call, like in [*((n, n) for n in calls if _called(n, entry) in names), *seen, *held]:
            shared = _shared(like, places.get(_called(like, entry), ()), entry)
            for arguments in in_turn([_rows(like, entry, texts), _of_namesakes(alike, entry, shared)]):
                changed = ast.unparse(Exchanging(_whole(tree, call, entry), _call(like, entry, arguments)).visit(tree))
                rows = [changed if number == place else row for number, row in enumerate(texts)]
                imports = found.script.imports
                if isinstance(like.func, ast.Name):
                    imports = imports - {(entry.module, like.func.id)} | {(entry.module, entry.name)}
                script = msgspec.structs.replace(found.script, imports=imports, setup=tuple(rows[:-1]), look=rows[-1])
                yield _with_needs(msgspec.structs.replace(found, script=script), arguments, entry)


def _with_needs(found: FoundScript, arguments: Sequence[ast.expr], entry: Function) -> FoundScript:
    """The script with what the values import that were put into it, and the fixtures that they name."""
    known = {bound_by(pair) for pair in found.script.imports}
    needs = [needs_of(ast.unparse(argument), entry) for argument in arguments]
    more = {pair for imports, _ in needs for pair in imports if bound_by(pair) not in known}
    fixtures = {name for _, named in needs for name in named}
    if not more and not fixtures:
        return found
    script = msgspec.structs.replace(found.script, imports=found.script.imports | more)
    return msgspec.structs.replace(found, script=script, fixtures=found.fixtures | fixtures)


def _as_call(shown: ast.Attribute) -> ast.Call:
    """`basket.total`, a property, as a call that another method may take the place of."""
    return ast.Call(func=shown, args=[], keywords=[])


def _whole(tree: ast.AST, call: ast.expr, entry: Function) -> ast.expr:
    """The call with what gathers its items around it, where the entry gives a text, or a number, and no items."""
    if entry.name in _WITHOUT_ITEMS:
        for node in ast.walk(tree):
            gathers = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _GATHERING
            if isinstance(node, ast.Call) and gathers and node.args[:1] == [call]:
                return node
    return call


def chain_calls(found: FoundScript, entry: Function, kin: Sequence[Function]) -> Iterator[FoundScript]:
    """The script with a call of the fluent `entry` put before a call, or a comparison, of its class: what comes after
    it is done with what it gives. `where("a") == 1` becomes `where("a").map(len) == 1`."""
    names = {f.name for f in kin if f.owner == entry.owner}
    compares = bool(names & _COMPARING)
    texts = [*found.script.setup, found.script.look]
    required = [param for param in entry.params if param.default is None and not param.keyword_only]
    pools = [guess_values(param, entry)[:_GUESSES] for param in required]
    for place, text in enumerate(texts):
        try:
            tree = parse_source(text)
        except UnreadableSourceError:
            continue
        for holder in _holders(tree, names, compares=compares):
            for row in itertools.islice(itertools.product(*pools), _CHAINED):
                func = ast.Attribute(value=holder, attr=entry.name, ctx=ast.Load())
                new = ast.Call(func=func, args=[_parsed(value) for value in row], keywords=[])
                changed = ast.unparse(Exchanging(holder, new).visit(tree))
                rows = [changed if number == place else other for number, other in enumerate(texts)]
                script = msgspec.structs.replace(found.script, setup=tuple(rows[:-1]), look=rows[-1])
                yield _with_needs(msgspec.structs.replace(found, script=script), new.args, entry)


def _holders(tree: ast.Module, names: set[str], *, compares: bool) -> Iterator[ast.expr]:
    """Expressions that are objects of the class, as far as one can see."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield node.func.value
        elif isinstance(node, ast.Compare) and compares and isinstance(node.left, ast.Call | ast.Attribute | ast.Name):
            yield node.left


def _is_held(call: ast.Call, script: Script) -> bool:
    """Whether what is called may be an object that can be called: a part of something that the script made."""
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    imported = {name.split(" as ")[-1] or module for module, name in script.imports}
    return isinstance(call.func, ast.Attribute) and isinstance(root, ast.Name) and root.id not in imported


def _as_method(call: ast.Call) -> ast.Call:
    """`basket.total(1)` as a call of a method of `basket.total`: where objects are called like functions, that is what
    the other methods of their class are called on."""
    return ast.Call(
        func=ast.Attribute(value=call.func, attr="__call__", ctx=ast.Load()), args=call.args, keywords=call.keywords
    )


def _called(call: ast.Call, entry: Function) -> str:
    """The name of what is called: a method by its attribute, a function by its name or as part of its module."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) and entry.owner is None else ""


def _rows(call: ast.Call, entry: Function, texts: Sequence[str]) -> Iterator[list[ast.expr]]:
    """Arguments for the call: those that stand there if they fit, then guesses and the literals of the script."""
    required = [param for param in entry.params if param.default is None and not param.keyword_only]
    if not call.keywords and len(required) <= len(call.args) <= len(entry.places):
        yield call.args
    own = _literals(texts)
    pools = []
    for param in required:
        guessed = guess_values(param, entry)
        kinds = {type(_parsed(value)) for value in guessed[:_GUESSES]}
        fitting = [text for text in own if type(_parsed(text)) in kinds][:_OWN_LITERALS]
        pools.append([*fitting, *guessed[:_GUESSES]])
    for row in itertools.islice(itertools.product(*pools), _ROWS):
        yield [_parsed(value) for value in row]


def _shared(call: ast.Call, places: Sequence[Param], entry: Function) -> dict[str, ast.expr]:
    """What the call gives to parameters that the entry has as well."""
    given = {param.name: value for param, value in zip(places, call.args, strict=False)}
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    return {param.name: given[param.name] for param in entry.places if param.name in given}


def _of_namesakes(
    alike: Sequence[CarvedCall], entry: Function, shared: Mapping[str, ast.expr]
) -> Iterator[list[ast.expr]]:
    """What others of its name are given by place, with what is `shared` in its place."""
    for call in alike:
        values = [_parsed(value.text) for value in call.positional if value is not None]
        if values and len(values) == len(call.positional) and not call.keywords:
            named = zip(entry.places, values, strict=False)
            yield [shared.get(param.name, value) for param, value in named]


def _literals(texts: Sequence[str]) -> list[str]:
    """Literals of a script, the last ones first."""
    found: list[str] = []
    for text in reversed(texts):
        for node in ast.walk(parse_source(text)):
            stored = isinstance(getattr(node, "ctx", None), ast.Store)
            if isinstance(node, ast.Dict | ast.List | ast.Tuple | ast.Constant) and not stored:
                found.append(ast.unparse(node))
    return list(dict.fromkeys(found))


def _parsed(text: str) -> ast.expr:
    return parse_expression(text).body


def _call(call: ast.Call, entry: Function, arguments: list[ast.expr]) -> ast.expr:
    func: ast.expr = ast.Name(id=entry.name, ctx=ast.Load())
    if isinstance(call.func, ast.Attribute):
        func = ast.Attribute(value=call.func.value, attr=entry.name, ctx=ast.Load())
    if entry.kind == "property":
        return func
    if isinstance(call.func, ast.Attribute) and entry.name.startswith("__"):
        holder = ast.unparse(call.func.value)
        written = as_written(entry, holder, [ast.unparse(argument) for argument in arguments])
        if written:
            return _parsed(written)
    return ast.Call(func=func, args=arguments, keywords=[])
