"""A pytest plugin that runs inside the sandbox: which tests notice which faults.

Instead of running the collected tests it runs them once per mutant, each time in a fork of the process that has
imported everything: the child puts the altered code into the live function (`function.__code__`), runs the tests that
reach it, and says which failed. Nothing is imported anew, so a mutant costs milliseconds.

Reads `$GREENLANE_INPUT`: `{"mutants": [{"id", "path", "module", "line", "chain", "source", "tests": [node id, ...]}],
"every": bool, "seconds": number}`; `every` asks for all failing tests of a mutant, else its first ends it, `seconds`
of processor time each processor may spend. Writes
`$GREENLANE_OUTPUT`, a JSON line a mutant: `{"mutant", "kind": "killed" | "alive" | "absent" | "timeout", "tests",
"looks", "ms"}` (`looks`: of a test that makes a proposed call, which looks at it see something else), and first
`{"mutant": -1, "kind": "baseline", "tests": those that fail without any fault}`.
"""

from __future__ import annotations
import __future__

import gc
import importlib
import json
import os
import resource
import selectors
import signal
import sys
import time
import types
from collections.abc import Iterator
from typing import Any

import pytest

_GRACE_S = 1.0
_SLOWER = 8.0
_CLOCK = 4.0
"""A child may use a second and 8 times what its tests took, of processor time; by the clock 4 times that, which holds
for all of them together, too."""
_MAX_FAILING = 400
_FUTURE = __future__.annotations.compiler_flag
_subtests: list[Any] = []
"""Reports of the subtests of the test that runs."""


class _Child:
    """A fork that runs some tests; what it has to say comes through a pipe."""

    def __init__(self, mutant: int, pid: int, reader: int, deadline: float) -> None:
        self.mutant, self.pid, self.reader, self.deadline = mutant, pid, reader, deadline
        self.started = time.monotonic()
        self.text = b""


class Trial:
    """All mutants of one session."""

    def __init__(self, session: Any) -> None:
        with open(os.environ["GREENLANE_INPUT"], encoding="utf-8") as file:  # noqa: PTH123 - plain and early
            self._given = json.load(file)
        self._items = {item.nodeid: item for item in session.items}
        self._seconds: dict[str, float] = {}
        self._failing: set[str] = set()
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, _Child] = {}
        self._workers = max(min(os.cpu_count() or 1, 4), 1)
        self._output = open(os.environ["GREENLANE_OUTPUT"], "a", encoding="utf-8")  # noqa: PTH123, SIM115 - to the end

    def run(self) -> None:
        for module in {mutant["module"] for mutant in self._given["mutants"]}:
            try:
                importlib.import_module(module)
            except Exception:  # then its functions are not found, and that is what is told
                continue
        self._baseline()
        live = _live_functions({mutant["path"] for mutant in self._given["mutants"]})
        gc.freeze()
        spent_before, end = _spent_s(), time.monotonic() + self._given["seconds"] * _CLOCK
        for mutant in self._given["mutants"]:
            if _spent_s() - spent_before > self._given["seconds"] * self._workers or time.monotonic() > end:
                break
            self._begin(mutant, live)
            while len(self._running) >= self._workers:
                self._step()
        while self._running:
            self._step()

    # ---------------------------------------------------------------- without any fault

    def _baseline(self) -> None:
        wanted = list(dict.fromkeys(t for mutant in self._given["mutants"] for t in mutant["tests"]))
        items = [self._items[test] for test in wanted if test in self._items]
        child = self._fork(-1, self._given["seconds"] * _CLOCK / 2, lambda say: _time_all(items, say))
        while self._running:
            self._step()
        for line in child.text.decode("utf-8", "replace").splitlines():
            try:
                test, seconds, failed, seen = json.loads(line)
            except ValueError:
                continue
            self._seconds[test] = seconds
            if failed:
                self._failing.add(test)
            if seen is not None:
                _explored().EXPECTED[seen[0]] = seen[1]
        unfinished = {item.nodeid for item in items} - set(self._seconds)
        self._failing |= unfinished
        self._write({"mutant": -1, "kind": "baseline", "tests": sorted(self._failing), "ms": 0.0})

    # ---------------------------------------------------------------- with one

    def _begin(self, mutant: dict[str, Any], live: dict[Any, list[Any]]) -> None:
        tests = [t for t in mutant["tests"] if t in self._items and t not in self._failing]
        tests.sort(key=lambda test: (self._seconds.get(test, 0.0), test))
        swaps = _swaps(mutant, live)
        if not swaps or not tests:
            self._write({"mutant": mutant["id"], "kind": "alive" if swaps else "absent", "tests": [], "ms": 0.0})
            return
        items = [self._items[test] for test in tests]
        every = bool(self._given["every"])
        allowed = _GRACE_S + _SLOWER * sum(self._seconds.get(test, 0.0) for test in tests)

        def work(say: Any) -> None:
            signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_VIRTUAL, allowed)
            for function, code in swaps:
                function.__code__ = code
            _run_all(items, say, every)

        self._fork(mutant["id"], allowed * _CLOCK, work)

    def _fork(self, mutant: int, seconds: float, work: Any) -> _Child:
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _be_child(reader, writer, work)
        os.close(writer)
        child = _Child(mutant, pid, reader, time.monotonic() + seconds)
        self._running[reader] = child
        self._selector.register(reader, selectors.EVENT_READ, child)
        return child

    def _step(self) -> None:
        """Wait for news, and put an end to what takes too long."""
        soonest = min(child.deadline for child in self._running.values())
        for key, _ in self._selector.select(max(min(soonest - time.monotonic(), 0.5), 0.0)):
            data = os.read(key.fd, 1 << 16)
            key.data.text += data
            if not data:
                self._end(key.data, timed_out=False)
        for child in list(self._running.values()):
            if time.monotonic() > child.deadline:
                self._end(child, timed_out=True)

    def _end(self, child: _Child, *, timed_out: bool) -> None:
        self._selector.unregister(child.reader)
        del self._running[child.reader]
        os.close(child.reader)
        if timed_out:
            os.kill(child.pid, signal.SIGKILL)
        _, status = os.waitpid(child.pid, 0)
        if child.mutant < 0:
            return
        told = _read_failed(child.text.decode("utf-8", "replace"))
        failed = [test for test in told if test in self._items][:_MAX_FAILING]
        timed_out = timed_out or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGVTALRM)
        died = not timed_out and status != 0
        kind = "timeout" if timed_out else "killed" if failed or died else "alive"
        ms = (time.monotonic() - child.started) * 1000
        looks = {test: told[test] for test in failed if told[test]}
        self._write({"mutant": child.mutant, "kind": kind, "tests": failed, "looks": looks, "ms": round(ms, 1)})

    def _write(self, record: dict[str, Any]) -> None:
        self._output.write(json.dumps(record) + "\n")
        self._output.flush()


def _spent_s() -> float:
    """Processor time of this process and of the children that have ended: the same faults are tried on a busy machine,
    as far as the clock allows."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _be_child(reader: int, writer: int, work: Any) -> None:
    """Never returns: the child must not go on as if it were the test session."""
    code = 0
    try:
        os.close(reader)

        def say(line: str) -> None:
            os.write(writer, (line + "\n").encode("utf-8", "replace"))

        work(say)
    except BaseException:  # whatever it was, this process is at its end
        code = 1
    finally:
        os._exit(code)


def _protocol(item: Any) -> bool:
    """Run one test with its fixtures; whether it passed. Nothing is reported to the session, except by subtests, which
    report themselves: where one fails, the test counts as passed until its own report is written."""
    from _pytest.runner import runtestprotocol

    item.session._setupstate.teardown_exact(None)
    _subtests.clear()
    reports = runtestprotocol(item, log=False, nextitem=None)
    return not any(report.failed for report in (*reports, *_subtests))


def _time_all(items: list[Any], say: Any) -> None:
    explored = _explored()
    for item in items:
        started = time.perf_counter()
        if explored is not None:
            explored.SEEN.clear()
        passed = _protocol(item)
        seen = next(iter(explored.SEEN.items()), None) if explored is not None else None
        say(json.dumps([item.nodeid, time.perf_counter() - started, not passed, seen]))


def _run_all(items: list[Any], say: Any, every: bool) -> None:
    explored = _explored()
    for item in items:
        if explored is not None:
            explored.UNLIKE.clear()
        if not _protocol(item):
            say(json.dumps([item.nodeid, explored.UNLIKE if explored is not None else []]))
            if not every:
                return


def _read_failed(text: str) -> dict[str, list[str]]:
    """By a test that failed the looks that saw something else; what a killed child only began to say is left out."""
    found = {}
    for line in text.splitlines():
        try:
            test, looks = json.loads(line)
        except ValueError:
            continue
        found[test] = looks
    return found


def _explored() -> Any:
    """The module that observes proposed calls, where this session holds any."""
    return sys.modules.get("greenlane_explore")


# ------------------------------------------------------------------ putting altered code into live functions


def _live_functions(paths: set[str]) -> dict[Any, list[Any]]:
    """The functions that stand in these files, by the identity of their code."""
    found: dict[Any, list[Any]] = {}
    for thing in gc.get_objects():
        if type(thing) is types.FunctionType and thing.__code__.co_filename in paths:
            found.setdefault(_identity(thing.__code__), []).append(thing)
    return found


def _identity(code: Any) -> tuple[str, str, int]:
    return code.co_filename, code.co_name, code.co_firstlineno


def _swaps(mutant: dict[str, Any], live: dict[Any, list[Any]]) -> list[tuple[Any, Any]]:
    """(function, its altered code) for the function that the mutant names and those that were made inside it."""
    functions = live.get((mutant["path"], mutant["chain"][-1], mutant["first"]), [])
    if not functions:
        return []
    original = functions[0].__code__
    altered = _compiled(mutant, original)
    if altered is None:
        return []
    pairs = dict(_pairs(original, altered))
    swaps = []
    for code, new in pairs.items():
        for function in live.get(_identity(code), []):
            if function.__code__ == code and new.co_freevars == code.co_freevars:
                swaps.append((function, new))
    return swaps


def _compiled(mutant: dict[str, Any], original: Any) -> Any:
    for source in (mutant["source"], _with_class_cell(mutant["source"], len(mutant["chain"]))):
        try:
            code: Any = compile(source, mutant["path"], "exec", flags=_FUTURE, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError):
            return None
        for name in mutant["chain"]:
            inner = [c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == name]
            if not inner:
                return None
            code = inner[-1]
        if code.co_freevars == original.co_freevars:
            return code
    return None


def _with_class_cell(source: str, depth: int) -> str:
    """Keeps `__class__` known to a method whose call of `super()` is what was left out."""
    return source.rstrip() + "\n" + "    " * depth + "if 0:\n" + "    " * (depth + 1) + "__class__\n"


def _pairs(old: Any, new: Any) -> Iterator[tuple[Any, Any]]:
    """Codes that stand for each other: the two themselves, and those of functions inside, as long as they match."""
    yield old, new
    inside = [[c for c in code.co_consts if isinstance(c, types.CodeType)] for code in (old, new)]
    if [c.co_name for c in inside[0]] == [c.co_name for c in inside[1]]:
        for first, second in zip(*inside, strict=True):
            yield from _pairs(first, second)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: Any) -> bool:
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None:
        factory.getbasetemp()  # made once, so that no fork makes its own
    session.config.option.tbstyle = "no"  # nobody reads why a mutant was noticed
    Trial(session).run()
    return True


def pytest_runtest_logreport(report: Any) -> None:
    _subtests.append(report)
