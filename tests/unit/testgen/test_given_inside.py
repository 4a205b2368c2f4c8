"""What the programs inside are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from greenlane.domain.service_settings import Service
from greenlane.testgen.explore import Given
from greenlane.testgen.scene import Scene


class _Scene:
    service = Service(name="shop")
    folder = "tests"
    tree = Path()
    modules = frozenset({"shop"})


def test_half_of_a_surrogate_pair_reaches_the_inside() -> None:
    given = Given(cast(Scene, _Scene()))
    told = json.loads(given.encode(words=("\ud800", "a"), counts={1: frozenset({2})}))
    assert told["words"] == ["\ud800", "a"]
    assert told["counts"] == {"1": [2]}
    assert told["tests"] == "{tree}/tests"
