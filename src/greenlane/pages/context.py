"""The context package as one HTML file: opens anywhere, loads nothing, runs nothing."""

from __future__ import annotations

from greenlane.pages.site import render
from greenlane.policy.context import ContextPackage


def render_html(package: ContextPackage) -> str:
    """The page. All of the change's own text in it is escaped."""
    return render("context.html.j2", package=package)
