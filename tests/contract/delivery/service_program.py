"""A small HTTP service for the tests, standard library only. The environment or `faults.json` tells it to misbehave.

Faults, at start: `hang` (never listens), `exit` (code 3), `fork` (a double-forked child that ignores SIGTERM), `chatty`
(logs without end), `fill` (writes files without end), `bomb` (forks 300 children, if it may), `steal` (does not listen
itself).
While it serves: FAIL_PERCENT (500s), SLOW_MS.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
VERSION = (HERE / "version.txt").read_text().strip() if (HERE / "version.txt").exists() else "0"
FAULTS = json.loads((HERE / "faults.json").read_text()) if (HERE / "faults.json").exists() else {}
FAIL_PERCENT = float(os.environ.get("FAIL_PERCENT", FAULTS.get("fail_percent", 0)))
SLOW_MS = float(os.environ.get("SLOW_MS", FAULTS.get("slow_ms", 0)))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/healthz":
            self.answer(200, b"ok")
        elif path == "/die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif path == "/hang":
            time.sleep(3600)
        elif path == "/env":
            self.answer(200, json.dumps(dict(os.environ)).encode())
        elif path == "/headers":
            self.answer(200, json.dumps({name.lower(): value for name, value in self.headers.items()}).encode())
        else:
            slow_ms = float(query.removeprefix("slow_ms=") or SLOW_MS) if query else SLOW_MS
            if slow_ms:
                time.sleep(slow_ms / 1000)
            failed = path == "/fail" or random.uniform(0, 100) < FAIL_PERCENT
            self.answer(500 if failed else 200, VERSION.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(200, VERSION.encode() + b" " + body)

    def answer(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)  # one write: two would wait for each other's acknowledgement
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def double_fork(data_dir: Path) -> None:
    code = (
        "import os, signal, time, pathlib\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"        pathlib.Path({str(data_dir / 'escaped.pid')!r}).write_text(str(os.getpid()))\n"
        "        time.sleep(600)\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={})


def bomb(data_dir: Path) -> None:
    """As far as it goes; a real one would not stop at 300."""
    made = 0
    try:
        while made < 300:
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
            made += 1
    except BlockingIOError as error:
        print(f"no fork: {error}", flush=True)
    (data_dir / "forked").write_text(str(made))


def main() -> None:
    host, port = os.environ["HOST"], int(os.environ["PORT"])
    data_dir = Path(os.environ["DATA_DIR"])
    fault = FAULTS.get("start", "")
    with (data_dir / "starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    print(f"service version {VERSION} starts", flush=True)
    if fault == "exit":
        print("no such table: orders", file=sys.stderr, flush=True)
        sys.exit(3)
    if fault == "hang":
        time.sleep(3600)
    if fault == "fork":
        double_fork(data_dir)
    if fault == "bomb":
        bomb(data_dir)
    if fault == "fill":
        number = 0
        while True:
            number += 1
            (data_dir / f"{number}.bin").write_bytes(b"x" * (1 << 20))
    server = Server((host, port), Handler)
    if fault == "chatty":
        import threading

        def chatter() -> None:
            while True:
                sys.stdout.write("x" * 100 + "\n")

        threading.Thread(target=chatter, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
