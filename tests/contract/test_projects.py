"""Projects as they are: small real ones of each kind, their suites run in the sandbox, their changed lines measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from greenlane.adapters.environments import VenvEnvironments
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.analyzers.coverage import CoverageReport, SandboxedCoverage
from greenlane.domain.events import TestsComplete
from greenlane.domain.service_settings import Service
from greenlane.domain.settings import Settings
from greenlane.ports.sandbox import Sandbox
from greenlane.suite.impact import impacted_tests
from tests.contract.test_testing_agent import BASE, FIXED, Repository, act, agent_with, reviewed
from tests.support.projects import write_tree

RATES = """
    def rate(country):
        if country == "CH":
            return 1290
        return 390
"""
CHANGED = frozenset(range(1, 5))


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return choose_sandbox()


async def measure(
    sandbox: Sandbox, folder: Path, files: Mapping[str, str], source: str, **service: object
) -> CoverageReport:
    settings = Settings.model_validate({"services": [{"name": "shop", **service}]})
    environments = VenvEnvironments(folder / "environments", sandbox, settings)
    tree = write_tree(folder / "tree", files)
    return await SandboxedCoverage(sandbox, environments, settings).measure(
        settings.services[0], tree, {source: CHANGED}
    )


KINDS: dict[str, tuple[dict[str, str], str, dict[str, object]]] = {
    "a src layout": (
        {
            "src/shop/__init__.py": "",
            "src/shop/rates.py": RATES,
            "tests/test_rates.py": "from shop.rates import rate\n\ndef test_rate():\n    assert rate('DE') == 390\n",
        },
        "src/shop/rates.py",
        {},
    ),
    "a flat layout with tests beside the code": (
        {
            "shop/__init__.py": "",
            "shop/rates.py": RATES,
            "shop/test_rates.py": "from .rates import rate\n\ndef test_rate():\n    assert rate('DE') == 390\n",
        },
        "shop/rates.py",
        {"tests_dir": "shop"},
    ),
    "a unittest suite with async tests": (
        {
            "shop/__init__.py": "",
            "shop/rates.py": RATES.replace("def rate", "async def rate"),
            "tests/__init__.py": "",
            "tests/test_rates.py": (
                "import unittest\nfrom shop.rates import rate\n\nclass Rates(unittest.IsolatedAsyncioTestCase):\n"
                "    async def test_rate(self):\n        self.assertEqual(await rate('DE'), 390)\n"
            ),
        },
        "shop/rates.py",
        {"commands": {"test": "{python} -m unittest discover -s tests -t ."}},
    ),
    "async tests of a pytest plugin": (
        {
            "pyproject.toml": "[tool.pytest.ini_options]\nasyncio_mode = 'auto'\n",
            "shop/__init__.py": "",
            "shop/rates.py": RATES.replace("def rate", "async def rate"),
            "tests/test_rates.py": (
                "from shop.rates import rate\n\nasync def test_rate():\n    assert await rate('DE') == 390\n"
            ),
        },
        "shop/rates.py",
        {},
    ),
    "a plugin of the project's own": (
        {
            "pytest.ini": "[pytest]\naddopts = -p tools.money\n",
            "tools/__init__.py": "",
            "tools/money.py": "import pytest\n\n@pytest.fixture\ndef country():\n    return 'DE'\n",
            "shop/__init__.py": "",
            "shop/rates.py": RATES,
            "tests/test_rates.py": (
                "from shop.rates import rate\n\ndef test_rate(country):\n    assert rate(country) == 390\n"
            ),
        },
        "shop/rates.py",
        {},
    ),
    "a service of a monorepo with its own commands": (
        {
            "billing/rates.py": "raise SystemExit('the other service')\n",
            "billing/tests/test_rates.py": "def test_none():\n    assert False\n",
            "shop/rates.py": RATES,
            "shop/tests/test_rates.py": "from rates import rate\n\ndef test_rate():\n    assert rate('DE') == 390\n",
        },
        "shop/rates.py",
        {
            "paths": ["shop/**"],
            "source_roots": ["shop"],
            "tests_dir": "shop/tests",
            "commands": {"test": "cd shop && {python} -m pytest -q"},
        },
    ),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_the_changed_lines_of_a_project_are_measured(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    files, source, service = KINDS[kind]
    report = await measure(sandbox, tmp_path, files, source, **service)
    assert report.suite_passed, (report.output, report.unavailable)
    assert [(file.path, file.uncovered) for file in report.files] == [(source, (3,))]
    assert not report.unavailable


async def test_a_monorepo_tests_the_services_that_are_touched_and_no_other(sandbox: Sandbox, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.git("rm", "-rq", "shop", "tests")
    files = {f"shop/{path}": text for path, text in BASE.items()}
    files |= {"billing/billing.py": "X = 1\n", "billing/tests/test_billing.py": "def test_none():\n    assert False\n"}
    write_tree(repository.folder, files)
    repository.base = repository.commit("monorepo")
    write_tree(repository.folder, {"shop/shop/shipping.py": FIXED})
    head = repository.commit("customs")
    repository.git("switch", "-q", "main")
    services = [
        {"name": name, "paths": [f"{name}/**"], "source_roots": [name], "tests_dir": f"{name}/tests"}
        | {"commands": {"test": f"{{python}} -m pytest -q {name}"}}
        for name in ("shop", "billing")
    ]
    settings = Settings.model_validate({"services": services})
    agent = agent_with(settings, repository, sandbox, tmp_path)
    *_, complete = await act(agent, reviewed(repository, head))
    assert isinstance(complete, TestsComplete)
    assert complete.proceed, complete.why.rationale
    assert complete.written, complete.why.rationale
    assert repository.git("diff", "--name-only", head, "fix") == "shop/tests/test_shipping_generated.py"
    assert [f.uncovered for f in complete.coverage_after] == [()]


async def test_what_was_red_before_the_change_is_told_apart_and_the_gap_is_closed_all_the_same(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    repository = Repository(tmp_path / "repository")
    write_tree(
        repository.folder,
        {
            "pytest.ini": "[pytest]\naddopts = -x\n",
            "tests/test_lost.py": "import a_module_that_nobody_has_any_more\n",
            "tests/test_old.py": "def test_red_for_years():\n    assert False\n",
        },
    )
    repository.base = repository.commit("red")
    head = repository.change(shop__shipping=FIXED)
    settings = Settings(services=(Service(name="shop"),))
    agent = agent_with(settings, repository, sandbox, tmp_path)
    *_, complete = await act(agent, reviewed(repository, head))
    assert isinstance(complete, TestsComplete)
    assert complete.proceed, complete.why.rationale
    assert "suite-red-before" in complete.why.rules_fired
    assert "test_red_for_years" in complete.why.rationale
    assert complete.commit_sha == repository.git("rev-parse", "fix")
    assert [f.uncovered for f in complete.coverage_after] == [()]


async def test_of_a_suite_that_takes_too_long_the_tests_of_the_changed_code_are_run(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    repository = Repository(tmp_path / "repository")
    slow = "import time\n\ndef test_slow():\n    time.sleep(60)\n"
    through = "from shop.cart import total\n\ndef test_total():\n    assert total([1000], 'DE') == 1390\n"
    cart = "from .shipping import shipping_cents\n\ndef total(prices, country):\n"
    cart += "    return sum(prices) + shipping_cents(sum(prices), country)\n"
    write_tree(repository.folder, {"shop/cart.py": cart, "tests/test_a_slow.py": slow, "tests/test_cart.py": through})
    chosen = impacted_tests(repository.folder, (".",), ["shop/shipping.py"])
    assert chosen == ("tests/test_shipping.py", "tests/test_cart.py")
    repository.base = repository.commit("slow")
    head = repository.change(shop__shipping=FIXED)
    settings = Settings.model_validate({"services": [{"name": "shop"}], "validation": {"test_timeout_s": 20}})
    agent = agent_with(settings, repository, sandbox, tmp_path)
    *_, complete = await act(agent, reviewed(repository, head))
    assert isinstance(complete, TestsComplete)
    assert complete.proceed, complete.why.rationale
    assert "suite-in-part" in complete.why.rules_fired
    assert "of it, the 2 test files that import the changed code pass" in complete.why.rationale
    assert [f.uncovered for f in complete.coverage_after] == [()], complete.why.rationale
