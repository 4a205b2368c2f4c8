"""`up` and `down`: one process that works and shows, found and ended by its note."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from greenlane.cli.reference import render_reference
from greenlane.cli.service import NOTE, ServiceNote, bind, read_note, serve, stop_service, write_note
from greenlane.domain.errors import InputError

from . import changes as c
from .conftest import CommandLine
from .double import MemoryApplication


async def started(application: MemoryApplication) -> tuple[asyncio.Task[None], str]:
    task = asyncio.create_task(serve(application, host="127.0.0.1", port=0))
    for _ in range(1000):
        found = read_note(application.state_dir / NOTE)
        if found:
            return task, found.url
        await asyncio.sleep(0.01)
    raise AssertionError("the service did not come up")


async def test_the_service_shows_its_runs_and_ends_on_sigterm(tmp_path: Path) -> None:
    application = MemoryApplication(tmp_path, (c.change_of(c.reviewed()),))
    task, url = await started(application)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert "Round the total" in (await client.get("/")).text
    with pytest.raises(InputError, match="runs here already"):
        await serve(application, host="127.0.0.1", port=0)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 10)
    assert application.calls == [("work",)]
    assert not (tmp_path / NOTE).exists()


async def test_new_rules_end_the_service_so_that_it_goes_on_with_them_at_the_same_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("greenlane.cli.service.RULES_EVERY_S", 0.02)
    answers = iter(["", "", InputError("line 3 is wrong"), InputError("line 3 is wrong"), "b"])

    async def read_rules() -> str:
        answer = next(answers)
        if isinstance(answer, InputError):
            raise answer
        return answer

    port = await serve(MemoryApplication(tmp_path), host="127.0.0.1", port=0, read_rules=read_rules)
    told = capsys.readouterr().err
    assert f"http://127.0.0.1:{port}/" in told
    assert told.count("can't be used") == 1
    assert "have changed" in told


async def test_an_error_of_the_agents_ends_the_service_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(_: MemoryApplication, *, until: object) -> None:
        raise InputError("the ledger went away")

    monkeypatch.setattr(MemoryApplication, "work", work)
    with pytest.raises(InputError, match="went away"):
        await serve(MemoryApplication(tmp_path), host="127.0.0.1", port=0)
    assert not (tmp_path / NOTE).exists()


def test_a_port_in_use_is_told_with_the_way_out() -> None:
    with bind("127.0.0.1", 0) as taken, pytest.raises(InputError) as caught:
        bind("127.0.0.1", taken.getsockname()[1])
    assert "in use" in caught.value.message
    assert "--port 0" in caught.value.hint


def test_down_ends_exactly_the_process_of_the_note(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        created = psutil.Process(process.pid).create_time()
        write_note(tmp_path / NOTE, ServiceNote(pid=process.pid, created=created - 100, url="http://x/"))
        assert asyncio.run(stop_service(tmp_path)) == ()
        assert process.poll() is None
        write_note(tmp_path / NOTE, ServiceNote(pid=process.pid, created=created, url="http://x/"))
        (told,) = asyncio.run(stop_service(tmp_path))
        assert str(process.pid) in told
        assert not psutil.pid_exists(process.pid)
        assert asyncio.run(stop_service(tmp_path)) == ()


def test_down_with_nothing_running_says_so(cli: CommandLine) -> None:
    done = cli("down")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing was running" in done.stderr


def test_an_interrupt_of_a_real_process_ends_with_130(tmp_path: Path) -> None:
    """A real signal in a real process: the sink's code, and the application closed before the end."""
    (tmp_path / "greenlane.yaml").write_text("")
    code = (
        "import sys, asyncio, greenlane.bootstrap as b\n"
        "from pathlib import Path\n"
        "class App:\n"
        "    async def submit(self, ref):\n"
        "        print('working', flush=True); await asyncio.sleep(60)\n"
        "    async def close(self): print('closed', flush=True)\n"
        "async def open_application(root, *, read_only=False): return App()\n"
        "b.open_application = open_application\n"
        "from greenlane.cli.main import main\n"
        f"sys.argv = ['greenlane', '-C', {str(tmp_path)!r}, 'run', 'x']; main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "working\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == "closed\n"
    assert "nothing is lost" in err
    assert "Traceback" not in err


def test_the_reference_page_of_the_command_line_is_current() -> None:
    page = Path(__file__).parents[3] / "docs" / "cli.md"
    assert page.read_text() == render_reference(), "write it anew: python -m greenlane.cli.reference > docs/cli.md"
