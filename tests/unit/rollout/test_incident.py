"""The incident report: complete, the same for the same history, and safe with hostile text."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from greenlane.adapters.memory import Behaviour
from greenlane.domain import events as e
from greenlane.pages.incident import IncidentFacts, find_hypotheses, render_html, render_markdown
from tests.support.rollout import Scene

LOG = "\n".join(
    [
        "Traceback (most recent call last):",
        '  File "/srv/releases/9/app.py", line 2, in price',
        "decimal.InvalidOperation: <script>alert(1)</script>",
        "ERROR [x](javascript:alert(1)) `rm` | boom",
        "sqlite3.OperationalError: no such table",
    ]
)


async def rolled_back(folder: Path) -> Scene:
    scene = Scene(folder, candidate=Behaviour(production_error_rate=0.02, log=LOG))
    await scene.driver.drive()
    return scene


async def test_the_report_says_what_was_seen_which_rule_fired_and_what_to_do(tmp_path: Path) -> None:
    scene = await rolled_back(tmp_path)
    incident = scene.driver.change.incident
    assert incident is not None
    text = incident.markdown
    rolling = scene.driver.change.last_of(e.CanaryRollingBack)
    assert rolling is not None
    canary = rolling.reading.canary
    assert f"| requests | {canary.requests} |" in text
    assert f"| failed | {canary.errors} ({canary.errors / canary.requests:.2%}) |" in text
    assert "Rule that fired: **canary.error\\_rate**" in text
    assert "limit 0.50%" in text
    assert "app.py line 2 stands in a stack trace" in text
    assert "OperationalError is in the candidate" in text
    assert "What to do next" in text
    timeline = text.split("## Timeline (UTC)")[1].split("## ")[0]
    assert [
        timeline.index(f"`{kind}`") for kind in ("canary.starting", "canary.rolling_back", "canary.rolled_back")
    ] == (
        sorted(timeline.index(f"`{kind}`") for kind in ("canary.starting", "canary.rolling_back", "canary.rolled_back"))
    )


async def test_hostile_text_stays_text(tmp_path: Path) -> None:
    scene = await rolled_back(tmp_path)
    incident = scene.driver.change.incident
    assert incident is not None
    assert "<script" not in incident.markdown.replace("\\<", "")
    assert "[x](" not in incident.markdown.replace("\\[", "")
    page = render_html(scene.driver.change)
    assert "<script" not in page
    assert "&lt;script&gt;" in page or "…" in page


async def test_the_page_holds_a_plot_of_both_versions(tmp_path: Path) -> None:
    scene = await rolled_back(tmp_path)
    page = render_html(scene.driver.change)
    svg = ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    lines = [[tuple(map(float, p.split(","))) for p in x.get("points", "").split()] for x in svg.iter("polyline")]
    assert len(lines) == 2
    stable, canary = lines
    assert canary[-1][1] < stable[-1][1]  # more failures stand higher
    assert canary[-1][0] == 720
    assert render_html(scene.driver.change) == page


def test_a_run_without_an_incident_has_no_page(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no incident"):
        render_html(Scene(tmp_path).driver.change)


def test_hypotheses_come_from_evidence_alone() -> None:
    assert find_hypotheses(LOG, (), ("lib/other.py",)) == ()
    assert find_hypotheses('File "/srv/pp.py", line 2', (), ("p.py",)) == ()  # a part of a name is no path
    assert find_hypotheses("", ("my.mod.StockError: gone",), ()) == (
        "StockError is in the candidate's log and not in that of the version before",
    )


async def test_a_report_does_not_grow_with_its_evidence(tmp_path: Path) -> None:
    scene = await rolled_back(tmp_path)
    many = tuple(f"E{i}Error: " + "x" * 5000 for i in range(1000))
    _, text = render_markdown(scene.driver.change, IncidentFacts(signatures=many, hypotheses=many, changed_paths=many))
    assert len(text) < 64_000
