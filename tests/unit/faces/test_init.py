"""`init` and `doctor`: what they find, what they say they did not find, and that nothing is invented."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from greenlane.cli import doctor
from greenlane.cli.drafting import FILL_IN, draft_config, gaps_of
from greenlane.cli.survey import survey_repository
from greenlane.config import load_settings
from greenlane.domain.errors import InputError

from .conftest import CommandLine

MakeRepo = Callable[[dict[str, str]], Path]

FASTAPI = "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/health')\ndef health(): ...\n"
TESTS = {"tests/test_a.py": "def test_a(): ...\n"}


def drafted(root: Path) -> tuple[str, list[str]]:
    survey = survey_repository(root)
    text = draft_config(survey)
    (root / "greenlane.yaml").write_text(text)
    return text, gaps_of(survey)


def test_a_web_application_in_a_src_layout_is_understood(make_repo: MakeRepo) -> None:
    files = {"src/shop/__init__.py": "", "src/shop/api.py": FASTAPI, "requirements.txt": "fastapi\n", **TESTS}
    root = make_repo(files)
    text, gaps = drafted(root)
    assert (
        "# setup: not needed. What the tests need is installed without it, found in\n      #   requirements.txt" in text
    )
    settings = load_settings(root / "greenlane.yaml").settings
    (service,) = settings.services
    assert service.name == "shop-service"
    assert service.source_roots == ("src",)
    assert service.commands.start == "{python} -m uvicorn shop.api:app --host {host} --port {port}"
    assert service.commands.setup is None
    assert service.health.path == "/health"
    assert settings.repository.base_branch == "trunk"
    assert gaps == []


@pytest.mark.parametrize(
    ("files", "start"),
    [
        (
            {"Procfile": "web: gunicorn shop:app -b 0.0.0.0:$PORT\n", "shop.py": ""},
            "gunicorn shop:app -b {host}:{port}",
        ),
        (
            {"shop/__init__.py": "from flask import Flask\napp = Flask(__name__)\n"},
            "{python} -m flask --app shop:app run --host {host} --port {port}",
        ),
        ({"manage.py": "import django\n"}, "{python} manage.py runserver --noreload {host}:{port}"),
        ({"Dockerfile": 'FROM python\nCMD ["python", "-m", "shop"]\n', "a.py": ""}, None),
        ({"shop/__init__.py": "", "shop/__main__.py": "import http.server\n"}, None),
        ({"one.py": FASTAPI, "two.py": FASTAPI}, None),
        ({"a.py": "x = 1\n"}, None),
    ],
)
def test_a_start_command_is_set_only_on_good_evidence(
    make_repo: MakeRepo, files: dict[str, str], start: str | None
) -> None:
    root = make_repo(files)
    text, gaps = drafted(root)
    assert load_settings(root / "greenlane.yaml").settings.services[0].commands.start == start
    if start is None:
        assert f"# {FILL_IN}: how the service starts" in text
        assert "# start: " in text
        assert gaps[0].startswith("commands.start")


def test_how_the_tests_are_run_is_found_and_written_down(make_repo: MakeRepo, cli: CommandLine) -> None:
    project = "[project]\nname='x'\n[project.optional-dependencies]\ntest=['checks']\n"
    project += "[tool.setuptools.packages.find]\nwhere=['lib']\n"
    tox = "[testenv]\nextras = test\ncommands =\n    python -m unittest -v {posargs}\n"
    root = make_repo({"pyproject.toml": project, "tox.ini": tox})
    text, _ = drafted(root)
    (service,) = load_settings(root / "greenlane.yaml").settings.services
    assert (service.commands.setup, service.commands.test) == (None, "{python} -m unittest")
    assert service.source_roots == (".", "lib")
    assert "tox.ini: extra test" in text
    cli.root = root
    (tests,) = [d for d in cli.json("doctor")["checks"] if d["name"].startswith("tests: ")]
    assert tests["ok"]
    assert tests["detail"].startswith("`{python} -m unittest`\ntox.ini: extra test\n")


def test_what_is_not_understood_of_a_project_is_said_with_the_setting_that_helps(
    make_repo: MakeRepo, cli: CommandLine
) -> None:
    root = make_repo({"requirements.txt": "money\ngit+https://example.org/own.git\n"})
    _, gaps = drafted(root)
    assert any(gap.startswith("commands.setup: requirements.txt: 'git+https") for gap in gaps)
    cli.root = root
    (tests,) = [d for d in cli.json("doctor")["checks"] if d["name"].startswith("tests: ")]
    assert not tests["ok"]
    assert "commands.setup" in tests["fix"]


def test_hostile_names_of_files_do_not_break_the_draft(make_repo: MakeRepo) -> None:
    root = make_repo({'ev"il\n: [&x *y #.py': FASTAPI, "a#b: {c}.py": FASTAPI, "pyproject.toml": "not [toml"})
    drafted(root)
    assert load_settings(root / "greenlane.yaml").settings.services[0].commands.start is None


def test_init_writes_once_and_says_what_to_fill_in(make_repo: MakeRepo, cli: CommandLine) -> None:
    cli.root = make_repo({"a.py": "x = 1\n"})
    done = cli("init", "--schema")
    assert done.exit_code == 0
    assert done.stdout.strip() == str(cli.root / "greenlane.yaml")
    assert "fill in  commands.start" in done.stderr
    assert (cli.root / "greenlane.yaml").read_text().startswith("# yaml-language-server: $schema=greenlane.schema.json")
    assert (cli.root / "greenlane.schema.json").is_file()
    assert cli("init").exit_code == 2
    assert cli("init", "--force").exit_code == 0
    assert cli("config", "check").exit_code == 0


def test_init_needs_a_repository_with_something_in_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no git repository"):
        survey_repository(tmp_path)


# ------------------------------------------------------------------ doctor


@pytest.mark.parametrize(
    ("diagnosis", "ok"),
    [
        (doctor.check_python((3, 11)), True),
        (doctor.check_python((3, 10)), False),
        (doctor.check_git(), True),
        (doctor.check_proxy(), True),
        (doctor.check_clock(datetime(2026, 1, 1, tzinfo=UTC)), True),
        (doctor.check_clock(datetime(1970, 1, 1, tzinfo=UTC)), False),
        (doctor.check_clock(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)), False),
        (doctor.check_disk(Path("/"), 5 << 30), True),
        (doctor.check_disk(Path("/"), 5 << 20), False),
    ],
)
def test_each_check_answers_with_a_fix_if_something_is_wrong(diagnosis: doctor.Diagnosis, ok: bool) -> None:
    assert diagnosis.ok is ok
    assert bool(diagnosis.fix) is not ok


def test_doctor_names_every_problem_at_once(make_repo: MakeRepo, cli: CommandLine) -> None:
    cli.root = make_repo({"a.py": ""})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        start = "run --port {port}"
        services = f'services:\n  - {{name: a, port: {port}, commands: {{start: "{start}"}}}}\n  - {{name: b}}\n'
        (cli.root / "greenlane.yaml").write_text(services)
        report = cli.json("doctor")
    wrong = {d["name"]: d["fix"] for d in report["checks"] if not d["ok"]}
    assert report["healthy"] is False
    assert {"base branch", f"port {port}", "start: b"} <= set(wrong)
    assert all(wrong.values())
    assert cli("doctor").exit_code == 1


def test_a_broken_configuration_is_a_finding_and_not_the_doctors_end(make_repo: MakeRepo, cli: CommandLine) -> None:
    cli.root = make_repo({"a.py": "", "greenlane.yaml": "thresholds: {risk_score_max: 70}\n"})
    checks = {d["name"]: d for d in cli.json("doctor")["checks"]}
    assert checks["python"]["ok"]
    assert not checks["configuration"]["ok"]
    assert "from 1 to 10" in checks["configuration"]["detail"]
