"""The doorbell: tells the other Greenlane processes of this state folder that the ledger grew.

A ring carries nothing; who hears it reads the ledger. A lost ring costs time, never correctness: a sweep follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LOOK_AROUND_S = 0.5  # how often the folder is read for neighbours: a ring must stay cheaper than a commit
MAX_SOCKET_PATH = 100  # the kernel allows 108 bytes for the path of a unix socket


class Doorbell:
    """One unix datagram socket per process, in `<state>/doorbell/`."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = _short(state_dir / "doorbell")
        self._own: Path | None = None
        self._socket: socket.socket | None = None
        self._neighbours: tuple[Path, ...] = ()
        self._looked_at = -LOOK_AROUND_S

    def listen(self, heard: Callable[[], None]) -> None:
        """Call `heard` on this event loop whenever another process rings."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        own = self._folder / f"{os.getpid()}-{id(self):x}"
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        bell.setblocking(False)
        with contextlib.suppress(FileNotFoundError):
            own.unlink()
        bell.bind(str(own))

        def drain() -> None:
            with contextlib.suppress(BlockingIOError):
                while bell.recv(16):
                    pass
            heard()

        asyncio.get_running_loop().add_reader(bell, drain)
        self._own, self._socket = own, bell

    def ring(self) -> None:
        """Wake every other process; one that is gone is forgotten."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_AROUND_S:
            self._looked_at = now
            found = self._folder.iterdir() if self._folder.is_dir() else ()
            self._neighbours = tuple(path for path in found if path != self._own)
        if not self._neighbours:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
            bell.setblocking(False)
            for path in self._neighbours:
                try:
                    bell.sendto(b"!", str(path))
                except BlockingIOError:
                    pass  # its queue is full of rings: it will wake anyway
                except (ConnectionRefusedError, FileNotFoundError):
                    with contextlib.suppress(OSError):
                        path.unlink()

    def close(self) -> None:
        if self._socket is not None and self._own is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            with contextlib.suppress(OSError):
                self._own.unlink()
            self._socket = None


def _short(folder: Path) -> Path:
    """The folder itself, or, where its path does not fit a socket address, one named after it under the temp folder."""
    if len(str(folder)) <= MAX_SOCKET_PATH - 30:
        return folder
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"greenlane-{os.getuid()}-{name}"
