"""The context package: complete, honest about what is missing, and harmless whatever the change says of itself."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from greenlane.adapters.reports import FileNotifier
from greenlane.domain import events as e
from greenlane.domain.change import Change
from greenlane.domain.delivery import Comparison
from greenlane.domain.errors import InputError
from greenlane.domain.production import SLOT_S, TrafficSlot
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.pages.context import render_html
from greenlane.pages.words import clean, duration_words
from greenlane.policy.context import compute_baseline, compute_context_package
from greenlane.policy.overview import compute_run_view
from greenlane.policy.usual import Around, compute_usual

from . import changes as c

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)> \x1b[2J \u202egnp.exe {{ 7*7 }}'


def test_it_says_why_what_clears_it_who_may_not_and_what_to_type() -> None:
    change = c.change_of(c.reviewed(lane=e.Lane.RED, risk=8.3), c.asked())
    package = compute_context_package(change, Settings())
    assert package.gates[0].triggers == (c.INJECTION,)
    assert package.clears_when == ("the query passes order_id as a parameter",)
    assert package.may_not_decide == (c.AUTHOR,)
    assert package.commands[0] == (
        "approve", f"greenlane approve {change.run} --head {c.HEAD[:10]} --by YOU --reason WHY",
    )  # fmt: skip
    assert package.asked_at == change.history[2].timestamp
    assert package.diff_summary is not None
    assert package.diff_summary.findings == (("coverage", 1),)


def test_figures_stand_beside_what_is_normal_in_production() -> None:
    change = c.change_of(*c.GREEN_WAY, c.canary_started(), c.canary_observed(), *c.rolled_back())
    baseline = compute_context_package(change, Settings()).baseline
    assert baseline is not None
    figures = {(m.metric, m.source.split(":")[0]): m for m in baseline}
    failed = figures["error_rate", "production"]
    assert failed.current == pytest.approx(3 / 4180)
    assert failed.candidate == pytest.approx(31 / 220)
    assert failed.limit == 0.005
    assert figures["p99_ms", "production"].current == 25
    assert figures["p99_ms", "validation"].limit == pytest.approx(11.5 * 1.2)
    assert figures["rss_mb", "staging"].candidate == 41.2


def test_each_kind_of_comparison_shows_the_limit_that_it_was_held_against() -> None:
    def of(metric: str, current: float, limit: float) -> Comparison:
        return Comparison(
            metric=metric, current=current, candidate=2, ratio=1, low=1, high=1, limit=limit, regressed=False
        )

    comparisons = (
        of("p99_ms", 10, 1.2), of("error_rate_increase", 0.01, 0.005), of("rss_mb (advisory)", 40, 1.2),
        of("p99_ms (no current version)", 800, 1.0),
    )  # fmt: skip
    services = (e.ServiceComparison(service="shop", comparisons=comparisons),)
    validated = e.StagingValidated(why=c.why("proceed", "fine"), proceed=True, services=services)
    found = compute_baseline(c.change_of(validated))
    assert [(m.metric, m.unit, m.current, m.limit) for m in found] == [
        ("p99_ms", "ms", 10, 12), ("error_rate_increase", "share", 0.01, 0.015), ("rss_mb", "mb", 40, None),
        ("p99_ms", "ms", None, 800),
    ]  # fmt: skip


def test_parts_that_the_configuration_leaves_out_are_left_out() -> None:
    change = c.change_of(c.reviewed(), c.asked())
    off = {"include_diff_summary": False, "include_baseline_metrics": False, "include_agent_reasoning": False}
    settings = Settings.model_validate({"escalation": {"context_package": off}})
    package = compute_context_package(change, settings)
    assert (package.diff_summary, package.baseline, package.reasoning) == (None, None, None)
    page = render_html(package)
    for heading in ("What changes", "Baseline", "What the agents concluded"):
        assert heading not in page


def test_ticks_of_a_watch_are_no_reasoning_of_their_own() -> None:
    change = c.change_of(*c.GREEN_WAY, c.canary_started(), c.canary_observed(), c.canary_observed())
    reasoning = compute_context_package(change, Settings()).reasoning
    assert reasoning is not None
    assert [r.event for r in reasoning][-1] == "canary.starting"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


def hostile_change() -> Change:
    trigger = e.Trigger(rule=HOSTILE, summary=HOSTILE, evidence=(HOSTILE, "</pre>" + HOSTILE), clears_when=HOSTILE)
    reviewed = c.reviewed(
        summary=(HOSTILE,),
        skipped=(e.SkippedFile(path=HOSTILE, analyzer=HOSTILE, reason=HOSTILE),),
        risk_points=(e.RiskPoint(rule=HOSTILE, points=1, reason=HOSTILE),),
    )
    first = c.opened(title=HOSTILE, description=HOSTILE, branch=HOSTILE, author=HOSTILE, coauthors=(HOSTILE,))
    return c.change_of(reviewed, c.asked(trigger), first=first)


def test_nothing_that_a_change_says_becomes_part_of_the_page() -> None:
    page = render_html(compute_context_package(hostile_change(), Settings()))
    tags = Tags()
    tags.feed(page)
    assert not tags.seen & {"script", "img", "iframe", "svg", "link", "form", "object"}
    assert not {a for a in tags.attributes if a.startswith("on") or a in ("style", "src", "href")}
    assert "default-src &#39;none&#39;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "{{ 7*7 }}" in page


def test_the_page_loads_nothing_and_its_style_is_the_one_that_the_policy_names() -> None:
    import base64
    import hashlib

    page = render_html(compute_context_package(c.change_of(c.reviewed(), c.asked()), Settings()))
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"sha256-{digest}".replace("+", "&#43;") in page or f"sha256-{digest}" in page
    assert "url(" not in style[1]
    assert "http" not in style[1]


async def test_reports_appear_when_a_person_is_needed_and_not_before(tmp_path: Path) -> None:
    notifier = FileNotifier(tmp_path, Settings())
    change = c.change_of(c.reviewed(), c.asked())
    await notifier.notify(change, change.history[1])
    assert notifier.paths_for(change.run) == ()
    await notifier.notify(change, change.history[2])
    assert [p.name for p in notifier.paths_for(change.run)] == ["context.html"]
    assert "SQL injection" in notifier.paths_for(change.run)[0].read_text()
    back = c.change_of(*c.GREEN_WAY, c.canary_started(), *c.rolled_back())
    await notifier.notify(back, back.history[-1])
    await notifier.notify(back, back.history[-1])
    assert (tmp_path / back.run / "incident.md").read_text().startswith("# Incident")
    assert not list(tmp_path.rglob(".*"))


async def test_who_decides_later_finds_what_was_measured_by_then(tmp_path: Path) -> None:
    notifier = FileNotifier(tmp_path, Settings())
    change = c.change_of(c.reviewed(lane=e.Lane.SCHEMA), c.asked(), c.ran_tests(commit="9" * 40))
    await notifier.notify(change, change.history[2])
    page = notifier.paths_for(change.run)[0]
    page.write_text("as it was when the question was asked")
    await notifier.notify(change, change.history[-1])
    assert "9" * 10 in page.read_text()


async def test_what_is_usual_in_production_is_told_before_anything_of_the_change_was_measured(tmp_path: Path) -> None:
    begins = int((c.START - timedelta(days=2)).timestamp()) // SLOT_S * SLOT_S
    slot = TrafficSlot(begins=begins, requests=900, errors=9, seconds=900, histogram=((10.0, 450), (100.0, 900)))
    change = c.change_of(c.reviewed(), c.asked())
    settings = Settings(services=(Service(name="shop", tier="critical"), Service(name="other")))

    async def around(_: Change) -> Around:
        found = compute_usual(change, settings, {"shop": [slot], "other": [slot]}, [], now=c.START)
        return Around(production=found, past=(change,))

    notifier = FileNotifier(tmp_path, settings, around)
    await notifier.notify(change, change.history[2])
    page = notifier.paths_for(change.run)[0].read_text()
    assert "production of the last 30 days, all hours: 900 requests" in page
    assert "1.00 %" in page
    metrics = {m.metric: m for m in (await around(change)).production}
    assert {m.service for m in metrics.values()} == {"shop"}  # the change touches no other
    assert metrics["error_rate"].limit == settings.thresholds.error_rate_threshold
    assert metrics["p50_ms"].current == pytest.approx(10)
    assert "Similar changes" in page
    nothing = compute_usual(change, settings, {}, [], now=c.START)
    assert nothing == ()


def test_a_name_that_leads_out_of_the_reports_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        FileNotifier(tmp_path, Settings()).paths_for("../../etc")


def test_a_run_at_a_glance_says_where_it_is_and_for_how_long() -> None:
    change = c.change_of(c.reviewed(), c.asked(), c.ran_tests(commit="9" * 40))
    view = compute_run_view(change, now=c.START + timedelta(seconds=60))
    assert [s.mark for s in view.stages] == ["passed", "passed", "waiting", "pending", "pending"]
    assert [s.seconds for s in view.stages] == [12, 24, 24, None, None]
    assert (view.state, view.stage, view.tests_added) == ("awaiting_human", "staging", 2)
    assert view.head_sha == "9" * 40


def test_a_run_that_ended_does_not_grow_older() -> None:
    change = c.change_of(*c.GREEN_WAY, c.canary_started(), c.canary_observed(), *c.rolled_back())
    view = compute_run_view(change, now=c.START + timedelta(days=3))
    assert view.seconds == 8 * c.STEP_S
    assert view.stages[-1].mark == "undone"


def test_stages_that_begin_anew_are_not_shown_as_passed() -> None:
    moved = e.BaseMoved(why=c.why("again", "the base moved"), old_base_sha=c.BASE, new_base_sha="c" * 40)
    view = compute_run_view(c.change_of(*c.GREEN_WAY, moved), now=c.START + timedelta(seconds=90))
    assert [s.mark for s in view.stages] == ["passed", "passed", "running", "pending", "pending"]


def test_foreign_text_is_one_harmless_line() -> None:
    assert clean("a\nb\x1b[0m\u2066c") == "a b�[0m�c"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.96, "10 s"), (59.4, "59 s"), (61, "1 m 01 s"), (7265, "2 h 01 m"), (90000, "1 d 1 h")],
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
