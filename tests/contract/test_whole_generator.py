"""The generator from gap to file, on code as services have it: typed models of another module, and coroutines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from greenlane.adapters.sandbox import choose_sandbox
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.policy.testing import TestFacts, TestVerdict
from greenlane.suite.lines import executable_lines
from greenlane.suite.runner import SuiteRequest, SuiteRunner
from greenlane.testgen import TestGenerator
from greenlane.testgen.gates import Judged
from greenlane.testgen.generator import Author, Draft, Generation
from greenlane.testgen.given import GivenText
from greenlane.testgen.neighbours import Style
from greenlane.testgen.render import WrittenCase
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


POLLUTING = """
    from shop import fees


    def test_rate():
        fees.RATE = 2
        assert fees.RATE == 2
"""


class _Other:
    """Writes one more test, once asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def write(self, kept: Sequence[Judged]) -> list[Judged]:
        self.asked.append([one.test.name for one in kept])
        return [judged("test_other", "assert fees.RATE > 0")]


def judged(name: str, assertion: str) -> Judged:
    code = f"def {name}():\n    {assertion}\n"
    given = GivenText(imports=("from shop import fees",), code=code, about="src/shop/fees.py")
    test = WrittenCase(name=name, purpose="It is so.", given=given)
    return Judged(test=test, facts=TestFacts(), verdict=TestVerdict(keep=True))


async def test_another_test_takes_the_place_of_one_that_the_suite_does_not_bear(tmp_path: Path) -> None:
    write_tree(tmp_path, {"src/shop/__init__.py": "", "src/shop/fees.py": "RATE = 1\n", "tests/test_a.py": POLLUTING})
    sandbox, settings, service = choose_sandbox(), Settings(), Service(name="shop", source_roots=("src",))
    baseline = await SuiteRunner(sandbox, settings).run(service, OWN_ENVIRONMENT, tmp_path, SuiteRequest())
    kept = (judged("test_alone", "assert fees.RATE == 1"), judged("test_ever", "assert fees.RATE"))
    other = _Other()
    draft = Draft(path="tests/test_b.py", style=Style(folder="tests"), kept=kept, author=cast(Author, other))
    made = await TestGenerator(sandbox, settings).with_suite(
        service, OWN_ENVIRONMENT, tmp_path, [draft], [], baseline, ("src/shop/fees.py",)
    )
    assert [one.name for one in made.written] == ["test_ever", "test_other"]
    assert [one.name for one in made.dropped] == ["test_alone"]
    assert other.asked == [["test_ever"]]
    assert made.suite is not None
    assert made.suite.passed


LAST = """
    from shop import fees


    def test_rate():
        assert fees.RATE == 1
"""


async def test_only_the_tests_that_disturb_others_are_taken_out(tmp_path: Path) -> None:
    write_tree(tmp_path, {"src/shop/__init__.py": "", "src/shop/fees.py": "RATE = 1\n", "tests/test_z.py": LAST})
    sandbox, settings, service = choose_sandbox(), Settings(), Service(name="shop", source_roots=("src",))
    baseline = await SuiteRunner(sandbox, settings).run(service, OWN_ENVIRONMENT, tmp_path, SuiteRequest())
    disturbing = judged("test_bad", "assert fees.__dict__.update(RATE=2) is None")
    kept = (*(judged(f"test_{n}", "assert fees.RATE") for n in range(3)), disturbing, judged("test_4", "assert fees"))
    draft = Draft(path="tests/test_b.py", style=Style(folder="tests"), kept=kept)
    made = await TestGenerator(sandbox, settings).with_suite(
        service, OWN_ENVIRONMENT, tmp_path, [draft], [], baseline, ("src/shop/fees.py",)
    )
    assert [one.name for one in made.written] == ["test_0", "test_1", "test_2", "test_4"]
    assert [one.name for one in made.dropped] == ["test_bad"]


async def test_a_test_that_fails_after_one_of_another_file_is_taken_out(tmp_path: Path) -> None:
    write_tree(tmp_path, {"src/shop/__init__.py": "", "src/shop/fees.py": "RATE = 1\n", "tests/test_z.py": "N = 1\n"})
    sandbox, settings, service = choose_sandbox(), Settings(), Service(name="shop", source_roots=("src",))
    baseline = await SuiteRunner(sandbox, settings).run(service, OWN_ENVIRONMENT, tmp_path, SuiteRequest())
    disturbing = judged("test_bad", "assert fees.__dict__.update(RATE=2) is None")
    drafts = [
        Draft(
            path="tests/test_a.py", style=Style(folder="tests"), kept=(judged("test_first", "assert fees.RATE == 1"),)
        ),
        Draft(path="tests/test_b.py", style=Style(folder="tests"), kept=(disturbing,)),
    ]
    made = await TestGenerator(sandbox, settings).with_suite(
        service, OWN_ENVIRONMENT, tmp_path, drafts, [], baseline, ("src/shop/fees.py",)
    )
    assert [one.name for one in made.written] == ["test_bad"]
    assert [one.name for one in made.dropped] == ["test_first"]
