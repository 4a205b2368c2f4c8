"""A pytest plugin that runs inside the sandbox: writes down with which values the existing tests call some functions.

Reads `$GREENLANE_INPUT` (`{"targets": [[absolute path, name, first line], ...], "project": folder, "tests": folder,
"near": folder of the tests to come, "rows": ids of tests with parameters}`), writes `$GREENLANE_OUTPUT` (a JSON line a
call, and one for what a test is given by its parameters).
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from greenlane_values import Describer, is_helper  # type: ignore[import-not-found]  # it lies beside this file inside

_MAX_CALLS = 40
_MAX_LOOKS = 60
"""Calls of one function that are looked at in one test: a loop makes thousands that say nothing new."""
_MAX_OBJECTS = 3000
_MAX_STEPS = 5
_MAX_MAKING = 300
_FIRST_ROWS = 3
_STEPS = frozenset({"__setitem__", "__delitem__", "__enter__"})
_OPERATORS = {
    "__eq__": "==", "__ne__": "!=", "__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">=", "__and__": "&",
    "__or__": "|", "__add__": "+", "__sub__": "-", "__truediv__": "/",
}  # fmt: skip
_NOT_MADE = (type(None), bool, int, float, str, bytes, list, dict, tuple, set, frozenset, type)


class Carver:
    def __init__(self) -> None:
        with open(os.environ["GREENLANE_INPUT"], encoding="utf-8") as file:  # noqa: PTH123 - plain and early
            given = json.load(file)
        self._targets = {(path, name, line): f"{path}:{line}" for path, name, line in given["targets"]}
        self._project, self._tests, self._near = given["project"], given["tests"], given["near"]
        self._constructed: dict[int, tuple[Any, ...]] = {}
        self._made: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._history: dict[int, tuple[Any, list[Any]]] = {}
        self._kinds: dict[Any, str] = {}
        self._seen: dict[str, set[str]] = {}
        self._looks: dict[str, int] = {}
        self._rows: dict[str, int] = {}
        self._asked = set(given.get("rows", ()))
        self._busy = False
        self.calling = False
        self.item: Any = None
        self._output = open(os.environ["GREENLANE_OUTPUT"], "a", encoding="utf-8")  # noqa: PTH123, SIM115 - open to the end

    def trace(self, frame: Any, event: str, _argument: Any) -> Any:
        """Called at the beginning of each Python function; what it gives back is called at its end."""
        if event != "call" or self._busy:
            return None
        code = frame.f_code
        kind = self._kinds.get(code)
        if kind is None:
            kind = self._kinds[code] = self._classify(code)
        if not kind:
            return None
        self._busy = True
        try:
            if code.co_name == "__init__":
                self._note_construction(frame)
            if kind not in {"own", "init"}:
                self._note_call(kind, frame)
            if self.calling and kind != "init" and self._is_direct(frame):
                return self._note_step(frame)
        except Exception:  # nothing that we do may change how a test ends
            pass
        finally:
            self._busy = False
        return None

    def _classify(self, code: Any) -> str:
        target = self._targets.get((code.co_filename, code.co_name, code.co_firstlineno))
        if target:
            return target
        inside = code.co_filename.startswith(self._project + os.sep)
        own = inside and not code.co_filename.startswith(self._tests)
        if code.co_name == "__init__" and (own or (inside and is_helper(code.co_filename, ""))):
            return "init"
        return "own" if own and not code.co_name.startswith("<") else ""

    def _is_direct(self, frame: Any) -> bool:
        """Whether a test itself made this call, rather than code of the project."""
        caller = frame.f_back
        return caller is not None and caller.f_code.co_filename.startswith(self._tests)

    def _note_step(self, frame: Any) -> Any:
        """A call that a test made: part of its receiver's history, and the making of what it returns."""
        code = frame.f_code
        if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
            return None
        values = inspect.getargvalues(frame)
        bound = bool(values.args) and values.args[0] == "self"
        positional, keywords = self._arguments(frame, values, skip=1 if bound else 0)
        receiver = values.locals[values.args[0]] if bound else None
        if bound:
            positional, keywords = _without_defaults(getattr(type(receiver), code.co_name), positional, keywords)
        making = self._making(frame, receiver, bound, positional, keywords)
        if bound and (not code.co_name.startswith("_") or code.co_name in _STEPS):
            _, steps = self._history.setdefault(id(receiver), (receiver, []))
            whole = None not in positional and all(value is not None for _, value in keywords)
            if whole and len(steps) < _MAX_STEPS and not _is_property(receiver, code.co_name):
                steps.append([code.co_name, positional, keywords])
        if making is None:
            return None
        frame.f_trace_lines = False

        def ended(_frame: Any, event: str, result: Any) -> Any:
            if event == "return" and not isinstance(result, _NOT_MADE) and len(self._made) < _MAX_OBJECTS:
                self._made.setdefault(id(result), (result, making))
            return ended

        return ended

    def _making(
        self, frame: Any, receiver: Any, bound: bool, positional: list[Any], keywords: list[Any]
    ) -> dict[str, Any] | None:
        """How the test wrote this call, as a description."""
        parts = [*positional, *(value for _, value in keywords)]
        if any(part is None for part in parts):
            return None
        name = frame.f_code.co_name
        texts = [part["text"] for part in positional] + [f"{key}={value['text']}" for key, value in keywords]
        if bound:
            holder = self._describer().describe(receiver)
            if holder is None:
                return None
            parts.append(holder)
            text = _written(holder["text"], name, texts, _is_property(receiver, name))
            own: list[list[str]] = []
        else:
            module = frame.f_globals.get("__name__", "")
            found = getattr(sys.modules.get(module), name, None)
            if getattr(inspect.unwrap(found), "__code__", None) is not frame.f_code if callable(found) else True:
                return None
            text, own = f"{name}({', '.join(texts)})", [[module, name]]
        if not text or len(text) > _MAX_MAKING:
            return None
        imports = sorted(own + [pair for part in parts for pair in part["imports"]])
        return {"text": text, "imports": imports, "fixtures": sorted({f for part in parts for f in part["fixtures"]})}

    def forget(self) -> None:
        """A new test begins: what the one before did to an object is no history for it."""
        self._looks.clear()
        self._history.clear()
        self._made.clear()
        self.calling = False

    def note_row(self) -> None:
        """What this test is given by its parameters, if it is asked for or among the first, and if all of it can be
        written down."""
        rows = getattr(getattr(self.item, "callspec", None), "params", {})
        test = self.item.nodeid.split("[")[0]
        few = self._rows.get(test, 0) < _FIRST_ROWS or self.item.nodeid in self._asked
        if not rows or not few or rows.keys() & self._fixtures():
            return
        self._rows[test] = self._rows.get(test, 0) + 1
        values = [[name, self._describer().describe(value)] for name, value in rows.items()]
        if all(value is not None for _, value in values):
            self._output.write(json.dumps({"test": self.item.nodeid, "values": values}) + "\n")
            self._output.flush()

    def _fixtures(self) -> set[str]:
        """The names of all fixtures, wherever this pytest keeps them."""
        manager = getattr(self.item.session, "_fixturemanager", None)
        places = ("_arg2fixturedefs", "_arg2node2fixturedefs", "_arg2nodeid2fixturedefs")
        return {name for place in places for name in getattr(manager, place, ())}

    def _describer(self) -> Describer:
        return Describer(
            self._usable_fixtures(),
            self._constructed,
            (self._tests,),
            self._made,
            project=(self._project, self._near),
        )

    def _usable_fixtures(self) -> dict[str, Any]:
        """Fixtures of this test that a test in another file of the same folder can name, too."""
        usable = {}
        definitions = getattr(getattr(self.item, "_fixtureinfo", None), "name2fixturedefs", {})
        rows = getattr(getattr(self.item, "callspec", None), "params", {})
        offered = getattr(getattr(self.item.session, "_fixturemanager", None), "_arg2fixturedefs", {})
        for name, value in (getattr(self.item, "funcargs", None) or {}).items():
            if name in rows and name not in offered:
                continue  # a value of a parametrised test is given to it alone
            found = definitions.get(name)
            base = getattr(found[-1], "baseid", "") if found else "?"
            shared = not base.endswith(".py") and "::" not in base and base != "?"
            if shared and (not base or (self._near + "/").startswith(base + "/")) and name != "request":
                usable[name] = value
        return usable

    def _note_construction(self, frame: Any) -> None:
        values = inspect.getargvalues(frame)
        instance = values.locals[values.args[0]]
        if getattr(type(instance).__init__, "__code__", None) is not frame.f_code:
            return  # a base class, called by the real one
        if len(self._constructed) > _MAX_OBJECTS:
            self._constructed.clear()
        positional, keywords = self._arguments(frame, values, skip=1)
        positional, keywords = _without_defaults(type(instance).__init__, positional, keywords)
        own = self.calling and self._is_direct(frame)
        self._constructed[id(instance)] = (instance, positional, keywords, own)  # kept alive: the id stays its own

    def _arguments(self, frame: Any, values: Any, skip: int) -> tuple[list[Any], list[Any]]:
        describer = self._describer()
        code = frame.f_code
        names = code.co_varnames[skip : code.co_argcount]
        only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        positional = [describer.describe(values.locals[name]) for name in names]
        if values.varargs:
            positional += [describer.describe(item) for item in values.locals[values.varargs]]
        keywords = [[name, describer.describe(values.locals[name])] for name in only]
        if values.keywords:
            keywords += [[name, describer.describe(item)] for name, item in values.locals[values.keywords].items()]
        return positional, keywords

    def _note_call(self, target: str, frame: Any) -> None:
        calls = self._seen.setdefault(target, set())
        self._looks[target] = self._looks.get(target, 0) + 1
        if len(calls) >= _MAX_CALLS or self._looks[target] > _MAX_LOOKS:
            return
        values = inspect.getargvalues(frame)
        makes = frame.f_code.co_name == "__new__"  # called by its class, whatever that is called there
        bound = bool(values.args) and values.args[0] in {"self", "cls"} and not makes
        positional, keywords = self._arguments(frame, values, skip=1 if bound or makes else 0)
        holder = values.locals[values.args[0]] if bound else None
        receiver = self._describer().describe(holder) if bound else None
        _, history = self._history.get(id(holder), (None, []))
        record = {
            "target": target,
            "receiver": receiver,
            "positional": positional,
            "keywords": keywords,
            "history": history if bound and receiver is not None else [],
        }
        text = json.dumps(record, sort_keys=True)
        if text not in calls:
            calls.add(text)
            self._output.write(text + "\n")
            self._output.flush()


def _written(holder: str, name: str, texts: list[str], is_property: bool) -> str:
    """A call of a method as one writes it: operators as operators."""
    if is_property:
        return f"{holder}.{name}"
    if name in _OPERATORS:
        return f"({holder} {_OPERATORS[name]} {texts[0]})" if len(texts) == 1 else ""
    if name == "__getattr__":
        attribute = texts[0].strip("'\"")
        return f"{holder}.{attribute}" if attribute.isidentifier() else ""
    if name == "__getitem__":
        return f"{holder}[{texts[0]}]"
    if name == "__invert__":
        return f"(~{holder})"
    if name == "__call__":
        return f"{holder}({', '.join(texts)})"
    return "" if name.startswith("_") else f"{holder}.{name}({', '.join(texts)})"


def _is_property(receiver: Any, name: str) -> bool:
    return isinstance(inspect.getattr_static(type(receiver), name, None), (property, functools.cached_property))


def _without_defaults(init: Any, positional: list[Any], keywords: list[Any]) -> tuple[list[Any], list[Any]]:
    """The arguments that differ from their defaults; what follows one that was left out is given by name."""
    params = list(inspect.signature(init).parameters.values())[1:]
    plain = [p for p in params if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) > len(plain):
        return positional, keywords  # *args: nothing before them can be left out
    writer = Describer()
    given: list[Any] = []
    named: list[Any] = []
    for param, value in zip(plain, positional, strict=False):
        if param.default is not param.empty and value is not None and writer.describe(param.default) == value:
            continue
        if len(given) == plain.index(param):
            given.append(value)
        else:
            named.append([param.name, value])
    return given, named + keywords


_carver = Carver()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    _carver.item = item
    _carver.forget()
    sys.settrace(_carver.trace)
    threading.settrace(_carver.trace)
    yield
    sys.settrace(None)
    threading.settrace(None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    _carver.calling = True
    with contextlib.suppress(Exception):  # nothing that we do may change how a test ends
        _carver.note_row()
    yield
    _carver.calling = False
