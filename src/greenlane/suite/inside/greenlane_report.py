"""A pytest plugin that runs inside the sandbox: writes each test's outcome as a JSON line and marks its coverage.

It runs in the process of the code under test, which could forge what it writes; who reads it knows that.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Generator, Iterator
from typing import Any

import pytest

_PATH = os.environ.get("GREENLANE_REPORT", "")
_ORDER = os.environ.get("GREENLANE_ORDER", "")
_MAX_DETAIL = 2000


def _write(record: dict[str, Any]) -> None:
    if _PATH:
        with open(_PATH, "a", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - appends, often
            file.write(json.dumps(record) + "\n")


def _switch(context: str) -> None:
    try:
        import coverage

        current = coverage.Coverage.current()
        if current is not None:
            current.switch_context(context)
    except Exception:  # an old coverage has no contexts: the lines are measured all the same
        pass


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[Any]) -> None:
    if _ORDER == "reverse":
        items.reverse()
    elif _ORDER:
        random.Random(int(_ORDER)).shuffle(items)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    _switch(item.nodeid)
    yield
    _switch("")


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
def pytest_runtestloop() -> Generator[None, Any, None]:
    outcome = yield
    if outcome.excinfo is None:
        _write({"test": str(os.getpid()), "when": "session", "outcome": "ended"})


def pytest_collectreport(report: Any) -> None:
    if report.failed:
        detail = str(report.longrepr)[-_MAX_DETAIL:]
        _write({"test": report.nodeid or ".", "when": "collect", "outcome": "failed", "detail": detail})
