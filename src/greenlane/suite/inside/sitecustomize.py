"""Runs inside the sandbox, at the start of every Python process of a test suite: measures coverage in all of them."""

import os

if os.environ.get("COVERAGE_PROCESS_START"):
    try:
        import coverage

        coverage.process_startup()
    except Exception:  # a suite without measurement is still a suite
        pass
