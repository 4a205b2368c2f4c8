"""New examples are tried on findings that people confirmed, with real git and the real SDK against a scripted host."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import msgspec
import pytest

from greenlane.bootstrap.model import check_prompts
from greenlane.domain.change import Change
from greenlane.domain.errors import ConfigError, RefusedError
from greenlane.domain.findings import Category, Finding, Severity
from greenlane.domain.settings import ModelSettings, Orchestration, Repository, Settings
from greenlane.policy.feedback import PromptVerdict, assess_feedback, finding_id
from tests.support.scripted_model import HARMLESS, KEY, failure, message, scripted_host
from tests.unit.faces import changes as c

LINE = "    os.system('echo ' + name)"
SHELL = Finding(
    rule="ruff.S605", category=Category.SECURITY, severity=Severity.HIGH, message="a shell", path="app.py", line=4,
    quotation=LINE.strip(),
)  # fmt: skip
SEEN = HARMLESS | {
    "security_issues": [
        {"path": "app.py", "line": 4, "quotation": LINE.strip(), "message": "a shell", "severity": "high"}
    ]
}


@pytest.fixture
def repo(tmp_path: Path) -> tuple[Path, str, str]:
    """A repository with a change on a branch: its folder, base and head."""
    folder = tmp_path / "shop"
    folder.mkdir()

    def git(*args: str) -> str:
        argv = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    (folder / "app.py").write_text("import os\n\ndef greet(name):\n    print(name)\n")
    git("add", "-A")
    git("commit", "-qm", "base")
    base = git("rev-parse", "HEAD")
    git("checkout", "-qb", "greet")
    (folder / "app.py").write_text(f"import os\n\ndef greet(name):\n{LINE}\n")
    git("commit", "-qam", "greet")
    return folder, base, git("rev-parse", "HEAD")


def confirmed(repo: tuple[Path, str, str]) -> Change:
    _, base, head = repo
    opened = msgspec.structs.replace(c.opened(head_sha=head), merge_base_sha=base, base_sha=base)
    before = c.change_of(c.reviewed(findings=(SHELL,)), first=opened)
    word = assess_feedback(before, finding_id(SHELL), "confirmed", by="Grace Hopper", reason="a shell indeed")
    return c.change_of(c.reviewed(findings=(SHELL,)), word, first=opened)  # type: ignore[arg-type]  # not refused


async def check(
    tmp_path: Path, repo: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch, *replies: object, example: str = "x"
) -> tuple[PromptVerdict, list[str]]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    folder, state = tmp_path / "examples", tmp_path / "state"
    folder.mkdir()
    state.mkdir()
    (folder / "own.md").write_text(example)
    async with scripted_host(*replies) as host:  # type: ignore[arg-type]  # the parameters of the tests below
        settings = Settings(
            repository=Repository(name="shop"),
            orchestration=Orchestration(model="claude-sonnet-5-5"),
            model=ModelSettings(base_url=host.url, max_retries=0, usd_per_pr=100),
        )
        verdict = await check_prompts(repo[0], settings, state, [confirmed(repo)], folder, lambda left: None)
    return verdict, host.bodies


async def test_examples_that_keep_recall_may_ship(
    tmp_path: Path, repo: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict, bodies = await check(tmp_path, repo, monkeypatch, message(SEEN), example="OWNEXAMPLE")
    assert verdict.ships
    assert (verdict.before.count, verdict.after.count) == (1, 1)
    told = ["OWNEXAMPLE" in json.dumps(json.loads(body)["system"]) for body in bodies]
    assert told == [False, False, True, True]


async def test_examples_that_lose_a_confirmed_finding_may_not(
    tmp_path: Path, repo: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict, _ = await check(
        tmp_path, repo, monkeypatch, message(SEEN), message(SEEN), message(HARMLESS), message(HARMLESS)
    )
    assert not verdict.ships
    assert verdict.lost == (f"{confirmed(repo).run} {finding_id(SHELL)}",)


async def test_a_finding_that_an_example_gives_away_is_not_held_out(
    tmp_path: Path, repo: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = f"---\nkind: vulnerability\nfinding: {finding_id(SHELL)}\n---\n"
    verdict, bodies = await check(tmp_path, repo, monkeypatch, message(SEEN), example=example)
    assert (verdict.ships, bodies) == (False, [])
    assert "no held-out case" in verdict.reason


async def test_without_a_reading_there_is_no_verdict(
    tmp_path: Path, repo: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RefusedError, match="no reading"):
        await check(tmp_path, repo, monkeypatch, failure(529))
    with pytest.raises(ConfigError, match="no model"):
        await check_prompts(repo[0], Settings(), tmp_path, [], tmp_path, lambda left: None)
