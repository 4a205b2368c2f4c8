"""The coverage analyzer and the environments, on real suites in the real sandbox."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from greenlane.adapters.environments import VenvEnvironments
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.analyzers.coverage import CoverageReport, SandboxedCoverage
from greenlane.domain.errors import ChangeError
from greenlane.domain.service_settings import Commands, Service
from greenlane.domain.settings import Settings
from greenlane.ports.sandbox import Sandbox
from tests.support.projects import write_tree

SETTINGS = Settings()
PRICING = """
    import os


    def price(
        net,
        tax=0.2,
    ):
        if net < 0:
            raise ValueError(
                "net is negative"
            )
        return net * (1 + tax)  # pragma: no cover
"""
TESTS = """
    from shop.pricing import price

    def test_price():
        assert price(10, tax=0) == 10
"""
EVERY_LINE = frozenset(range(1, 13))


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return choose_sandbox(SETTINGS)


@pytest.fixture
def service() -> Service:
    return Service(name="shop")


async def measure(
    sandbox: Sandbox, service: Service, tree: Path, changed: frozenset[int] = EVERY_LINE, settings: Settings = SETTINGS
) -> CoverageReport:
    environments = VenvEnvironments(tree.parent / "environments", sandbox, settings)
    return await SandboxedCoverage(sandbox, environments, settings).measure(
        service, tree, {"shop/pricing.py": changed, "tests/test_pricing.py": changed, "README.md": changed}
    )


def project(tmp_path: Path, **files: str) -> Path:
    given = {"shop/__init__.py": "", "shop/pricing.py": PRICING, "tests/test_pricing.py": TESTS} | files
    return write_tree(tmp_path / "tree", {path.replace("__dot__", "."): text for path, text in given.items()})


def add_test(tree: Path, text: str) -> Path:
    """The tree, with one more test in its file of tests."""
    with (tree / "tests" / "test_pricing.py").open("a") as file:
        file.write(f"\n{text}")
    return tree


async def test_changed_lines_are_told_apart_and_pragmas_silence_nothing(
    sandbox: Sandbox, service: Service, tmp_path: Path
) -> None:
    report = await measure(sandbox, service, project(tmp_path))
    assert [(f.path, f.covered, f.uncovered) for f in report.files] == [("shop/pricing.py", (1, 4, 8, 12), (9,))]
    assert report.suite_passed
    assert report.tests_run == 1
    assert not report.unavailable


async def test_a_changed_line_inside_a_long_statement_counts_as_that_statement(
    sandbox: Sandbox, service: Service, tmp_path: Path
) -> None:
    report = await measure(sandbox, service, project(tmp_path), frozenset({2, 6, 10}))
    assert [(f.covered, f.uncovered) for f in report.files] == [((4,), (9,))]


async def test_without_tests_nothing_is_covered_and_it_says_so(
    sandbox: Sandbox, service: Service, tmp_path: Path
) -> None:
    tree = project(tmp_path)
    (tree / "tests" / "test_pricing.py").unlink()
    report = await measure(sandbox, service, tree)
    assert report.files[0].covered == ()
    assert report.unavailable == "the service has no tests"
    assert not report.suite_passed


async def test_a_red_suite_names_its_failing_tests(sandbox: Sandbox, service: Service, tmp_path: Path) -> None:
    tree = add_test(project(tmp_path), "def test_wrong():\n    assert price(1) == 5\n")
    report = await measure(sandbox, service, tree)
    assert not report.suite_passed
    assert report.failing == ("tests/test_pricing.py::test_wrong",)
    assert "test_wrong" in report.output
    assert report.files[0].covered == (1, 4, 8, 12)


async def test_a_suite_that_fails_only_while_it_is_measured_has_passed(
    sandbox: Sandbox, service: Service, tmp_path: Path
) -> None:
    tree = add_test(project(tmp_path), "def test_alone():\n    import sys\n    assert sys.gettrace() is None\n")
    report = await measure(sandbox, service, tree)
    assert report.suite_passed
    assert not report.failing
    assert report.files[0].covered == (1, 4, 8, 12)


async def test_a_suite_that_does_not_start_while_it_is_measured_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    alone = 'test -z "$COVERAGE_PROCESS_START" || { echo no room; exit 9; }; {python} -m pytest -q'
    report = await measure(sandbox, Service(name="shop", commands=Commands(test=alone)), project(tmp_path))
    assert report.suite_passed
    assert report.unavailable.startswith("the test suite passes, but does not start while it is measured (exit code 9")
    assert report.files[0].covered == ()


async def test_a_suite_that_does_not_start_says_what_it_printed_last(sandbox: Sandbox, tmp_path: Path) -> None:
    service = Service(name="shop", commands=Commands(test="echo no such runner >&2; exit 7"))
    report = await measure(sandbox, service, project(tmp_path))
    assert report.unavailable == "the test suite did not start (exit code 7: no such runner)"


async def test_what_a_test_has_replaced_while_it_is_reported_harms_no_report(
    sandbox: Sandbox, service: Service, tmp_path: Path
) -> None:
    tree = project(tmp_path)
    add_test(
        tree,
        "def test_replacing(monkeypatch):\n    for name in ('json.dumps', 'builtins.open'):\n"
        "        monkeypatch.setattr(name, None)\n    assert price(10, tax=0) == 10\n",
    )
    report = await measure(sandbox, service, tree)
    assert report.suite_passed, report.unavailable
    assert report.tests_run == 2


async def test_a_suite_that_does_not_end_is_unavailable(sandbox: Sandbox, service: Service, tmp_path: Path) -> None:
    tree = project(tmp_path)
    (tree / "tests" / "test_pricing.py").write_text("import time\n\ndef test_slow():\n    time.sleep(60)\n")
    settings = Settings.model_validate({"validation": {"test_timeout_s": 1.5}})
    report = await measure(sandbox, service, tree, settings=settings)
    assert "test_timeout_s" in report.unavailable


@pytest.mark.parametrize(
    "configuration",
    [
        "[tool.pytest.ini_options]\naddopts = '--cov=shop --cov-fail-under=100 -n auto'\n",
        "[tool.pytest.ini_options]\naddopts = '-p not_installed_plugin'\n",
        "[tool.pytest.ini_options]\nrequired_plugins = ['pytest-absent']\n",
        "[tool.coverage.run]\nomit = ['*']\n[tool.coverage.report]\nfail_under = 100\n",
    ],
)
async def test_the_projects_own_configuration_does_not_break_it(
    sandbox: Sandbox, service: Service, tmp_path: Path, configuration: str
) -> None:
    tree = project(tmp_path)
    (tree / "pyproject.toml").write_text(configuration)
    report = await measure(sandbox, service, tree)
    assert report.suite_passed, report.output
    assert report.files[0].uncovered == (9,)


async def test_a_unittest_suite_is_measured(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = project(tmp_path)
    (tree / "tests" / "__init__.py").touch()
    (tree / "tests" / "test_pricing.py").write_text(
        "import unittest\nfrom shop.pricing import price\n\nclass T(unittest.TestCase):\n"
        "    def test_price(self):\n        self.assertEqual(price(1, 0), 1)\n"
    )
    service = Service(name="shop", commands=Commands(test="{python} -m unittest discover -s tests -t ."))
    report = await measure(sandbox, service, tree)
    assert report.suite_passed, report.output
    assert report.files[0].uncovered == (9,)


async def test_lines_that_run_in_a_server_process_count(sandbox: Sandbox, service: Service, tmp_path: Path) -> None:
    tree = project(tmp_path)
    (tree / "tests" / "test_pricing.py").write_text(
        "import subprocess, sys\n\ndef test_price():\n"
        "    code = 'import time; from shop.pricing import price; price(1); print(1, flush=True); time.sleep(30)'\n"
        "    server = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE)\n"
        "    server.stdout.readline(); server.terminate(); server.wait(10)\n"
    )
    report = await measure(sandbox, service, tree)
    assert report.suite_passed, report.output
    assert report.files[0].uncovered == (9,)


async def test_a_file_that_is_no_python_is_said_to_be_unread(
    sandbox: Sandbox, service: Service, tmp_path: Path
) -> None:
    tree = project(tmp_path)
    (tree / "shop" / "pricing.py").write_text("def broken(:\n")
    report = await measure(sandbox, service, tree)
    assert "shop/pricing.py" in report.unavailable
    assert not report.suite_passed


# ------------------------------------------------------------------ environments


def make_wheel(folder: Path, name: str, body: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", body)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


async def test_an_environment_is_built_once_and_has_the_projects_packages(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = project(tmp_path)
    make_wheel(tree / "wheels", "answer", "VALUE = 42\n")
    (tree / "requirements.txt").write_text("./wheels/answer-1.0-py3-none-any.whl\n")
    (tree / "shop" / "pricing.py").write_text("import answer\n\n\ndef price(net, tax):\n    return answer.VALUE - 32\n")
    setup = "echo built >> ../built && {python} -m pip install --no-index -r requirements.txt"
    service = Service(name="shop", commands=Commands(setup=setup))
    for _ in range(2):
        report = await measure(sandbox, service, tree)
        assert report.suite_passed, report.output
    (built,) = (tree.parent / "environments").glob("*/built")
    assert built.read_text() == "built\n"
    assert not list((tree.parent / "environments").glob("*/index"))


async def test_a_coverage_that_the_project_pinned_long_ago_measures_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = project(tmp_path)
    make_wheel(tree / "wheels", "coverage", "import os\n\n\ndef process_startup():\n    os._exit(1)\n")
    (tree / "requirements.txt").write_text("./wheels/coverage-1.0-py3-none-any.whl\n")
    setup = "{python} -m pip install --no-index -r requirements.txt"
    report = await measure(sandbox, Service(name="shop", commands=Commands(setup=setup)), tree)
    assert report.suite_passed, report.unavailable
    assert report.files[0].covered == (1, 4, 8, 12)


async def test_dependencies_that_can_not_be_installed_are_the_changes_fault(sandbox: Sandbox, tmp_path: Path) -> None:
    tree = project(tmp_path)
    service = Service(name="shop", commands=Commands(setup="echo no such package >&2; exit 3"))
    with pytest.raises(ChangeError, match=r"(?s)ended with 3.*no such package"):
        await measure(sandbox, service, tree)


async def test_the_users_pip_settings_reach_the_setup_step_alone(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "pip.conf"
    configuration.write_text("[global]\nindex-url = http://user:secret@127.0.0.1:9/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    tree = project(tmp_path)
    (tree / "tests" / "test_pricing.py").write_text(
        "import os, pathlib\n\ndef test_none():\n    assert not [n for n in os.environ if n.startswith('PIP_')]\n"
    )
    setup = "{python} -m pip config list | grep -q secret"
    report = await measure(sandbox, Service(name="shop", commands=Commands(setup=setup)), tree)
    assert report.suite_passed, report.output


FORGERS = {
    "a hook that turns failures into passes": """
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(item, call):
            outcome = yield
            outcome.get_result().outcome = "passed"
            outcome.get_result().longrepr = None
    """,
    "a hook that leaves tests out": """
        def pytest_runtest_protocol(item, nextitem):
            return True
    """,
    "a hook that ends the process well": """
        import os

        def pytest_runtest_logreport(report):
            if report.failed:
                os._exit(0)
    """,
    "a report written by hand": """
        import json, os

        def pytest_runtest_setup(item):
            with open(os.environ["GREENLANE_REPORT"], "w") as file:
                for line in ({"test": "a", "when": "call", "outcome": "passed"},
                             {"test": "1", "when": "session", "outcome": "ended"}):
                    file.write(json.dumps(line) + "\\n")
            os._exit(0)
    """,
}


@pytest.mark.parametrize("conftest", FORGERS.values(), ids=FORGERS)
async def test_a_suite_that_forges_its_outcome_has_not_passed(
    sandbox: Sandbox, service: Service, tmp_path: Path, conftest: str
) -> None:
    tree = write_tree(tmp_path / "tree", {"tests/conftest.py": conftest, "tests/test_a.py": "def test_a(): assert 0"})
    report = await measure(sandbox, service, tree)
    assert not report.suite_passed
    assert report.unavailable or report.failing
