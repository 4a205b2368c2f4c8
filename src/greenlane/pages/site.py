"""Turns templates into pages. All values are escaped; no script is ever sent, and the browser is told to run none.

The style sheet stands inside each page, so that a report is one file; the policy names it by its hash.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from datetime import UTC, datetime
from importlib import resources

import jinja2

from greenlane.pages import words

MAX_EVIDENCE = 20
"""Lines of evidence of one trigger that a page shows; the rest is counted (the ledger has them all)."""


@functools.cache
def style_sheet() -> str:
    return resources.files("greenlane.pages").joinpath("templates/style.css").read_text("utf-8")


@functools.cache
def content_security_policy() -> str:
    """Nothing but the page's own style sheet: hostile text in it can neither run nor load nor send."""
    digest = base64.b64encode(hashlib.sha256(style_sheet().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("greenlane.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clean": words.clean,
        "lines": words.clean_lines,
        "duration": words.duration_words,
        "time": words.time_words,
        "state": words.state_words,
        "metric": words.metric_words,
        "figure": words.figure_words,
    }
    environment.globals |= {
        "glyphs": words.GLYPHS,
        "glyph_words": words.GLYPH_WORDS,
        "count": words.count_words,
        "max_evidence": MAX_EVIDENCE,
    }
    return environment


def render(template: str, **values: object) -> str:
    """The page of this template. `now` is shown as the time at which it was made."""
    values = {"now": datetime.now(UTC).isoformat(), "refresh_s": None, "policy": content_security_policy()} | values
    return _environment().get_template(template).render(style=style_sheet(), **values)
