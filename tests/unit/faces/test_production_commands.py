"""`greenlane baseline` and `greenlane predictions`: what is known of production, and what is missing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from greenlane.adapters.baselines import FILE, BaselineStore
from greenlane.domain import events as e
from greenlane.domain.delivery import Counters
from greenlane.domain.production import ProductionReading
from greenlane.pages.predictions import draw, render_svg
from greenlane.policy.prediction import P99, detect_releases
from tests.unit.rollout.test_prediction import told

from .conftest import CommandLine


def fill(store: BaselineStore, *, slow: bool) -> None:
    """Production of 40 quarters of an hour: 100 answers in 15 s of each."""

    async def record() -> None:
        for quarter in range(40):
            at = datetime.now(UTC) - timedelta(minutes=15 * (40 - quarter))
            for second, count in ((0, 0), (15, 100)):
                counters = Counters(requests=count, histogram=((50.0, 0 if slow else count), (2000.0, count)))
                reading = ProductionReading(version=f"v{quarter}", counters=counters)
                await store.record("shop", reading, at + timedelta(seconds=second))

    asyncio.run(record())


def test_a_baseline_is_shown_and_says_what_it_lacks(cli: CommandLine) -> None:
    said = " ".join(cli("baseline", "shop").stderr.split())
    assert "no baseline yet: 0 of the 1000 requests that are needed were counted in 30 days" in said
    fill(BaselineStore(cli.application.state_dir / FILE), slow=True)
    said = cli("baseline", "shop")
    assert "all hours" in said.stdout
    assert "4,000" in said.stdout
    assert "168 of 168 hours of the week have fewer than 1000 requests" in said.stderr
    assert "over the limit of 800 ms" in " ".join(said.stderr.split())
    found = cli.json("baseline", "shop")
    assert (found["all"]["requests"], found["hours"], len(found["warnings"])) == (4000, [], 1)
    assert cli("baseline", "nothing").exit_code == 2


def test_predictions_are_drawn_beside_what_came(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = tuple(told(x) for x in (0.1, -0.2, 0.0))

    async def past() -> Any:
        return changes

    assert "no release with a prediction" in cli("predictions", "shop").stderr
    monkeypatch.setattr(cli.application, "past", past)
    page = tmp_path / "page.html"
    said = cli("predictions", "shop", "--html", str(page))
    assert said.exit_code == 0
    assert "p99_ms: 5 more releases are needed" in said.stderr
    tags = Tags()
    tags.feed(page.read_text("utf-8"))
    assert (tags.seen.count("circle"), "script" in tags.seen) == (3, False)
    found = cli.json("predictions", "shop")
    assert [round(r["release"]["shown"]) for r in found["releases"]] == [66, 49, 60]


def test_a_drawing_stands_alone_as_a_file() -> None:
    releases = detect_releases([told(x) for x in (0.1, -0.2, 0.0)], "shop")
    root = ElementTree.fromstring(render_svg(draw(P99, releases, 8)))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(root.findall(".//{http://www.w3.org/2000/svg}circle")) == 3


def test_the_answer_of_staging_has_its_six_parts(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    why = e.Reasoning(decision="proceed", rationale="The merge runs well in staging.")
    complete = e.StagingComplete(proceed=True, staging_healthy=True, base_sha="b", merge_sha="m", why=why)
    change = msgspec.structs.replace(told(0.0), staging=complete)
    monkeypatch.setattr(cli.application, "changes", {change.run: change})
    found = cli.json("staging", change.run)
    assert list(found) == [
        "staging_healthy", "regressions_detected", "anomalies", "performance_delta", "proceed_to_production",
        "reasoning",
    ]  # fmt: skip
    assert found["proceed_to_production"] is True
    assert "runs well" in cli("staging", change.run).stdout


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
