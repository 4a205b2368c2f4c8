"""Which tests notice which faults, over a small real project whose tests fail in different ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenlane.adapters.sandbox import choose_sandbox
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.suite.lines import parse_source
from greenlane.suite.runner import SuiteRunner
from greenlane.testgen.mutants import mutants_of
from greenlane.testgen.trial import Trials
from tests.support.projects import write_tree
from tests.support.scenes import scene_at

SOURCE = "def half(number):\n    return number // 2\n"
TESTS = """
    import unittest
    from shop.sums import half


    class HalfTest(unittest.TestCase):
        def test_plainly(self):
            self.assertEqual(half(8), 4)

        def test_in_rows(self):
            for number, expected in [(8, 4), (6, 3)]:
                with self.subTest(number=number):
                    self.assertEqual(half(number), expected)

        def test_nothing(self):
            half(8)
"""


async def test_faults_are_tried_beside_each_other_and_noticed_by_a_failing_subtest_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenlane.testgen.trial._FEW", 0)
    monkeypatch.setattr("greenlane.testgen.trial.AT_ONCE", 2)
    tree = write_tree(tmp_path / "tree", {"shop/__init__.py": "", "shop/sums.py": SOURCE, "tests/test_sums.py": TESTS})
    service = Service(name="shop")
    scene = scene_at(tree)
    mutants = mutants_of(parse_source(SOURCE), "shop/sums.py", "shop.sums", {2})
    tests = [f"tests/test_sums.py::HalfTest::test_{name}" for name in ("plainly", "in_rows", "nothing")]
    trials = Trials(SuiteRunner(choose_sandbox(), Settings(services=(service,))))
    trial = await trials.run(scene, mutants, [tests] * len(mutants), every=True)
    assert len(mutants) > 1
    assert [set(trial.tried[number].tests) for number in range(len(mutants))] == [set(tests[:2])] * len(mutants)
