from __future__ import annotations

from pathlib import Path

import pytest

from shop.migrate import migrate


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a fresh database."""
    migrate(tmp_path)
    return tmp_path
