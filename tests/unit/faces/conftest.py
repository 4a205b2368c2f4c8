"""A command line with an application in memory behind it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import greenlane.bootstrap
from greenlane.cli.main import app

from .double import MemoryApplication


class CommandLine:
    def __init__(self, root: Path, application: MemoryApplication) -> None:
        self.root = root
        self.application = application

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["-C", str(self.root), *words], env={"NO_COLOR": "1", "COLUMNS": "100"})

    def json(self, *words: str) -> Any:
        """What the command printed as its last line of JSON."""
        return json.loads(self(*words, "--json").stdout.splitlines()[-1])


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    root = tmp_path / "repo"
    root.mkdir()
    (root / "greenlane.yaml").write_text("services: [{name: shop}]\n")
    state = root / ".greenlane"
    state.mkdir()
    (state / "ledger.db").touch()
    from greenlane.config import load_settings

    application = MemoryApplication(state, settings=load_settings(root / "greenlane.yaml").settings)

    async def open_application(path: Path, *, read_only: bool = False) -> MemoryApplication:
        assert path == root
        return application

    monkeypatch.setattr(greenlane.bootstrap, "open_application", open_application)
    return CommandLine(root, application)


@pytest.fixture
def make_repo(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    def make(files: dict[str, str]) -> Path:
        root = tmp_path / "Shop_Service"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git = ("git", "-C", str(root), "-c", "user.name=T", "-c", "user.email=t@example.org")
        subprocess.run((*git, "init", "-q", "-b", "trunk"), check=True)
        subprocess.run((*git, "add", "-A"), check=True)
        subprocess.run((*git, "commit", "-q", "-m", "first"), check=True)
        return root

    return make
