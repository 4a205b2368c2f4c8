"""Becomes a program whose processes are bounded: `python -I -S bounded.py GROUP MOST PROGRAM [ARGUMENT...]`.

Standard library only; imports nothing of ours. GROUP is a control group with a limit of its own, or `-` where none can
be made: then RLIMIT_NPROC bounds an ordinary user, and the supervisor's counting alone bounds root.
"""

import contextlib
import os
import resource
import sys
from pathlib import Path


def count_tasks(uid: int) -> int:
    """Processes and threads of this user, which is what RLIMIT_NPROC is held against; 0 where there is no /proc."""
    total = 0
    with contextlib.suppress(OSError):
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    if process.stat().st_uid == uid:
                        total += int((process / "stat").read_bytes().rpartition(b")")[2].split()[17])
    return total


def bound_tasks(most: int) -> None:
    """Let the kernel refuse this user more than `most` further tasks: it counts all of the user's, not the tree's.

    Where the user has tasks that can't be seen from here (another container's), the limit would refuse the first fork
    already, so it is lifted again.
    """
    present = count_tasks(os.getuid())
    if not present:
        return
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    wanted = present + most if hard == resource.RLIM_INFINITY else min(present + most, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (wanted, hard))
    try:
        probe = os.fork()
        if probe == 0:
            os._exit(0)
        os.waitpid(probe, 0)
    except BlockingIOError:
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
    else:
        resource.setrlimit(resource.RLIMIT_NPROC, (wanted, wanted))


def main() -> None:
    group, most, *argv = sys.argv[1:]
    if group != "-":
        try:
            Path(group, "cgroup.procs").write_text("0")
        except OSError as error:  # somebody removed it: a service without a bound is better than none
            print(f"greenlane: its processes are not bounded: {group}: {error.strerror}", file=sys.stderr, flush=True)
    elif os.getuid() != 0:
        bound_tasks(int(most))
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.exit(f"greenlane: can't start {argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
