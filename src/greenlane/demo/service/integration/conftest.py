"""Integration tests run against a service that is up; its address is in GREENLANE_URL."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask() -> Ask:
    url = os.environ.get("GREENLANE_URL")
    if not url:
        pytest.skip("GREENLANE_URL is not set: no service to test")
    host = urlsplit(url).netloc

    def send(method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(host, timeout=10)
        try:
            connection.request(method, path, json.dumps(body) if body else None)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    return send
