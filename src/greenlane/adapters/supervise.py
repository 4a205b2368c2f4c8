"""The parent of one process tree: `python -I -S supervise.py FOLDER`. Standard library only; imports nothing of ours.

It outlives the controller that started it, so that a service in production survives Greenlane's own death. It
- holds `FOLDER/supervisor.lock` as long as it lives (that the lock is held is the proof of life; a second one exits),
- adopts every orphan of its tree (subreaper), so that a double fork escapes nobody,
- copies output into `FOLDER/log`, of bounded size, so that a chatty program can't fill the disk,
- starts a program that died again, with a bounded back-off, once `FOLDER/ready` says that it was healthy before,
- counts the processes of the tree where no control group bounds them, and ends what is over `max_tasks`,
- ends the tree at a time-out, over a disk quota, when its standard input closes (if asked), or on SIGTERM.

What it is to do stands in `FOLDER/spec.json`, what it does in `FOLDER/status.json` (both are structs in `processes`).
"""

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
READ_BYTES = 1 << 16
FIRST_BACKOFF_S = 0.25
LAST_BACKOFF_S = 30.0
STEADY_AFTER_S = 60.0
"""A program that ran this long before it died starts again at the shortest back-off."""
DRAIN_S = 0.3
"""How long output is still read after a program has ended: a grandchild may hold the pipe open."""
KILL_PASSES_S = 10.0
QUOTA_EVERY_S = 0.5
FOLDER_EVERY_S = 2.0
"""How often it looks whether its folder is still there: without it nobody could find or stop the tree any more."""
LOG_BYTES_PER_S = 4 << 20
COUNT_EVERY_S = 1.0
"""How often processes are counted where no control group bounds them."""


class Log:
    """A file that is moved to `NAME.1` when it is full: at most twice `max_bytes` on disk.

    Of a program that writes more than `LOG_BYTES_PER_S` the rest of each second is dropped, and said so: waiting
    would slow the program down, and writing all would wear the disk.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.file = path.open("ab", buffering=0)
        self.size = self.file.tell()
        self.second = 0.0
        self.budget = LOG_BYTES_PER_S
        self.dropped = 0

    def write(self, data: bytes) -> None:
        now = time.monotonic()
        if now - self.second >= 1.0:
            if self.dropped:
                data = b"\ngreenlane: %d bytes of output were dropped here\n%s" % (self.dropped, data)
            self.second, self.budget, self.dropped = now, LOG_BYTES_PER_S, 0
        if self.budget <= 0:
            self.dropped += len(data)
            return
        self.budget -= len(data)
        # a full disk must not stop the service: its output is what can be lost
        with contextlib.suppress(OSError):
            if self.size + len(data) > self.max_bytes:
                self.file.close()
                self.path.replace(self.path.with_name(self.path.name + ".1"))
                self.file = self.path.open("ab", buffering=0)
                self.size = 0
            self.file.write(data)
            self.size += len(data)


def read_parents() -> dict[int, int]:
    """Every live process by its parent's id, zombies left out; empty where there is no /proc."""
    parents: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - names only, many of them, often
            if name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    fields = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
                    if fields[0] not in (b"Z", b"X"):
                        parents[int(name)] = int(fields[1])
    return parents


def find_descendants(root: int) -> list[int]:
    parents = read_parents()
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def measure_folders(folders: list[str], stop_at: int) -> int:
    """Bytes of all files in these folders; stops counting once over `stop_at`."""
    total = 0
    queue = list(folders)
    while queue and total <= stop_at:
        with contextlib.suppress(OSError), os.scandir(queue.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        queue.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


class Supervisor:
    def __init__(self, folder: Path, spec: dict[str, Any]) -> None:
        self.folder = folder
        self.spec = spec
        self.log = Log(folder / "log", spec["log_max_bytes"])
        self.selector = selectors.DefaultSelector()
        self.began = time.monotonic()
        self.deadline = self.began + spec["timeout_s"] if spec["timeout_s"] else None
        self.child = 0
        self.child_began = 0.0
        self.pipe: int | None = None
        self.stopping = ""
        self.restarts = 0
        self.backoff_s = FIRST_BACKOFF_S
        self.exit_code: int | None = None
        self.next_quota = self.began + QUOTA_EVERY_S
        self.next_look = self.began + FOLDER_EVERY_S
        self.next_count = self.began + COUNT_EVERY_S if spec["max_tasks"] and not spec["group"] else None
        self._watch_signals()
        if spec["parent_pipe"]:
            os.set_blocking(0, False)
            self.selector.register(0, selectors.EVENT_READ, self._on_parent)

    def _watch_signals(self) -> None:
        waker, self.wake_write = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(self.wake_write, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        self.selector.register(waker, selectors.EVENT_READ, lambda: os.read(waker, 4096))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop("stopped"))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _stop(self, reason: str) -> None:
        self.stopping = self.stopping or reason

    def _on_parent(self) -> None:
        if not os.read(0, 4096):
            self.selector.unregister(0)
            self._stop("the process that asked for it is gone")

    def write_status(self, state: str) -> None:
        status = {
            "token": self.spec["token"],
            "pid": os.getpid(),
            "child": self.child,
            "state": state,
            "restarts": self.restarts,
            "exit_code": self.exit_code,
            "reason": self.stopping,
        }
        path = self.folder / "status.json"
        try:
            temporary = path.with_suffix(".new")
            temporary.write_text(json.dumps(status))
            temporary.replace(path)
        except OSError as error:
            self.log.write(f"greenlane: status not written: {error}\n".encode())

    # ------------------------------------------------------------------ the program

    def launch(self) -> None:
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._become_program(write_end)
        os.close(write_end)
        os.set_blocking(read_end, False)
        self.pipe = read_end
        self.selector.register(read_end, selectors.EVENT_READ, self._on_output)
        self.child = pid
        self.child_began = time.monotonic()
        self.write_status("running")

    def _become_program(self, output: int) -> None:
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.umask(0o022)
            for name, value in self.spec["limits"].items():
                number = getattr(resource, name)
                hard = resource.getrlimit(number)[1]
                wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(number, (wanted, wanted))
            os.chdir(self.spec["cwd"])
            argv = self.spec["argv"]
            os.execvpe(argv[0], argv, self.spec["env"])
        except BaseException as error:  # whatever it is, the child must not run the parent's code
            os.write(2, f"greenlane: can't start: {error}\n".encode())
        finally:
            os._exit(127)

    def _on_output(self) -> None:
        assert self.pipe is not None
        try:
            data = os.read(self.pipe, READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self.log.write(data)
        else:
            self._close_pipe()

    def _close_pipe(self) -> None:
        if self.pipe is not None:
            self.selector.unregister(self.pipe)
            os.close(self.pipe)
            self.pipe = None

    def reap(self) -> bool:
        """Collect what has ended, orphans included; True if the program itself did."""
        ended = False
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == self.child:
                    self.exit_code = os.waitstatus_to_exitcode(status)
                    ended = True
        return ended

    def turn(self, until: float | None) -> None:
        """One wait for output or signals, at most until `until` (monotonic)."""
        quota = self.next_quota if self.spec["quota_bytes"] else None
        next_s = min(when for when in (until, self.deadline, quota, self.next_look, self.next_count) if when)
        for key, _ in self.selector.select(max(0.0, next_s - time.monotonic())):
            key.data()
        now = time.monotonic()
        if now >= self.next_look:
            self.next_look = now + FOLDER_EVERY_S
            if not (self.folder / "supervisor.lock").exists():
                self._stop("its folder was removed")
        if self.deadline and now >= self.deadline:
            self._stop("timeout")
        if self.next_count and now >= self.next_count:
            self.next_count = now + COUNT_EVERY_S
            self._check_tasks()
        if self.spec["quota_bytes"] and now >= self.next_quota:
            over = measure_folders(self.spec["quota_folders"], self.spec["quota_bytes"]) > self.spec["quota_bytes"]
            if over:
                self._stop("quota")
            # a large folder is measured less often, so that measuring costs at most a twentieth of a core
            self.next_quota = time.monotonic() + max(QUOTA_EVERY_S, 20 * (time.monotonic() - now))

    def _check_tasks(self) -> None:
        """The second line, where the kernel bounds nothing: the program ends, as if it had died."""
        found = len(find_descendants(os.getpid()))
        if found > self.spec["max_tasks"]:
            self.log.write(f"greenlane: {found} processes are over the limit of {self.spec['max_tasks']}\n".encode())
            self.end_tree()

    # ------------------------------------------------------------------ ends

    def end_tree(self) -> None:
        """SIGTERM to all descendants, a grace, then SIGKILL until none is left."""
        self._signal_all(signal.SIGTERM)
        until = time.monotonic() + self.spec["grace_s"]
        while time.monotonic() < until and self._alive():
            self._drain(0.02)
        until = time.monotonic() + KILL_PASSES_S
        while time.monotonic() < until and self._alive():
            self._signal_all(signal.SIGSTOP)  # so that nothing forks away between being listed and being killed
            self._signal_all(signal.SIGKILL)
            self._drain(0.01)
        self._drain(0)
        self._close_pipe()

    def _alive(self) -> bool:
        self.reap()
        return bool(find_descendants(os.getpid())) if Path("/proc/self/stat").exists() else self.exit_code is None

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in find_descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.child and self.exit_code is None:
                os.killpg(self.child, number)

    def _drain(self, wait_s: float) -> None:
        for key, _ in self.selector.select(wait_s):
            key.data()

    def run(self) -> None:
        """Until it is stopped, or the program ended and is not to be started again."""
        while not self.stopping:
            self.exit_code = None
            self.launch()
            while not self.stopping and not self.reap() and self.exit_code is None:
                self.turn(None)
            if self.stopping or not self.may_restart():
                break
            self._wait_before_restart()
        if self.exit_code is not None:
            until = time.monotonic() + DRAIN_S
            while self.pipe is not None and time.monotonic() < until:
                self._drain(0.02)
        self.end_tree()
        self.reap()
        self._remove_group()
        self.write_status("ended")

    def _remove_group(self) -> None:
        """The kernel lets go of it a moment after its last process was collected."""
        if self.spec["group"]:
            for _ in range(50):
                with contextlib.suppress(OSError):
                    os.rmdir(self.spec["group"])  # noqa: PTH106 - a path as it stands in the spec
                    return
                time.sleep(0.01)

    def may_restart(self) -> bool:
        return bool(self.spec["restart"]) and (self.folder / "ready").exists()

    def _wait_before_restart(self) -> None:
        code = self.exit_code
        self.end_tree()
        self.exit_code = code
        self.restarts += 1
        if time.monotonic() - self.child_began > STEADY_AFTER_S:
            self.backoff_s = FIRST_BACKOFF_S
        self.log.write(f"greenlane: ended with {code}; start {self.restarts + 1} in {self.backoff_s:g} s\n".encode())
        self.write_status("backing-off")
        until = time.monotonic() + self.backoff_s
        while not self.stopping and time.monotonic() < until:
            self.turn(until)
        self.backoff_s = min(self.backoff_s * 2, LAST_BACKOFF_S)


def take_lock(folder: Path) -> bool:
    """Hold the folder's lock for the life of this process (never closed, not inherited); False if another has it."""
    descriptor = os.open(folder / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
    # a prober holds it for an instant to see whether anybody lives here
    for _ in range(50):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            time.sleep(0.02)
    return False


def main() -> None:
    folder = Path(sys.argv[1])
    if not take_lock(folder):
        sys.exit(75)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    spec = json.loads((folder / "spec.json").read_text())
    Supervisor(folder, spec).run()


if __name__ == "__main__":
    main()
