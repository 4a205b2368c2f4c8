"""What classes take that inherit it from a class outside of the project: one of Python's own, or a named tuple that is
made in the very line of the class. Pure, apart from importing modules of the standard library; for `classes.py`."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
from collections.abc import Iterator
from types import MappingProxyType

from greenlane.testgen.code import Param

_LIBRARY = frozenset(
    {
        "argparse",
        "ast",
        "cmd",
        "code",
        "codecs",
        "collections",
        "configparser",
        "csv",
        "datetime",
        "decimal",
        "email.message",
        "fractions",
        "html.parser",
        "http.cookies",
        "io",
        "json",
        "json.decoder",
        "json.encoder",
        "logging",
        "logging.handlers",
        "optparse",
        "pathlib",
        "pprint",
        "queue",
        "random",
        "reprlib",
        "shlex",
        "string",
        "textwrap",
        "threading",
        "types",
        "unittest",
        "urllib.request",
        "xml.sax.handler",
    }
)
"""Modules that do nothing when they are imported; others are not asked."""
_SAID = MappingProxyType(
    {
        "builtins.dict": "items: dict",
        "builtins.list": "items: list",
        "builtins.tuple": "items: tuple",
        "builtins.set": "items: set",
        "builtins.frozenset": "items: set",
        "builtins.str": "text: str",
        "builtins.bytes": "data: bytes",
        "builtins.int": "number: int",
        "builtins.float": "number: float",
        "collections.OrderedDict": "items: dict",
        "collections.UserDict": "items: dict",
        "collections.UserList": "items: list",
        "collections.UserString": "text: str",
        "datetime.date": "year: int, month: int, day: int",
        "datetime.datetime": "year: int, month: int, day: int",
        "decimal.Decimal": "number: int",
    }
)
"""Of classes that do not say it themselves, or say less than their objects are worth making with."""
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def inherited_from_outside(tree: ast.Module) -> dict[str, tuple[Param, ...]]:
    """What the bases of a module's classes take, by the text of the base, as far as they stand in no file."""
    names = _library_names(tree)
    found = {}
    for node in tree.body:
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            text = ast.unparse(base).split("[")[0]
            params = _of_tuple(base) if isinstance(base, ast.Call) else _of_library(_full_name(text, names))
            if params:
                found[text] = params
    return found


def _library_names(tree: ast.Module) -> dict[str, str]:
    """The full name of what is imported from the standard library, by what it is called here."""
    names: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and not node.level and node.module in _LIBRARY:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names if alias.name in _LIBRARY}
    own = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    return {name: full for name, full in names.items() if name not in own}


def _full_name(text: str, names: dict[str, str]) -> str:
    home, _, last = text.rpartition(".")
    if not home:
        return names.get(text) or (f"builtins.{text}" if hasattr(builtins, text) else "")
    return f"{names[home]}.{last}" if home in names else ""


def _of_library(name: str) -> tuple[Param, ...]:
    """What a class of the standard library takes, by its full name; nothing if it does not say."""
    if name in _SAID:
        return _of_arguments(_SAID[name])
    module, _, last = name.rpartition(".")
    if module not in _LIBRARY:
        return ()
    kind = getattr(importlib.import_module(module), last, None)
    try:
        signature = inspect.signature(kind) if isinstance(kind, type) else None
    except (ValueError, TypeError):  # one that is written in C
        return ()
    return tuple(_params_of(signature)) if signature is not None else ()


def _params_of(signature: inspect.Signature) -> Iterator[Param]:
    for param in signature.parameters.values():
        demanded = param.default is inspect.Parameter.empty
        default = None if demanded else _written(param.default)
        if param.kind in _POSITIONAL and (demanded or default is not None):
            yield Param(name=param.name, annotation="", default=default)
        elif param.kind is inspect.Parameter.KEYWORD_ONLY and (demanded or default is not None):
            yield Param(name=param.name, annotation="", default=default, keyword_only=True)
        elif param.kind in _POSITIONAL:
            return  # places behind one that can't be written down are not reached


def _written(value: object) -> str | None:
    """A default as an expression; None for one that is no plain value."""
    return repr(value) if value is None or type(value) in {bool, int, float, str, bytes} else None


def _of_arguments(text: str) -> tuple[Param, ...]:
    return tuple(
        Param(name=name, annotation=annotation, default=None)
        for name, annotation in (part.split(": ") for part in text.split(", "))
    )


def _of_tuple(call: ast.Call) -> tuple[Param, ...]:
    """The fields of `namedtuple("Point", "x y")` and `NamedTuple("Point", [("x", int)])`."""
    if ast.unparse(call.func).split(".")[-1] not in {"namedtuple", "NamedTuple"} or len(call.args) < 2:
        return ()
    fields = call.args[1]
    if isinstance(fields, ast.Constant) and isinstance(fields.value, str):
        return tuple(Param(name=name, annotation="", default=None) for name in fields.value.replace(",", " ").split())
    parts = fields.elts if isinstance(fields, ast.List | ast.Tuple) else []
    return tuple(Param(name=name, annotation=kind, default=None) for name, kind in map(_field, parts) if name)


def _field(node: ast.expr) -> tuple[str, str]:
    """(name, annotation) of a field, which may be its name alone; empty for anything else."""
    name, kind = (
        (node.elts[0], ast.unparse(node.elts[1])) if isinstance(node, ast.Tuple) and node.elts[1:] else (node, "")
    )
    return (name.value, kind) if isinstance(name, ast.Constant) and isinstance(name.value, str) else ("", "")
