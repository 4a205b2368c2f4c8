"""A program of an adopter's, as docs/adapters.md describes it: a platform of local processes, and a router of one file.

`adopters_program.py FOLDER`: one JSON document in, one out. It keeps what it was told in FOLDER.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

FOLDER = Path(sys.argv[1])
SERVER = (
    "import http.server, os, sys\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        body = open('version.txt', 'rb').read()\n"
    "        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers()\n"
    "        self.wfile.write(body)\n"
    "    def log_message(self, *a): pass\n"
    "server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)\n"
    "open(sys.argv[1], 'w').write(str(server.server_port))\n"
    "server.serve_forever()\n"
)


def build(asked: dict) -> dict:
    source = Path(asked["source"])
    digest = hashlib.sha256((source / "version.txt").read_bytes()).hexdigest()
    return {"digest": f"sha256:{digest}", "location": str(source)}


def deploy(asked: dict) -> dict:
    running = find(asked)
    if running["running"]:
        return running
    note = FOLDER / f"{asked['deployment_id']}.port"
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(note)],
        cwd=asked["artifact"]["location"],
        start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    (FOLDER / f"{asked['deployment_id']}.pid").write_text(str(process.pid))
    until = time.monotonic() + 10
    while time.monotonic() < until and not (note.exists() and note.read_text()):
        time.sleep(0.02)
    return find(asked)


def find(asked: dict) -> dict:
    note = FOLDER / f"{asked['deployment_id']}.port"
    try:
        port = int(note.read_text())
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).read()
    except (OSError, ValueError):
        return {"running": False}
    return {"running": True, "host": "127.0.0.1", "port": port}


def retire(asked: dict) -> dict:
    note = FOLDER / f"{asked['deployment_id']}.pid"
    if note.exists():
        os.kill(int(note.read_text()), signal.SIGKILL)
        note.unlink()
        (FOLDER / f"{asked['deployment_id']}.port").unlink(missing_ok=True)
    return {}


def inspect(asked: dict) -> dict:
    return {"cpu_s": 0.1, "rss_mb": 12.5, "processes": 1, "log": f"log of {asked['deployment_id']}"}


def exercise(asked: dict) -> dict:
    answer = urllib.request.urlopen(asked["url"], timeout=2).read().decode()
    return {"passed": asked["command"] in answer, "detail": answer}


def route(asked: dict) -> dict:
    (FOLDER / "weight").write_text(str(asked["canary_weight"]))
    return observe(asked)


def observe(asked: dict) -> dict:
    return {"canary_weight": float((FOLDER / "weight").read_text())}


def read(asked: dict) -> dict:
    return {
        "stable": {"requests": 95, "errors": 0, "over_limit": 1},
        "canary": {"requests": 5, "errors": 1, "over_limit": 0},
    }


def let_go(asked: dict) -> dict:
    (FOLDER / "weight").write_text("0")
    return {}


if __name__ == "__main__":
    fault = FOLDER / "fault"
    if fault.exists():
        exec(fault.read_text())  # the test's own words
    document = json.load(sys.stdin)
    with (FOLDER / "calls").open("a") as calls:
        calls.write(json.dumps(document) + "\n")
    print(json.dumps(globals()[document["call"]](document)))
