"""The status page: read-only, harmless, and only under its own name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from greenlane.domain import events as e
from greenlane.pages.site import content_security_policy
from greenlane.web.app import allowed_hosts, create_app

from . import changes as c
from .double import MemoryApplication
from .test_context import HOSTILE, hostile_change

WAITING = c.change_of(c.reviewed(), c.asked(before=e.Stage.TEST))


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(MemoryApplication(tmp_path, (WAITING,)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8700") as client:
        yield client


async def test_the_list_links_to_each_run_and_says_who_waits(page: httpx.AsyncClient) -> None:
    answer = await page.get("/")
    assert answer.status_code == 200
    assert f'href="/runs/{WAITING.run}"' in answer.text
    assert "1 change needs a human" in answer.text
    assert 'http-equiv="refresh"' in answer.text


async def test_a_run_shows_its_context_package(page: httpx.AsyncClient) -> None:
    answer = await page.get(f"/runs/{WAITING.run}")
    assert "an SQL injection" in answer.text
    assert "greenlane approve" in answer.text
    assert (await page.get(f"/api/runs/{WAITING.run}")).json()["view"]["state"] == "awaiting_human"
    assert [v["run"] for v in (await page.get("/api/runs")).json()["runs"]] == [WAITING.run]


async def test_unknown_things_are_404_and_nothing_can_be_changed(page: httpx.AsyncClient) -> None:
    assert (await page.get("/runs/nope")).status_code == 404
    assert (await page.get("/api/runs/nope")).json()["error"]
    assert (await page.get("/static/../../etc/passwd")).status_code == 404
    for path in ("/", f"/runs/{WAITING.run}", "/api/runs"):
        assert (await page.post(path)).status_code == 405


async def test_every_answer_carries_the_headers_that_keep_browsers_in_check(page: httpx.AsyncClient) -> None:
    for path in ("/", "/healthz", "/nope", "/runs/nope"):
        headers = (await page.get(path)).headers
        assert headers["content-security-policy"].startswith(content_security_policy())
        assert headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8700", 200), ("localhost", 200), ("[::1]:8700", 200), ("LOCALHOST:1", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421),
    ],
)  # fmt: skip
async def test_only_our_own_names_are_answered(page: httpx.AsyncClient, host: str, status: int) -> None:
    assert (await page.get("/healthz", headers={"host": host})).status_code == status


def test_a_wildcard_address_has_no_name_of_its_own() -> None:
    assert allowed_hosts("0.0.0.0") is None
    assert allowed_hosts("Build.Example.org") == {"127.0.0.1", "localhost", "::1", "build.example.org"}


async def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    change = hostile_change()
    app = create_app(MemoryApplication(tmp_path, (change,)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
        for path in ("/", f"/runs/{change.run}"):
            text = (await client.get(path)).text
            assert "<script" not in text
            assert HOSTILE not in text
