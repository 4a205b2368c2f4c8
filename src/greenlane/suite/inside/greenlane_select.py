"""A pytest plugin that runs inside the sandbox: a run of some tests runs these, also where the options of the project
name folders of their own (`addopts = --doctest-modules shop tests`), which pytest would run with any of them.
"""

from __future__ import annotations

from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: Any) -> None:
    """What the settings add is no part of how pytest was called."""
    called = getattr(config, "invocation_params", None)  # there since pytest 5.1
    given = [name for name in config.args if called is not None and name in called.args]
    if given:
        config.args = given
