"""The launcher of `LandlockSandbox` (and of no sandbox at all): limits, and rules that the kernel holds for a process
and all its children, where no namespaces can be made.

A program of its own, like `launch.py`, whose parts it uses. The *keeper* adopts whatever the job leaves behind, and
ends all of it when the job has ended, when it is told to (SIGTERM), or when Greenlane is gone. The *job* gives up
what it may do (Landlock: files outside the list, signals and abstract sockets to others; seccomp: sockets at all) and
then begins.

Needs Landlock ABI 6 (Linux 6.12): before it, a job could signal the keeper and reach abstract sockets.
https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, NoReturn

    from greenlane.adapters.sandbox import launch
else:
    import launch

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
VERSION_FLAG, PATH_BENEATH = 1, 1
MIN_ABI = 6
PR_SET_CHILD_SUBREAPER = 36
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
EVERYTHING = (1 << 16) - 1
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
ALL_TCP, ALL_SCOPES = 3, 3
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
O_PATH = 0o10000000
SWEEP_S = 0.002


def abi() -> int:
    """The version of Landlock that the kernel has; 0 if it has none."""
    found: int = launch.libc.syscall(
        ctypes.c_long(CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint(VERSION_FLAG)
    )
    return max(found, 0)


def restrict_files(spec: dict[str, Any]) -> None:
    """From now on this process and its children reach nothing but what the specification lists."""
    if abi() < MIN_ABI:
        raise OSError(f"Landlock {abi() or 'is not there'}: Linux 6.12 has what is needed")
    tcp = 0 if spec["network"] else ALL_TCP
    attributes = ctypes.create_string_buffer(struct.pack("=QQQ", EVERYTHING, tcp, ALL_SCOPES), 24)
    size, none = ctypes.c_size_t(24), ctypes.c_uint(0)
    ruleset = launch.syscall(CREATE_RULESET, "landlock_create_ruleset", attributes, size, none)
    for path in spec["read"]:
        allow(ruleset, path, EXECUTE | READ_FILE | READ_DIR)
    for path in DEVICES:
        allow(ruleset, path, READ_FILE | WRITE_FILE | IOCTL_DEV)
    for path in spec["write"]:
        allow(ruleset, path, EVERYTHING)
    launch.syscall(RESTRICT_SELF, "landlock_restrict_self", ctypes.c_int(ruleset), none)
    os.close(ruleset)


def allow(ruleset: int, path: str, rights: int) -> None:
    place = os.open(path, O_PATH | os.O_CLOEXEC)
    if not os.path.isdir(path):  # noqa: PTH112 - plain and quick, as in `launch.py`
        rights &= OF_FILES
    rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place), 12)
    arguments = (ctypes.c_int(ruleset), ctypes.c_int(PATH_BENEATH), rule, ctypes.c_uint(0))
    launch.syscall(ADD_RULE, f"landlock_add_rule {path}", *arguments)
    os.close(place)


def run_job(spec: dict[str, Any]) -> NoReturn:
    try:
        if spec["confined"]:
            if os.getuid() == 0:
                os.setgroups([])
            launch.drop_privileges(b"", spec["uid"], spec["uid"])
            restrict_files(spec)
        launch.prctl(launch.PR_SET_PDEATHSIG, launch.SIGKILL)
        if spec["confined"]:
            launch.filter_calls(bytes.fromhex(spec["seccomp"]))
    except Exception as error:  # whatever it is: the job must not run, and the reason is reported
        launch.report_error(spec["status_fd"], error)
        os._exit(1)
    os.close(spec["status_fd"])
    launch.run_job(spec)


def descendants(root: int) -> list[int]:
    waiting, found = [root], []
    while waiting:
        pid = waiting.pop()
        try:
            threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names only
            for thread in threads:
                with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:  # noqa: PTH123 - likewise
                    waiting += map(int, file.read().split())
        except (OSError, ValueError):
            continue  # it ended while we looked
        found.append(pid)
    return found[1:]


def end_all() -> None:
    """Stop, then kill, whatever is left, until nothing is: what ends is adopted by this process, so none gets away."""
    while True:
        left = descendants(os.getpid())
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(SWEEP_S)


def stop(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    end_all()
    os._exit(0)


def main() -> int:
    spec = launch.read_spec()
    signal.signal(signal.SIGTERM, stop)
    launch.prctl(launch.PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != spec["parent"]:
        return 1
    report = spec["status_fd"]
    os.set_inheritable(report, False)
    launch.check(launch.prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper")
    if spec["group"]:
        launch.write_text(spec["group"] + "/cgroup.procs", "0")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # the job is not to run our handler
    job = os.fork()
    if job == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        run_job(spec)
    launch.report_number(report, "child-pid", os.getpid())
    for descriptor in (0, 1, 2):  # output ends when the job's own descriptors are closed
        os.close(descriptor)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    while True:
        ended, status = os.wait()
        if ended == job:
            end_all()
            launch.report_number(report, "exit-code", launch.exit_code(status))
            return 0


if __name__ == "__main__":
    sys.exit(main())
