"""Reading source in several threads at once: the parser of Python 3.11 breaks if it is left to itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from greenlane.suite.lines import changed_statements, parse_expression

SOURCE = "\n".join(
    f"def f{n}(a, b):\n    if (a, [b, {{'x': (a + b) * {n}}}]):\n        return [a]\n" for n in range(150)
)


@pytest.fixture
def _hasty_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty_threads")
def test_source_can_be_read_in_several_threads_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        lines = [pool.submit(changed_statements, SOURCE, [2, 3]) for _ in range(12)]
        expressions = [pool.submit(parse_expression, f"f(({'(' * 20}1{')' * 20}, [2]))") for _ in range(400)]
    assert {future.result() for future in lines} == {frozenset({2, 3})}
    assert all(future.result() for future in expressions)
