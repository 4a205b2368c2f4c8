"""A backtest in words, and as one HTML file: opens anywhere, loads nothing, runs nothing."""

from __future__ import annotations

import msgspec

from greenlane.backtest.summing import BacktestReport
from greenlane.pages.site import render
from greenlane.policy.shares import Share

WIDTH, BAR, GAP = 720, 18, 8
LABEL = 300
MAX_LABEL = 42
SHOWN_RULES = 25
SHOWN_CHANGES = 500


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of a drawing with its interval; x in pixels from the left, y of its upper edge."""

    label: str
    style: str
    y: float
    width: float
    low: float
    high: float
    text: str


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the histogram of scores."""

    x: float
    y: float
    height: float
    over_height: float
    """Of the changes whose score reaches their limit; they stand at the bottom."""
    label: str
    text: str


def interval_words(share: Share) -> str:
    return f"{share.low:.1%} to {share.high:.1%}"


def share_words(share: Share) -> str:
    return f"{share.count} of {share.total} ({share.share:.1%}, 95 % {interval_words(share)})"


def headline(report: BacktestReport) -> list[str]:
    """The result in a few lines, the figure that decides first."""
    lines = [
        f"{report.repo}: {what_words(report)}",
        f"A human would have been asked for {share_words(report.to_human)}",
        f"  by risk and security: {share_words(report.by_risk)}",
        f"  by policy alone (schema, API, integration, compliance): {share_words(report.by_policy_only)}",
    ]
    lines += model_words(report)
    if report.unreadable:
        lines.append(unreadable_words(report))
    return lines


def unreadable_words(report: BacktestReport) -> str:
    return f"{report.unreadable} could not be read at all, and count as asked" if report.unreadable else ""


def what_words(report: BacktestReport) -> str:
    with_ = f", with {', '.join(report.settings)}" if report.settings else ""
    n = len(report.changes)
    return f"the last {n} merged changes up to {report.commit[:10]}, judged in {report.seconds:g} s{with_}"


def recall_words(report: BacktestReport) -> list[str]:
    """How many of the changes with a bad end would have gone to a human, by what is known of that end."""
    if not report.labelled:
        return [
            f"No later commit takes one of them back or mends it{_traced_words(report)}: nothing is known of recall"
        ]
    lines = []
    if report.recall.total:
        part = (
            f", {report.reverted.count} of {report.reverted.total} of those reverted" if report.reverted.total else ""
        )
        lines.append(f"Reverted or fixed, as later messages say: {share_words(report.recall)} to a human{part}")
    if report.mended.total:
        lines.append(f"Later fixes changed their lines{_traced_words(report)}: {share_words(report.mended)} to a human")
    return lines


def _traced_words(report: BacktestReport) -> str:
    return "" if report.traced == report.fixes else f" (only {report.traced} of {report.fixes} fixes were followed)"


def model_words(report: BacktestReport) -> list[str]:
    """What a model would have cost, in one line; a second one if some changes cost too much."""
    model, n = report.model, max(len(report.changes), 1)
    prices = model.prices
    lines = [
        f"A model would take about {model.input_tokens / n:,.0f} tokens in ({model.cached_tokens / n:,.0f} of them "
        f"from its cache) and {model.output_tokens / n:,.0f} out a change: {model.usd:,.2f} dollars together, "
        f"{model.usd_a_change:.3f} a change, {model.usd_most:.3f} at most "
        f"(at {prices.sent:g} sent, {prices.cached:g} read from the cache, {prices.written:g} written to it and "
        f"{prices.answered:g} out a million)"
    ]
    if model.over_budget:
        lines.append(f"  {model.over_budget} would cost more than model.usd_per_pr, and go to a human for that")
    return lines


def limit_words(report: BacktestReport) -> str:
    low, high = report.limits
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def render_html(report: BacktestReport) -> str:
    """The page. Whatever comes from the repository is escaped."""
    lanes = [(row.lane, f"lane-{row.lane}", row.changes) for row in report.lanes if row.changes.count]
    rules = [(row.rule, "lane-schema" if row.mandated else "lane-red", row.asked) for row in report.rules[:SHOWN_RULES]]
    asked = [c for c in report.changes if c.to_human]
    return render(
        "backtest.html.j2",
        report=report,
        what=what_words(report),
        rates=_bars(
            [
                ("a human is asked", "", report.to_human),
                ("by risk and security", "lane-red", report.by_risk),
                ("by policy alone", "lane-schema", report.by_policy_only),
            ]
        ),
        model_words=model_words(report),
        recall_words=recall_words(report),
        lanes=_bars(lanes),
        rules=_bars(rules),
        scores=_columns(report),
        labelled=report.labelled[:SHOWN_CHANGES],
        more_labelled=max(0, len(report.labelled) - SHOWN_CHANGES),
        limit_words=limit_words(report),
        unreadable=unreadable_words(report),
        asked=asked[:SHOWN_CHANGES],
        more_asked=max(0, len(asked) - SHOWN_CHANGES),
        shown_rules=report.rules[:SHOWN_RULES],
        width=WIDTH,
        label=LABEL,
        bar=BAR,
        interval_words=interval_words,
    )


def _bars(rows: list[tuple[str, str, Share]]) -> list[Bar]:
    """Horizontal bars, to one scale, each with its interval."""
    room = WIDTH - LABEL - 175
    top = max((share.high for _, _, share in rows), default=1.0) or 1.0
    return [
        Bar(
            label=label if len(label) <= MAX_LABEL else "…" + label[1 - MAX_LABEL :],  # the end tells rules apart
            style=style,
            y=i * (BAR + GAP),
            width=round(share.share / top * room, 1),
            low=round(LABEL + share.low / top * room, 1),
            high=round(LABEL + share.high / top * room, 1),
            text=f"{share.count} ({share.share:.1%}, {share.low:.1%} to {share.high:.1%})",
        )
        for i, (label, style, share) in enumerate(rows)
    ]


def _columns(report: BacktestReport) -> list[Column]:
    height, top = 160, max((b.changes for b in report.scores), default=1) or 1
    step = WIDTH / 10
    return [
        Column(
            x=round(i * step + 4, 1),
            y=round(height - b.changes / top * height, 1),
            height=round(b.changes / top * height, 1),
            over_height=round(b.over / top * height, 1),
            label=f"{b.start:g}",
            text=f"{b.changes}" if b.over in (0, b.changes) else f"{b.changes} ({b.over} over)",
        )
        for i, b in enumerate(report.scores)
    ]
