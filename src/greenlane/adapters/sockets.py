"""Free TCP ports for what is started on this machine."""

from __future__ import annotations

import errno
import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST = 20000
FALLBACK_HIGHEST = 32768
TRIES = 200


def find_obstacle(port: int, host: str = LOOPBACK) -> str:
    """Why a server can't bind this port now, or nothing. Connections that linger from an earlier one do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except PermissionError:
            return "is reserved for the administrator"
        except OSError as error:
            return "is in use by another program" if error.errno == errno.EADDRINUSE else f"can't be bound ({error})"
    return ""


def is_free(port: int, host: str = LOOPBACK) -> bool:
    return not find_obstacle(port, host)


def find_free_port(taken: frozenset[int] = frozenset()) -> int:
    """A free port below those that the system lends to outgoing connections.

    A service that is started again after a while must find its port free: a port from the system's own range may be
    the near end of anybody's connection by then.
    """
    highest = FALLBACK_HIGHEST
    try:
        words = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        highest = max(int(words[0]), LOWEST + 1000)
    except (OSError, ValueError, IndexError):
        pass
    for _ in range(TRIES):
        port = random.randrange(LOWEST, highest)
        if port not in taken and is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port
