"""Which of our tests a suite bears."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from greenlane.testgen.whole import borne_of

NAMES = [f"test_{n}" for n in range(9)]


@pytest.mark.parametrize(
    ("bad", "most", "left_out"),
    [
        ([{"test_3"}], 12, {"test_3"}),
        ([{"test_0"}, {"test_8"}], 12, {"test_0", "test_8"}),
        ([{"test_1", "test_7"}], 12, {"test_7"}),  # only together
        ([{"test_3"}], 2, {"test_0", "test_1", "test_2", "test_3"}),  # what is unclear is left out
        ([{"test_3"}], 0, set(NAMES)),
        ([set()], 30, set(NAMES)),  # it never passes
    ],
)
async def test_what_is_borne_is_found_by_halves(bad: list[set[str]], most: int, left_out: set[str]) -> None:
    asked: list[list[str]] = []

    async def bears(names: Sequence[str]) -> bool:
        asked.append(list(names))
        return not any(group <= set(names) for group in bad)

    borne = await borne_of(NAMES, bears, most)
    assert set(NAMES) - set(borne) == left_out
    assert borne == [name for name in NAMES if name in borne]
    assert len(asked) <= most
    assert sorted(NAMES) not in [sorted(names) for names in asked]  # that they are not borne together is known
