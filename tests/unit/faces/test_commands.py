"""The commands: what they print where, and with which code they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from greenlane.domain import events as e
from greenlane.ledger.store import LedgerCorruptError

from . import changes as c
from .conftest import CommandLine
from .double import MemoryApplication

WAITING = c.change_of(
    c.reviewed(lane=e.Lane.RED, risk=8.3), c.asked(before=e.Stage.TEST), first=c.opened(12, title="Search by id")
)
OTHER = c.change_of(c.reviewed(), first=c.opened(13, head_sha="4" * 40, branch="other"))


@pytest.fixture
def two_runs(cli: CommandLine) -> CommandLine:
    cli.application.changes = {c.run: c for c in (WAITING, OTHER)}
    return cli


# ------------------------------------------------------------------ run


def test_run_follows_a_change_to_its_end_with_words_on_stderr_and_data_on_stdout(cli: CommandLine) -> None:
    change = c.change_of()
    cli.application.submittable["fix-rounding"] = change
    cli.application.script = [(change.run, event) for event in (*c.GREEN_WAY, c.deployed())]
    done = cli("run", "fix-rounding")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{change.run}: deployed after ")
    assert len(done.stdout.splitlines()) == 1
    told = [line.split()[2] for line in done.stderr.splitlines()]
    assert told == [
        "pr.opened:", "review.complete:", "tests.complete:", "staging.complete:", "staging.validated:",
        "deployment.complete:",
    ]  # fmt: skip
    assert cli.application.closed


@pytest.mark.parametrize(
    ("ending", "code", "state"),
    [
        ((c.reviewed(proceed=False),), 1, "blocked"),
        ((c.reviewed(), c.asked(before=e.Stage.TEST)), 5, "awaiting_human"),
        ((*c.GREEN_WAY, c.canary_started(), *c.rolled_back()), 1, "rolled_back"),
        ((*c.GREEN_WAY, c.deployed()), 0, "deployed"),
    ],
)
def test_the_exit_code_of_run_is_the_outcome(
    cli: CommandLine, ending: tuple[e.AnyEvent, ...], code: int, state: str
) -> None:
    change = c.change_of()
    cli.application.submittable["b"] = change
    cli.application.script = [(change.run, event) for event in ending]
    done = cli("run", "b", "--json")
    assert done.exit_code == code
    assert json.loads(done.stdout)["state"] == state


def test_run_can_leave_the_work_to_the_service(cli: CommandLine) -> None:
    cli.application.submittable["b"] = c.change_of()
    assert cli("run", "b", "--no-wait").exit_code == 0
    assert cli.application.calls == []


# ------------------------------------------------------------------ names


def test_a_run_may_be_named_by_its_beginning_its_pull_request_or_its_branch(two_runs: CommandLine) -> None:
    for typed in (WAITING.run, WAITING.run[:9], "#12", "12", "fix-rounding"):
        assert two_runs.json("explain", typed)["view"]["run"] == WAITING.run


def test_a_name_that_fits_several_or_none_lists_candidates(two_runs: CommandLine) -> None:
    for typed, words in (("shop", "fits 2 runs"), ("nope", "there is no run nope")):
        done = two_runs("explain", typed)
        assert done.exit_code == 2
        assert words in done.stderr
        assert WAITING.run in done.stderr
        assert done.stdout == ""


# ------------------------------------------------------------------ looking


def test_list_shows_every_run_and_filters_by_state(two_runs: CommandLine) -> None:
    done = two_runs("list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["run", WAITING.run, OTHER.run]
    assert [v["run"] for v in two_runs.json("list", "--state", "awaiting_human")] == [WAITING.run]
    assert two_runs("list", "--state", "lost").exit_code == 2


def test_explain_says_why_who_and_what_next(two_runs: CommandLine) -> None:
    done = two_runs("explain", "12")
    assert done.exit_code == 0
    for words in (
        "an SQL injection in shop/orders.py",
        "clears when the query passes order_id as a parameter",
        f"anybody but {c.AUTHOR}, and no program",
        f"greenlane approve {WAITING.run} --head {c.HEAD[:10]}",
        "Risk 8.3 of 10 (limit 7)",
        "nothing was measured yet",
    ):
        assert words in done.stdout


def test_explain_writes_one_html_file(two_runs: CommandLine, tmp_path: Path) -> None:
    page = tmp_path / "out" / "context.html"
    assert two_runs("explain", "12", "--html", str(page)).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")


def test_foreign_text_reaches_no_terminal_unfiltered(cli: CommandLine) -> None:
    evil = "x\x1b]0;owned\x07\x1b[2J\u202e [bold]y[/bold]"
    change = c.change_of(c.reviewed(summary=(evil,)), first=c.opened(title=evil, author=evil, branch=evil))
    cli.application.changes = {change.run: change}
    for words in (("list",), ("explain", "12"), ("audit", "show", "12"), ("explain", "nope")):
        done = cli(*words)
        assert "\x1b" not in done.output
        assert "\u202e" not in done.output
    assert "[bold]y[/bold]" in cli("list").stdout


def test_audit_show_gives_every_entry(two_runs: CommandLine) -> None:
    lines = two_runs("audit", "show", "12", "--json").stdout.splitlines()
    assert [json.loads(line)["event"]["type"] for line in lines] == ["pr.opened", "review.complete", "human.requested"]
    assert "an SQL injection" in two_runs("audit", "show", "12").stdout


# ------------------------------------------------------------------ deciding


def test_approve_is_written_down_with_name_and_reason(two_runs: CommandLine) -> None:
    done = two_runs("approve", "12", "--by", "Grace Hopper", "--reason", " read it ")
    assert done.exit_code == 0
    assert two_runs.application.calls == [("approve", WAITING.run, "Grace Hopper", "read it")]


def test_a_refusal_has_its_own_code_and_says_the_rule(two_runs: CommandLine) -> None:
    done = two_runs("approve", "12", "--by", "ada", "--reason", "mine")
    assert done.exit_code == 3
    assert "the author of this change" in done.stderr
    assert "hint:" in done.stderr
    assert two_runs.application.calls == []


def test_a_decision_needs_a_reason_that_says_something(two_runs: CommandLine) -> None:
    assert two_runs("approve", "12", "--by", "Grace").exit_code == 2
    assert two_runs("approve", "12", "--by", "Grace", "--reason", "  ").exit_code == 2


def test_a_pause_knows_its_scopes(cli: CommandLine) -> None:
    assert cli("pause", "--by", "Grace", "--reason", "freeze", "--scope", "shop").exit_code == 0
    done = cli("pause", "--by", "Grace", "--reason", "freeze", "--scope", "shops")
    assert done.exit_code == 2
    assert "org, shop" in done.stderr
    assert cli.application.calls == [("pause", "shop", "Grace", "freeze")]


def test_rollback_sees_it_through(cli: CommandLine) -> None:
    change = c.change_of(*c.GREEN_WAY, c.deployed())
    cli.application.changes = {change.run: change}
    back = e.DeploymentRolledBack(why=c.why("rolled-back", "as asked"), base_sha=c.BASE, restored=())
    cli.application.script = [(change.run, back)]
    assert cli.json("rollback", "12", "--by", "Ada Lovelace", "--reason", "prices are wrong")["state"] == "rolled_back"


# ------------------------------------------------------------------ errors


def test_no_configuration_names_the_way_out(tmp_path: Path, cli: CommandLine) -> None:
    (cli.root / "greenlane.yaml").unlink()
    (cli.root / ".git").mkdir()
    done = cli("list")
    assert done.exit_code == 2
    assert "`greenlane init`" in done.stderr


def test_a_corrupt_ledger_has_its_own_code(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def runs(_: MemoryApplication) -> None:
        raise LedgerCorruptError("entry 7 is not what was written", hint="`greenlane audit verify`")

    monkeypatch.setattr(MemoryApplication, "runs", runs)
    done = cli("list")
    assert done.exit_code == 4
    assert "entry 7" in done.stderr


def test_an_unexpected_error_is_short_and_its_story_is_kept(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def runs(_: MemoryApplication) -> None:
        raise KeyError("inner")

    monkeypatch.setattr(MemoryApplication, "runs", runs)
    done = cli("list")
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    story = Path(done.stderr.split("the details are in ")[1].split(",")[0])
    assert "KeyError" in story.read_text()
    story.unlink()
    assert "Traceback" in cli("--debug", "list").stderr


def test_an_interrupt_ends_with_130_and_closes_the_application(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def runs(_: MemoryApplication) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MemoryApplication, "runs", runs)
    done = cli("list")
    assert done.exit_code == 130
    assert "nothing is lost" in done.stderr


def test_wrong_usage_has_code_2(cli: CommandLine) -> None:
    assert cli("lisst").exit_code == 2
    assert cli("explain").exit_code == 2


def test_help_does_not_load_what_it_does_not_need() -> None:
    code = (
        "import sys; from greenlane.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'rich', 'yaml', 'jinja2', 'starlette', 'uvicorn', 'httpx', 'msgspec', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    seconds = time.monotonic() - started
    assert "approve" in done.stdout
    assert done.stderr.strip() == "[]"
    assert seconds < 3
