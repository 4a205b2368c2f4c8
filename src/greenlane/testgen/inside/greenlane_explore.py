"""Runs inside the sandbox: calls functions with proposed inputs and writes down what came of each call.

A case is `{"id", "module", "function", "receiver", "history": [[method, arguments], ...], "arguments": [[name or null,
expression], ...], "imports", "asynchronous"}`; expressions were checked outside. Imported by a probe file that stands
among the project's tests, so that the project's fixtures can be used.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import functools
import importlib
import inspect
import itertools
import json
import os
import pathlib
import signal
import sys
import time
import types
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from greenlane_ending import ending, go_on, stopping  # type: ignore[import-not-found]  # it lies beside this file inside
from greenlane_further import (  # type: ignore[import-not-found]  # as above
    expectation,
    further_looks,
    own_attributes,
    unlike,
)
from greenlane_looks import (  # type: ignore[import-not-found]  # as above
    MAX_LISTED,
    Listed,
    changes_of,
    describe_value,
    files_here,
    is_stream,
    paths_of,
    quietly,
    remove_new,
    state_of,
)
from greenlane_memory import Memory, import_before  # type: ignore[import-not-found]  # as above
from greenlane_raised import describe_error, words_of  # type: ignore[import-not-found]  # as above
from greenlane_settled import Settled  # type: ignore[import-not-found]  # as above
from greenlane_terminal import was_asked, watch_terminal  # type: ignore[import-not-found]  # as above
from greenlane_untouched import Untouched  # type: ignore[import-not-found]  # as above
from greenlane_values import Describer  # type: ignore[import-not-found]  # as above
from greenlane_waits import short_waits, watch_sleep  # type: ignore[import-not-found]  # as above
from greenlane_warned import warned  # type: ignore[import-not-found]  # as above

_CALL_S, _LEAST_S = 1.0, 0.1
_WAIT_S, _LEAST_WAIT_S = 8.0, 2.0  # by the clock: a machine may be busy with other things
_MAX_GIVEN = 2
_DECORATED = frozenset(
    {"func", "function", "fn", "f", "wrapped", "callable", "callback", "method", "decorated", "meth"}
)
_FUNCTIONS = (types.FunctionType, functools.partial, functools._lru_cache_wrapper)  # plain functions and their wrappers
_PLACES = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

with open(os.environ["GREENLANE_INPUT"], encoding="utf-8") as _file:  # noqa: PTH123 - plain and early
    _GIVEN = json.load(_file)
if _GIVEN.get("again"):
    sys.argv[:] = [os.path.join(os.path.dirname(sys.argv[0]), "greenlane-again")]  # noqa: PTH118, PTH120 - plain and early
_OUTPUT = os.environ.get("GREENLANE_OUTPUT", "")
"""Known early: what is called may be given another environment."""
_END = "" if "mutants" in _GIVEN else _OUTPUT  # while mutants are tried, what has no end is a fork's own affair
_MEMORY = Memory(_GIVEN["project"], _GIVEN["tests"])
_FILES = Untouched(_GIVEN["project"])
_AT: dict[str, Any] = {}
"""The fixtures of a call that are paths."""
_allowed = [_CALL_S]
_late: dict[str, int] = {}
"""How often calls of a function came to no end in time: each further one is given half of the time."""
SEEN: dict[int, dict[str, Any]] = {}
EXPECTED: dict[int, dict[str, Any]] = {}
"""While mutants are tried: what a test would look at of each call, as it is now and as it is without a fault."""
UNLIKE: list[str] = []
"""The looks at the last call that see something else than expected."""


class CallTimeout(BaseException):
    """The call took too long: not an Exception, so that the code under test does not swallow it."""


def cases(group: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _GIVEN["groups"][group]
    return found


def run(case: dict[str, Any], fixtures: dict[str, Any]) -> None:
    called = f"{case['module']}.{case['function']}"
    _allowed[0] = max(_CALL_S / 2 ** _late.get(called, 0), _LEAST_S)
    _begin(case, fixtures)
    began = time.process_time()
    with ending(case["id"], _END), _FILES.kept() as changed, _MEMORY.kept():
        seen = _observe(case, fixtures)
    took = round((time.process_time() - began) * 10)
    if changed:
        seen = {"kind": "unusable", "message": f"changes {changed[0]}"[:200]}
    if seen["kind"] == "timeout" and "mutants" not in _GIVEN:
        _late[called] = _late.get(called, 0) + 1
    if was_asked():
        seen = {"kind": "unusable", "message": "reads the standard input"}
    _tell(case, seen | {"took": took} if took else seen)


def _begin(case: dict[str, Any], fixtures: dict[str, Any]) -> None:
    import_before(case)
    _AT.clear()
    _AT.update(paths_of(fixtures))


def _describer() -> Describer:
    """Describes values as a test may write them."""
    return Describer(forbidden=(_GIVEN["tests"],), allowed=_GIVEN.get("modules"), places=_AT)


async def run_in_loop(case: dict[str, Any], fixtures: dict[str, Any]) -> None:
    """The same for a script of a test that awaits, in the loop that its plugin runs."""
    _begin(case, fixtures)
    with ending(case["id"], _END), _FILES.kept() as changed, _MEMORY.kept():
        seen = await _follow(case["script"], dict(fixtures), in_loop=True)
    if changed:
        seen = {"kind": "unusable", "message": f"changes {changed[0]}"[:200]}
    _tell(case, seen)


def _tell(case: dict[str, Any], seen: dict[str, Any]) -> None:
    record = {"case": case["id"], **seen}
    if "mutants" in _GIVEN:
        SEEN[case["id"]] = expectation(record)
        UNLIKE[:] = unlike(EXPECTED.get(case["id"], SEEN[case["id"]]), record)
        assert not UNLIKE
        return
    with open(_OUTPUT, "a", encoding="utf-8") as file:  # noqa: PTH123 - appends, often
        file.write(json.dumps(record) + "\n")


def _observe(case: dict[str, Any], fixtures: dict[str, Any]) -> dict[str, Any]:
    names: dict[str, Any] = dict(fixtures)
    if case["script"] is not None:
        here, files = pathlib.Path.cwd(), files_here()
        seen = _at_once(_follow(case["script"], names))
        left = remove_new(files) if pathlib.Path.cwd() == here else []
        return {"kind": "unusable", "message": f"leaves {left[0]} where it was run"[:200]} if left else seen
    try:
        for module, name in case["imports"]:
            found = importlib.import_module(module)
            names[name or module] = getattr(found, name) if name else found
        with _limited():
            function, values = _prepare(case, names)
    except (Exception, SystemExit, CallTimeout) as error:
        return {"kind": "unusable", "message": f"{type(error).__name__}: {words_of(error)}"[:200]}
    describer = _describer()
    settled = _settled(fixtures)
    wholly = bool(case["void"])
    before = {name: state_of(value, describer, wholly=wholly) for name, value in values.items()}
    positional = [values[f"#{i}"] for i, (name, _) in enumerate(case["arguments"]) if name is None]
    keywords = {name: values[f"#{i}"] for i, (name, _) in enumerate(case["arguments"]) if name is not None}
    progress: dict[str, Any] = {"listed": False}
    files = files_here()
    try:
        outcome = _call(function, positional, keywords, bool(case["asynchronous"]), progress)
    except CallTimeout:
        return {"kind": "timeout"}
    except (Exception, SystemExit) as error:
        return _raised(error, describer) | _way(progress) | _told(settled)
    finally:
        left = remove_new(files)
    if left:
        return {"kind": "unusable", "message": f"leaves {left[0]} where it was run"[:200]}
    record: dict[str, Any] = (progress.get("inside") or describe_value(outcome, describer)) | _way(progress)
    after = {name: state_of(value, describer, wholly=wholly) for name, value in values.items()}
    record["changes"] = changes_of(before, after)
    if wholly and not record["changes"] and case["receiver"] is not None and not fixtures:
        record["changes"] = _answered_otherwise(case, names, describer)
    return record | _told(settled) | _more(lambda: further_looks(record, outcome, describer, _GIVEN["project"]))


def _settled(fixtures: dict[str, Any]) -> Settled:
    settled = Settled(_describer(), bool(_GIVEN.get("again")))
    settled.note(fixtures)
    return settled


def _told(settled: Settled) -> dict[str, Any]:
    told: dict[str, Any] = settled.told()
    return told


def _answered_otherwise(case: dict[str, Any], names: dict[str, Any], describer: Describer) -> list[Any]:
    """The first method of the receiver that answers otherwise after the call than without it, on objects made anew."""
    for name in case["observers"]:
        try:
            with quietly(), _limited():
                _, untouched = _prepare(case, names)
                before = describe_value(getattr(untouched["receiver"], name)(), describer)
                function, values = _prepare(case, names)
                given = [(key, values[f"#{number}"]) for number, (key, _) in enumerate(case["arguments"])]
                function(*(v for key, v in given if key is None), **{key: v for key, v in given if key is not None})
                after = describe_value(getattr(values["receiver"], name)(), describer)
        except (Exception, SystemExit, CallTimeout):
            continue
        told = after["kind"] == "value" and not after.get("view") and not after["listed"] and not after["dated"]
        if told and before != after:
            return [["receiver", name, after["value"], "call"]]
    return []


def _at_once(coroutine: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """What a coroutine gives that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        given: dict[str, Any] = end.value
        return given
    raise AssertionError("it waits")


async def _follow(script: Any, names: dict[str, Any], *, in_loop: bool = False) -> dict[str, Any]:
    """What a script shows: of its look, or of the statement before it that raised an error. `in_loop`: it may await."""
    imports, setup, look = script
    settled = _settled(names)
    names |= {"__name__": "greenlane_script"}
    for module, name in imports:
        exec(f"from {module} import {name}" if name else f"import {module}", names)
    describer = _describer()
    place, is_statement = 0, False
    progress: dict[str, Any] = {"listed": False, "enters": False}
    try:
        for statement in setup:
            with _limited():
                value = eval(_compiled(statement, "exec", in_loop), names)
                if in_loop and inspect.iscoroutine(value):
                    await _in_time(value)
            settled.note_bound(statement, names)
            place += 1
        try:
            code = _compiled(look, "eval", in_loop)
        except SyntaxError:
            code, is_statement = _compiled(look, "exec", in_loop), True
        outcome = (
            await _seen(code, names, progress) if in_loop else _call(lambda: eval(code, names), [], {}, False, progress)
        )
    except CallTimeout:
        return {"kind": "timeout"}
    except (Exception, SystemExit) as error:
        stopped = {"stopped": place if place < len(setup) else -1}
        return _raised(error, describer) | _way(progress) | _told(settled) | stopped
    if is_statement:
        return {"kind": "unusable", "message": "a statement that raises nothing"}
    shown: dict[str, Any] = describe_value(outcome, describer) | _way(progress) | _told(settled)
    return shown | _more(lambda: further_looks(shown, outcome, describer, _GIVEN["project"]))


def _compiled(text: str, mode: str, in_loop: bool) -> types.CodeType:
    code: types.CodeType = compile(text, "<script>", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if in_loop else 0)
    return code


async def _seen(code: types.CodeType, names: dict[str, Any], progress: dict[str, Any]) -> Any:
    """The value of a look that may await; of a coroutine that it gives, what that gives."""
    with _limited(), warned(_GIVEN["project"], progress):
        value = eval(code, names)
        if inspect.iscoroutine(value) and code.co_flags & inspect.CO_COROUTINE:
            value = await _in_time(value)
    return _call(lambda: value, [], {}, False, progress)


async def _in_time(coroutine: Coroutine[Any, Any, Any]) -> Any:
    started = time.monotonic()
    try:
        return await asyncio.wait_for(coroutine, _WAIT_S)
    except TimeoutError:
        if time.monotonic() - started >= _WAIT_S:
            raise CallTimeout from None
        raise


def _way(progress: dict[str, Any]) -> dict[str, Any]:
    """How the look came about, beside the call."""
    flags = {name: True for name in ("listed", "entered", "decorated") if progress.get(name)}
    given = {"warned": progress["warned"]} if "warned" in progress else {}
    return {"called": progress.get("called", -1)} | flags | given


def _prepare(case: dict[str, Any], names: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    module = importlib.import_module(case["module"])
    values = {f"#{i}": eval(text, dict(names)) for i, (_, text) in enumerate(case["arguments"])}
    if case["receiver"] is None:
        function: Any = module
        for part in case["function"].split("."):
            function = getattr(function, part)
        return function, values
    values["receiver"] = eval(case["receiver"], dict(names))
    for name, arguments in case["history"]:
        given = [(key, eval(text, dict(names))) for key, text in arguments]
        step = getattr(values["receiver"], name)
        step(*(v for key, v in given if key is None), **{key: v for key, v in given if key is not None})
    if case["attribute"]:
        return (lambda: getattr(values["receiver"], case["function"])), values
    return getattr(values["receiver"], case["function"]), values


def _call(
    function: Any, positional: list[Any], keywords: dict[str, Any], asynchronous: bool, progress: dict[str, Any]
) -> Any:
    with _limited(), warned(_GIVEN["project"], progress):
        outcome = function(*positional, **keywords)
        if asynchronous and inspect.isawaitable(outcome):
            outcome = asyncio.run(_await(outcome))
        if is_stream(outcome):
            progress["listed"] = True  # an error may come only now
            return Listed(list(itertools.islice(outcome, MAX_LISTED + 1)))
        if isinstance(outcome, contextlib._GeneratorContextManager) and progress.get("enters", True):
            progress["entered"] = True
            with outcome as held:
                progress["inside"] = describe_value(held, _describer())
                return None
        if isinstance(outcome, _FUNCTIONS) and not asynchronous:
            return _call_given(outcome, progress)
        return outcome


def _call_given(outcome: Any, progress: dict[str, Any]) -> Any:
    """A function that was given back (a decorator's, a factory's) shows something only when it is called; one that
    takes a function is given one, and what it makes of that is called."""
    names = _needed(outcome)
    if names is not None and len(names) == 1 and names[0].lower() in _DECORATED:
        progress["decorated"] = True
        outcome = outcome(lambda value: value)
        if not isinstance(outcome, _FUNCTIONS):
            return outcome
        names = _needed(outcome)
    if names is None or len(names) > _MAX_GIVEN:
        return outcome
    progress["called"] = len(names)
    return outcome(*range(1, len(names) + 1))


def _needed(function: Any) -> list[str] | None:
    """The parameters that have to be given by their place."""
    try:
        params = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [p.name for p in params if p.default is p.empty and p.kind in _PLACES]


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Processor time and time by the clock for one call."""

    stop = stopping(CallTimeout)
    go_on()
    previous = signal.signal(signal.SIGALRM, stop), signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_REAL, max(_WAIT_S * _allowed[0] / _CALL_S, _LEAST_WAIT_S))
    signal.setitimer(signal.ITIMER_PROF, _allowed[0])
    try:
        with short_waits():
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGALRM, previous[0])
        signal.signal(signal.SIGPROF, previous[1])


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _raised(error: BaseException, describer: Describer) -> dict[str, Any]:
    return _describe_error(error) | _more(lambda: own_attributes("error", error, describer, _GIVEN["project"]))


def _describe_error(error: BaseException) -> dict[str, Any]:
    record: dict[str, Any] = describe_error(error, _GIVEN["project"])
    return record


def _more(look: Callable[[], list[Any]]) -> dict[str, Any]:
    """Further looks, with limited time: a property may wait for something."""
    with contextlib.suppress(CallTimeout), _limited():
        return {"more": look()}
    return {}


watch_terminal()
watch_sleep(CallTimeout)
