"""Bad input gets a clear error, and nothing is lost: the real command line on small real repositories.

Each test says what a person sees (a message with what to do, an exit code) and what is left behind (nothing that runs,
except production; a ledger that verifies).
"""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.little import AUTHOR, CONFIG, MAINTAINER, MODULE, Little, finish, users

FAILED, BAD_INPUT, CORRUPT, WAITING, INTERRUPTED = 1, 2, 4, 5, 130
NOT_DEPLOYED = CONFIG.replace('      start: "PORT={port} {python} service.py"\n', "")
NEW_CODE = MODULE + "\n\ndef three():\n    return 3\n"

Make = Callable[..., Little]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes repositories; whatever was started in them is stopped afterwards."""
    made: list[Little] = []

    def make_one(name: str = "repository", **options: object) -> Little:
        made.append(Little(tmp_path / name, **options))  # type: ignore[arg-type]  # passed on as they are
        return made[-1]

    yield make_one
    for little in made:
        little.clear()


# ------------------------------------------------------------------ input that can't be used


def test_outside_of_a_repository_the_next_step_is_named(tmp_path: Path, make: Make) -> None:
    little = make()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "greenlane.yaml").write_text(CONFIG)
    said = little.greenlane("-C", str(tmp_path / "elsewhere"), "run", "fix")
    assert said.code == BAD_INPUT, said
    assert "is not in a git repository" in said.err
    assert "git init" in said.err
    assert not (tmp_path / "elsewhere" / ".greenlane").exists()


def test_a_branch_that_can_not_be_run_is_explained(make: Make) -> None:
    little = make()
    little.branch("feature", {"version.txt": "2\n"})
    little.git("branch", "empty", "main")
    for ref, message in {
        "featrue": "did you mean feature?",
        "main": "is the base branch itself",
        "empty": "contained in 'main' already",
    }.items():
        said = little.greenlane("run", ref)
        assert said.code == BAD_INPUT, said
        assert message in said.err
    assert little.greenlane("list", "--json").json == []


def test_all_errors_of_a_configuration_come_at_once_with_their_lines(make: Make) -> None:
    little = make(config=CONFIG.replace("tick_s", "tickk_s").replace("collect_s: 0.2", "collect_s: soon"))
    said = little.greenlane("run", "fix")
    assert said.code == BAD_INPUT, said
    lines = CONFIG.splitlines()
    assert f"greenlane.yaml:{next(n for n, line in enumerate(lines, 1) if 'tick_s' in line)}:" in said.err
    assert "did you mean tick_s?" in said.err
    assert f"greenlane.yaml:{next(n for n, line in enumerate(lines, 1) if 'collect_s' in line)}:" in said.err
    assert "'soon' is not allowed" in said.err


# ------------------------------------------------------------------ changes that can't go on


def test_a_merge_conflict_blocks_and_names_the_file(make: Make) -> None:
    little = make()
    little.branch("fix", {"version.txt": "2\n"})
    little.write({"version.txt": "3\n"})
    little.commit("Meanwhile", *MAINTAINER)
    said = little.greenlane("run", "fix")
    assert said.code == FAILED, said
    assert "conflicts with its base branch in version.txt" in said.out
    assert little.verified()


def test_a_service_that_does_not_start_blocks_with_exit_code_and_log(make: Make) -> None:
    little = make()
    little.branch("fix", {"faults.json": '{"start": "exit"}'})
    said = little.greenlane("run", "fix")
    assert said.code == FAILED, said
    assert "exited with code 3 before it was healthy" in said.out
    assert said.out.count("| no such table: orders") == 1
    assert little.processes() == []
    again = little.greenlane("run", "fix")
    assert again.code == FAILED, again
    assert "commit to the branch to begin a new one" in again.err


def test_a_suite_that_ends_its_process_with_a_good_exit_code_has_not_passed(make: Make) -> None:
    little = make(config=NOT_DEPLOYED)
    little.branch("fix", {"little.py": NEW_CODE, "test_more.py": "import os\n\n\ndef test_it():\n    os._exit(0)\n"})
    said = little.greenlane("run", "fix")
    assert said.code == FAILED, said
    assert "it ended before its last test" in said.out
    little.branch(
        "stop", {"little.py": NEW_CODE, "test_more.py": "import pytest\n\n\ndef test_it():\n    pytest.exit('', 0)\n"}
    )
    said = little.greenlane("run", "stop")
    assert said.code == FAILED, said


def test_hostile_names_and_links_wait_for_a_person_and_touch_nothing(make: Make, tmp_path: Path) -> None:
    little = make(config=NOT_DEPLOYED)
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    little.git("switch", "--quiet", "--create", "names")
    little.write(
        {"a\nb.py": "x = 1\n", "-rf.py": "x = 1\n", "$(touch pwned).py": "x = 1\n", "latin.py": b"s = '\xe9'\n"}
    )
    (little.root / "link.py").symlink_to(outside)
    (little.root / "up").symlink_to("../..")
    little.commit("Names \x1b[31m", *AUTHOR)
    little.git("switch", "--quiet", "main")
    said = little.greenlane("run", "names")
    assert said.code == WAITING, said
    assert "not analysed" in said.out
    explained = little.greenlane("explain", "names")
    assert "\x1b" not in said.out + said.err + explained.out
    assert r"a\x0ab.py" in explained.out
    assert "link.py: a symbolic link" in explained.out
    assert outside.read_text() == "mine"
    assert not list(tmp_path.rglob("pwned"))
    assert little.verified()


def test_a_change_of_50_mb_is_held_in_bounded_memory(make: Make) -> None:
    little = make(config=NOT_DEPLOYED)
    line = "value = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\n"
    little.branch("huge", {"whole.py": line * 1_200_000, "blob.bin": bytes(range(256)) * 8192, "part.py": line * 5_000})
    said = little.greenlane("run", "huge", timeout_s=240)
    assert said.code == WAITING, said
    assert "not analysed" in said.out
    # of all children so far the greatest: the command, and the analyzers that it waited for
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 500 * 1024


# ------------------------------------------------------------------ the machine


def test_a_production_port_in_use_is_told_and_the_run_goes_on_when_it_is_free(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        little = make(config=CONFIG.replace("port: 0", f"port: {port}"))
        little.branch("fix", {"version.txt": "2\n"})
        said = little.greenlane("run", "fix")
        assert said.code == WAITING, said
        assert str(port) in said.out
    approved = little.greenlane("approve", "fix", "--by", "Ada Maintainer", "--reason", "the port is free")
    assert approved.code == 0, approved
    assert "`greenlane run fix` goes on with it" in approved.err
    with users(port):
        said = little.greenlane("run", "fix")
    assert said.code == 0, said
    assert f"http://127.0.0.1:{port} and stays up" in said.err


def test_a_full_disk_loses_nothing(make: Make) -> None:
    """A file size limit stands for the disk: SQLite meets both as a write that fails."""
    little = make(config=NOT_DEPLOYED)
    little.branch("fix", {"version.txt": "2\n"})

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 10, 16 << 10))

    said = little.greenlane("run", "fix", preexec_fn=limit)
    assert said.code == FAILED, said
    assert "hint:" in said.err
    assert "should not have happened" not in said.err
    said = little.greenlane("run", "fix")
    assert said.code == 0, said
    assert little.verified()


def test_an_altered_and_a_lost_ledger_are_found_and_never_written_over(make: Make) -> None:
    little = make(config=NOT_DEPLOYED)
    little.branch("fix", {"version.txt": "2\n"})
    little.branch("other", {"version.txt": "3\n"})
    assert little.greenlane("run", "fix").code == 0
    ledger = little.state_dir / "ledger.db"
    good = ledger.read_bytes()
    at = good.rfind(b"review.complete")
    for damaged in (good[:at] + b"R" + good[at + 1 :], b""):
        ledger.write_bytes(damaged)
        said = little.greenlane("audit", "verify")
        assert said.code == CORRUPT, said
        assert "first bad:" in said.out
    said = little.greenlane("run", "other")
    assert said.code == CORRUPT, said
    assert ledger.read_bytes() == b""
    ledger.unlink()
    assert little.greenlane("list").code == CORRUPT
    assert little.greenlane("audit", "verify").code == CORRUPT
    ledger.write_bytes(good)
    assert little.verified()


# ------------------------------------------------------------------ interruptions


def read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stderr is not None
    told = ""
    while word not in told:
        line = process.stderr.readline()
        assert line, f"it ended before {word}:\n{told}"
        told += line
    return told


def test_ctrl_c_in_staging_leaves_nothing_running_and_in_the_canary_no_traffic(make: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = CONFIG.replace("port: 0", f"port: {port}").replace("collect_s: 0.2", "collect_s: 2")
    little = make(config=config.replace("duration_min: 0.05", "duration_min: 0.1"))
    little.branch("fix", {"version.txt": "2\n"})

    process = little.start("run", "fix")
    read_until(process, "staging.starting")
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    said = finish(process)
    assert said.code == INTERRUPTED, said
    assert "nothing is lost" in said.err
    assert little.processes() == []

    with users(port):
        process = little.start("run", "fix")
        read_until(process, "canary.observed")
        process.send_signal(signal.SIGINT)
        said = finish(process)
        assert said.code == INTERRUPTED, said
        assert "the canary has no traffic from now on" in said.err
        assert "stays up; `greenlane down` stops it" in said.err
        said = little.greenlane("run", "fix")
    assert said.code == 0, said
    assert little.git("rev-list", "--count", "--merges", "main") == "1"
    assert little.verified()
    little.greenlane("down")
    assert little.processes() == []


def test_uncommitted_work_on_the_base_branch_is_kept_and_a_person_is_asked(make: Make) -> None:
    little = make(config=NOT_DEPLOYED)
    little.branch("fix", {"version.txt": "2\n"})
    (little.root / "version.txt").write_text("mine\n")
    said = little.greenlane("run", "fix")
    assert said.code == WAITING, said
    assert "with uncommitted changes, so it was not moved" in said.out
    assert (little.root / "version.txt").read_text() == "mine\n"
    little.git("checkout", "--quiet", "version.txt")
    little.greenlane("approve", "fix", "--by", "Ada Maintainer", "--reason", "stashed")
    said = little.greenlane("run", "fix")
    assert said.code == 0, said
    assert (little.root / "version.txt").read_text() == "2\n"
    assert little.git("status", "--short") == ""
