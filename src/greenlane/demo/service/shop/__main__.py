"""Starts the service: `python -m shop --host 127.0.0.1 --port 8080 --data ./data`."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from shop.server import ShopServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="shop", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--data", type=Path, default=Path("data"))
    arguments = parser.parse_args()
    server = ShopServer((arguments.host, arguments.port), arguments.data)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    with server:
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
