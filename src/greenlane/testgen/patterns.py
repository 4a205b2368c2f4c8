"""Texts that a regular expression of the code matches: what a format looks like often stands in no comparison.
Pure, and the same each time.
"""

from __future__ import annotations

import functools
import re

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from greenlane.suite.lines import PARSING

_SIGNS = re.compile(r"\\[dswDSWbB]|\(\?|\[\^|\[\w-\w|\)[*+?]|[^\s\w][*+]\)|\.\*")
_EXAMPLES, _MOST = 12, 4
_LONGEST = 40
_PLAIN = "a1 "


def is_pattern(text: str) -> bool:
    """Whether it looks like a regular expression."""
    return bool(_SIGNS.search(text))


@functools.lru_cache(maxsize=128)
def samples(pattern: str) -> tuple[str, ...]:
    """A few short texts that the pattern matches, made of its own characters and plain ones; none where that is not
    possible."""
    drawn: list[str] = []
    try:
        strategy = st.from_regex(pattern, fullmatch=True, alphabet="".join(dict.fromkeys(_PLAIN + pattern)))

        @settings(max_examples=_EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(strategy)
        def draw(text: str) -> None:
            drawn.append(text)

        with PARSING:  # Hypothesis reads the source of what it is given
            draw()
    except (re.error, HypothesisException, ValueError, OverflowError, RecursionError):
        return ()
    short = sorted((text for text in dict.fromkeys(drawn) if 0 < len(text) <= _LONGEST), key=len)
    return tuple(short[:_MOST])
