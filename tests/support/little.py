"""A small real repository with a small real service, and the real command line on it. For tests of what users meet."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
SOURCES = HERE.parent.parent / "src"
SERVICE_PROGRAM = HERE.parent / "contract" / "delivery" / "service_program.py"
MAINTAINER = ("Ada Maintainer", "ada@example.com")
AUTHOR = ("Grace Author", "grace@example.com")

CONFIG = """\
repository: {name: little}
services:
  - name: little
    port: 0
    commands:
      test: "{python} -m pytest -q -p no:cacheprovider"
      start: "PORT={port} {python} service.py"
    load: [{path: /}]
validation: {load_duration_s: 1, load_extend_max_factor: 1, load_rate_rps: 200, test_timeout_s: 20}
thresholds: {canary_monitoring_duration_min: 0.05}
canary: {warmup_s: 0.5, steps_pct: [100], step_duration_s: 0.5, tick_s: 0.2, min_requests: 5, detect_factor: 100,
         observe_s: 0, keep_previous_s: 1}
staging: {collect_s: 0.2, start_timeout_s: 6, build_timeout_s: 10}
sandbox: {max_file_mb: 8}
"""
MODULE = "def double(number):\n    return 2 * number\n"
TESTS = "from little import double\n\n\ndef test_double():\n    assert double(2) == 4\n"


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit code {self.code}\nstdout:\n{self.out}\nstderr:\n{self.err}"


class Little:
    """A git repository in `root` with `main` checked out, whose service starts and is healthy."""

    def __init__(self, root: Path, *, config: str = CONFIG, files: Mapping[str, str | bytes] | None = None) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.write(
            {
                "greenlane.yaml": config,
                "service.py": SERVICE_PROGRAM.read_bytes(),
                "version.txt": "1\n",
                "little.py": MODULE,
                "test_little.py": TESTS,
                **(files or {}),
            }
        )
        self.commit("The service", *MAINTAINER)

    @property
    def state_dir(self) -> Path:
        return self.root / ".greenlane"

    def git(self, *args: str, env: Mapping[str, str] | None = None) -> str:
        clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
        options = ("-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null")
        done = subprocess.run(
            ["git", *options, *args], cwd=self.root, env=clean | dict(env or {}), capture_output=True, timeout=60,
            check=True,
        )  # fmt: skip
        return done.stdout.decode("utf-8", "replace").strip()

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str, name: str, address: str) -> str:
        self.git("add", "--all")
        people = {f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER")
                  for what, text in (("NAME", name), ("EMAIL", address))}  # fmt: skip
        self.git("commit", "--quiet", "--message", message, env=people)
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str, files: Mapping[str, str | bytes | None], *, message: str = "A change") -> str:
        """A branch with one commit of the author on top of `main`; `main` stays checked out."""
        self.git("switch", "--quiet", "--create", name, "main")
        self.write(files)
        head = self.commit(message, *AUTHOR)
        self.git("switch", "--quiet", "main")
        return head

    # -------------------------------------------------------------- the command line

    def start(self, *args: str, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(SOURCES), "NO_COLOR": "1", **(env or {})}
        return subprocess.Popen(
            [sys.executable, "-m", "greenlane", *args],
            cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", **more,
        )  # fmt: skip

    def greenlane(self, *args: str, env: Mapping[str, str] | None = None, timeout_s: float = 90.0, **more: Any) -> Said:
        return finish(self.start(*args, env=env, **more), timeout_s)

    def verified(self) -> bool:
        return self.greenlane("audit", "verify").code == 0

    def processes(self) -> list[psutil.Process]:
        """Every live process that has to do with this repository, production and its proxy included."""
        return list(processes_of(self.root))

    def clear(self) -> None:
        """Stop everything that runs here."""
        if self.processes():
            self.greenlane("down")
        for process in self.processes():
            process.kill()


def finish(process: subprocess.Popen[str], timeout_s: float = 90.0) -> Said:
    """Wait for a command. One that does not end is killed, and the test fails."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"the command did not end in {timeout_s:g} s\n{Said(-9, out, err)}") from None
    return Said(process.returncode, out, err)


def processes_of(root: Path) -> Iterator[psutil.Process]:
    """Processes whose folder or arguments lie in `root`; this one is not among them."""
    for process in psutil.process_iter():
        try:
            words = " ".join((process.cwd(), *process.cmdline()))
            if str(root) in words and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (psutil.Error, OSError):
            continue


@contextlib.contextmanager
def users(port: int, *, pause_s: float = 0.01) -> Iterator[None]:
    """Requests that come in at a port all the time; what becomes of each does not matter here."""
    done = threading.Event()

    def call() -> None:
        while not done.wait(pause_s):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                answer.read()

    threads = [threading.Thread(target=call, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
