"""`greenlane replay`: exit code and words, for verdicts that are the same and for one that is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

import greenlane.ledger.verify
from greenlane.adapters.memory import Behaviour
from greenlane.domain import events as e
from tests.support.rollout import Scene

from .conftest import CommandLine


async def _rolled_back(folder: Path) -> Scene:
    scene = Scene(folder, candidate=Behaviour(production_error_rate=0.2))
    await scene.driver.drive()
    return scene


def test_a_verdict_that_is_not_the_same_is_shown_and_fails(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    scene = asyncio.run(_rolled_back(tmp_path / "scene"))
    change = scene.driver.change
    refused = cli("replay", scene.run)
    assert refused.exit_code == 4  # the file beside this application is no ledger

    monkeypatch.setattr(greenlane.ledger.verify, "verify", lambda path: SimpleNamespace(ok=True, first_bad=None))
    cli.application.changes[change.run] = change
    said = cli("replay", "#7")
    assert said.exit_code == 0
    assert "the same bit for bit" in said.stderr
    assert cli.json("replay", "#7")["same"] is True

    history = list(change.history)
    place = next(i for i, r in enumerate(history) if isinstance(r.event, e.CanaryRollingBack))
    event = history[place].event
    assert isinstance(event, e.CanaryRollingBack)
    assert event.judgement is not None
    softened = msgspec.structs.replace(event, judgement=msgspec.structs.replace(event.judgement, requests=1))
    history[place] = msgspec.structs.replace(history[place], event=softened)
    cli.application.changes[change.run] = msgspec.structs.replace(change, history=tuple(history))
    said = cli("replay", "#7")
    assert said.exit_code == 1
    assert "DIFFERS" in said.stdout
    assert "requests: recorded 1, judged again" in said.stdout
