"""What the pages for people show as configuration is configuration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from greenlane.config import parse_settings

PAGE = Path(__file__).parents[3] / "docs" / "incidents.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda text: text.split(":")[0])
def test_every_example_of_the_page_on_incidents_is_taken(block: str) -> None:
    loaded = parse_settings(block.encode(), Path("greenlane.yaml"))
    assert loaded.settings.model_fields_set


def test_the_page_shows_runbooks_notifications_and_freezes() -> None:
    assert [text.split(":")[0] for text in BLOCKS] == ["runbooks", "notifications", "freeze"]
