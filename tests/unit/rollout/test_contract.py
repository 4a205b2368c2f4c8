"""Smoke requests from a service's OpenAPI document: what is sent, what is a failure, and what staging makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from greenlane.adapters.memory import Behaviour
from greenlane.agents.openapi_smoke import documented_requests
from greenlane.domain.contract import DocumentedGet
from greenlane.domain.delivery import Check, Usage
from greenlane.domain.service_settings import Service
from greenlane.policy.contract import OPERATIONS_MAX, find_requests, judge_answer
from greenlane.policy.staging import Observation, answer_of, assess_staging, compute_deltas
from tests.support.rollout import Scene

DOCUMENT = """
openapi: 3.1.0
servers: [{url: "https://shop.example.com/v1"}]
components:
  parameters:
    Id: {name: id, in: path, required: true, schema: {type: integer, example: 26}}
  responses:
    Page: {description: "", content: {application/json: {}}}
paths:
  /products:
    get:
      parameters: [{name: limit, in: query, schema: {type: integer}}]
      responses: {200: {$ref: "#/components/responses/Page"}, 4XX: {description: ""}}
    post: {responses: {201: {description: ""}}}
  /products/{id}:
    parameters: [{$ref: "#/components/parameters/Id"}]
    get: {responses: {200: {$ref: "#/components/responses/Page"}}}
  /search:
    get:
      parameters: [{name: q, in: query, required: true, example: "green tea"}]
      responses: {default: {description: ""}}
  /orders/{number}:
    get:
      parameters: [{name: number, in: path, required: true, schema: {type: string}}]
      responses: {200: {description: ""}}
  /me:
    get: {security: [{token: []}], responses: {200: {description: ""}}}
"""


def test_only_requests_that_the_document_can_fill_in_are_sent(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "openapi.yaml").write_text(DOCUMENT)
    found = documented_requests(tmp_path, Service(name="shop"))
    assert [r.path for r in found] == ["/v1/products", "/v1/products/26", "/v1/search?q=green+tea"]
    assert found[0].answers == (("200", ("application/json",)), ("4XX", ()))
    assert documented_requests(tmp_path, Service(name="other", paths=("other/**",))) == ()


@pytest.mark.parametrize(
    "document",
    ["[1, 2]", "openapi: 3.1.0\npaths: {/x: {get: 7}}", "a: &a [*a]", "{", "paths: {/x: {$ref: '#/paths/~1x'}}"],
)
def test_a_document_of_another_shape_gives_no_requests(tmp_path: Path, document: str) -> None:
    (tmp_path / "openapi.yaml").write_text(document)
    assert documented_requests(tmp_path, Service(name="shop")) == ()


def test_a_long_document_gives_a_short_test() -> None:
    paths: dict[str, Any] = {f"/{n}": {"get": {"responses": {"200": {}}}} for n in range(500)}
    assert len(find_requests({"paths": paths})) == OPERATIONS_MAX


@pytest.mark.parametrize(
    ("status", "kind", "wrong"),
    [
        (200, "application/json; charset=utf-8", ""),
        (200, "text/html", "status 200 with text/html, documented is application/json"),
        (404, "text/plain", ""),
        (301, "", "status 301 is not documented (it has 200, 4XX, 500)"),
        (500, "application/json", "status 500"),
    ],
)
def test_status_and_media_type_are_held_against_the_document(status: int, kind: str, wrong: str) -> None:
    request = DocumentedGet(path="/x", answers=(("200", ("application/json",)), ("4XX", ()), ("500", ())))
    assert judge_answer(request, status, kind) == wrong


def seen(*checks: Check, p99: float = 5.0, rss: float = 50.0) -> Observation:
    usage = (Usage(cpu_s=1.0, rss_mb=rss, processes=1),)
    return Observation(alive=True, usage=usage, checks=checks, latencies_ms=(1.0, p99))


def test_what_the_current_version_breaks_too_is_remarked_on_and_blocks_nothing() -> None:
    wrong = Check(name="openapi GET /x", passed=False, detail="status 301 is not documented")
    both = assess_staging("shop", seen(wrong), seen(wrong))
    assert (both.healthy, both.failures) == (True, ())
    assert "and so on the current version" in both.anomalies[0]
    new = assess_staging("shop", seen(wrong), seen(Check(name=wrong.name, passed=True)))
    assert not new.healthy
    assert new.regressions
    assert not assess_staging("shop", seen(wrong), None).healthy


async def test_the_answer_of_staging_is_complete(tmp_path: Path) -> None:
    scene = Scene(tmp_path, candidate=Behaviour(latency_ms=10, rss_mb=100), current=Behaviour(latency_ms=5, rss_mb=50))
    await scene.driver.drive()
    staging = scene.driver.change.staging
    assert staging is not None
    answer = answer_of(staging)
    assert (answer.staging_healthy, answer.proceed_to_production) == (True, True)
    assert {d.metric: d.ratio for d in answer.performance_delta}["rss_mb"] == pytest.approx(2)
    assert "The merge runs well in staging" in answer.reasoning
    assert scene.driver.change.validation is not None
    assert scene.driver.change.validation.proceed is False  # twice as slow under load
    assert compute_deltas("shop", seen(), None) == ()
