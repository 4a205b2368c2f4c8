"""A version that fails in production, on the real path: the report, who is told, and that its bytes stay out."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.little import AUTHOR, CONFIG, SERVICE_PROGRAM, Little, users

FAILS = b"""
if os.environ.get("GREENLANE_ENVIRONMENT") == "production":
    FAIL_PERCENT = 50.0
    try:
        {}["price"]
    except KeyError:
        import traceback

        traceback.print_exc()


"""


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A receiver on this machine, and what it got."""
    got: list[dict[str, Any]] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", got
        server.shutdown()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_rollback_is_reported_and_told_and_its_bytes_need_a_person(
    tmp_path: Path, hook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, got = hook
    port = free_port()
    config = CONFIG.replace("port: 0", f"port: {port}") + f"notifications: {{webhooks: [{{url: '{url}'}}]}}\n"
    little = Little(tmp_path / "little", config=config)
    try:
        text = SERVICE_PROGRAM.read_bytes()
        place = text.index(b"class Handler")
        little.branch("bad", {"service.py": text[:place] + FAILS.lstrip() + text[place:]})
        with users(port):
            said = little.greenlane("run", "bad")
        assert said.code == 1, said
        assert [n["kind"] for n in got] == ["rolled_back"]  # told before the command ended

        report = little.greenlane("incident", "bad", "--json").json
        fired = [f for f in report["figures"] if f["fired"]]
        assert [f["metric"] for f in fired] == ["failed requests"]
        assert report["affected"]["failed"] > 0
        (cluster,) = [c for c in report["clusters"] if c["exception"] == "KeyError"]
        assert cluster["stable_count"] == 0
        assert cluster["frame"].startswith("service.py:")
        assert "this change wrote that line" in report["hypotheses"][0]
        run = report["replay"].split()[-1]
        kept = little.state_dir / "reports" / run
        assert {p.name for p in kept.iterdir()} >= {"incident.md", "incident.html", "incident.json"}
        judged = little.greenlane(*report["replay"].split()[1:], "--json")
        assert (judged.code, judged.json["same"]) == (0, True), judged
        assert any(j["recorded"] == j["again"] and j["again"].startswith("fail") for j in judged.json["judgements"])

        little.git("switch", "--quiet", "bad")
        people = {f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER")
                  for what, text in zip(("NAME", "EMAIL"), AUTHOR, strict=True)}  # fmt: skip
        little.git("commit", "--quiet", "--allow-empty", "--message", "Once more", env=people)
        little.git("switch", "--quiet", "main")
        again = little.greenlane("run", "bad", "--json")
        assert again.code == 5, again
        assert "these very bytes" in again.json["reason"]
        assert run in again.json["reason"]
        assert [n["kind"] for n in got] == ["rolled_back", "human_requested"]
        assert little.verified()
        ledger = little.state_dir / "ledger.db"
        written = ledger.read_bytes()
        assert written.count(b'"error_rate_limit":0.005') > 0
        ledger.write_bytes(written.replace(b'"error_rate_limit":0.005', b'"error_rate_limit":0.009'))
        refused = little.greenlane("replay", run)
        assert refused.code == 4, refused
        ledger.write_bytes(written)
    finally:
        little.clear()
