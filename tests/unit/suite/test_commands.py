from __future__ import annotations

from pathlib import Path

import pytest

from greenlane.domain.service_settings import Commands, Service
from greenlane.suite.commands import files_named, naming


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("{python} -m pytest -q tests.py", ("tests.py",)),
        ("pytest tests.py::TestTill -k 'a b'", ("tests.py",)),
        ("pytest -q", ()),
        ("pytest tests.py more", ()),
        ("pytest gone.py", ()),
        ("cd shop && pytest tests.py", ()),
        ("python tests.py", ()),
        ("pytest 'tests.py", ()),
    ],
)
def test_files_that_a_command_names(tmp_path: Path, command: str, named: tuple[str, ...]) -> None:
    (tmp_path / "tests.py").write_text("", encoding="utf-8")
    (tmp_path / "more").mkdir()
    assert files_named(command, tmp_path) == named


def test_a_new_file_is_named_beside_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "tests.py").write_text("", encoding="utf-8")
    service = Service(name="till", paths=("**",), commands=Commands(test="pytest -q tests.py"))
    assert naming(service, tmp_path, ["tests/test_a b.py"]).commands.test == "pytest -q tests.py 'tests/test_a b.py'"


def test_a_command_that_names_no_file_stays(tmp_path: Path) -> None:
    service = Service(name="till", paths=("**",), commands=Commands(test="pytest -q"))
    assert naming(service, tmp_path, ["tests/test_a.py"]) is service
