"""Inputs for a function: those that existing tests give it, and variations of them. Pure, and the same each time.

An input is text: Python expressions for the receiver and each argument. What comes out of the sandbox is checked here
before it is used: only literals, containers, names and calls of names may stand in it.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TypeAlias

import msgspec

from greenlane.suite.lines import parse_expression
from greenlane.testgen.callables import is_guess
from greenlane.testgen.code import Function, Param

Import: TypeAlias = tuple[str, str]
"""(module, what of it), the latter perhaps with ` as name`; nothing for the module itself."""
Constructors: TypeAlias = Mapping[str, tuple[Param, ...]]
"""What the classes of a module take, by name."""

Pool: TypeAlias = Mapping[str, tuple["Description", ...]]
"""Values that tests give to parameters, by the parameter's name."""
MAX_EXPRESSION, MAX_STATEMENT = 500, 1_500
_ALLOWED = (
    ast.Expression, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Name, ast.Load, ast.Attribute, ast.Call,
    ast.keyword, ast.UnaryOp, ast.USub, ast.UAdd, ast.BinOp, ast.Div, ast.Add, ast.Sub, ast.BitAnd, ast.BitOr,
    ast.Invert, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Subscript,
    ast.JoinedStr, ast.FormattedValue,
)  # fmt: skip


_FUNCTIONS = (
    "NotImplemented abs all any ascii bin callable chr divmod hash hex len max min oct ord repr round sorted sum"
)
_BUILT_IN = frozenset(_FUNCTIONS.split()) | {
    name
    for name, found in vars(builtins).items()
    if isinstance(found, type) and name[0] != "_"
    if not issubclass(found, KeyboardInterrupt | SystemExit | GeneratorExit)
}
"""Names of the language that may stand in an expression from the sandbox: classes, and functions without effects."""


def is_error(name: str) -> bool:
    """Whether the language has an error of that name that ends no process."""
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, Exception)


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


class CarvedRow(msgspec.Struct, frozen=True):
    """What a test, by its node id, is given by its parameters."""

    test: str
    values: tuple[tuple[str, Description], ...]


class Step(msgspec.Struct, frozen=True):
    """A call that was made on the receiver before: the method and its arguments (name or None, expression)."""

    name: str
    arguments: tuple[tuple[str | None, str], ...] = ()


def bound_by(pair: Import) -> str:
    """The name that an import binds: `("shop.cart as cart", "")`, `("shop", "cart as c")`."""
    module, name = pair
    shown = name or module
    return shown.rpartition(" as ")[2] if " as " in shown else shown.split(".")[0]


def imports_named(imports: Iterable[Import], texts: Iterable[str]) -> frozenset[Import]:
    """Those of the imports whose names stand in these texts."""
    words = set(re.findall(r"\w+", "\n".join(texts)))
    return frozenset(pair for pair in imports if bound_by(pair) in words)


class Script(msgspec.Struct, frozen=True):
    """Statements of an existing test, and the expression that is looked at after them, all as text. `look` is a
    statement where the interest is in the error that it raises."""

    imports: frozenset[Import]
    setup: tuple[str, ...]
    look: str
    marks: tuple[str, ...] | None = None
    """Of a test that awaits: the marks that have it run in an event loop (mostly one, or none)."""

    @property
    def text(self) -> str:
        return "\n".join((*self.setup, self.look))


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A proposed call, or a `script` that leads to one (then there are no arguments). `arguments` are (name or None,
    expression); `steps` counts how far it is from a real call,
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
    script: Script | None = None

    @property
    def key(self) -> str:
        if self.script is not None:
            return f"{self.entry.module}.{self.entry.qualified}|{self.script.text}|{','.join(sorted(self.fixtures))}"
        past = "".join(f"|{step.name}{step.arguments}" for step in self.history)
        return f"{self.entry.module}.{self.entry.qualified}|{self.receiver}|{self.arguments}{past}"

    @property
    def made(self) -> str:
        """What a test of it does: a script does the same whichever function it is about."""
        return self.script.text if self.script is not None else self.key

    @property
    def texts(self) -> tuple[str, ...]:
        """All that it says, in order: statements and the look of a script, or the receiver (None, if there is none) and
        the arguments."""
        if self.script is not None:
            return (*self.script.setup, self.script.look)
        return (self.receiver or "None", *(text for _, text in self.arguments))

    def with_texts(self, texts: Sequence[str], imports: Iterable[Import] = ()) -> Case | None:
        """The same, a step further, with other texts in their places, and what a script then imports in addition; None
        if one is longer than may be."""
        if any(len(text) > (MAX_EXPRESSION if self.script is None else MAX_STATEMENT) for text in texts):
            return None
        if self.script is not None:
            script = msgspec.structs.replace(
                self.script, imports=self.script.imports | frozenset(imports), setup=tuple(texts[:-1]), look=texts[-1]
            )
            return msgspec.structs.replace(self, script=script, carved=False, steps=self.steps + 1)
        return msgspec.structs.replace(
            self,
            receiver=texts[0] if self.receiver else None,
            arguments=tuple((name, text) for (name, _), text in zip(self.arguments, texts[1:], strict=True)),
            carved=False,
            steps=self.steps + 1,
        )

    def with_text(self, place: int, text: str, imports: Iterable[Import] = ()) -> Case | None:
        """The same with this in the place of one of its texts."""
        return self.with_texts([*self.texts[:place], text, *self.texts[place + 1 :]], imports)

    def with_argument(self, number: int, text: str, imports: Iterable[Import] = ()) -> Case:
        """The same, a step further, with another expression as the argument at this place, and what that imports."""
        changed = (self.arguments[number][0], text)
        return msgspec.structs.replace(
            self,
            arguments=(*self.arguments[:number], changed, *self.arguments[number + 1 :]),
            imports=self.imports | frozenset(imports),
            carved=False,
            steps=self.steps + 1,
        )

    def with_script(self, script: Script, fixtures: frozenset[str] | None = None) -> Case:
        """The same, a step further, led to by a script; `fixtures` are those of the case if none are given."""
        return msgspec.structs.replace(
            self,
            script=script,
            receiver=None,
            arguments=(),
            history=(),
            imports=frozenset(),
            fixtures=self.fixtures if fixtures is None else fixtures,
            carved=False,
            steps=self.steps + 1,
        )

    @property
    def plainness(self) -> tuple[bool, int, int, int, str]:
        """To sort by: scripts first, then what is nearest to a real call, needs and says least."""
        return self.script is None, self.steps, len(self.fixtures), self.length, self.key

    @property
    def length(self) -> int:
        if self.script is not None:
            return len(self.script.text)
        past = sum(len(step.name) + sum(len(text) for _, text in step.arguments) for step in self.history)
        return len(self.receiver or "") + sum(len(text) for _, text in self.arguments) + past


def is_harmless(description: Description) -> bool:
    """Whether a description from the sandbox is a plain expression over names that it declares."""
    if len(description.text) > MAX_EXPRESSION:
        return False
    names = {name for _, name in description.imports} | set(description.fixtures)
    names |= _BUILT_IN | {"__file__"}
    try:
        tree = parse_expression(description.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    identifiers = [*(part for module, _ in description.imports for part in module.split(".")), *names]
    return all(identifier.isidentifier() for identifier in identifiers) and all(
        isinstance(node, _ALLOWED)
        and (not isinstance(node, ast.Name) or node.id in names)
        and (not isinstance(node, ast.Attribute) or not node.attr.startswith("__"))
        and (not isinstance(node, ast.FormattedValue) or _is_plain(node, description.fixtures))
        for node in ast.walk(tree)
    )


def _is_plain(held: ast.FormattedValue, fixtures: Sequence[str]) -> bool:
    """Whether it is a fixture alone that is put into a text, as it is: `f"{tmp_path}/a"`."""
    name = held.value.id if isinstance(held.value, ast.Name) else ""
    return name in fixtures and held.conversion == -1 and held.format_spec is None


def seed_cases(
    entry: Function,
    calls: Iterable[CarvedCall],
    rank: int,
    limit: int,
    receivers: Sequence[Receiver] = (),
) -> list[Case]:
    """The calls that existing tests made, shortest first; of a method, on one of `receivers` where its object can't be
    written down. `receivers` were looked at before, or are of our own making."""
    trusted = {receiver.made for receiver in receivers}
    if receivers:  # an object that can't be written down is replaced by one that can
        first = receivers[0]
        calls = [
            c if c.receiver else msgspec.structs.replace(c, receiver=first.made, history=first.history) for c in calls
        ]
    cases = [case for call in calls if (case := _from_call(entry, call, rank, trusted)) is not None]
    cases += _from_examples(entry, rank)
    unique = {case.key: case for case in cases}
    return sorted(unique.values(), key=lambda c: (len(c.fixtures), c.length, c.key))[:limit]


def calls_of(functions: Iterable[Function], calls: Iterable[CarvedCall]) -> list[CarvedCall]:
    """Those of the calls that are of these functions."""
    places = tuple(f"/{function.path}:{function.line}" for function in functions)
    return [call for call in calls if call.target.endswith(places)]


def pool_of(functions: Iterable[Function], calls: Iterable[CarvedCall]) -> dict[str, tuple[Description, ...]]:
    """The values that tests gave to parameters of these functions, one of each make, shortest first."""
    params = {f"/{f.path}:{f.line}": f.places for f in functions}
    found: dict[str, dict[str, Description]] = {}
    for call in calls:
        own = next((p for place, p in params.items() if call.target.endswith(place)), ())
        named = [(param.name, value) for param, value in zip(own, call.positional, strict=False)]
        for name, value in (*named, *call.keywords):
            if value is not None and not value.fixtures and is_harmless(value):
                make = value.text.partition("(")[0] if value.imports else value.text
                known = found.setdefault(name, {})
                if make not in known or len(value.text) < len(known[make].text):
                    known[make] = value
    return {name: tuple(sorted(known.values(), key=lambda d: (len(d.text), d.text))) for name, known in found.items()}


def harmless_steps(history: Iterable[CarvedStep]) -> tuple[CarvedStep, ...]:
    return tuple(
        step
        for step in history
        if step.name.isidentifier()
        and all(name.isidentifier() for name, _ in step.keywords)
        and all(is_harmless(part) for part in step.parts)
    )


def steps_of(history: Iterable[CarvedStep]) -> tuple[Step, ...]:
    return tuple(
        Step(s.name, (*((None, v.text) for v in s.positional), *((n, v.text) for n, v in s.keywords))) for s in history
    )


def _from_call(entry: Function, call: CarvedCall, rank: int, trusted: Set[Description]) -> Case | None:
    parts = [*call.positional, *(value for _, value in call.keywords)]
    bound = entry.kind in {"method", "class", "property"}
    if bound:
        parts.append(call.receiver)
    if any(part is None or not (part in trusted or is_guess(part.text) or is_harmless(part)) for part in parts):
        return None
    history = harmless_steps(call.history) if entry.kind in {"method", "property"} else ()
    used = [*(part for part in parts if part is not None), *(part for step in history for part in step.parts)]
    receiver = call.receiver.text if bound and call.receiver else entry.owner if entry.kind == "static" else None
    imports = frozenset(pair for part in used for pair in part.imports)
    if entry.kind == "static" and entry.owner:
        imports |= {(entry.module, entry.owner)}
    arguments: list[tuple[str | None, str]] = []
    plain = len(call.positional) <= len(entry.places)  # no *args, before which nothing can be left out
    for number, value in enumerate(call.positional):
        param = entry.places[number] if number < len(entry.places) else None
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
        history=steps_of(history),
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
