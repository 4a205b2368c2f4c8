"""What a parameter without annotation must hold, told by what its function or class does with it. Pure.

`for item in self.rules: if type(item) is dict: ...` asks for a list of dicts, whatever was said about `rules`;
`when.isoformat()` asks for a date, `store.items()` for a dict, and what nothing known has for a stand-in.
"""

from __future__ import annotations

import ast
import builtins
import datetime
import io
import logging
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import msgspec

from greenlane.suite.lines import nodes_of
from greenlane.testgen.belongings import compared, plain_objects
from greenlane.testgen.code import Function, FunctionNode, Param
from greenlane.testgen.nested import with_wrappings
from greenlane.testgen.parsed import texts_read
from greenlane.testgen.pathkinds import path_kind
from greenlane.testgen.relayed import by_name, relayed
from greenlane.testgen.shapes import is_one, kinds_by_shape, samples
from greenlane.testgen.syntaxnodes import syntax_nodes
from greenlane.testgen.unpacked import unpacked

_MAX_TOGETHER = 4
_PATHS = re.compile(r"\b(str|Path|PathLike|PurePath|AnyStr|StrPath|StrOrBytesPath)\b")
_PLAIN = frozenset({"dict", "tuple", "list", "str", "int", "float", "bytes", "set", "type", "bool"})
_ERRORS = frozenset(n for n, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception))
_ERRORS |= {"BaseException"}
_KINDS: tuple[tuple[str, object], ...] = (
    ("str", str), ("dict", dict), ("list", list), ("set", set), ("bytes", bytes), ("datetime", datetime.datetime),
    ("timedelta", datetime.timedelta), ("Path", pathlib.Path), ("TextIO", io.StringIO), ("tuple", tuple),
    ("Exception", Exception), ("LogRecord", logging.LogRecord("a", 20, "a.py", 1, "abc", None, None)),
)  # fmt: skip
"""Kinds with a value, or a class, that has what these have."""
_MOST_KINDS = 3
STAND_IN, AWAITED = "MagicMock", "AsyncMock"
"""The kind of a parameter of which things are asked that no known kind has; where what they give is awaited."""
Members = Mapping[str, frozenset[str]]
"""By the name of a class of the module, the names of its methods."""


def members_of(tree: ast.Module) -> Members:
    """What the classes of a module offer."""
    return {
        node.name: frozenset(member.name for member in node.body if isinstance(member, FunctionNode))
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def with_uses(params: Sequence[Param], holder: ast.ClassDef | FunctionNode, members: Members) -> tuple[Param, ...]:
    """The parameters, those without annotation with what is told of them: the kinds of their items, where those are
    asked for, or kinds that have all that is asked of them."""
    read = _attributes_read(holder) if any(not param.annotation for param in params) else {}
    told = (param if param.annotation else _with_use(param, holder, read, members) for param in params)
    return tuple(_with_nodes(_with_texts(_with_path(param, holder), holder), holder) for param in told)


def _with_nodes(param: Param, holder: ast.ClassDef | FunctionNode) -> Param:
    """The parameter with nodes of a syntax tree, if it is one."""
    init = _init_of(holder)
    nodes = syntax_nodes(param.name, param.annotation, init) if init is not None else ()
    return msgspec.structs.replace(param, samples=(*nodes, *param.samples)) if nodes else param


def _with_texts(param: Param, holder: ast.ClassDef | FunctionNode) -> Param:
    """The parameter with texts of the kind that it is read as, if it is read as any."""
    init = _init_of(holder)
    texts = texts_read({param.name}, init, param.annotation) if init is not None else ()
    if isinstance(holder, ast.ClassDef):
        texts += texts_read(_names_of(param.name, holder), holder, param.annotation)
    return msgspec.structs.replace(param, samples=(*texts, *param.samples)) if texts else param


def _with_path(param: Param, holder: ast.ClassDef | FunctionNode) -> Param:
    """A parameter that is listed, or opened, is a folder or a file, before anything else."""
    if param.annotation and not _PATHS.search(param.annotation):
        return param
    kind = path_kind(param.name, holder)
    return msgspec.structs.replace(param, told=" | ".join(filter(None, (kind, param.told)))) if kind else param


def told_by_uses(functions: Iterable[Function], parsed: ast.Module) -> tuple[Function, ...]:
    """The functions with what their code tells of parameters without annotation."""
    members = members_of(parsed)
    nodes = nodes_by_line(parsed)
    told = [msgspec.structs.replace(f, params=with_uses(f.params, nodes[f.first], members)) for f in functions]
    known = by_name(told)
    further = (msgspec.structs.replace(f, params=with_takers(f.params, nodes[f.first], known)) for f in told)
    return tuple(with_wrappings(function, nodes[function.first]) for function in further)


def with_takers(
    params: Sequence[Param], holder: ast.ClassDef | FunctionNode, known: Mapping[str, Function]
) -> tuple[Param, ...]:
    """The parameters, those of which nothing is told with what the functions ask that they are handed on to."""
    return tuple(relayed(param, _names_of(param.name, holder), holder, known) for param in params)


def nodes_by_line(tree: ast.Module) -> dict[int, FunctionNode]:
    """The functions of a module by the line of their `def`."""
    return {node.lineno: node for node in nodes_of(tree) if isinstance(node, FunctionNode)}


def own_attributes(node: ast.AST) -> Iterator[str]:
    """What it reads or sets of `self`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self":
            yield part.attr


def _with_use(
    param: Param, holder: ast.ClassDef | FunctionNode, read: Mapping[str, Set[str]], members: Members
) -> Param:
    items = _kinds_of_items(param.name, holder)
    if items:
        return msgspec.structs.replace(param, annotation=f"list[{' | '.join(items)}]")
    names = _names_of(param.name, holder)
    asked = {attribute for name in names for attribute in read.get(name, ())}
    kinds, objects = list(_kinds_by_sign(names, holder)), tuple[str, ...]()
    if asked:
        own = [name for name, offered in members.items() if asked <= offered and name != getattr(holder, "name", "")]
        fitting = [name for name, kind in _KINDS if all(hasattr(kind, attribute) for attribute in asked)]
        known, waits = [*own, *fitting][:_MOST_KINDS], _awaits_one(names, holder)
        objects = () if known or waits else plain_objects(names, holder, STAND_IN)
        kinds += known or [AWAITED if waits else STAND_IN]
    kinds += kinds_by_shape(names, holder)
    told = " | ".join(dict.fromkeys(kinds))
    found = dict.fromkeys((*compared(names, holder), *objects, *samples(names, holder), *unpacked(names, holder)))
    return msgspec.structs.replace(param, told=told, samples=tuple(found)) if kinds or found else param


def _awaits_one(names: Set[str], holder: ast.AST) -> bool:
    """Whether what a method of it gives is awaited: `await client.get(url)`."""
    calls = (node.value for node in ast.walk(holder) if isinstance(node, ast.Await))
    held = (call.func.value for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute))
    return any(is_one(node, names) for node in held)


def _kinds_by_sign(names: Set[str], holder: ast.AST) -> Iterator[str]:
    """What is told by a call of it, a search in it, or a question for its kind."""
    for node in ast.walk(holder) if names else ():
        if isinstance(node, ast.Call) and is_one(node.func, names):
            yield "Callable"
        elif isinstance(node, ast.Call) and len(node.args) == 2 and ast.unparse(node.func) == "isinstance":
            asked = node.args[1] if is_one(node.args[0], names) else ast.Tuple(elts=[])
            yield from (n.id for n in ast.walk(asked) if isinstance(n, ast.Name) and n.id in _PLAIN | _ERRORS)
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            yield from ["list"] if is_one(node.comparators[0], names) else []


def _attributes_read(holder: ast.AST) -> dict[str, set[str]]:
    """Attributes that are asked of each name, and of each attribute of a name."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(holder):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and _is_short(node.value):
            found.setdefault(ast.unparse(node.value), set()).add(node.attr)
    return found


def _is_short(node: ast.expr) -> bool:
    return isinstance(node.value if isinstance(node, ast.Attribute) else node, ast.Name)


def _init_of(holder: ast.ClassDef | FunctionNode) -> FunctionNode | None:
    """What takes the parameters: the function itself, or the `__init__` of the class."""
    if not isinstance(holder, ast.ClassDef):
        return holder
    return next((m for m in holder.body if isinstance(m, FunctionNode) and m.name == "__init__"), None)


def _names_of(name: str, holder: ast.ClassDef | FunctionNode) -> set[str]:
    """What the parameter is called: itself, in a class the attribute that holds it (of the same name in one without an
    `__init__` of its own, a record of some kind); nothing if it is bound anew."""
    init = _init_of(holder)
    if init is None:
        return {f"self.{name}"}
    if any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in ast.walk(init)):
        return set()
    if not isinstance(holder, ast.ClassDef):
        return {name}
    return {
        ast.unparse(part.targets[0])
        for part in ast.walk(init)
        if isinstance(part, ast.Assign) and _is_from(part.value, name)
    }


def _kinds_of_items(name: str, holder: ast.ClassDef | FunctionNode) -> list[str]:
    known = {name} | {
        ast.unparse(node.targets[0])
        for node in ast.walk(holder)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and _is_from(node.value, name)
    }
    loops = [node for node in ast.walk(holder) if isinstance(node, ast.For) and ast.unparse(node.iter) in known]
    kinds = [kind for loop in loops if isinstance(loop.target, ast.Name) for kind in _kinds_asked(loop, loop.target.id)]
    return list(dict.fromkeys(kinds))


def _is_from(value: ast.expr, name: str) -> bool:
    """`rules`, or `rules or ()`."""
    first = value.values[0] if isinstance(value, ast.BoolOp) else value
    return isinstance(first, ast.Name) and first.id == name


def _kinds_asked(loop: ast.For, item: str) -> Iterator[str]:
    for node in ast.walk(loop):
        asked: ast.expr | None = None
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance" and len(node.args) == 2:
            asked = node.args[1] if ast.unparse(node.args[0]) == item else None
        elif isinstance(node, ast.Compare) and ast.unparse(node.left) == f"type({item})":
            asked = node.comparators[0]
        for part in ast.walk(asked) if asked is not None else ():
            if isinstance(part, ast.Name) and part.id in _PLAIN:
                yield part.id


def with_company(functions: Sequence[Function], tree: ast.Module) -> tuple[Function, ...]:
    """The functions, each with the optional parameters that its conditions, or one list of values, name together."""
    nodes = nodes_by_line(tree)
    found = []
    for function in functions:
        optional = [param.name for param in function.params if param.default is not None]
        node = nodes.get(function.first)
        together = dict.fromkeys(_named_together(node, optional)) if node is not None and len(optional) > 1 else {}
        found.append(msgspec.structs.replace(function, together=tuple(together)[:_MAX_TOGETHER]))
    return tuple(found)


def _named_together(node: FunctionNode, optional: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for part in ast.walk(node):
        listed = isinstance(part, ast.BoolOp | ast.Tuple | ast.List | ast.Set)  # `box = (left, top)`, asked all at once
        test = part if listed else getattr(part, "test", None)
        if isinstance(test, ast.expr):
            named = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
            names = tuple(name for name in optional if name in named)
            if len(names) > 1:
                yield names
