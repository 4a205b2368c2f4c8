"""The code under test as facts: functions, their parameters, the constants they compare, and what guards a line.

Pure: reads text, runs nothing.
"""

from __future__ import annotations

import ast
import doctest
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Literal, TypeAlias, TypeVar

import msgspec

from greenlane.suite.lines import parse_source
from greenlane.testgen.constants import MAX_CONSTANTS, Constant, class_constants, constants_of, module_constants
from greenlane.testgen.enums import enumerations
from greenlane.testgen.records import Held, held_by_keys
from greenlane.testgen.rest import handed_to, named_places, read_by_name

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
FunctionKind = Literal["function", "method", "static", "class", "property", "init"]
"""`init` is what runs when an object is made: it is called by its class."""
RunsAt = Literal["", "set", "delete"]
_RUNS_AT: Mapping[str, RunsAt] = MappingProxyType({"setter": "set", "deleter": "delete"})
T = TypeVar("T")
_MAX_EXAMPLES = 20
_MAX_OBSERVERS = 6


class Param(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter: its annotation and default as text, and whether it can only be given by name."""

    name: str
    annotation: str = ""
    default: str | None = None
    keyword_only: bool = False
    told: str = ""
    """Kinds that its use suggests, where there is no annotation."""
    choices: tuple[str, ...] = ()
    """The members of the enumeration that it is of, where that stands in the same module."""
    samples: tuple[str, ...] = ()
    """Expressions for what its use asks for (`shapes.py`)."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function or method at module or class level. `line` is that of its code object (the first decorator's)."""

    path: str
    module: str
    name: str
    owner: str | None
    kind: FunctionKind
    line: int
    first: int
    last: int
    params: tuple[Param, ...]
    asynchronous: bool
    returns_value: bool
    constants: tuple[Constant, ...]
    keys: tuple[str, ...]
    """String constants that are looked up in something (`x["k"]`, `x.get("k")`, `"k" in x`)."""
    held: Held = ()
    """What may stand under keys that are looked up."""
    calls: frozenset[str]
    asks: frozenset[str] = frozenset()
    """Names that say what it asks of a value: of attributes, also as texts (`hasattr(x, "close")`), and of what it
    calls."""
    kinds: tuple[str, ...] = ()
    """Names of the classes that it asks for with `isinstance`, or that its parameters are said to be of."""
    decides: frozenset[str] = frozenset()
    """Names of what its conditions call."""
    examples: tuple[tuple[tuple[str | None, str], ...], ...] = ()
    """Arguments (name or None, expression) of the calls of it in its own docstring's examples."""
    together: tuple[tuple[str, ...], ...] = ()
    """Optional parameters that one condition names together (`uses.py` finds them)."""
    hands_on: frozenset[str] = frozenset()
    """Last names of what it calls with all of its `**options`."""
    rest: tuple[Param, ...] = ()
    """What it takes as `*args`: a parameter for each further place that it asks for (`positional.py`)."""
    fluent: bool = False
    """It gives an object of its own class, on which further methods are called."""
    flags: tuple[tuple[str, ...], ...] = ()
    """What can be given on the command line that it takes: a flag each, with a value where it takes one."""
    needed: tuple[str, ...] = ()
    """The words without which that command line is refused."""
    classes: tuple[tuple[str, str], ...] = ()
    """(name, module that defines it) of the classes that its module knows."""
    wrappings: tuple[str, ...] = ()
    """What its argument looks like around another argument of it (`...`), where it calls itself (`nested.py`)."""
    runs_at: RunsAt = ""
    """A property's setter runs as something is assigned to it, its deleter as it is deleted."""
    observers: tuple[str, ...] = ()
    """Public methods of its class that give a value and take nothing: where a method gives none, they may show what it
    changed."""

    @property
    def holder(self) -> str:
        """The name that a test gives to an object that it is called on."""
        return (self.owner or "receiver").lower()

    @property
    def called(self) -> str:
        """The name that is called from outside, on the module or the receiver."""
        return self.owner if self.kind == "init" and self.owner else self.name

    @property
    def qualified(self) -> str:
        return f"{self.owner}.{self.name}" if self.owner else self.name

    @property
    def places(self) -> tuple[Param, ...]:
        """The parameters that can be given by their place."""
        return tuple(param for param in self.params if not param.keyword_only)

    def home_of(self, name: str) -> str:
        """The module from which a class that its module knows is imported; its own module for any other name."""
        return dict(self.classes).get(name, self.module)

    @property
    def private(self) -> bool:
        return self.name.startswith("_") and not self.name.endswith("__")


def module_name(path: str, roots: tuple[str, ...]) -> str:
    """The dotted name under which a file is imported, given the folders on the import path."""
    best = PurePosixPath(path)
    for root in roots:
        if root not in {".", ""} and PurePosixPath(path).is_relative_to(root):
            shorter = PurePosixPath(path).relative_to(root)
            best = min(best, shorter, key=lambda p: len(p.parts))
    parts = list(best.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def list_functions(tree: ast.Module, path: str, module: str, borrowed: Iterable[ast.stmt] = ()) -> tuple[Function, ...]:
    """All functions that can be called from outside: at module level, and methods of classes at module level. Constants
    that are `borrowed` of other modules are known to them."""
    constants = module_constants(ast.Module(body=[*borrowed, *tree.body], type_ignores=[]))
    found: list[Function] = []
    for node in _flat(tree.body):
        if isinstance(node, FunctionNode):
            found.append(_describe(node, path, module, None, constants))
        elif isinstance(node, ast.ClassDef):
            members = [member for member in _flat(node.body) if isinstance(member, FunctionNode)]
            named = constants | class_constants(node)
            described = [_describe(member, path, module, node.name, named) for member in members]
            observers = tuple(f.name for f in described if _is_observer(f))[:_MAX_OBSERVERS]
            found += [
                f if f.returns_value or f.kind != "method" else msgspec.structs.replace(f, observers=observers)
                for f in described
            ]
    enums = enumerations(tree)
    classes = tuple((node.name, module) for node in tree.body if isinstance(node, ast.ClassDef))
    return tuple(
        msgspec.structs.replace(f, params=with_choices(_all_taken(f, found), enums), classes=classes) for f in found
    )


def _all_taken(function: Function, known: list[Function]) -> tuple[Param, ...]:
    """Its parameters, and the optional ones of what it hands its `**options` on to."""
    taken = (p for f in known if f is not function and f.called in function.hands_on for p in f.params)
    more = {p.name: msgspec.structs.replace(p, keyword_only=True) for p in taken if p.default is not None}
    own = {param.name for param in function.params}
    return (*function.params, *(param for name, param in more.items() if name not in own))


def with_choices(params: tuple[Param, ...], enums: Mapping[str, tuple[str, ...]]) -> tuple[Param, ...]:
    """The parameters, those that hold a member of an enumeration with its members."""
    if not enums:
        return params
    told = [(p, (p.default or "").split(".")[0], re.split(r"\W+", p.annotation)) for p in params]
    return tuple(
        msgspec.structs.replace(p, choices=next((e for n, e in enums.items() if n == default or n in words), p.choices))
        for p, default, words in told
    )


def _is_observer(function: Function) -> bool:
    nothing = all(param.default is not None for param in function.params)
    public = function.kind == "method" and not function.name.startswith("_")
    return public and nothing and function.returns_value and not function.asynchronous


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a body and of the `if`/`try` blocks directly in it."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _flat(node.body)
            yield from _flat(node.orelse)


def _describe(
    node: FunctionNode, path: str, module: str, owner: str | None, constants: Mapping[str, tuple[Constant, ...]]
) -> Function:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    kind = "init" if owner and node.name in {"__init__", "__new__"} else _kind(owner, decorators)
    params = params_of(node)
    return Function(
        path=path,
        module=module,
        name=node.name,
        owner=owner,
        kind=kind,
        line=min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]),
        first=node.lineno,
        last=node.end_lineno or node.lineno,
        params=params[1:] if kind in {"method", "class", "property", "init"} else params,
        asynchronous=isinstance(node, ast.AsyncFunctionDef),
        returns_value=any(isinstance(n, ast.Return | ast.Yield) and n.value is not None for n in ast.walk(node)),
        constants=constants_of(node, constants),
        keys=_keys(node),
        held=held_by_keys(node, constants),
        calls=frozenset(_called(node)),
        asks=frozenset(_asked(node)),
        kinds=_kinds(node),
        decides=frozenset(_deciding(node)),
        examples=tuple(_examples(node)),
        hands_on=handed_to(node),
        rest=_rest(node, params),
        fluent=kind == "method" and _is_fluent(node, owner or ""),
        runs_at=next((way for end, way in _RUNS_AT.items() if f"{node.name}.{end}" in decorators), ""),
    )


def _is_fluent(node: FunctionNode, owner: str) -> bool:
    """By its annotation; or it returns itself, or an object that it made of its own class."""
    if node.returns is not None and ast.unparse(node.returns).strip("'\"").split(".")[-1] in {owner, "Self"}:
        return True
    makers = {"type(self)", "self.__class__", owner}
    made = {"self"} | {
        target.id
        for n in ast.walk(node)
        if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call) and ast.unparse(n.value.func) in makers
        for target in n.targets
        if isinstance(target, ast.Name)
    }
    given = [n.value for n in ast.walk(node) if isinstance(n, ast.Return)]
    return any(
        (isinstance(v, ast.Name) and v.id in made) or (isinstance(v, ast.Call) and ast.unparse(v.func) in makers)
        for v in given
    )


def _examples(node: FunctionNode) -> Iterator[tuple[tuple[str | None, str], ...]]:
    """Calls in `>>>` lines whose arguments are literals."""
    try:
        found = doctest.DocTestParser().get_examples(ast.get_docstring(node) or "")
        calls = [part for example in found[:_MAX_EXAMPLES] for part in ast.walk(parse_source(example.source))]
    except ValueError:  # no examples that one could run, or unreadable ones
        return
    for call in calls:
        name = getattr(call, "func", None)
        called = name.id if isinstance(name, ast.Name) else name.attr if isinstance(name, ast.Attribute) else ""
        if not isinstance(call, ast.Call) or called != node.name:
            continue
        values = [(None, argument) for argument in call.args] + [(k.arg, k.value) for k in call.keywords]
        if all(_is_literal(value) for _, value in values) and all(k.arg for k in call.keywords):
            yield tuple((key, ast.unparse(value)) for key, value in values)


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _kind(owner: str | None, decorators: list[str]) -> FunctionKind:
    if owner is None:
        return "function"
    for decorator in decorators:
        if decorator == "staticmethod":
            return "static"
        if decorator == "classmethod":
            return "class"
        if decorator.split(".")[-1] in {"property", "cached_property"}:
            return "property"
    return "method"


def params_of(node: FunctionNode) -> tuple[Param, ...]:
    """The parameters, and as optional ones the keys that are read from `**options`."""
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    missing = [None] * (len(plain) - len(arguments.defaults))
    pairs: list[tuple[ast.arg, ast.expr | None, bool]] = [
        (argument, default, False) for argument, default in zip(plain, [*missing, *arguments.defaults], strict=True)
    ]
    pairs += [(a, d, True) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    named = (
        Param(
            name=argument.arg,
            annotation=ast.unparse(argument.annotation) if argument.annotation else "",
            default=ast.unparse(default) if default is not None else None,
            keyword_only=only,
        )
        for argument, default, only in pairs
    )
    read = read_by_name(node).items()
    return (*named, *(Param(name=name, default=default, keyword_only=True) for name, default in read))


def _rest(node: FunctionNode, params: tuple[Param, ...]) -> tuple[Param, ...]:
    """A parameter for each further place: the one whose name it is given, or one as its annotation says."""
    said = node.args.vararg.annotation if node.args.vararg else None
    own = {param.name: param for param in params}
    any_of_them = ast.unparse(said) if said is not None else ""
    return tuple(own.get(name) or Param(name=name, annotation=any_of_them) for name in named_places(node))


def _keys(node: FunctionNode) -> tuple[str, ...]:
    found: list[object] = []
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
            found.append(part.slice.value)
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in {"get", "pop"}:
            found += [a.value for a in part.args[:1] if isinstance(a, ast.Constant)]
        elif isinstance(part, ast.Compare) and isinstance(part.left, ast.Constant):
            found += [part.left.value] if any(isinstance(op, ast.In | ast.NotIn) for op in part.ops) else []
    return tuple(dict.fromkeys(key for key in found if isinstance(key, str)))[:MAX_CONSTANTS]


def _kinds(node: FunctionNode) -> tuple[str, ...]:
    asked = [
        part.args[1]
        for part in ast.walk(node)
        if isinstance(part, ast.Call) and getattr(part.func, "id", "") == "isinstance" and len(part.args) == 2
    ]
    said = [a.annotation for a in (*node.args.args, *node.args.kwonlyargs) if a.annotation is not None]
    parts = [n for one in (*asked, *said) for n in ast.walk(one) if isinstance(n, ast.Name | ast.Attribute)]
    held = {id(n.value) for n in parts if isinstance(n, ast.Attribute)}  # `datetime.date` asks for a `date`
    named = (n.id if isinstance(n, ast.Name) else n.attr for n in parts if id(n) not in held)
    return tuple(dict.fromkeys((*named, *_only_ones(node))))


def _deciding(node: FunctionNode) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.If | ast.IfExp | ast.While | ast.comprehension):
            for test in part.ifs if isinstance(part, ast.comprehension) else [part.test]:
                yield from _called(test)


def _only_ones(node: FunctionNode) -> Iterator[str]:
    """Of the values that there is one of each, those that it asks for: `value is Ellipsis`."""
    for part in ast.walk(node):
        for side in part.comparators if isinstance(part, ast.Compare) else ():
            if isinstance(side, ast.Constant) and side.value is Ellipsis:
                yield "Ellipsis"
            elif isinstance(side, ast.Name) and side.id in {"Ellipsis", "NotImplemented"}:
                yield side.id


def _asked(node: FunctionNode) -> Iterator[str]:
    yield from _called(node)
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier():
            yield part.value


def _called(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name | ast.Attribute):
            yield part.func.id if isinstance(part.func, ast.Name) else part.func.attr


def with_words_of(caller: Function, callees: Iterable[Function]) -> Function:
    """A function that also tries what those that it calls compare and look up, and the kinds that they tell apart for a
    condition of its own."""
    callees = [f for f in callees if f != caller]

    def joined(*rows: Iterable[T]) -> tuple[T, ...]:
        return tuple(dict.fromkeys(itertools.chain(*rows)))

    return msgspec.structs.replace(
        caller,
        constants=joined(caller.constants, *(f.constants for f in callees))[:MAX_CONSTANTS],
        keys=joined(caller.keys, *(f.keys for f in callees))[:MAX_CONSTANTS],
        held=joined(caller.held, *(f.held for f in callees)),
        kinds=joined(caller.kinds, *(f.kinds for f in callees if f.name in caller.decides)),
    )


def enclosing(functions: tuple[Function, ...], line: int) -> Function | None:
    """The function that a line stands in."""
    return next((f for f in functions if f.line <= line <= f.last), None)


def lines_inside(functions: Iterable[Function]) -> list[int]:
    """The lines of these functions after their first one, which runs as the file is imported."""
    return [n for f in functions for n in range(f.first + 1, f.last + 1)]
