"""Variations of a call: the same with one place of it changed. Pure, and the same each time."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from types import MappingProxyType

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.boundaries import as_long_as_asked, at_the_ends
from greenlane.testgen.callables import callables_for
from greenlane.testgen.code import Function, Param
from greenlane.testgen.commandlines import command_lines
from greenlane.testgen.exchanged import Exchanging
from greenlane.testgen.fixed import fixed_nodes, is_strange
from greenlane.testgen.guesses import GUESSED, TEXTS, guess_options, guess_values, imports_for, near_numbers, needs_of
from greenlane.testgen.inputs import MAX_EXPRESSION, MAX_STATEMENT, Case, Constructors, Pool, Script, Step
from greenlane.testgen.inside.greenlane_edits import name_of
from greenlane.testgen.kinds import kinds_told_apart, scripts_of_other_kinds, with_other_kinds
from greenlane.testgen.nested import wrapped
from greenlane.testgen.options import (
    from_pool,
    objects_of_kinds,
    of_asked_kind,
    of_wrong_kind,
    options,
    sampled,
    with_option,
    with_options_together,
    with_sample,
    without_option,
)
from greenlane.testgen.positional import rest_given, with_rest
from greenlane.testgen.signatures import asks_for_kinds, other_callables, other_functions
from greenlane.testgen.turns import in_turn


def vary(
    case: Case, limit: int, constructors: Constructors = MappingProxyType({}), pool: Pool = MappingProxyType({})
) -> list[Case]:
    """Calls that differ from this one in one place, most telling first. `constructors` says what the classes and
    functions of the module take, so that an optional part of an object can be given, too; `pool` what tests give."""
    if case.script is not None:
        return list(itertools.islice(_other_scripts(case, case.script, constructors), limit))
    texts = ([case.receiver] if case.receiver else []) + [text for _, text in case.arguments]
    streams = [_variants(text, case.entry, constructors) for text in texts]
    found: list[Case] = []
    offset = 1 if case.receiver else 0
    for row in itertools.zip_longest(*streams):  # one variation of each argument in turn
        for place, text in enumerate(row):
            if text is None or len(text) > MAX_EXPRESSION:
                continue
            if case.receiver and place == 0:
                found.append(msgspec.structs.replace(case, receiver=text, carved=False, steps=case.steps + 1))
            else:
                found.append(case.with_argument(place - offset, text))
        if len(found) > limit:
            break
    added = [
        *with_other_kinds(case, kinds_told_apart(case.entry)),
        *with_sample(case),
        *with_rest(case),
        *wrapped(case),
        *with_options_together(case),
        *without_option(case),
        *_with_other_history(case),
        *from_pool(case, pool),
    ]
    added += [
        *other_callables(case),
        *_both_sides(case),
        *of_asked_kind(case),
        *of_wrong_kind(case),
        *_with_class(case, constructors),
        *with_option(case),
    ]
    half = max(limit - len(added), limit // 2)
    unique = {c.key: c for c in [*found[:half], *added] if c.key != case.key}
    return [whole(one) for one in list(unique.values())[:limit]]


def whole(case: Case) -> Case:
    """With the imports and fixtures that a guessed value needs and nothing else brought; without those of a guessed
    value that is there no more."""
    known = {name for _, name in case.imports}
    texts = (case.receiver or "", *(text for _, text in case.arguments))
    needs = [needs_of(text, case.entry) for text in texts]
    imports = {pair for imported, _ in needs for pair in imported if pair[1] not in known}
    fixtures = {name for _, named in needs for name in named}
    idle = case.imports & GUESSED - {pair for imported, _ in needs for pair in imported} if not case.history else set()
    if imports <= case.imports and fixtures <= case.fixtures and not idle:
        return case
    return msgspec.structs.replace(case, imports=case.imports - idle | imports, fixtures=case.fixtures | fixtures)


def _other_scripts(case: Case, script: Script, constructors: Constructors) -> Iterator[Case]:
    """Scripts with one place of one statement changed, the last statements first, and without one of them."""
    texts = [script.look, *reversed(script.setup)]
    streams = [_variants(text, case.entry, constructors, statement=True) for text in texts]
    seen = {script.text}

    def changed(place: int, text: str | None) -> Script:
        rows = [row if number != place else text for number, row in enumerate(texts)]
        setup = tuple(row for row in reversed(rows[1:]) if row is not None)
        imports = script.imports | imports_for(text or "", script.text)
        return msgspec.structs.replace(script, look=rows[0] or script.look, setup=setup, imports=imports)

    plain = (changed(n, None) for n, text in enumerate(texts) if n and _may_go(text))
    varied = (
        changed(n, text)
        for row in itertools.zip_longest(*streams)
        for n, text in enumerate(row)
        if text is not None and len(text) <= MAX_STATEMENT
    )
    kinds = scripts_of_other_kinds(script, kinds_told_apart(case.entry))
    for other in itertools.chain(kinds, plain, varied):
        if other.text not in seen:
            seen.add(other.text)
            yield msgspec.structs.replace(case, script=other, carved=False, steps=case.steps + 1)


def _may_go(text: str) -> bool:
    """Whether it is a call for what it does; none that puts something in its place, which the look may be about."""
    body = parse_source(text).body
    return len(body) == 1 and isinstance(body[0], ast.Expr) and not text.startswith("monkeypatch.setattr(")


def _with_other_history(case: Case) -> Iterator[Case]:
    """The same call without one of the calls before it, or after the last of them was made twice."""
    for number in range(len(case.history)):
        shorter = case.history[:number] + case.history[number + 1 :]
        yield msgspec.structs.replace(case, history=shorter, carved=False, steps=case.steps + 1)
    if case.receiver and not case.entry.returns_value and case.entry.kind == "method":
        twice = (*case.history, Step(case.entry.name, case.arguments))
        yield msgspec.structs.replace(case, history=twice, carved=False, steps=case.steps + 1)
    if case.history:
        longer = (*case.history, case.history[-1])
        yield msgspec.structs.replace(case, history=longer, carved=False, steps=case.steps + 1)


def _both_sides(case: Case) -> Iterator[Case]:
    """A call of an object with its like, both of them the same: what asks one thing of both is met by no change of one
    of them."""
    made = _made_by(case.receiver or "")
    for number, (name, text) in enumerate(case.arguments):
        other = _made_by(text)
        if made is None or other is None or ast.unparse(made.func) != ast.unparse(other.func):
            continue
        bare = [ast.unparse(ast.Call(func=call.func, args=call.args, keywords=[])) for call in (made, other)]
        for both in dict.fromkeys([*bare, case.receiver or "", text]):
            arguments = (*case.arguments[:number], (name, both), *case.arguments[number + 1 :])
            for history in dict.fromkeys([case.history, ()]):
                yield msgspec.structs.replace(
                    case, receiver=both, arguments=arguments, history=history, carved=False, steps=case.steps + 1
                )


def _made_by(text: str) -> ast.Call | None:
    """The call that makes an object; None for what is made otherwise."""
    node = parse_expression(text).body if text[:1].isupper() or text[:2].strip("_")[:1].isupper() else None
    return node if isinstance(node, ast.Call) else None


def _with_class(case: Case, constructors: Constructors) -> Iterator[Case]:
    """The same call with an object of a class that the function asks for, made from what was given."""
    for number, (_, text) in enumerate(case.arguments):
        for kind in case.entry.kinds:
            params = constructors.get(kind) if kind[:1].isupper() or kind[:2].strip("_")[:1].isupper() else None
            if params is None or text.startswith(f"{kind}("):
                continue
            required = [param for param in params if param.default is None]
            guessed = [guess_values(param, case.entry)[0] for param in required]
            for values in ([text, *guessed[1:]] if guessed else [], guessed):
                given = [f"{p.name}={v}" if p.keyword_only else v for p, v in zip(required, values, strict=False)]
                made = f"{kind}({', '.join(given)})"
                yield case.with_argument(number, made, [(case.entry.home_of(kind), kind)])


def _variants(text: str, entry: Function, constructors: Constructors, *, statement: bool = False) -> Iterator[str]:
    """The expression, or statement, with one node of it replaced."""
    try:
        tree: ast.AST = parse_source(text) if statement else parse_expression(text)
    except (SyntaxError, UnreadableSourceError):
        return
    hidden = fixed_nodes(tree)
    places = [node for node in ast.walk(tree) if _is_place(node) and id(node) not in hidden]
    streams = [_replacements(node, entry, constructors) for node in places]
    seen = {text}
    for row in itertools.zip_longest(*streams):
        for number, replacement in enumerate(row):
            if replacement is None:
                continue
            changed = ast.unparse(Exchanging(places[number], replacement).visit(tree))
            if changed not in seen:
                seen.add(changed)
                yield changed


def _is_place(node: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)
    return isinstance(
        node, ast.Constant | ast.List | ast.Tuple | ast.Set | ast.Dict | ast.Call | ast.Lambda | ast.FunctionDef
    )


def _replacements(node: ast.AST, entry: Function, constructors: Constructors) -> Iterator[ast.AST]:
    if is_strange(node):
        yield from (_constant(value) for value in _other_constants(1.0, entry))
        return
    if isinstance(node, ast.Call):
        yield from _with_parts(node, entry, constructors)
        return
    if isinstance(node, ast.Lambda):
        guessed = (parse_expression(other).body for other in callables_for(entry.asks))
        yield from in_turn([other_functions(node) if asks_for_kinds(entry.asks) else (), guessed])
        return
    if isinstance(node, ast.FunctionDef):
        yield from other_functions(node) if asks_for_kinds(entry.asks) else ()
        return
    if isinstance(node, ast.Constant | ast.UnaryOp):
        value = ast.literal_eval(node)
        asked = isinstance(value, str | bytes) and "len" in entry.calls
        long = as_long_as_asked(entry.constants, value) if asked else ()
        yield from in_turn([map(_constant, _other_constants(value, entry)), long, objects_of_kinds(entry)])
        return
    if isinstance(node, ast.Dict):
        yield from _other_dicts(node, entry)
        return
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        items = node.elts
        if isinstance(node, ast.List):
            yield from (_rebuilt(node, given) for given in command_lines(items, entry))
            yield from as_long_as_asked(entry.constants, items) if "len" in entry.calls else ()
        yield _rebuilt(node, [])
        if len(items) > 1:
            yield _rebuilt(node, items[:1])
            yield _rebuilt(node, items[:-1])
            yield _rebuilt(node, items[::-1])
        if items:
            yield _rebuilt(node, [*items, items[-1]])


def _with_parts(node: ast.Call, entry: Function, constructors: Constructors) -> Iterator[ast.expr]:
    """The same call with an optional part more or less, or a part of the shape that the code asks for."""
    given = {keyword.arg for keyword in node.keywords}
    called = name_of(node)
    params = constructors.get(called) or (entry.params if called == entry.called else ())
    left = _not_placed(params, node)
    more = rest_given(node, entry) if called == entry.called else ()
    yield from in_turn([at_the_ends(node), more, sampled(node, params, entry if called == entry.called else None)])
    for name, value in in_turn([_as_its_like(left, node), options(left, given, entry)]):
        part = ast.keyword(arg=name, value=parse_expression(value).body)
        yield ast.Call(func=node.func, args=node.args, keywords=[*node.keywords, part])
    for keyword in node.keywords:
        yield ast.Call(func=node.func, args=node.args, keywords=[k for k in node.keywords if k is not keyword])
        for value in _of_another_kind(keyword, entry, constructors):
            part = ast.keyword(arg=keyword.arg, value=parse_expression(value).body)
            others = [part if k is keyword else k for k in node.keywords]
            yield ast.Call(func=node.func, args=node.args, keywords=others)
    if node.args and params:
        yield ast.Call(func=node.func, args=node.args[:-1], keywords=node.keywords)


def _not_placed(params: Sequence[Param], node: ast.Call) -> list[Param]:
    """The parameters that the call gives nothing by their place."""
    placed = [param for param in params if not param.keyword_only][: len(node.args)]
    return [param for param in params if param not in placed]


def _of_another_kind(keyword: ast.keyword, entry: Function, constructors: Constructors) -> list[str]:
    """Values of the kinds that the code tells apart of what is given by this name, wherever it ends up."""
    named = (param for params in constructors.values() for param in params if param.name == keyword.arg and param.told)
    param = next(named, None)
    before = ast.unparse(keyword.value)
    return [value for value in guess_options(param, entry) if value != before] if param is not None else []


def _as_its_like(params: Sequence[Param], node: ast.Call) -> Iterator[tuple[str, str]]:
    """For options that were left out, of which nothing is known, what the call gives to another: `lock=lambda self:
    self` stands beside a new option `condition`."""
    given = {keyword.arg for keyword in node.keywords}
    left = [p for p in params if p.default == "None" and not p.annotation and p.name not in given]
    for keyword in node.keywords:
        if keyword.arg is not None and not isinstance(keyword.value, ast.Constant):
            yield from ((param.name, ast.unparse(keyword.value)) for param in left)


def _constant(value: object) -> ast.expr:
    text = "..." if value is ... else repr(value)
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        text = f'float("{value}")'
    return parse_expression(text).body


def _strange_numbers(entry: Function) -> list[object]:
    """Where the code asks for them, what is a number and is none."""
    return [float("nan"), float("inf"), float("-inf")] if entry.calls & _FLOAT_CALLS else []


_NAMED = 2
_ONLY_ONES = (("Ellipsis", ...), ("NotImplemented", NotImplemented))
_FLOAT_CALLS = frozenset({"isnan", "isinf", "isfinite", "float", "log", "log10", "log2", "floor", "ceil", "round"})


def _rebuilt(node: ast.List | ast.Tuple | ast.Set, items: list[ast.expr]) -> ast.expr:
    if isinstance(node, ast.Set):
        return ast.Set(elts=items) if items else parse_expression("set()").body
    return type(node)(elts=items, ctx=ast.Load())


def _other_constants(value: object, entry: Function) -> list[object]:
    numbers = near_numbers(entry.constants)
    texts = [c for c in entry.constants if isinstance(c, str)]
    found: list[object]
    if isinstance(value, bool):
        found = [not value]
    elif isinstance(value, int):
        found = [
            *_strange_numbers(entry),
            *(n for n in numbers if isinstance(n, int)),
            0,
            -1,
            1,
            value + 1,
            value - 1,
            -value,
            value * 10,
        ]
        found += [*(n for n in numbers if isinstance(n, float)), "abc", 10**17]
    elif isinstance(value, float):
        found = [*_strange_numbers(entry), *numbers, 0.0, -1.0, value + 1, -value, value * 100, "abc", 1e17]
    elif isinstance(value, str):
        joined = [t + value for t in texts[:4]] + [value + t for t in texts[:4]]
        found = [
            *map(str, _strange_numbers(entry)),
            *texts,
            "",
            *joined,
            value.upper(),
            value.lower(),
            f" {value} ",
            value + value,
            value[:1],
            *TEXTS,
        ]
    elif isinstance(value, bytes):
        found = [*(c for c in entry.constants if isinstance(c, bytes)), b"", b"abc", value + value]
    else:
        found = [*numbers[:4], *texts[:4], 0, 1, "", "a", True]
    if None in entry.constants and value is not None:
        found.insert(min(4, len(found)), None)
    found[2:2] = [one for name, one in _ONLY_ONES if name in entry.kinds]
    return [other for other in found if other != value or type(other) is not type(value)]


def _other_dicts(node: ast.Dict, entry: Function) -> Iterator[ast.expr]:
    """With another value where the code tells what it asks for, with one key more (whose value is what another has, or
    another key: what refers to it; one of another kind, too), or one less."""
    held = {key: [parse_expression(text).body for text in values] for key, values in entry.held}
    places = [(n, key.value) for n, key in enumerate(node.keys) if isinstance(key, ast.Constant)]
    yield from in_turn(
        [ast.Dict(keys=node.keys, values=[*node.values[:n], value, *node.values[n + 1 :]]) for value in held[key]]
        for n, key in places
        if key in held
    )
    present = {key for _, key in places}
    fresh = next((text for text in ("b", "c", "d") if text not in present), None)
    first = node.keys[0] if node.keys and len(present) == len(node.keys) else None
    for value in (first, node.values[0]) if first is not None and fresh is not None else ():
        yield ast.Dict(keys=[*node.keys, _constant(fresh)], values=[*node.values, value])
    if first is not None and all(isinstance(key, str) for key in present):
        yield ast.Dict(keys=[*node.keys, _constant(1)], values=[*node.values, node.values[0]])
    plain = [_constant(value) for value in ([c for c in entry.constants if c not in entry.keys][:4], 1, "a", True)]
    texts = [n.value for value in node.values for n in ast.walk(value) if isinstance(n, ast.Constant)]
    named = [text for text in dict.fromkeys(texts) if isinstance(text, str) and text.isidentifier()][:_NAMED]
    yield from in_turn(
        [ast.Dict(keys=[*node.keys, _constant(key)], values=[*node.values, value]) for value in held.get(key, plain)]
        for key in dict.fromkeys([*entry.keys, *(named if entry.held else ())])  # what is named inside may be asked for
        if key not in present
    )
    for number in range(len(node.keys)):
        keys, values = list(node.keys), list(node.values)
        del keys[number], values[number]
        yield ast.Dict(keys=keys, values=values)
    if node.keys:
        yield ast.Dict(keys=[], values=[])
