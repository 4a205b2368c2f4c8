"""What is read of a project's own files: the environment and the command of its tests, and what is said of the rest."""

from __future__ import annotations

from textwrap import dedent

import pytest

from greenlane.domain.service_settings import Commands, Service
from greenlane.suite.project import Plan, complete_service, found_suite, plan_project
from greenlane.suite.project.command import choose_command
from greenlane.suite.project.poetry import constraint_of

HERE = {
    "python_version": "3.11",
    "python_full_version": "3.11.2",
    "sys_platform": "linux",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_system": "Linux",
    "platform_release": "",
    "platform_version": "",
    "implementation_version": "3.11.2",
}
HASH = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def plan(files: dict[str, str], *folders: str) -> Plan:
    texts = {path: dedent(text) for path, text in files.items()}
    found = plan_project(folders or ("",), texts.get, HERE)
    assert found is not None
    return found


UV_LOCK = f"""
    version = 1
    [[package]]
    name = "shop"
    version = "1.0"
    source = {{ editable = "." }}
    dependencies = [{{ name = "money" }}]
    [[package]]
    name = "money"
    version = "2.0"
    source = {{ registry = "https://pypi.org/simple" }}
    dependencies = [
        {{ name = "old", marker = "python_full_version < '3.10'" }},
        {{ name = "rounding", extra = ["fast"] }},
    ]
    wheels = [{{ url = "https://evil.example/money.whl", hash = "{HASH}" }}]
    [[package]]
    name = "old"
    version = "1.0"
    wheels = [{{ hash = "{HASH}" }}]
    [[package]]
    name = "rounding"
    version = "3.0"
    resolution-markers = ["python_full_version < '3.10'"]
    wheels = [{{ hash = "{HASH}" }}]
    [[package]]
    name = "rounding"
    version = "4.0"
    resolution-markers = ["python_full_version >= '3.10'"]
    sdist = {{ hash = "{OTHER}" }}
    wheels = [{{ hash = "{HASH}" }}]
    [package.optional-dependencies]
    fast = [{{ name = "speed" }}]
    [[package]]
    name = "speed"
    version = "5.0"
    wheels = [{{ hash = "{HASH}" }}]
    [[package]]
    name = "checks"
    version = "6.0"
    wheels = [{{ hash = "{HASH}" }}]
    [[package]]
    name = "docs-theme"
    version = "7.0"
    wheels = [{{ hash = "{HASH}" }}]
"""
UV_PROJECT = """
    [project]
    name = "shop"
    version = "1.0"
    dependencies = ["money>=1"]
    [dependency-groups]
    test = ["checks"]
    docs = ["docs-theme"]
"""


def test_of_a_uv_lock_the_packages_of_the_test_group_are_taken_with_their_hashes_and_no_address() -> None:
    found = plan({"pyproject.toml": UV_PROJECT, "uv.lock": UV_LOCK})
    assert found.pinned == (
        f"checks==6.0 --hash={HASH}",
        f"money==2.0 --hash={HASH}",
        f"rounding==4.0 --hash={HASH} --hash={OTHER}",
        f"speed==5.0 --hash={HASH}",
    )
    assert found.loose == ()
    assert found.reasons == (
        "pyproject.toml: the project's own dependencies",
        "pyproject.toml: group test",
        "uv.lock: 4 packages by their hashes",
    )
    assert (found.name, found.version, found.notes) == ("shop", "1.0", ())


POETRY_LOCK = f"""
    [[package]]
    name = "money"
    version = "2.0"
    optional = false
    files = [{{file = "money-2.0-py3-none-any.whl", hash = "{HASH}"}}]
    [package.dependencies]
    colour = {{version = "*", markers = "sys_platform == \\"win32\\""}}
    rounding = ">=1"
    extra = {{version = "*", optional = true}}
    [[package]]
    name = "rounding"
    version = "4.0"
    files = [{{file = "rounding-4.0.tar.gz", hash = "{OTHER}"}}]
    [[package]]
    name = "colour"
    version = "1.0"
    files = [{{file = "c.whl", hash = "{HASH}"}}]
    [[package]]
    name = "extra"
    version = "1.0"
    files = [{{file = "e.whl", hash = "{HASH}"}}]
    [[package]]
    name = "mine"
    version = "1.0"
    source = {{type = "git", url = "https://example.org/mine.git"}}
"""


def test_of_a_poetry_lock_what_the_groups_for_tests_need_is_taken() -> None:
    manifest = """
        [tool.poetry]
        name = "shop"
        version = "1.2"
        [tool.poetry.dependencies]
        python = "^3.9"
        money = "^2"
        [tool.poetry.group.dev.dependencies]
        mine = {git = "https://example.org/mine.git"}
        [tool.poetry.plugins.pytest11]
        shop = "shop.plugin"
    """
    found = plan({"pyproject.toml": manifest, "poetry.lock": POETRY_LOCK})
    assert found.pinned == (f"money==2.0 --hash={HASH}", f"rounding==4.0 --hash={OTHER}")
    assert found.entry_points == (("pytest11", "shop", "shop.plugin"),)
    assert any("mine does not come from an index" in note for note in found.notes)


TOX = """
    [tox]
    env_list = lint, py{39,311}-{fast,slow}
    ; a remark
    [base]
    deps = checks>=1
    [testenv]
    extras = test
    deps =
        {[base]deps}
        fast: speed
        slow: patience
        !py311: old
        -r requirements/more.txt
    setenv =
        MODE = fast
        DATA = {toxinidir}/data
        PATH = /evil
        KEY = {env:SECRET:none}
    commands =
        python -c "print()"
        coverage run -p -m pytest --cov=shop --cov-report xml -n auto {posargs:tests/unit} -m "not slow"
    [testenv:lint]
    commands = ruff check
"""


def test_of_tox_the_environment_for_this_python_is_read_and_not_run() -> None:
    manifest = '[project]\nname = "shop"\ndependencies = []\n[project.optional-dependencies]\ntest = ["helper"]\n'
    found = plan({"pyproject.toml": manifest, "tox.ini": TOX, "requirements/more.txt": "more==1 # why\n"})
    assert found.loose == ("checks>=1", "speed", "more==1", "helper")
    assert found.test == "{python} -m pytest -q tests/unit -m 'not slow'"
    assert found.variables == (("MODE", "fast"), ("DATA", "{tree}/data"), ("KEY", "none"))


def test_tox_in_its_toml_form_is_read_as_well() -> None:
    manifest = """
        [dependency-groups]
        tests = ["checks"]
        [tool.tox.env_run_base]
        dependency_groups = ["tests"]
        set_env = { MODE = "fast" }
        commands = [["pytest", "-v", {replace = "posargs", default = ["tests"], extend = true}]]
    """
    found = plan({"pyproject.toml": manifest})
    assert (found.loose, found.test) == (("checks",), "{python} -m pytest -q tests")
    assert found.variables == (("MODE", "fast"),)


NOX = """
    import nox
    TOOLS = ["checks", "speed"]

    @nox.session
    def lint(session):
        session.install("ruff")
        session.run("ruff", "check")

    def run(session, more):
        session.run("python", "-m", "pytest", "tests", *session.posargs, env={"MODE": "fast"})

    @nox.session(python=["3.11", "3.12"])
    def tests(session):
        session.install(*TOOLS, "-r", "more.txt")
        session.install("-e", ".[extra]", *nox.project.dependency_groups(P, "ours"))
        session.install(*computed())
        run(session, True)

    open("/tmp/was-run", "w")
"""


def test_of_nox_the_session_for_tests_is_read_and_what_is_computed_is_said() -> None:
    manifest = """
        [project]
        name = "shop"
        dependencies = []
        [project.optional-dependencies]
        extra = ["helper"]
        [dependency-groups]
        ours = ["grouped"]
    """
    found = plan({"pyproject.toml": manifest, "noxfile.py": NOX, "more.txt": "more==1\n"})
    assert set(found.loose) == {"checks", "speed", "more==1", "helper", "grouped"}
    assert found.test == "{python} -m pytest -q tests"
    assert found.variables == (("MODE", "fast"),)
    assert found.notes == ("noxfile.py:17: what is installed there is computed, and not known",)


@pytest.mark.parametrize(
    ("files", "loose"),
    [
        (
            {"requirements-dev.txt": "-r requirements.txt\nchecks\n", "requirements.txt": "money==1\n"},
            ("money==1", "checks"),
        ),
        ({"requirements.txt": "money==1 ; python_version < '3'\n"}, ('money==1 ; python_version < "3"',)),
        (
            {
                "pyproject.toml": "[project]\nname='x'\ndependencies=['a']\n"
                "[dependency-groups]\ndev=['b',{include-group='t'}]\nt=['c']\n"
            },
            ("a", "b", "c"),
        ),
        (
            {
                "pyproject.toml": "[project]\nname='x'\n"
                "[project.optional-dependencies]\ntesting=['a', 'x[more]']\nmore=['b']\ndev=['c']\n"
            },
            ("a", "b"),
        ),
        (
            {
                "setup.py": "from setuptools import setup\nR = ['a']\n"
                "setup(name='x', install_requires=R + ['b'], extras_require={'test': ['c']})\n"
            },
            ("a", "b", "c"),
        ),
        (
            {
                "setup.cfg": "[metadata]\nname = x\n[options]\ninstall_requires =\n    a\n    b>1\n"
                "[options.extras_require]\ntests = c\n"
            },
            ("a", "b>1", "c"),
        ),
    ],
)
def test_requirements_groups_and_extras_are_found_by_their_names(files: dict[str, str], loose: tuple[str, ...]) -> None:
    assert plan(files).loose == loose


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://evil.example/simple",
        "--extra-index-url=https://evil.example/simple",
        "-f https://evil.example/",
        "git+https://example.org/x.git",
        "x @ file:///etc/passwd",
        "../outside",
        "-r ../../etc/passwd",
        "-r /etc/passwd",
        "./wheels/x-1.0-py3-none-any.whl",
        "--install-option=evil",
        "a; touch /tmp/x",
    ],
)
def test_lines_that_lead_elsewhere_are_left_out_and_said(line: str) -> None:
    found = plan({"requirements.txt": f"good\n{line}\n"})
    assert found.loose == ("good",)
    assert found.notes


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("pytest",), "{python} -m pytest -q"),
        (("py.test", "--basetemp={envtmpdir}", "tests"), "{python} -m pytest -q tests"),
        (("python", "-W", "error", "-m", "pytest", "--cov", "--cov-report", "xml"), "{python} -m pytest -q"),
        (("{envpython}", "-m", "unittest", "-v"), "{python} -m unittest"),
        (("coverage", "run", "--source", "x", "manage.py", "test", "shop"), "{python} manage.py test shop"),
        (("uv", "run", "--group", "test", "pytest", "-x"), "{python} -m pytest -q -x"),
        (("poetry", "run", "python", "runtests.py", "--fast"), "{python} runtests.py --fast"),
        (("pytest", "a; rm -rf /", "$(id)"), "{python} -m pytest -q 'a; rm -rf /' '$(id)'"),
        (("pytest", "--cov-fail-under", "100", "--html", "r.html", "tests"), "{python} -m pytest -q tests"),
        (("pytest", "--collect-only"), "{python} -m pytest -q"),
        (("true",), None),
        (("python", "-c", "pass"), None),
        (("sh", "-c", "pytest"), None),
    ],
)
def test_only_known_runners_are_called_and_their_words_are_quoted(words: tuple[str, ...], command: str | None) -> None:
    assert choose_command([words]) == command


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2", ">=0.2,<0.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("*", ""),
        ("1.5", "==1.5"),
        (">=1,<2", ">=1,<2"),
    ],
)
def test_poetrys_constraints_are_translated(theirs: str, ours: str) -> None:
    assert constraint_of(theirs) == ours


DJANGO = (
    'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\nfrom django.core import management\n'
)


def test_django_runs_its_own_tests_unless_the_project_has_a_plugin_for_pytest() -> None:
    own = plan({"manage.py": DJANGO, "requirements.txt": "django\n"})
    assert own.test == "{python} manage.py test"
    assert own.variables == (("DJANGO_SETTINGS_MODULE", "shop.settings"),)
    plugin = plan({"manage.py": DJANGO, "requirements.txt": "django\npytest-django\n"})
    assert plugin.test is None
    assert plugin.variables == (("DJANGO_SETTINGS_MODULE", "shop.settings"),)
    configured = plan({"manage.py": DJANGO, "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = shop.test_settings\n"})
    assert configured.variables == ()


def test_a_service_of_a_monorepo_uses_its_own_manifest_and_the_lock_above_it() -> None:
    files = {
        "uv.lock": UV_LOCK.replace('editable = "."', 'editable = "services/shop"'),
        "services/shop/pyproject.toml": UV_PROJECT,
    }
    found = plan(files, "services/shop", "")
    assert len(found.pinned) == 4
    assert found.test == "cd services/shop && {python} -m pytest -q"
    assert found.source_roots == ("services/shop",)


def test_what_the_configuration_says_comes_before_what_was_found() -> None:
    found = found_suite(plan({"manage.py": DJANGO}))
    assert complete_service(Service(name="shop"), found).commands.test == "{python} manage.py test"
    given = Service(name="shop", commands=Commands(test="make test"))
    assert complete_service(given, found) is given


@pytest.mark.parametrize(
    ("files", "note"),
    [
        ({"pyproject.toml": "not [toml", "requirements.txt": "a\n"}, "pyproject.toml can't be read"),
        (
            {"setup.py": "from setuptools import setup\nsetup(name='x', install_requires=open('r').read())\n"},
            "install_requires is computed",
        ),
        ({"pyproject.toml": "[project]\nname='x'\nrequires-python='>=3.13'\n"}, "asks for Python >=3.13"),
        ({"pyproject.toml": "[project]\nname='x'\n[build-system]\nbuild-backend='maturin'\n"}, "compiled parts"),
        (
            {"pyproject.toml": "[project]\nname='x'\n", "tox.ini": "[testenv]\nextras=test\ncommands=pytest\n"},
            "no extra 'test'",
        ),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_said(files: dict[str, str], note: str) -> None:
    assert any(note in said for said in plan(files).notes)


def test_a_tree_without_any_such_file_has_no_plan() -> None:
    assert plan_project(("",), {"shop.py": "x = 1"}.get, HERE) is None
    assert plan_project(("",), {"pyproject.toml": "[tool.pytest.ini_options]\n"}.get, HERE) is None
