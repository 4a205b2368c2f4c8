"""A run of some tests runs these, whatever folders the options of the project name."""

from __future__ import annotations

from pathlib import Path

from greenlane.adapters.sandbox import choose_sandbox
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.suite.runner import SuiteRequest, SuiteRunner
from tests.support.projects import write_tree
from tests.support.scenes import OWN_ENVIRONMENT

TREE = {
    "pytest.ini": "[pytest]\naddopts = --doctest-modules shop tests\n",
    "shop/__init__.py": "",
    "shop/fees.py": 'def fee():\n    """\n    >>> fee()\n    1\n    """\n    return 1\n',
    "tests/test_a.py": "def test_a():\n    pass\n",
    "tests/test_b.py": "def test_b():\n    pass\n",
}


async def test_folders_that_the_options_name_are_no_part_of_a_run_of_one_file(tmp_path: Path) -> None:
    write_tree(tmp_path, TREE)
    runner, service = SuiteRunner(choose_sandbox(), Settings()), Service(name="shop", tests_dir="tests")
    some = await runner.run(service, OWN_ENVIRONMENT, tmp_path, SuiteRequest(select=("tests/test_a.py",)))
    assert {one.test for one in some.outcomes} == {"tests/test_a.py::test_a"}
    whole = await runner.run(service, OWN_ENVIRONMENT, tmp_path, SuiteRequest())
    assert {"tests/test_a.py::test_a", "tests/test_b.py::test_b", "shop/fees.py::shop.fees.fee"} <= {
        one.test for one in whole.outcomes
    }
