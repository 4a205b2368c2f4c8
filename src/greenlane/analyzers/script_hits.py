"""A dangerous place in a script or template, before it is known whether the change brings it. Made by the readers of
each language (`javascript`, `markup`, `shell`), compared between base and head by `scripts`.
"""

from __future__ import annotations

import re

import msgspec

from greenlane.domain.findings import Category, Severity

SQL = re.compile(
    r"^\s*(select\b[\s\S]*\bfrom\b|insert\s+into\b|update\b[\s\S]*\bset\b|delete\s+from\b|drop\s+table\b"
    r"|alter\s+table\b[\s\S]*\b(add|drop|rename|alter|modify|set|owner)\b)",
    re.IGNORECASE,
)
SANITIZER = re.compile(
    r"\b((?:DOMPurify\.|_\.|\w*\.)?(?:sanitize\w*|escape\w*|encodeURIComponent|encodeURI|encodeHTML\w*|htmlEncode))\(([^()]*)\)",
)
"""A call of what makes text harmless, and its argument."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is what is compared between base and head; `host` an address that only matters if the base lacks it."""

    rule: str
    severity: Severity
    message: str
    line: int
    text: str
    host: str = ""
    category: Category = Category.SECURITY


class ScriptError(Exception):
    """The file can't be analysed; the text says why."""
