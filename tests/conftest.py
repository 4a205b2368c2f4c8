"""For all tests: programs that they start can be interrupted, however the tests themselves were started."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell does so to what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
