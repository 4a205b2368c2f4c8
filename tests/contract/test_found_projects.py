"""Projects without settings: what their own files say is installed and run, each kind with a real installer in the real
sandbox. Packages come from wheels that are made here."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
import venv
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from greenlane.adapters.environments import VenvEnvironments
from greenlane.adapters.sandbox import choose_sandbox
from greenlane.adapters.sandbox.bubblewrap import BubblewrapSandbox
from greenlane.adapters.sandbox.namespaces import NamespaceSandbox
from greenlane.analyzers.coverage import CoverageReport, SandboxedCoverage
from greenlane.domain.errors import ChangeError
from greenlane.domain.events import TestsComplete
from greenlane.domain.settings import Settings
from greenlane.ports.sandbox import Sandbox
from tests.contract.test_testing_agent import Repository, act, agent_with, reviewed
from tests.support.projects import write_tree


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return choose_sandbox()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one package, `answer`, that nothing else has."""
    folder = tmp_path_factory.mktemp("wheels")
    folder.chmod(0o755)  # root's jobs run as somebody else
    info = "answer-1.0.dist-info"
    with zipfile.ZipFile(folder / "answer-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in {
            "answer.py": "VALUE = 42\n",
            f"{info}/METADATA": "Metadata-Version: 2.1\nName: answer\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        }.items():
            wheel.writestr(zipfile.ZipInfo(name), text)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared: projects that ask for the same packages share an environment."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def offline(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


async def measure(
    sandbox: Sandbox, cache: Path, tree: Path, changed: dict[str, frozenset[int]], **service: object
) -> CoverageReport:
    settings = Settings.model_validate({"services": [{"name": "shop", **service}]})
    meter = SandboxedCoverage(sandbox, VenvEnvironments(cache, sandbox, settings), settings)
    return await meter.measure(settings.services[0], tree, changed)


PYPROJECT = """
    [project]
    name = "shop"
    version = "1.4"
    dependencies = ["answer"]
    [project.scripts]
    shop = "shop.rates:main"
"""
RATES = """
    import answer


    def rate(country):
        if country == "CH":
            return answer.VALUE * 30
        return 390


    def main():
        print(rate("DE"))
"""
TESTS = """
    import importlib.metadata
    import os
    import subprocess

    from shop.rates import rate


    def test_rate():
        assert rate("DE") == 390
        assert importlib.metadata.version("shop") == "1.4"


    def test_script():
        assert subprocess.check_output(["shop"], text=True) == "390\\n"


    def test_mode():
        assert os.environ.get("MODE", "fast") == "fast"
"""
CODE = {"shop/__init__.py": "", "shop/rates.py": RATES, "tests/test_rates.py": TESTS}
KINDS: dict[str, dict[str, str]] = {
    "a uv lock": {
        "pyproject.toml": PYPROJECT,
        "uv.lock": """
            version = 1
            [[package]]
            name = "shop"
            version = "1.4"
            source = { editable = "." }
            dependencies = [{ name = "answer" }]
            [[package]]
            name = "answer"
            version = "1.0"
            source = { registry = "https://pypi.org/simple" }
            wheels = [{ url = "https://example.org/answer.whl", hash = "HASH" }]
        """,
    },
    "a poetry lock": {
        "pyproject.toml": """
            [tool.poetry]
            name = "shop"
            version = "1.4"
            [tool.poetry.dependencies]
            answer = "^1.0"
            [tool.poetry.scripts]
            shop = "shop.rates:main"
        """,
        "poetry.lock": """
            [[package]]
            name = "answer"
            version = "1.0"
            files = [{file = "answer-1.0-py3-none-any.whl", hash = "HASH"}]
        """,
    },
    "requirements and pyproject": {
        "pyproject.toml": PYPROJECT.replace('["answer"]', "[]"),
        "requirements-test.txt": "answer\n",
    },
    "tox": {
        "pyproject.toml": PYPROJECT,
        "tox.ini": "[testenv]\nsetenv =\n    MODE = fast\ncommands =\n    coverage run -m pytest {posargs:tests}\n",
    },
    "nox": {
        "pyproject.toml": PYPROJECT.replace('["answer"]', "[]"),
        "noxfile.py": """
            import nox

            @nox.session
            def tests(session):
                session.install("answer")
                session.run("pytest", "tests", env={"MODE": "fast"})
        """,
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_a_project_gets_what_its_own_files_ask_for(
    sandbox: Sandbox, cache: Path, offline: Path, tmp_path: Path, kind: str
) -> None:
    digest = hashlib.sha256((offline / "answer-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    files = {path: text.replace("HASH", f"sha256:{digest}") for path, text in KINDS[kind].items()}
    tree = write_tree(tmp_path / "tree", CODE | files)
    report = await measure(sandbox, cache, tree, {"shop/rates.py": frozenset(range(1, 8))})
    assert report.suite_passed, (report.output, report.unavailable)
    assert report.tests_run == 3
    assert [(file.path, file.uncovered) for file in report.files] == [("shop/rates.py", (6,))]


async def test_a_package_that_is_not_what_the_lock_says_is_not_installed(
    sandbox: Sandbox, cache: Path, offline: Path, tmp_path: Path
) -> None:
    files = {path: text.replace("HASH", f"sha256:{'0' * 64}") for path, text in KINDS["a uv lock"].items()}
    tree = write_tree(tmp_path / "tree", CODE | files)
    with pytest.raises(ChangeError, match=r"(?s)uv\.lock.*do not match the hashes|uv\.lock.*DO NOT MATCH"):
        await measure(sandbox, cache, tree, {})


# ------------------------------------------------------------------ the way out of the build step


@pytest.fixture
def server(wheels: Path) -> Iterator[tuple[int, list[str]]]:
    """An index on the loopback of the host, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path != "/simple/answer/":
                return super().do_GET()
            page = b'<a href="/answer-1.0-py3-none-any.whl">answer-1.0-py3-none-any.whl</a>'
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            return None

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(wheels))) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running.server_address[1], asked
        running.shutdown()
        thread.join()


LEAVE = """
import os, socket, sys, urllib.error, urllib.request
host, port = "127.0.0.1", int(sys.argv[1])
said = []
def attempt(name, act):
    try:
        act()
        said.append(name)
    except OSError as error:
        print(name, error)
def direct():
    socket.create_connection((host, port), 3).close()
def tunnel(target):
    proxy = os.environ["HTTPS_PROXY"].rpartition(":")[2]
    with socket.create_connection(("127.0.0.1", int(proxy)), 3) as way:
        way.sendall(f"CONNECT {target} HTTP/1.1\\r\\n\\r\\n".encode())
        if b" 200 " not in way.recv(100):
            raise OSError("refused")
attempt("directly", direct)
attempt("through the proxy's tunnel", lambda: tunnel(f"{host}:{port}"))
attempt("by another port of the index", lambda: tunnel("pypi.org:22"))
attempt("by a name like the index", lambda: tunnel("pypi.org.example.org:443"))
attempt("through the proxy", lambda: urllib.request.urlopen(f"http://{host}:{port}/secret", timeout=3))
attempt("by a name server", lambda: socket.getaddrinfo("example.org", 443))
open("../said", "w").write("; ".join(said) or "nothing")
sys.exit(7)
"""


@pytest.mark.parametrize("kind", [NamespaceSandbox, BubblewrapSandbox])
async def test_the_setup_step_reaches_no_host_but_the_index(
    tmp_path: Path, server: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch, kind: type[Sandbox]
) -> None:
    port, asked = server
    real = venv.EnvBuilder
    monkeypatch.setattr(
        venv, "EnvBuilder", lambda symlinks, with_pip: real(symlinks=symlinks)
    )  # pip is not needed here
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    tree = write_tree(tmp_path / "tree", {"leave.py": LEAVE})
    with pytest.raises(ChangeError) as refused:
        await measure(
            kind(), tmp_path / "cache", tree, {}, commands={"setup": f"{{python}} leave.py {port}; cat ../said; exit 7"}
        )
    message = refused.value.message
    assert message.splitlines()[-2].endswith("nothing"), message
    assert f"127.0.0.1:{port}, pypi.org:22, pypi.org.example.org:443 (sandbox.setup_hosts" in message
    assert not asked
    with socket.create_connection(("127.0.0.1", port), 3):
        pass  # from here it can be reached


async def test_the_index_of_pips_settings_is_reached_through_the_gate(
    sandbox: Sandbox, tmp_path: Path, server: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, asked = server
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = http://127.0.0.1:{port}/simple\nextra-index-url =\nfind-links =\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    tree = write_tree(tmp_path / "tree", CODE | {"pyproject.toml": PYPROJECT})
    report = await measure(sandbox, tmp_path / "cache", tree, {"shop/rates.py": frozenset({5})})
    assert report.suite_passed, report.output
    assert "/answer-1.0-py3-none-any.whl" in asked


# ------------------------------------------------------------------ Django

SETTINGS = """
    SECRET_KEY = "for tests"
    INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "store"]
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
    USE_TZ = True
"""
MODELS = """
    from django.db import models


    class Product(models.Model):
        name = models.CharField(max_length=50)
        cents = models.IntegerField()

        def price(self, country):
            return self.cents
"""
RATES_OF_DJANGO = """
    from django.conf import settings


    def customs(country):
        return 0
"""
CUSTOMS = RATES_OF_DJANGO.replace(
    "        return 0\n",
    '        if country == "CH":\n            return 1290 if settings.USE_TZ else 0\n        return 0\n',
)
DJANGO = {
    "manage.py": """
        import os
        import sys

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    """,
    "site_settings.py": SETTINGS,
    "store/__init__.py": "",
    "store/models.py": MODELS,
    "store/rates.py": RATES_OF_DJANGO,
    "store/migrations/__init__.py": "",
    "store/migrations/0001_initial.py": """
        from django.db import migrations, models


        class Migration(migrations.Migration):
            initial = True
            dependencies = []
            operations = [
                migrations.CreateModel(
                    name="Product",
                    fields=[
                        ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False)),
                        ("name", models.CharField(max_length=50)),
                        ("cents", models.IntegerField()),
                    ],
                )
            ]
    """,
}
CASES = """
    from django.test import TestCase

    from store.models import Product
    from store.rates import customs


    class ProductTest(TestCase):
        def test_price(self):
            tea = Product.objects.create(name="Assam", cents=990)
            self.assertEqual(tea.price("DE"), 990)
            self.assertEqual(Product.objects.count(), 1)

        def test_customs(self):
            self.assertEqual(customs("DE"), 0)
"""
CONFTEST = """
    import pytest

    from store.models import Product


    @pytest.fixture
    def tea(db):
        return Product.objects.create(name="Assam", cents=990)
"""
FUNCTIONS = """
    from store.models import Product


    def test_price(tea):
        assert tea.price("DE") == 990
        assert Product.objects.count() == 1
"""
OWN = {"commands": {"setup": ""}}
"""Greenlane's own interpreter, which has Django where these tests run."""


async def run_agent(sandbox: Sandbox, folder: Path, files: dict[str, str]) -> tuple[TestsComplete, Repository]:
    """The test agent on a Django project whose change adds a line that no test runs."""
    repository = Repository(folder / "repository")
    repository.git("rm", "-rq", "shop", "tests")
    write_tree(repository.folder, DJANGO | files)
    repository.base = repository.commit("a shop in Django")
    head = repository.change(store__rates=CUSTOMS)
    settings = Settings.model_validate({"services": [{"name": "shop", **OWN}]})
    agent = agent_with(settings, repository, sandbox, folder)
    *_, complete = await act(agent, reviewed(repository, head))
    assert isinstance(complete, TestsComplete)
    return complete, repository


OWN_RUNNER = {
    "tests/__init__.py": "",
    "tests/test_store.py": CASES,
    "pytest.ini": "[pytest]\naddopts = -p no:django\n",
}
PLUGIN = {
    "requirements.txt": "django\npytest-django\n",
    "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = site_settings\n",
    "tests/conftest.py": CONFTEST,
    "tests/test_store.py": FUNCTIONS,
}


@pytest.mark.parametrize("kind", ["its own runner", "pytest-django"])
async def test_the_suite_of_a_django_project_is_run_and_measured(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    tree = write_tree(tmp_path / "tree", DJANGO | (PLUGIN if kind == "pytest-django" else OWN_RUNNER))
    report = await measure(sandbox, tmp_path, tree, {"store/models.py": frozenset(range(1, 20))}, **OWN)
    assert report.suite_passed, (report.output, report.unavailable)
    assert report.tests_run == (1 if kind == "pytest-django" else 2)
    assert [(file.path, file.uncovered) for file in report.files] == [("store/models.py", ())]


async def test_a_django_project_without_a_plugin_for_pytest_gets_its_missing_test(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    complete, repository = await run_agent(sandbox, tmp_path, OWN_RUNNER)
    assert complete.proceed, complete.why.rationale
    assert "The suite passes (2 tests)" in complete.why.rationale
    assert [f.uncovered for f in complete.coverage_before] == [(6,)]
    assert [f.uncovered for f in complete.coverage_after] == [()], complete.why.rationale
    (written,) = complete.written
    text = repository.git("show", f"fix:{written.path}")
    assert 'customs("CH"), 1290' in text


async def test_a_failing_test_of_djangos_own_runner_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    files = DJANGO | OWN_RUNNER | {"tests/test_store.py": CASES.replace('"DE"), 990', '"DE"), 991')}
    tree = write_tree(tmp_path / "tree", files)
    report = await measure(sandbox, tmp_path, tree, {"store/models.py": frozenset({9})}, **OWN)
    assert not report.suite_passed
    assert report.failing == ("tests/test_store.py::ProductTest::test_price",)
    assert report.tests_run == 2
