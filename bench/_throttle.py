"""`python _throttle.py SHARE PID...`: lets these processes run for this share of the time, in turns of 10 ms.

By SIGSTOP and SIGCONT, since no cgroup may be made everywhere. It ends, and lets them run, when its standard input
closes or they are gone.
"""

import os
import select
import signal
import sys
import time

TURN_S = 0.010


def tell(pids: list[int], number: signal.Signals) -> list[int]:
    left = []
    for pid in pids:
        try:
            os.kill(pid, number)
            left.append(pid)
        except ProcessLookupError:
            continue
    return left


def main() -> None:
    share, pids = float(sys.argv[1]), [int(word) for word in sys.argv[2:]]
    try:
        while pids:
            began = time.monotonic()
            pids = tell(pids, signal.SIGSTOP)
            time.sleep(TURN_S * (1 - share))
            pids = tell(pids, signal.SIGCONT)
            rest = TURN_S - (time.monotonic() - began)
            if select.select([sys.stdin], [], [], max(TURN_S * share, rest))[0]:
                return
    finally:
        tell(pids, signal.SIGCONT)


if __name__ == "__main__":
    main()
