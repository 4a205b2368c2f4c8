"""Every implementation of the sandbox, against jobs that try to get out. Each attempt is a real process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from greenlane.adapters.pids import pids_group
from greenlane.adapters.sandbox import (
    BareSandbox,
    BubblewrapSandbox,
    LandlockSandbox,
    NamespaceSandbox,
    choose_sandbox,
    probe_sandbox,
)
from greenlane.domain.errors import FinalError
from greenlane.ports.sandbox import Sandbox, SandboxJob, SandboxResult

_INTERPRETER = tuple(dict.fromkeys(Path(path) for path in (sys.prefix, sys.base_prefix)))


@pytest.fixture(params=["bubblewrap", "namespaces", "landlock"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    if request.param == "namespaces":
        return NamespaceSandbox()
    if request.param == "landlock":
        reason = probe_sandbox(LandlockSandbox())
        if "Landlock" in reason:
            pytest.skip(reason)
        return LandlockSandbox()
    executable = shutil.which("bwrap")
    if executable is None:
        pytest.skip("bubblewrap is not installed")
    return BubblewrapSandbox(Path(executable))


@pytest.fixture
def namespaced(sandbox: Sandbox) -> Sandbox:
    """One that gives a job its own loopback interface, `/tmp` and `/dev/shm`."""
    if sandbox.kind == "landlock":
        pytest.skip("Landlock has no namespaces")
    return sandbox


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


async def shell(sandbox: Sandbox, workdir: Path, script: str, **limits: object) -> SandboxResult:
    return await sandbox.run(SandboxJob(argv=("/bin/sh", "-c", script), workdir=workdir, **limits))  # type: ignore[arg-type]  # limits by name


async def python(sandbox: Sandbox, workdir: Path, script: str, *arguments: str, **limits: object) -> SandboxResult:
    argv = (sys.executable, "-I", "-c", script, *arguments)
    return await sandbox.run(SandboxJob(argv=argv, workdir=workdir, read_only=_INTERPRETER, **limits))  # type: ignore[arg-type]  # likewise


def processes_with(marker: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "cmdline").read_text(errors="replace"):
                found.append(folder.name)
        except OSError:
            continue
    return found


# ------------------------------------------------------------------ what a job gets


async def test_a_job_gives_back_its_output_and_exit_code(sandbox: Sandbox, workdir: Path) -> None:
    result = await shell(sandbox, workdir, "echo out; echo err >&2; echo file > made; exit 3")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert (workdir / "made").read_text() == "file\n"
    assert not result.timed_out
    assert not result.stopped


async def test_a_signal_is_a_negative_exit_code(sandbox: Sandbox, workdir: Path) -> None:
    assert (await shell(sandbox, workdir, "kill -SEGV $$")).exit_code == -signal.SIGSEGV


async def test_a_program_that_is_not_there_fails_and_says_so(sandbox: Sandbox, workdir: Path) -> None:
    result = await sandbox.run(SandboxJob(argv=("/bin/no-such-program",), workdir=workdir))
    assert result.exit_code != 0
    assert "no-such-program" in result.stderr


async def test_a_missing_folder_is_a_final_error(sandbox: Sandbox, workdir: Path) -> None:
    with pytest.raises(FinalError, match="does not exist"):
        await sandbox.run(SandboxJob(argv=("/bin/true",), workdir=workdir, read_only=(workdir.parent / "absent",)))


async def test_a_folder_and_a_file_in_it_are_both_shown(sandbox: Sandbox, workdir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shown"
    folder.mkdir()
    (folder / "file").write_text("text")
    result = await shell(sandbox, workdir, f"cat {folder}/file", read_only=(folder, folder / "file"))
    assert result.stdout == "text"


async def test_loopback_works_inside(namespaced: Sandbox, workdir: Path) -> None:
    script = (
        "import socket; s=socket.create_server(('127.0.0.1', 0)); c=socket.create_connection(s.getsockname());"
        "s.accept()[0].sendall(b'hi'); print(c.recv(2).decode())"
    )
    assert (await python(namespaced, workdir, script)).stdout == "hi\n"


async def test_multiprocessing_works_inside(namespaced: Sandbox, workdir: Path) -> None:
    script = "import multiprocessing as m; p=m.get_context('fork').Pool(2); print(p.map(abs, [-1, -2])); p.terminate()"
    assert (await python(namespaced, workdir, script)).stdout == "[1, 2]\n"


async def test_jobs_run_side_by_side(sandbox: Sandbox, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(4)]
    for folder in folders:
        folder.mkdir()
    results = await asyncio.gather(*(shell(sandbox, folder, "pwd") for folder in folders))
    assert [result.stdout.strip() for result in results] == [str(folder) for folder in folders]


# ------------------------------------------------------------------ what it does not see


async def test_the_environment_of_greenlane_is_not_seen(
    sandbox: Sandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "top-secret")
    result = await shell(sandbox, workdir, "env; cat /proc/*/environ", env=(("GIVEN", "yes"),))
    assert "top-secret" not in result.stdout
    assert "GIVEN=yes" in result.stdout


# ------------------------------------------------------------------ bounds


async def test_a_time_out_takes_double_forks_too(sandbox: Sandbox, workdir: Path) -> None:
    marker = f"sleeper-{os.getpid()}-{sandbox.kind}"
    script = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        os.closerange(0, 10); time.sleep(60)\n"
        "    os._exit(0)\n"
        "time.sleep(60)"
    )
    result = await python(sandbox, workdir, script, marker, timeout_s=1)
    assert result.timed_out
    assert result.stopped == "time"
    assert result.seconds < 5
    assert processes_with(marker) == []


async def test_a_daemon_does_not_outlive_a_job_that_ended(sandbox: Sandbox, workdir: Path) -> None:
    marker = f"daemon-{os.getpid()}-{sandbox.kind}"
    script = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(60)"
    result = await python(sandbox, workdir, script, marker)
    assert result.exit_code == 0
    assert result.seconds < 10
    assert processes_with(marker) == []


async def test_a_cancelled_run_leaves_nothing(sandbox: Sandbox, workdir: Path) -> None:
    marker = f"cancelled-{os.getpid()}-{sandbox.kind}"
    task = asyncio.create_task(python(sandbox, workdir, "import time; time.sleep(60)", marker))
    deadline = time.monotonic() + 20
    while not processes_with(marker) and time.monotonic() < deadline:  # noqa: ASYNC110 - /proc tells nobody of new processes
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.2)
    assert processes_with(marker) == []


async def test_a_run_that_is_cancelled_while_it_starts_leaves_nothing_either(sandbox: Sandbox, workdir: Path) -> None:
    marker = f"starting-{os.getpid()}-{sandbox.kind}"
    for pause_s in (0.002, 0.006, 0.012, 0.025, 0.05):
        task = asyncio.create_task(python(sandbox, workdir, "import time; time.sleep(60)", marker))
        await asyncio.sleep(pause_s)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)
    await asyncio.sleep(0.2)
    assert processes_with(marker) == []


async def test_a_fork_bomb_is_bounded(sandbox: Sandbox, workdir: Path) -> None:
    with pids_group(8) as group:
        if sandbox.kind == "bubblewrap" and os.geteuid() == 0 and group is None:
            pytest.skip("nothing bounds bubblewrap's jobs for root here; it is never chosen then")
    script = (
        "import os, time\n"
        "while True:\n"
        "    try:\n        os.fork()\n"
        "    except OSError:\n        print('refused', flush=True); time.sleep(0.2)\n"
    )
    result = await python(sandbox, workdir, script, max_processes=40, timeout_s=3)
    assert "refused" in result.stdout  # by the kernel: a count from outside would come too late on a busy machine
    assert result.seconds < 15


async def test_a_job_whose_limits_can_not_be_set_never_begins(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*arguments: object) -> None:
        raise PermissionError("not permitted")

    monkeypatch.setattr("greenlane.adapters.sandbox.bubblewrap.resource.prlimit", forbid)
    executable = shutil.which("bwrap")
    if executable is None:
        pytest.skip("bubblewrap is not installed")
    with pytest.raises(FinalError, match="limits can't be set"):
        await shell(BubblewrapSandbox(Path(executable)), workdir, "touch begun")
    await asyncio.sleep(0.2)
    assert not (workdir / "begun").exists()


async def test_memory_of_one_process_is_bounded(sandbox: Sandbox, workdir: Path) -> None:
    result = await python(sandbox, workdir, "b = bytearray(600 << 20)", memory_mb=256)
    assert "MemoryError" in result.stderr


async def test_memory_of_the_whole_tree_is_bounded(sandbox: Sandbox, workdir: Path) -> None:
    script = "import os, time\nfor _ in range(3): os.fork()\nb = bytearray(os.urandom(1 << 20)) * 60\ntime.sleep(20)"
    result = await python(sandbox, workdir, script, memory_mb=200, timeout_s=15)
    assert result.stopped == "memory"


async def test_a_file_is_bounded(sandbox: Sandbox, workdir: Path) -> None:
    result = await shell(sandbox, workdir, "head -c 20000000 /dev/zero > big; ls -l big", max_file_mb=2)
    assert (workdir / "big").stat().st_size <= 2 << 20
    assert result.exit_code in {0, -signal.SIGXFSZ}


async def test_many_files_are_bounded(sandbox: Sandbox, workdir: Path) -> None:
    script = "i=0; while true; do head -c 1000000 /dev/urandom > f$i || exit 9; i=$((i+1)); done"
    result = await shell(sandbox, workdir, script, max_file_mb=2, timeout_s=20)
    assert result.stopped == "disk"
    shutil.rmtree(workdir)


async def test_temporary_space_is_bounded(namespaced: Sandbox, workdir: Path) -> None:
    script = "for i in 1 2 3 4 5; do head -c 1500000 /dev/zero > /tmp/$i; done; du -sk /tmp | cut -f1"
    result = await shell(namespaced, workdir, script, max_file_mb=2)
    assert int(result.stdout) <= 2100
    assert "No space" in result.stderr


async def test_a_flood_of_output_is_cut_in_the_middle(sandbox: Sandbox, workdir: Path) -> None:
    script = "echo first; head -c 30000000 /dev/zero | tr '\\0' x; echo last"
    result = await shell(sandbox, workdir, script, max_output_bytes=10_000)
    assert result.truncated
    assert len(result.stdout) < 11_000
    assert result.stdout.startswith("first")
    assert result.stdout.endswith("last\n")
    assert "bytes left out" in result.stdout


# ------------------------------------------------------------------ the choice


def test_the_chosen_sandbox_holds() -> None:
    assert choose_sandbox().kind in {"bubblewrap", "namespaces", "landlock"}


def test_a_sandbox_that_does_not_isolate_is_found_out() -> None:
    assert "outside" in probe_sandbox(BareSandbox())


def test_where_namespaces_are_forbidden_landlock_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(self: NamespaceSandbox, job: SandboxJob) -> SandboxResult:
        raise FinalError("unshare: Operation not permitted")

    monkeypatch.setattr("greenlane.adapters.sandbox.choose.shutil.which", lambda name: None)
    monkeypatch.setattr(NamespaceSandbox, "run", refuse)
    reason = probe_sandbox(LandlockSandbox())
    if reason:
        pytest.skip(reason)
    assert choose_sandbox().kind == "landlock"


async def test_without_a_sandbox_limits_hold_and_nothing_is_left(workdir: Path, tmp_path: Path) -> None:
    bare = choose_sandbox(unsafe=True)
    assert bare.kind == "none"
    marker = f"bare-{os.getpid()}"
    script = f"touch {tmp_path}/seen; python3 -c 'import time; time.sleep(60)' {marker} & sleep 60"
    result = await shell(bare, workdir, script, timeout_s=1)
    assert (result.stopped, processes_with(marker)) == ("time", [])
    assert (tmp_path / "seen").exists()  # that is what it means


def test_where_nothing_works_the_reasons_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenlane.adapters.sandbox.choose.shutil.which", lambda name: "/bin/false")
    monkeypatch.setattr("greenlane.adapters.sandbox.namespaces.sys.executable", "/bin/false")  # of all launchers
    with pytest.raises(FinalError, match=r"bubblewrap: .*namespaces: |namespaces: .*bubblewrap: ") as caught:
        choose_sandbox()
    assert "landlock: " in caught.value.message
    assert "bubblewrap" in caught.value.hint
