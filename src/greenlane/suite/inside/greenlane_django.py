"""A pytest plugin that runs inside the sandbox: lets pytest run the tests of a Django project without a plugin for it.

Django's own runner runs the whole suite; this is for single tests, as the generator and the choice of the tests that
matter need it. It prepares what `manage.py test` does: the settings, the test databases, the mail that goes nowhere.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Generator
from typing import Any

import pytest


def _is_ours(config: Any) -> bool:
    return bool(os.environ.get("DJANGO_SETTINGS_MODULE")) and not config.pluginmanager.has_plugin("django")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: Any) -> None:
    """Before any file of the project is imported, since models need the settings."""
    if _is_ours(early_config):
        try:
            importlib.import_module("django").setup()
        except Exception as error:  # the project's fault or none: its tests say it, each by itself
            early_config.issue_config_time_warning(pytest.PytestConfigWarning(f"Django: {error}"), 2)


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtestloop(session: Any) -> Generator[None, Any, None]:
    options = session.config.option
    wanted = not (options.collectonly or getattr(options, "setuponly", False) or getattr(options, "setupplan", False))
    runner = _runner() if wanted and _is_ours(session.config) and session.items else None
    if runner is None:
        yield
        return
    runner.setup_test_environment()
    databases = runner.setup_databases()
    try:
        yield
    finally:
        runner.teardown_databases(databases)
        runner.teardown_test_environment()


def _runner() -> Any:
    try:
        runner = importlib.import_module("django.test.runner")
    except ImportError:
        return None
    return runner.DiscoverRunner(verbosity=0, interactive=False)
