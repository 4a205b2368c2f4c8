"""Runs inside the sandbox, at the start of every Python process of a test suite: measures coverage in all of them, and
the outcomes of a suite that pytest does not start."""

import os

if os.environ.get("COVERAGE_PROCESS_START"):
    try:
        import coverage

        coverage.process_startup()
    except Exception:  # a suite without measurement is still a suite
        pass

if os.environ.get("GREENLANE_UNITTEST") and os.environ.get("GREENLANE_NONCE"):
    import contextlib
    import importlib

    with contextlib.suppress(Exception):  # a suite whose tests have no names is still a suite
        importlib.import_module("greenlane_unittest").install()
