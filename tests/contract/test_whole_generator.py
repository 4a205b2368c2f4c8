"""The generator from gap to file, on code as services have it: typed models of another module, and coroutines."""

from __future__ import annotations

from pathlib import Path

from greenlane.adapters.sandbox import choose_sandbox
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.suite.lines import executable_lines
from greenlane.suite.runner import SuiteRequest, SuiteRunner
from greenlane.testgen import TestGenerator
from greenlane.testgen.generator import Generation
from tests.support.projects import write_tree
from tests.support.scenes import OWN_ENVIRONMENT

MODELS = """
    import enum
    from dataclasses import dataclass
    from decimal import Decimal


    class Tier(enum.Enum):
        BASIC = "basic"
        GOLD = "gold"


    @dataclass(frozen=True)
    class Line:
        name: str
        price: Decimal


    @dataclass
    class Order:
        lines: list[Line]
        tier: Tier = Tier.BASIC
"""
FEES = """
    from __future__ import annotations

    from decimal import Decimal
    from typing import TYPE_CHECKING

    from shop.models import Tier

    if TYPE_CHECKING:
        from collections.abc import Sequence

        from .models import Order


    def fee(orders: Sequence[Order]) -> Decimal:
        total = sum((line.price for order in orders for line in order.lines), Decimal(0))
        if total < 0:
            raise ValueError("nobody is paid")
        if any(order.tier is Tier.GOLD for order in orders):
            return Decimal(0)
        return total / 10
"""
STOCK = """
    class Stock:
        def __init__(self, count):
            self._left = count

        async def take(self, count, *, partly=False):
            if count > self._left:
                if not partly:
                    raise LookupError("not enough is left")
                count = self._left
            self._left -= count
            return count
"""
CONFTEST = """
    import pytest_asyncio
    from shop.stock import Stock


    @pytest_asyncio.fixture
    async def stock():
        yield Stock(3)
"""
TESTS = """
    import pytest
    from shop import fees

    pytestmark = pytest.mark.asyncio


    async def test_what_is_there_is_given(stock):
        assert await stock.take(2) == 2
"""


async def generate(tree: Path, path: str) -> Generation:
    sandbox, settings, service = choose_sandbox(), Settings(), Service(name="shop", source_roots=("src",))
    changed = {path: executable_lines((tree / path).read_text())}
    request = SuiteRequest(measure=(path,), branches=True)
    baseline = await SuiteRunner(sandbox, settings).run(service, OWN_ENVIRONMENT, tree, request)
    assert baseline.passed, baseline.output
    gaps = {path: changed[path] - baseline.executed(path)}
    assert gaps[path]
    made = await TestGenerator(sandbox, settings).generate(service, OWN_ENVIRONMENT, tree, gaps, baseline, changed)
    assert made.suite is not None, made.dropped
    assert not gaps[path] - made.suite.executed(path)
    return made


def tree_at(folder: Path) -> Path:
    files = {"src/shop/__init__.py": "", "src/shop/models.py": MODELS, "src/shop/fees.py": FEES}
    files |= {"src/shop/stock.py": STOCK, "tests/conftest.py": CONFTEST, "tests/test_stock.py": TESTS}
    write_tree(folder, files)
    return folder


async def test_objects_of_annotated_classes_are_made_though_no_test_makes_any(tmp_path: Path) -> None:
    made = await generate(tree_at(tmp_path), "src/shop/fees.py")
    (file,) = made.files
    assert b"from shop.models import Line, Order, Tier\n" in file.content
    assert b'with pytest.raises(ValueError, match="nobody is paid"):' in file.content
    assert len(made.surviving) <= made.mutants // 10, made.surviving


async def test_a_coroutine_is_awaited_in_the_loop_of_the_projects_plugin(tmp_path: Path) -> None:
    made = await generate(tree_at(tmp_path), "src/shop/stock.py")
    (file,) = made.files
    text = file.content.decode()
    assert "@pytest.mark.asyncio\nasync def test_" in text
    assert "        await stock.take(" in text
    assert "asyncio.run(" not in text
