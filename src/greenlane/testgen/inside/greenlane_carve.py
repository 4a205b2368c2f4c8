"""A pytest plugin that runs inside the sandbox: writes down with which values the existing tests call some functions.

Reads `$GREENLANE_INPUT` (`{"targets": [[absolute path, name, first line], ...], "project": folder, "tests": folder,
"near": folder of the tests to come}`), writes `$GREENLANE_OUTPUT` (a JSON line a call).
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from greenlane_values import Describer  # type: ignore[import-not-found]  # it lies beside this file inside

_MAX_CALLS = 40
_MAX_OBJECTS = 3000


class Carver:
    def __init__(self) -> None:
        with open(os.environ["GREENLANE_INPUT"], encoding="utf-8") as file:  # noqa: PTH123 - plain and early
            given = json.load(file)
        self._targets = {(path, name, line): f"{path}:{line}" for path, name, line in given["targets"]}
        self._project, self._tests, self._near = given["project"], given["tests"], given["near"]
        self._constructed: dict[int, tuple[Any, ...]] = {}
        self._kinds: dict[Any, str] = {}
        self._seen: dict[str, set[str]] = {}
        self._busy = False
        self.item: Any = None
        self._output = open(os.environ["GREENLANE_OUTPUT"], "a", encoding="utf-8")  # noqa: PTH123, SIM115 - open to the end

    def profile(self, frame: Any, event: str, _argument: Any) -> None:
        if event != "call" or self._busy:
            return
        code = frame.f_code
        kind = self._kinds.get(code)
        if kind is None:
            kind = self._kinds[code] = self._classify(code)
        if not kind:
            return
        self._busy = True
        try:
            if code.co_name == "__init__":
                self._note_construction(frame)
            if kind != "init":
                self._note_call(kind, frame)
        except Exception:  # nothing that we do may change how a test ends
            pass
        finally:
            self._busy = False

    def _classify(self, code: Any) -> str:
        target = self._targets.get((code.co_filename, code.co_name, code.co_firstlineno))
        if target:
            return target
        own = code.co_filename.startswith(self._project + os.sep) and not code.co_filename.startswith(self._tests)
        return "init" if own and code.co_name == "__init__" else ""

    def _describer(self) -> Describer:
        return Describer(self._usable_fixtures(), self._constructed, (self._tests,))

    def _usable_fixtures(self) -> dict[str, Any]:
        """Fixtures of this test that a test in another file of the same folder can name, too."""
        usable = {}
        definitions = getattr(getattr(self.item, "_fixtureinfo", None), "name2fixturedefs", {})
        for name, value in (getattr(self.item, "funcargs", None) or {}).items():
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
        self._constructed[id(instance)] = (instance, positional, keywords)  # kept alive, so that the id stays its own

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
        if len(calls) >= _MAX_CALLS:
            return
        values = inspect.getargvalues(frame)
        bound = bool(values.args) and values.args[0] in {"self", "cls"}
        positional, keywords = self._arguments(frame, values, skip=1 if bound else 0)
        receiver = self._describer().describe(values.locals[values.args[0]]) if bound else None
        record = {"target": target, "receiver": receiver, "positional": positional, "keywords": keywords}
        text = json.dumps(record, sort_keys=True)
        if text not in calls:
            calls.add(text)
            self._output.write(text + "\n")
            self._output.flush()


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
    sys.setprofile(_carver.profile)
    threading.setprofile(_carver.profile)
    yield
    sys.setprofile(None)
    threading.setprofile(None)
