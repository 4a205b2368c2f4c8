"""Inputs for a function: those that existing tests give it, and variations of them. Pure, and the same each time.

An input is text: Python expressions for the receiver and each argument. What comes out of the sandbox is checked here
before it is used: only literals, containers, names and calls of names may stand in it.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.code import Function, Param
from greenlane.testgen.guesses import TEXTS, guess_options, guess_values, near_numbers

Constructors: TypeAlias = Mapping[str, tuple[Param, ...]]
"""What the classes of a module take, by name."""

MAX_EXPRESSION = 500
_RECEIVERS = 3
_ALLOWED = (
    ast.Expression, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Name, ast.Load, ast.Attribute, ast.Call,
    ast.keyword, ast.UnaryOp, ast.USub, ast.UAdd, ast.BinOp, ast.Div, ast.Add, ast.Sub, ast.BitAnd, ast.BitOr,
    ast.Invert, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Subscript,
)  # fmt: skip


class Description(msgspec.Struct, frozen=True):
    """A value as the sandbox wrote it down: an expression, what it imports (module, name), the fixtures it names."""

    text: str
    imports: tuple[tuple[str, str], ...] = ()
    fixtures: tuple[str, ...] = ()


class CarvedStep(msgspec.Struct, frozen=True, array_like=True):
    """A call that a test had made on the receiver before."""

    name: str
    positional: tuple[Description, ...] = ()
    keywords: tuple[tuple[str, Description], ...] = ()

    @property
    def parts(self) -> tuple[Description, ...]:
        return (*self.positional, *(value for _, value in self.keywords))


class Receiver(msgspec.Struct, frozen=True):
    """An object that a method can be called on: how it is made, and what was done with it."""

    made: Description
    history: tuple[CarvedStep, ...] = ()

    @property
    def key(self) -> str:
        return self.made.text + "".join(f"|{s.name}{[p.text for p in s.parts]}" for s in self.history)


class CarvedCall(msgspec.Struct, frozen=True):
    """A call that an existing test made; None stands for a value that could not be written down."""

    target: str
    receiver: Description | None
    positional: tuple[Description | None, ...]
    keywords: tuple[tuple[str, Description | None], ...]
    history: tuple[CarvedStep, ...] = ()


class Step(msgspec.Struct, frozen=True):
    """A call that was made on the receiver before: the method and its arguments (name or None, expression)."""

    name: str
    arguments: tuple[tuple[str | None, str], ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A proposed call. `arguments` are (name or None, expression); `steps` counts how far it is from a real call,
    `rank` orders entries (0: the function that a colleague would call first)."""

    entry: Function
    receiver: str | None
    arguments: tuple[tuple[str | None, str], ...]
    imports: frozenset[tuple[str, str]]
    fixtures: frozenset[str]
    carved: bool
    steps: int = 0
    rank: int = 0
    history: tuple[Step, ...] = ()

    @property
    def key(self) -> str:
        past = "".join(f"|{step.name}{step.arguments}" for step in self.history)
        return f"{self.entry.module}.{self.entry.qualified}|{self.receiver}|{self.arguments}{past}"

    @property
    def length(self) -> int:
        past = sum(len(step.name) + sum(len(text) for _, text in step.arguments) for step in self.history)
        return len(self.receiver or "") + sum(len(text) for _, text in self.arguments) + past


def is_harmless(description: Description) -> bool:
    """Whether a description from the sandbox is a plain expression over names that it declares."""
    if len(description.text) > MAX_EXPRESSION:
        return False
    names = {name for _, name in description.imports} | set(description.fixtures)
    names |= {"set", "frozenset", "float"}
    try:
        tree = parse_expression(description.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    identifiers = [*(part for module, _ in description.imports for part in module.split(".")), *names]
    return all(identifier.isidentifier() for identifier in identifiers) and all(
        isinstance(node, _ALLOWED)
        and (not isinstance(node, ast.Name) or node.id in names)
        and (not isinstance(node, ast.Attribute) or not node.attr.startswith("__"))
        for node in ast.walk(tree)
    )


def seed_cases(
    entry: Function,
    calls: Iterable[CarvedCall],
    rank: int,
    limit: int,
    receivers: Sequence[Receiver] = (),
) -> list[Case]:
    """The calls that existing tests made, shortest first; or made-up ones if there were none that could be used, for
    a method on `receivers`: objects of its class as tests make them."""
    if receivers:  # an object that can't be written down is replaced by one that can
        first = receivers[0]
        calls = [
            c if c.receiver else msgspec.structs.replace(c, receiver=first.made, history=first.history) for c in calls
        ]
    cases = [case for call in calls if (case := _from_call(entry, call, rank)) is not None]
    cases += _from_examples(entry, rank)
    unique = {case.key: case for case in cases}
    seeds = sorted(unique.values(), key=lambda c: (len(c.fixtures), c.length, c.key))[:limit]
    return seeds or _made_up(entry, rank, limit, receivers)


def made_receivers(entry: Function, calls: Iterable[CarvedCall], constructors: Constructors) -> list[Receiver]:
    """Objects of a method's class: as tests make and use them, or else made with no more than the class demands."""
    if entry.kind not in {"method", "property"} or entry.owner is None:
        return []
    found: dict[str, Receiver] = {}
    for call in calls:
        if call.receiver is not None and is_harmless(call.receiver):
            one = Receiver(call.receiver, _harmless_steps(call.history))
            found[one.key] = one
    if found:
        ordered = sorted(found.values(), key=lambda r: (len(r.history), len(r.made.text), r.key))
        plain = [r for r in ordered if not r.history][:_RECEIVERS]
        return [*plain, *[r for r in ordered if r.history][: 2 * _RECEIVERS - len(plain)]]
    params = [p for p in constructors.get(entry.owner, ()) if p.default is None]
    values = [guess_values(param, entry)[0] for param in params]
    given = [f"{p.name}={v}" if p.keyword_only else v for p, v in zip(params, values, strict=True)]
    return [Receiver(Description(f"{entry.owner}({', '.join(given)})", imports=((entry.module, entry.owner),)))]


def _harmless_steps(history: Iterable[CarvedStep]) -> tuple[CarvedStep, ...]:
    return tuple(
        step
        for step in history
        if step.name.isidentifier()
        and all(name.isidentifier() for name, _ in step.keywords)
        and all(is_harmless(part) for part in step.parts)
    )


def _steps(history: Iterable[CarvedStep]) -> tuple[Step, ...]:
    return tuple(
        Step(s.name, (*((None, v.text) for v in s.positional), *((n, v.text) for n, v in s.keywords))) for s in history
    )


def _from_call(entry: Function, call: CarvedCall, rank: int) -> Case | None:
    parts = [*call.positional, *(value for _, value in call.keywords)]
    bound = entry.kind in {"method", "class", "property"}
    if bound:
        parts.append(call.receiver)
    if any(part is None or not is_harmless(part) for part in parts):
        return None
    history = _harmless_steps(call.history) if entry.kind in {"method", "property"} else ()
    used = [*(part for part in parts if part is not None), *(part for step in history for part in step.parts)]
    receiver = call.receiver.text if bound and call.receiver else entry.owner if entry.kind == "static" else None
    imports = frozenset(pair for part in used for pair in part.imports)
    if entry.kind == "static" and entry.owner:
        imports |= {(entry.module, entry.owner)}
    arguments: list[tuple[str | None, str]] = []
    plain = len(call.positional) <= len(entry.params)  # no *args, before which nothing can be left out
    for number, value in enumerate(call.positional):
        param = entry.params[number] if number < len(entry.params) else None
        if value is None or (param is not None and param.default == value.text and plain):
            continue  # a default that was not given, as far as one can see
        gap = len([name for name, _ in arguments if name is None]) < number
        arguments.append((param.name if param is not None and gap else None, value.text))
    defaults = {param.name: param.default for param in entry.params}
    arguments += [(n, v.text) for n, v in call.keywords if v is not None and defaults.get(n) != v.text]
    return Case(
        entry=entry,
        receiver=receiver,
        arguments=tuple(arguments),
        imports=imports,
        fixtures=frozenset(name for part in used for name in part.fixtures),
        carved=True,
        rank=rank,
        history=_steps(history),
    )


def _from_examples(entry: Function, rank: int) -> list[Case]:
    """The calls in a function's own docstring."""
    if entry.kind not in {"function", "static"}:
        return []
    imports = frozenset([(entry.module, entry.owner)]) if entry.owner else frozenset[tuple[str, str]]()
    return [
        Case(
            entry=entry,
            receiver=entry.owner,
            arguments=arguments,
            imports=imports,
            fixtures=frozenset(),
            carved=True,
            rank=rank,
        )
        for arguments in entry.examples
    ]


def _made_up(entry: Function, rank: int, limit: int, receivers: Sequence[Receiver]) -> list[Case]:
    """Calls of a function that no test calls: from its annotations and the constants that it compares."""
    of_class = entry.kind in {"static", "class"} and entry.owner is not None
    if of_class:
        receivers = [Receiver(Description(entry.owner or "", imports=((entry.module, entry.owner or ""),)))]
    elif entry.kind in {"method", "property"} and not receivers:
        return []
    required = [param for param in entry.params if param.default is None]
    pools = [guess_values(param, entry)[:6] for param in required]
    names = [param.name if param.keyword_only else None for param in required]
    found = []
    for values in itertools.islice(itertools.product(*pools), limit * 4):
        for receiver in receivers or (None,):
            parts = [receiver.made, *(p for s in receiver.history for p in s.parts)] if receiver else []
            found.append(
                Case(
                    entry=entry,
                    receiver=receiver.made.text if receiver else None,
                    arguments=tuple(zip(names, values, strict=True)),
                    imports=frozenset(pair for part in parts for pair in part.imports),
                    fixtures=frozenset(name for part in parts for name in part.fixtures),
                    carved=False,
                    steps=1,
                    rank=rank,
                    history=_steps(receiver.history) if receiver else (),
                )
            )
    return found[: limit * 4]


# ------------------------------------------------------------------ variations


def vary(case: Case, limit: int, constructors: Constructors = MappingProxyType({})) -> list[Case]:
    """Calls that differ from this one in one place, most telling first. `constructors` says what the classes of the
    module take, so that an optional part of an object can be given, too."""
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
                arguments = list(case.arguments)
                arguments[place - offset] = (arguments[place - offset][0], text)
                changed = msgspec.structs.replace(case, arguments=tuple(arguments), carved=False, steps=case.steps + 1)
                found.append(changed)
        if len(found) > limit:
            break
    added = [*_with_other_history(case), *_with_option(case)]
    half = max(limit - len(added), limit // 2)
    unique = {c.key: c for c in [*found[:half], *added] if c.key != case.key}
    return list(unique.values())[:limit]


def _with_other_history(case: Case) -> Iterator[Case]:
    """The same call without one of the calls before it, or after the last of them was made twice."""
    for number in range(len(case.history)):
        shorter = case.history[:number] + case.history[number + 1 :]
        yield msgspec.structs.replace(case, history=shorter, carved=False, steps=case.steps + 1)
    if case.history:
        longer = (*case.history, case.history[-1])
        yield msgspec.structs.replace(case, history=longer, carved=False, steps=case.steps + 1)


def _with_option(case: Case) -> Iterator[Case]:
    """The same call with one optional argument given that it left out."""
    given = {name for name, _ in case.arguments}
    count = len([1 for name, _ in case.arguments if name is None])
    for param in case.entry.params[count:]:
        if param.default is None or param.name in given:
            continue
        for value in guess_options(param, case.entry):
            yield msgspec.structs.replace(
                case, arguments=(*case.arguments, (param.name, value)), carved=False, steps=case.steps + 1
            )


def _variants(text: str, entry: Function, constructors: Constructors) -> Iterator[str]:
    """The expression with one node of it replaced."""
    try:
        tree = parse_expression(text)
    except SyntaxError:
        return
    signed = {id(node.operand) for node in ast.walk(tree) if isinstance(node, ast.UnaryOp)}
    places = [node for node in ast.walk(tree) if _is_place(node) and id(node) not in signed]
    streams = [_replacements(node, entry, constructors) for node in places]
    seen = {text}
    for row in itertools.zip_longest(*streams):
        for number, replacement in enumerate(row):
            if replacement is None:
                continue
            changed = ast.unparse(_replace(tree, places[number], replacement))
            if changed not in seen:
                seen.add(changed)
                yield changed


def _is_place(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant | ast.UnaryOp | ast.List | ast.Tuple | ast.Set | ast.Dict | ast.Call)


def _replace(tree: ast.Expression, old: ast.AST, new: ast.expr) -> ast.Expression:
    class Replacing(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    memo = {id(old): old}  # the one node that is to be found again in the copy
    copied: ast.Expression = copy.deepcopy(tree, memo)
    replaced = Replacing().visit(copied)
    assert isinstance(replaced, ast.Expression)
    return ast.fix_missing_locations(replaced)


def _replacements(node: ast.AST, entry: Function, constructors: Constructors) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        yield from _with_parts(node, entry, constructors)
        return
    if isinstance(node, ast.Constant | ast.UnaryOp):
        yield from (_constant(value) for value in _other_constants(ast.literal_eval(node), entry))
        return
    if isinstance(node, ast.Dict):
        yield from _other_dicts(node, entry)
        return
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        items = node.elts
        yield _rebuilt(node, [])
        if len(items) > 1:
            yield _rebuilt(node, items[:1])
            yield _rebuilt(node, items[:-1])
            yield _rebuilt(node, items[::-1])
        if items:
            yield _rebuilt(node, [*items, items[-1]])


def _with_parts(node: ast.Call, entry: Function, constructors: Constructors) -> Iterator[ast.expr]:
    """The same object with one optional part given that was left out."""
    given = {keyword.arg for keyword in node.keywords}
    params = constructors.get(node.func.id, ()) if isinstance(node.func, ast.Name) else ()
    for param in params[len(node.args) :]:
        if param.default is None or param.name in given:
            continue
        for value in guess_options(param, entry):
            part = ast.keyword(arg=param.name, value=parse_expression(value).body)
            yield ast.Call(func=node.func, args=node.args, keywords=[*node.keywords, part])


def _constant(value: object) -> ast.expr:
    text = repr(value)
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        text = f'float("{value}")'
    return parse_expression(text).body


def _strange_numbers(entry: Function) -> list[object]:
    """Where the code asks for them, what is a number and is none."""
    return [float("nan"), float("inf"), float("-inf")] if entry.calls & _FLOAT_CALLS else []


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
        found += [*(n for n in numbers if isinstance(n, float)), "abc"]
    elif isinstance(value, float):
        found = [*_strange_numbers(entry), *numbers, 0.0, -1.0, value + 1, -value, value * 100, "abc"]
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
    return [other for other in found if other != value or type(other) is not type(value)]


def _other_dicts(node: ast.Dict, entry: Function) -> Iterator[ast.expr]:
    present = {key.value for key in node.keys if isinstance(key, ast.Constant)}
    for key in entry.keys:
        if key in present:
            continue
        for value in (*[c for c in entry.constants if c not in entry.keys][:4], 1, "a", True):
            yield ast.Dict(keys=[*node.keys, _constant(key)], values=[*node.values, _constant(value)])
    for number in range(len(node.keys)):
        keys, values = list(node.keys), list(node.values)
        del keys[number], values[number]
        yield ast.Dict(keys=keys, values=values)
    if node.keys:
        yield ast.Dict(keys=[], values=[])
