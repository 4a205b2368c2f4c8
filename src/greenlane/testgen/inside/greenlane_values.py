"""Runs inside the sandbox: says how a value is written in Python, so that a test can make it again.

A description is `{"text": expression, "imports": [[module, name], ...], "fixtures": [name, ...]}`, or None for a value
that can't be written down faithfully and shortly.
"""

from __future__ import annotations

import ast
import dataclasses
import datetime
import decimal
import enum
import fractions
import importlib
import os
import pathlib
import types
import uuid
from typing import Any

MAX_TEXT = 400
MAX_ITEMS = 16
MAX_DEPTH = 5
MAX_INT_BITS = 80
_PLAIN = (type(None), bool, str, bytes)
_FUNCTIONS = (type, types.FunctionType, types.BuiltinFunctionType)


def is_helper(file: str, name: str) -> bool:
    """Whether a file among the tests is a module that they import, and this name of it no test of its own."""
    stem = pathlib.PurePath(file).stem
    tests = stem in ("conftest", "test", "tests") or stem.startswith("test_") or stem.endswith(("_test", "_tests"))
    return not tests and not name.lower().startswith("test")


class Unwritable(Exception):
    """This value has no faithful, short form."""


class Describer:
    """Describes values. `fixtures` are named objects that may be referred to; `constructed` says how objects were made
    (by id: the object, positional arguments and keywords as descriptions, whether a test itself did it), `made` which
    call of a test gave them (by id: the object, the call's description); `forbidden` are folders of modules that no
    test may import, but for those that are there to help tests, `allowed` the top-level names of those that it may
    (None: any). `project` is the folder of the project and, as a path below it, that of the tests to come: a file of it
    is written as one finds it from there. `places` are fixtures that are paths, each time others: what speaks of them
    is written with the fixture's name."""

    def __init__(
        self,
        fixtures: dict[str, Any] | None = None,
        constructed: dict[int, tuple[Any, ...]] | None = None,
        forbidden: tuple[str, ...] = (),
        made: dict[int, tuple[Any, dict[str, Any]]] | None = None,
        allowed: list[str] | None = None,
        project: tuple[str, str] | None = None,
        places: dict[str, Any] | None = None,
    ) -> None:
        self._allowed = None if allowed is None else {"builtins", *allowed}
        self._fixtures = fixtures or {}
        self._constructed = constructed or {}
        self._forbidden = forbidden
        self._made = made or {}
        self._project = project
        self.places = places or {}

    def describe(self, value: Any) -> dict[str, Any] | None:
        imports: set[tuple[str, str]] = set()
        fixtures: set[str] = set()
        try:
            text = self._write(value, imports, fixtures, 0)
        except Unwritable:
            return None
        except Exception:  # a hostile or broken __repr__, property, __eq__
            return None
        if len(text) > MAX_TEXT:
            return None
        return {"text": text, "imports": sorted(map(list, imports)), "fixtures": sorted(fixtures)}

    def _write(self, value: Any, imports: set[tuple[str, str]], fixtures: set[str], depth: int) -> str:
        if depth > MAX_DEPTH:
            raise Unwritable
        kind = type(value)
        if kind in _PLAIN:
            if kind in (str, bytes) and len(value) > MAX_TEXT:
                raise Unwritable
            return self._text(value, imports, fixtures) if kind is str else repr(value)
        if kind is int:
            if value.bit_length() > MAX_INT_BITS:
                raise Unwritable
            return repr(value)
        if kind is float:
            return repr(value) if value == value and abs(value) != float("inf") else f'float("{value}")'
        if value is NotImplemented:
            return "NotImplemented"
        for name, fixture in self._fixtures.items():
            if value is fixture:
                fixtures.add(name)
                return name
        if kind in (list, tuple, set, frozenset, dict):
            return self._container(value, imports, fixtures, depth)
        return self._object(value, imports, fixtures, depth)

    def _container(self, value: Any, imports: set[tuple[str, str]], fixtures: set[str], depth: int) -> str:
        if len(value) > MAX_ITEMS:
            raise Unwritable

        def write(item: Any) -> str:
            return self._write(item, imports, fixtures, depth + 1)

        if type(value) is dict:
            return "{" + ", ".join(f"{write(k)}: {write(v)}" for k, v in value.items()) + "}"
        if type(value) is list:
            return "[" + ", ".join(map(write, value)) + "]"
        if type(value) is tuple:
            return "(" + ", ".join(map(write, value)) + ("," if len(value) == 1 else "") + ")"
        items = sorted(map(write, value))
        if type(value) is set:
            return "{" + ", ".join(items) + "}" if items else "set()"
        return "frozenset({" + ", ".join(items) + "})" if items else "frozenset()"

    def _object(self, value: Any, imports: set[tuple[str, str]], fixtures: set[str], depth: int) -> str:
        kind = type(value)

        def write(item: Any) -> str:
            return self._write(item, imports, fixtures, depth + 1)

        if isinstance(value, enum.Enum) and not isinstance(value, enum.Flag):
            return f"{self._name(kind, imports)}.{value.name}"
        if isinstance(value, _FUNCTIONS):
            return self._name(value, imports)
        if isinstance(value, pathlib.PurePath):
            return self._path(value, imports, fixtures)
        if kind in (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone):
            return self._moment(value, imports)
        if kind in (decimal.Decimal, fractions.Fraction, uuid.UUID):
            self._name(kind, imports)
            return repr(value)
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            shown = ", ".join(f"{name}={write(item)}" for name, item in zip(kind._fields, value, strict=True))
            return f"{self._name(kind, imports)}({shown})"
        if dataclasses.is_dataclass(value):
            return self._dataclass(value, imports, write)
        return self._traced(value, imports, fixtures)

    def _traced(self, value: Any, imports: set[tuple[str, str]], fixtures: set[str]) -> str:
        """An object as the run made it: by its class, by a call of the test, or as a part of a fixture."""
        constructed = self._constructed.get(id(value))
        made = self._made.get(id(value))
        if constructed is not None and not self._is_writable(constructed):
            constructed = None
        if constructed is not None and (made is None or constructed[3]):
            return self._construction(type(value), constructed, imports, fixtures)
        if made is not None:
            imports.update((module, name) for module, name in made[1]["imports"])
            fixtures.update(made[1]["fixtures"])
            return str(made[1]["text"])
        for name, fixture in self._fixtures.items():
            for attribute, held in getattr(fixture, "__dict__", {}).items():
                if held is value and not attribute.startswith("_"):
                    fixtures.add(name)
                    return f"{name}.{attribute}"
        return self._round_trip(value, imports)

    def _is_writable(self, constructed: tuple[Any, ...]) -> bool:
        _, positional, keywords, _ = constructed
        return all(part is not None for part in [*positional, *(value for _, value in keywords)])

    def _dataclass(self, value: Any, imports: set[tuple[str, str]], write: Any) -> str:
        shown = []
        for field in dataclasses.fields(value):
            given = getattr(value, field.name)
            if not field.init:
                continue
            if field.default is not dataclasses.MISSING and given == field.default:
                continue
            factory = field.default_factory
            if factory is not dataclasses.MISSING and given == factory():
                continue
            shown.append(f"{field.name}={write(given)}")
        return f"{self._name(type(value), imports)}({', '.join(shown)})"

    def _construction(self, kind: Any, made: tuple[Any, ...], imports: set[tuple[str, str]], fixtures: set[str]) -> str:
        _, positional, keywords, _ = made
        parts = []
        for name, described in [*((None, item) for item in positional), *keywords]:
            if described is None:
                raise Unwritable
            imports.update((module, top) for module, top in described["imports"])
            fixtures.update(described["fixtures"])
            parts.append(described["text"] if name is None else f"{name}={described['text']}")
        return f"{self._name(kind, imports)}({', '.join(parts)})"

    def _round_trip(self, value: Any, imports: set[tuple[str, str]]) -> str:
        """An object whose own repr makes an equal one again."""
        kind = type(value)
        own: list[Any] = [kind.__repr__, kind.__eq__]
        if own[0] is object.__repr__ or own[1] is object.__eq__:
            raise Unwritable
        text = repr(value)
        name = kind.__name__
        if len(text) > MAX_TEXT or not text.startswith(f"{name}("):
            raise Unwritable
        again = eval(text, {"__builtins__": {}, name: kind})  # its own repr, inside the sandbox
        if type(again) is not kind or not again == value:
            raise Unwritable
        self._name(kind, imports)
        return text

    def _name(self, thing: Any, imports: set[tuple[str, str]]) -> str:
        """How a class or function is called once its outermost name is imported."""
        module, qualified = getattr(thing, "__module__", None), getattr(thing, "__qualname__", "")
        if not module or not qualified or "<" in qualified or module == "__main__":
            raise Unwritable
        top = qualified.split(".")[0]
        if self._allowed is not None and module.split(".")[0] not in self._allowed:
            raise Unwritable
        found: Any = importlib.import_module(module)
        file = getattr(found, "__file__", None) or ""
        if any(file.startswith(folder) for folder in self._forbidden) and not is_helper(file, top):
            raise Unwritable
        if module.split(".")[-1] == "conftest":
            raise Unwritable
        for part in qualified.split("."):
            found = getattr(found, part, None)
        if found is not thing:
            raise Unwritable
        if module != "builtins":
            imports.add((module, top))
        return qualified

    def _path(self, value: pathlib.PurePath, imports: set[tuple[str, str]], fixtures: set[str]) -> str:
        for name, fixture in self._fixtures.items():
            if isinstance(fixture, pathlib.PurePath) and fixture in value.parents:
                fixtures.add(name)
                return f"{name} / {value.relative_to(fixture).as_posix()!r}"
        if value.is_absolute():
            for name, path in self._places_in(str(value)):
                below = value.relative_to(path).as_posix() if value.is_relative_to(path) else ""
                if below:
                    fixtures.add(name)
                    return self._below(name, below, imports)
            found = self._in_project(str(value), imports) if isinstance(value, pathlib.Path) else None
            if found is None:
                raise Unwritable
            return found
        name = "Path" if isinstance(value, pathlib.Path) else "PurePath"
        imports.add(("pathlib", name))
        return f"{name}({value.as_posix()!r})"

    def _text(self, value: str, imports: set[tuple[str, str]], fixtures: set[str]) -> str:
        found = self._in_project(value, imports)
        return f"str({found})" if found else self._with_places(value, fixtures) or repr(value)

    def _places_in(self, text: str) -> list[tuple[str, str]]:
        """The fixtures that are a path which this text speaks of, with that path, the longest one first."""
        found = [(name, os.fspath(path)) for name, path in self.places.items()]
        return sorted(((n, p) for n, p in found if p in text), key=lambda pair: (-len(pair[1]), pair))

    def _below(self, name: str, below: str, imports: set[tuple[str, str]]) -> str:
        """A path below that of a fixture, or the same one."""
        if isinstance(self.places[name], pathlib.PurePath):
            return name if below == "." else f"{name} / {below!r}"
        imports.add(("pathlib", "Path"))
        return f"Path({name})" if below == "." else f"Path({name}, {below!r})"

    def _with_places(self, value: str, fixtures: set[str]) -> str | None:
        """A text that speaks of where a fixture lies, with the fixture in its place: `f"{tmp_path}/a.txt"`."""
        name, path = next(iter(self._places_in(value)), ("", ""))
        if not name:
            return None
        fixtures.add(name)
        if value == path:
            return f"str({name})"
        held = ast.FormattedValue(value=ast.Name(id=name, ctx=ast.Load()), conversion=-1)
        parts: list[ast.expr] = []
        for number, part in enumerate(value.split(path)):
            parts += [held] * (number > 0) + [ast.Constant(value=part)] * bool(part)
        return ast.unparse(ast.JoinedStr(values=parts))

    def _in_project(self, text: str, imports: set[tuple[str, str]]) -> str | None:
        """A file or folder of the project, which lies elsewhere for everyone, from the file of the tests to come."""
        folder, near = self._project or ("", "")
        if not folder or not text.startswith(folder + os.sep) or "\n" in text or not os.path.exists(text):  # noqa: PTH110 - of a text
            return None
        below = pathlib.PurePath(os.path.normpath(text)).relative_to(folder).parts
        above = pathlib.PurePath(near).parts
        imports.add(("pathlib", "Path"))
        if above and below[: len(above)] == above and len(below) > len(above):
            return f"Path(__file__).parent / {'/'.join(below[len(above) :])!r}"
        start = f"Path(__file__).parents[{len(above)}]" if above else "Path(__file__).parent"
        return f"{start} / {'/'.join(below)!r}"

    def _moment(self, value: Any, imports: set[tuple[str, str]]) -> str:
        text = repr(value)
        if text.count("datetime.") > text.count("datetime.timezone.utc") + text.count("datetime.timedelta") + 1:
            raise Unwritable  # a time zone of another make
        for name in ("datetime", "date", "time", "timedelta", "timezone"):
            if f"datetime.{name}(" in text or f"datetime.{name}." in text:
                imports.add(("datetime", name))
        return text.replace("datetime.", "") if not text.startswith("datetime.datetime.") else text
