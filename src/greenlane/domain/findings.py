"""Findings: what an analyzer saw, with the evidence that proves it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Category(StrEnum):
    SECURITY = "security"
    SECRET = "secret"
    API = "api"
    SCHEMA = "schema"
    INTEGRATION = "integration"
    COVERAGE = "coverage"
    PERFORMANCE = "performance"
    INFRASTRUCTURE = "infrastructure"
    ANALYSIS_GAP = "analysis_gap"


class Severity(StrEnum):
    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the change brings. `rule` is stable (`ruff.S608`, `griffe.parameter-removed`);
    `quotation` is text that stands at `path`:`line` (1-based), so that a reader can check it."""

    rule: str
    category: Category
    severity: Severity
    message: str
    path: str
    line: int = 0
    quotation: str = ""


class FileCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """Changed executable lines of one file: which of them the existing tests run, and which not."""

    path: str
    covered: tuple[int, ...]
    uncovered: tuple[int, ...]
