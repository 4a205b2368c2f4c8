"""Answers in a service's access log, by endpoint. Pure. Called when an incident is reported.

Lines in the common log format and its relatives are read (`"GET /x HTTP/1.1" 500`), which most servers write.
"""

from __future__ import annotations

import re
from collections import Counter

from greenlane.domain.incident import Endpoint

MAX_CHARS = 256 * 1024
ENDPOINTS_MAX = 10
_DISTINCT_MAX = 2000
"""Paths that are told apart: a service that is called with made-up ones must not fill memory."""
_ANSWER = re.compile(r'"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) ([^\s"]{1,300}) HTTP/[\d.]{1,3}" (\d{3})\b')
_ID = re.compile(r"^(?:\d+|[0-9a-fA-F-]{8,}|[A-Za-z0-9_-]{24,})$")
_FAILED = 500


def count_endpoints(candidate: str, stable: str) -> tuple[Endpoint, ...]:
    """Endpoints of the candidate's log, those that failed most first; with stable's answers beside them."""
    total, failed = _count(candidate)
    usual, usual_failed = _count(stable)
    names = sorted(total, key=lambda name: (-failed[name], -total[name], name))
    return tuple(
        Endpoint(
            name=name,
            requests=total[name],
            failed=failed[name],
            stable_requests=usual[name],
            stable_failed=usual_failed[name],
        )
        for name in names[:ENDPOINTS_MAX]
    )


def _count(log: str) -> tuple[Counter[str], Counter[str]]:
    total: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for method, path, status in _ANSWER.findall(log[-MAX_CHARS:]):
        name = f"{method} {template_of(path)}"
        if name not in total and len(total) >= _DISTINCT_MAX:
            continue
        total[name] += 1
        failed[name] += int(status) >= _FAILED
    return total, failed


def template_of(path: str) -> str:
    """A path without its query, and with `{id}` for each part that is an id."""
    parts = path.split("?", 1)[0].split("#", 1)[0].split("/")
    return "/".join("{id}" if _ID.match(part) else part for part in parts)[:120]
