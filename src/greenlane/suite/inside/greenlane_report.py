"""A pytest plugin that runs inside the sandbox: writes each test's outcome as a JSON line and marks its coverage.

It runs in the process of the code under test, which could forge what it writes; who reads it knows that
(`greenlane/suite/report.py`).
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Generator, Iterator
from json import dumps
from typing import Any

import pytest
from greenlane_contexts import switch  # type: ignore[import-not-found]  # it lies beside this file inside

_ORDER = os.environ.get("GREENLANE_ORDER", "")
_MAX_DETAIL = 2000
_MAX_CANARIES = 100
Write = Callable[[dict[str, Any]], None]
_open = open  # as `dumps`, held by a name of our own: what a test replaces is still replaced while it is reported


def _writer() -> Write:
    """Writes lines with the nonce of this run, which is nowhere in the environment from here on."""
    path, nonce = os.environ.get("GREENLANE_REPORT", ""), os.environ.pop("GREENLANE_NONCE", "")
    if not nonce and (other := sys.modules.get("greenlane_unittest")):
        nonce = other.take()  # pytest was started by a program of the project's own

    def write(record: dict[str, Any]) -> None:
        if path:
            with _open(path, "a", encoding="utf-8", errors="replace") as file:
                file.write(dumps(record | {"nonce": nonce}) + "\n")

    return write


_write = _writer()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[Any]) -> None:
    if _ORDER == "reverse":
        items.reverse()
    elif _ORDER:
        random.Random(int(_ORDER)).shuffle(items)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    switch(item.nodeid)
    yield
    switch("")


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "call" or report.outcome != "passed":
        detail = "" if report.outcome == "passed" else str(report.longrepr)[-_MAX_DETAIL:]
        record = {"test": report.nodeid, "when": report.when, "outcome": report.outcome, "detail": detail}
        _write(record | ({"xfail": True} if hasattr(report, "wasxfail") else {}))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart() -> None:
    """That a session began and reached its end is written down: a test may end the process with a good exit code."""
    _write({"test": str(os.getpid()), "when": "session", "outcome": "began"})


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtestloop(session: Any) -> Generator[None, Any, None]:
    outcome = yield
    if outcome.excinfo is None:
        items = getattr(session, "items", None)
        options = session.config.option
        runs = not (options.collectonly or getattr(options, "setuponly", False))
        count = str(len({item.nodeid for item in items})) if runs and items is not None else ""
        if runs:
            _write({"test": str(os.getpid()), "when": "canary", "outcome": _release_canaries(items or [])})
        _write({"test": str(os.getpid()), "when": "session", "outcome": "ended", "detail": count})


class _Canary(pytest.Item):
    """A test that fails, by an assertion like any other."""

    def runtest(self) -> None:
        raise AssertionError("as it must")

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path, 0, self.name

    def repr_failure(self, *_: Any) -> str:
        """Nobody reads it: the way through the code, as pytest would show it, takes longer than the test."""
        return "as it must"


def _release_canaries(items: list[Any]) -> str:
    """What the machinery of this process makes of failing tests, one beside the tests of each folder, since each may
    have hooks of its own. Nobody hears of them. `failed`, as it must be; `passed`; or `unknown`: it can't be told."""
    try:
        import _pytest.runner

        beside = {os.path.dirname(str(item.path)): item.parent for item in items}  # noqa: PTH120 - a key
        for parent in list(beside.values())[:_MAX_CANARIES]:
            canary: Any = _Canary.from_parent(parent, name="greenlane-canary")
            reports = _pytest.runner.runtestprotocol(canary, nextitem=None, log=False)
            if not any(report.outcome == "failed" for report in reports):
                return "passed"
    except Exception:  # an unusual pytest: the rest of the report stands by itself
        return "unknown"
    return "failed"


def pytest_collectreport(report: Any) -> None:
    if report.failed:
        detail = str(report.longrepr)[-_MAX_DETAIL:]
        _write({"test": report.nodeid or ".", "when": "collect", "outcome": "failed", "detail": detail})
