"""Runs inside the sandbox where a suite is not started by pytest: writes the outcome of each unittest test, under the
name that pytest would give it, and marks its coverage. Django's runner is one of unittest's.

As with `greenlane_report.py`, the code under test shares the process and could forge all of it.
"""

from __future__ import annotations

import json
import os
import sys
import unittest
from typing import Any

from greenlane_contexts import switch  # type: ignore[import-not-found]  # it lies beside this file inside

_MAX_DETAIL = 2000
_TREE = os.environ.get("GREENLANE_TREE", "")
_PATH = os.environ.get("GREENLANE_REPORT", "")
_nonce = os.environ.pop("GREENLANE_NONCE", "")
_failed: set[str] = set()


def take() -> str:
    """The nonce, for a pytest that turns out to run in this process after all; once."""
    global _nonce
    taken, _nonce = _nonce, ""
    return taken


def _write(test: str, outcome: str, detail: str = "") -> None:
    if _nonce and _PATH:
        record = {"test": test, "when": "call", "outcome": outcome, "detail": detail[-_MAX_DETAIL:], "nonce": _nonce}
        with open(_PATH, "a", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - appends, often
            file.write(json.dumps(record) + "\n")


def _name(test: Any) -> str:
    """`tests/test_a.py::Case::test_b`; what has no file keeps unittest's own name (a failed import, a set-up)."""
    test = getattr(test, "test_case", test)  # a subtest stands for its test
    file = getattr(sys.modules.get(type(test).__module__), "__file__", None) or ""
    method = getattr(test, "_testMethodName", "")
    if not file.startswith(_TREE + os.sep) or not method:
        return str(test)
    path = os.path.relpath(file, _TREE)
    return f"{path}::{type(test).__qualname__.replace('.', '::')}::{method}"


def _detail(result: Any, test: Any, error: Any) -> str:
    try:
        return str(result._exc_info_to_string(error, test))
    except Exception:  # an error that can't be printed is one all the same
        return str(error[1])


def _put(name: str, function: Any) -> None:
    setattr(unittest.TestResult, name, function)


def _hook(name: str, outcome: str) -> None:
    """Put ours around a method of TestResult that says what became of a test."""
    original = getattr(unittest.TestResult, name)

    def said(self: Any, test: Any, *details: Any, **named: Any) -> Any:
        answer = original(self, test, *details, **named)
        test_name = _name(test)
        if outcome == "failed":
            _failed.add(test_name)
            broken = details and isinstance(details[0], tuple)
            _write(test_name, outcome, _detail(self, test, details[0]) if broken else "")
        elif test_name not in _failed:
            _write(test_name, outcome, str(details[0]) if details and outcome == "skipped" else "")
        return answer

    _put(name, said)


def _hook_subtests() -> None:
    original = unittest.TestResult.addSubTest

    def said(self: Any, test: Any, subtest: Any, error: Any) -> Any:
        if error is not None:
            _failed.add(_name(test))
            _write(_name(test), "failed", _detail(self, test, error))
        return original(self, test, subtest, error)

    _put("addSubTest", said)


def install() -> None:
    outcomes = {
        "addSuccess": "passed",
        "addFailure": "failed",
        "addError": "failed",
        "addSkip": "skipped",
        "addExpectedFailure": "skipped",
        "addUnexpectedSuccess": "failed",
    }
    for name, outcome in outcomes.items():
        _hook(name, outcome)
    _hook_subtests()
    start, stop = unittest.TestResult.startTest, unittest.TestResult.stopTest

    def started(self: Any, test: Any) -> None:
        switch(_name(test))
        start(self, test)

    def stopped(self: Any, test: Any) -> None:
        stop(self, test)
        switch("")

    _put("startTest", started)
    _put("stopTest", stopped)
