"""The incident report: complete, the same for the same history, and safe with hostile text."""

from __future__ import annotations

import json
import random
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from greenlane.adapters.memory import Behaviour
from greenlane.domain import events as e
from greenlane.domain.incident import Endpoint, ErrorCluster, IncidentEvidence, Runbook
from greenlane.pages.incident import IncidentFacts, render_html, render_json, render_markdown
from greenlane.policy.hypotheses import Clues, find_hypotheses
from greenlane.policy.log_errors import MAX_CHARS, cluster_errors, read_errors
from greenlane.policy.log_requests import count_endpoints
from tests.support.rollout import Scene, settings

KEY = "AKIA" + "IOSFODNN7EXAMPLE"
LOG = "\n".join(
    [
        "2026-01-01T10:00:00Z Traceback (most recent call last):",
        '  File "/state/deployments/production-0123456789ab/files/app.py", line 2, in price',
        "    return total / 0",
        "decimal.InvalidOperation: <script>alert(1)</script>",
        "2026-01-01T10:00:05Z ERROR [x](javascript:alert(1)) `rm` | boom",
        f"2026-01-01T10:00:06Z ERROR key {KEY} was refused",
        "sqlite3.OperationalError: no such table",
        *[f'1.2.3.4 - - "GET /orders/{n} HTTP/1.1" 500 -' for n in range(8)],
        *['1.2.3.4 - - "GET / HTTP/1.1" 200 -'] * 40,
    ]
)


async def rolled_back(folder: Path) -> Scene:
    runbooks = (Runbook(rule="error_rate", text="- Call the owner of {service}\n2. Look at {run}"),)
    scene = Scene(folder, settings(runbooks=runbooks), candidate=Behaviour(production_error_rate=0.1, log=LOG))
    await scene.driver.drive()
    return scene


async def test_the_report_says_what_was_seen_which_rule_fired_and_what_to_do(tmp_path: Path) -> None:
    scene = await rolled_back(tmp_path)
    incident, rolling = scene.driver.change.incident, scene.driver.change.last_of(e.CanaryRollingBack)
    assert incident is not None
    assert rolling is not None
    text, canary = incident.markdown, rolling.reading.canary
    assert f"| requests | {canary.requests} |" in text
    assert f"| failed | {canary.errors} ({canary.errors / canary.requests:.2%}) |" in text
    assert "**canary.error_rate**" in text
    assert f"| failed requests (fired) | {canary.errors / canary.requests:.2%} | 0.50% | 0.00% | fail |" in text
    assert "app.py line 2 (in price) stands in a stack trace" in text
    assert "this change wrote that line" in text
    assert "OperationalError is in the candidate" in text
    assert "failures concentrate on GET /orders/{id}: 8 of 8" in text
    assert "1. Call the owner of shop\n2. Look at memory-7" in text
    assert f"greenlane replay {scene.run}" in text
    timeline = text.split("## Timeline (UTC)")[1].split("## ")[0]
    places = [timeline.index(f"`{k}`") for k in ("canary.starting", "canary.rolling_back", "canary.rolled_back")]
    assert places == sorted(places)


async def test_every_request_that_the_canary_answered_badly_is_counted(tmp_path: Path) -> None:
    scene = await rolled_back(tmp_path)
    data = json.loads(render_json(scene.driver.change))
    observed = [r.event for r in scene.driver.change.history if isinstance(r.event, e.CanaryObserved)]
    warm = [o.reading.canary for o in observed if o.phase == "warm-up"][-1]
    rolling = scene.driver.change.last_of(e.CanaryRollingBack)
    assert rolling is not None
    assert data["affected"]["requests"] == warm.requests + rolling.reading.canary.requests
    assert data["affected"]["failed"] == warm.errors + rolling.reading.canary.errors > 0
    assert (data["format"], data["rule"]) == (1, "canary.error_rate")


async def test_hostile_text_stays_text_and_secrets_stay_here(tmp_path: Path) -> None:
    scene = await rolled_back(tmp_path)
    change = scene.driver.change
    assert change.incident is not None
    page, data = render_html(change), render_json(change).decode()
    assert "<script" not in change.incident.markdown.replace("\\<", "")
    assert "[x](" not in change.incident.markdown.replace("\\[", "")
    assert "<script" not in page
    assert KEY not in change.incident.markdown + page + data + e.encode_event(change.incident).decode()


async def test_the_page_holds_plots_of_both_versions(tmp_path: Path) -> None:
    scene = await rolled_back(tmp_path)
    page = render_html(scene.driver.change)
    drawings = [ET.fromstring("<svg" + part.split("</svg>")[0] + "</svg>") for part in page.split("<svg")[1:]]
    assert len(drawings) == 3
    lines = [
        [tuple(map(float, p.split(","))) for p in x.get("points", "").split()] for x in drawings[0].iter("polyline")
    ]
    assert len(lines) == 4  # both versions in the warm-up and in the watch
    _, stable, _, canary = lines
    assert canary[-1][1] < stable[-1][1]  # more failures stand higher
    assert canary[-1][0] == 720
    assert render_html(scene.driver.change) == page


def test_a_run_without_an_incident_has_no_page(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no incident"):
        render_html(Scene(tmp_path).driver.change)


async def test_a_report_does_not_grow_with_its_evidence(tmp_path: Path) -> None:
    scene = await rolled_back(tmp_path)
    many = tuple(f"E{i}Error: " + "x" * 5000 for i in range(1000))
    clusters = tuple(ErrorCluster(signature=x, count=1, sample=x) for x in many)
    endpoints = tuple(Endpoint(name=x, requests=2, failed=1) for x in many)
    evidence = IncidentEvidence(clusters=clusters, endpoints=endpoints, changed_paths=many, runbook="\n".join(many))
    _, text = render_markdown(scene.driver.change, IncidentFacts(hypotheses=many, evidence=evidence))
    assert len(text) < 100_000


# ------------------------------------------------------------------ logs

CHAINED = """\
ERROR:root:it broke
Traceback (most recent call last):
  File "/r/production-0123456789ab/files/a.py", line 1, in inner
KeyError: 'x17'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/r/production-0123456789ab/files/b.py", line 5, in outer
    raise Shop("no")
  File "/venv/lib/python3.11/site-packages/lib.py", line 9, in helper
shop.errors.Refused: order 12345 of ada@example.com
"""
NODE = """\
TypeError: Cannot read properties of undefined (reading 'id')
    at price (/app/src/price.js:10:5)
    at processTicks (node:internal/process:1:1)
"""
JAVA = """\
Exception in thread "main" com.shop.OrderException: order 1 of 2
\tat com.shop.Order.price(Order.java:12)
\tat com.shop.Main.main(Main.java:3)
\t... 3 more
"""
GO = """\
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.price(...)
\t/src/shop/price.go:42 +0x1d
exit status 2
"""
STRUCTURED = json.dumps({"level": "error", "time": "2026-01-01T00:00:00Z", "msg": "failed", "stack": NODE})


@pytest.mark.parametrize(
    ("log", "exception", "frame", "signature"),
    [
        (CHAINED, "shop.errors.Refused", "b.py:5 in outer", "shop.errors.Refused: order … of …"),
        (NODE, "TypeError", "/app/src/price.js:10 in price",
         "TypeError: Cannot read properties of undefined (reading …)"),
        (JAVA, "com.shop.OrderException", "Order.java:12 in price",
         'Exception in thread … com.shop.OrderException: order … of …'),
        (GO, "panic", "/src/shop/price.go:42", "panic: runtime error: index out of range […] with length …"),
        (STRUCTURED, "TypeError", "/app/src/price.js:10 in price",
         "TypeError: Cannot read properties of undefined (reading …)"),
        ("2026-01-01 10:00:00,123 ERROR order 8f14e45fceea167a5a36dedd4bea2543 at 10.0.0.1:80", "", "",
         "order … at …"),
    ],
)  # fmt: skip
def test_one_error_of_each_form_is_one_cluster(log: str, exception: str, frame: str, signature: str) -> None:
    ((cluster,), left_out) = cluster_errors(read_errors("hello\n" + log + "\nbye"), ())
    assert (cluster.exception, cluster.frame, cluster.signature) == (exception, frame, signature)
    assert left_out == 0


def test_errors_of_one_kind_are_counted_together_and_held_against_stable() -> None:
    lines = [f"2026-01-01T00:00:{n:02d}Z ERROR order {n} failed for 'user{n}'" for n in range(10)]
    moved = CHAINED.replace("line 5", "line 50").replace("0123456789ab", "ba9876543210")
    clusters, _ = cluster_errors(read_errors("\n".join(lines) + "\n" + CHAINED), read_errors(moved))
    assert [(c.count, c.stable_count, c.first_seen, c.last_seen) for c in clusters] == [
        (10, 0, "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"),
        (1, 1, "2026-01-01T00:00:09Z", "2026-01-01T00:00:09Z"),  # the same place, though its line moved
    ]


def test_a_hostile_log_is_read_in_bounded_time_and_size() -> None:
    draw = random.Random(5)
    words = ["Traceback (most recent call last):", '  File "', "a." * 2000, "\tat ", "{" * 500, '{"level":"error"}', "",
             "x" * 100_000, "Exception in thread \"", "'" * 3000, "0x" * 900, "E" + "a" * 60 + "Error: no", "at " * 900,
             "During handling of the above exception", "panic: ", "ERROR " + "1." * 900]  # fmt: skip
    log = "\n".join(draw.choice(words) for _ in range(20_000))
    begun = time.process_time()
    clusters, _ = cluster_errors(read_errors(log), read_errors(log[:MAX_CHARS]))
    count_endpoints(log, log)
    assert time.process_time() - begun < 3
    assert len(clusters) <= 20
    assert all(len(c.sample) <= 300 and len(c.signature) <= 160 for c in clusters)


async def test_hypotheses_come_from_evidence_alone(tmp_path: Path) -> None:
    change = Scene(tmp_path).driver.change
    assert find_hypotheses(change, Clues(trigger="requested")) == ()
    even = (Endpoint(name="GET /", requests=90, failed=9), Endpoint(name="GET /x", requests=10, failed=1))
    assert find_hypotheses(change, Clues(trigger="requested", endpoints=even)) == ()  # that is where the requests go
