"""Runs inside the sandbox of the build step: `forward.py SOCKET COMMAND ...` offers a proxy on loopback that hands each
connection to a Unix socket (`index_gate.py`), and becomes the command, with the proxy in its variables.

A program of its own, never imported by Greenlane; standard library only. Ended with the job by the sandbox.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading

_CHUNK = 1 << 16
_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "PIP_PROXY")


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def serve(client: socket.socket, path: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as gate:
        try:
            gate.connect(path)
        except OSError:
            return
        back = threading.Thread(target=pass_on, args=(gate, client), daemon=True)
        back.start()
        pass_on(client, gate)
        back.join()


def forward(listener: socket.socket, path: str) -> None:
    nothing = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):  # output ends when the command's own descriptors are closed
        os.dup2(nothing, descriptor)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, path), daemon=True).start()


def main() -> int:
    path, command = sys.argv[1], sys.argv[2:]
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    if os.fork() == 0:
        forward(listener, path)
    listener.close()
    os.environ.update(dict.fromkeys(_VARIABLES, address))
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
