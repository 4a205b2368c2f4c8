"""The probe: one HTTP request to a running instance, to see whether it answers as it should."""

from __future__ import annotations

from typing import Protocol

from greenlane.domain.contract import DocumentedGet
from greenlane.domain.delivery import Check
from greenlane.domain.service_settings import HttpCheck


class Probe(Protocol):
    async def check(self, base_url: str, check: HttpCheck, *, timeout_s: float) -> Check:
        """Send the request and hold status and body against what is expected. Never raises: no answer is a failure."""

    async def documented(self, base_url: str, request: DocumentedGet, *, timeout_s: float) -> Check:
        """Send a GET that the service documents; hold status and media type against the document. Never raises."""
