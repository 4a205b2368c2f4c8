"""All analyzers that come with Greenlane, each in a process of its own. Called by the one place that composes."""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version

from greenlane.analyzers.base import Analyzer
from greenlane.analyzers.isolated import AnalyzerPool, IsolatedAnalyzer
from greenlane.analyzers.worker import ANALYZERS

_OWN_VERSION = "3"
"""Raised whenever an analyzer's rules change, so that a decision names the rules that it was made by."""
_TOOLS = {
    "security": ("ruff", "bandit"),
    "secrets": ("detect-secrets",),
    "api": ("griffe", "graphql-core", "proto-schema-parser"),
    "schema": ("sqlglot",),
    "integrations": ("packaging",),
    "scripts": ("tree-sitter", "tree-sitter-javascript", "tree-sitter-typescript"),
}


@functools.cache
def shared_pool() -> AnalyzerPool:
    """The one pool of this process: its imports are paid for once. Closed, it starts again with the next job."""
    return AnalyzerPool()


def build_analyzers(timeout_s: float) -> tuple[Analyzer, ...]:
    """One of each; `timeout_s` is the time that each may take for one change."""
    pool = shared_pool()
    return tuple(IsolatedAnalyzer(name, _version(name), timeout_s=timeout_s, pool=pool) for name in ANALYZERS)


def _version(name: str) -> str:
    tools = ", ".join(f"{tool} {_installed(tool)}" for tool in _TOOLS.get(name, ()))
    return f"{_OWN_VERSION} ({tools})" if tools else _OWN_VERSION


def _installed(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:
        return "?"
