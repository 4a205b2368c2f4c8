"""Figures from Prometheus: a real one where it is installed, and a scripted server for what a real one rarely does."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from greenlane.adapters.prometheus import PrometheusReadings
from greenlane.adapters.sockets import find_free_port
from greenlane.domain.delivery import Artifact, Counters, Instance, Split
from greenlane.domain.errors import FinalError, RetryableError
from greenlane.domain.service_settings import MetricsSettings, Service
from tests.contract.delivery.delivery_service import make_service

PROMETHEUS = shutil.which("prometheus")


class Web:
    """A local server whose answer to a body is what `say` gives."""

    def __init__(self, say: Callable[[str, str], tuple[int, bytes]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                status, text = say(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def make_split() -> Split:
    artifact = Artifact(digest="sha256:1", service="shop", commit="a" * 40, location="/x")

    def instance(name: str) -> Instance:
        return Instance(deployment_id=name, service="shop", artifact=artifact, host="127.0.0.1", port=1)

    return Split(stable=instance("p-1"), canary=instance("p-2"), canary_weight=5)


def make_shop(url: str, **more: object) -> Service:
    return make_service().model_copy(
        update={"metrics": MetricsSettings.model_validate({"source": "prometheus", "url": url, **more})}
    )


EXPOSED = """
http_requests_total{service="shop",version="stable",status="200"} 970
http_requests_total{service="shop",version="stable",status="500"} 3
http_requests_total{service="shop",version="canary",status="200"} 40
http_requests_total{service="shop",version="canary",status="503"} 10
http_request_duration_seconds_bucket{service="shop",version="stable",le="0.8"} 971
http_request_duration_seconds_count{service="shop",version="stable"} 973
http_request_duration_seconds_bucket{service="shop",version="canary",le="0.8"} 45
http_request_duration_seconds_count{service="shop",version="canary"} 50
"""


def start_prometheus(folder: Path, port: int) -> subprocess.Popen[bytes]:
    assert PROMETHEUS is not None
    return subprocess.Popen(
        [PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip


@pytest.mark.skipif(PROMETHEUS is None, reason="Prometheus is not installed here")
async def test_the_default_queries_read_both_versions_from_a_real_prometheus(tmp_path: Path) -> None:
    service = Web(lambda _path, _body: (200, EXPOSED.encode()))
    port = find_free_port()
    target = service.url.removeprefix("http://")
    (tmp_path / "prometheus.yml").write_text(
        f"scrape_configs: [{{job_name: shop, scrape_interval: 200ms, scrape_timeout: 200ms, honor_labels: true, "
        f"static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    process = start_prometheus(tmp_path, port)
    readings = PrometheusReadings({"shop": 800.0})
    shop = make_shop(f"http://127.0.0.1:{port}", max_age_s=20)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                reading = await readings.read(shop, make_split())
                if reading.canary.requests:
                    break
            except RetryableError:
                assert time.monotonic() < until
            await asyncio.sleep(0.2)
        assert (reading.stable.requests, reading.stable.errors, reading.stable.over_limit) == (973, 3, 2)
        assert (reading.canary.requests, reading.canary.errors, reading.canary.over_limit) == (50, 10, 5)
        stale = make_shop(shop.metrics.url or "", max_age_s=0.001)
        with pytest.raises(RetryableError, match="last scraped"):
            await readings.read(stale, make_split())
        wrong = make_shop(shop.metrics.url or "", queries={"requests": "sum("})
        with pytest.raises(FinalError, match="refuses a query"):
            await readings.read(wrong, make_split())
        several = make_shop(shop.metrics.url or "", queries={"requests": "http_requests_total"})
        with pytest.raises(FinalError, match="4 series"):
            await readings.read(several, make_split())
        unbounded = PrometheusReadings({"shop": 750.0})
        with pytest.raises(FinalError, match="over 750 ms"):
            await unbounded.read(shop, make_split())
    finally:
        process.kill()
        process.wait()
        service.close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., str]]:
    servers: list[Web] = []

    def start(say: Callable[[str, str], tuple[int, bytes]]) -> str:
        servers.append(Web(say))
        return servers[-1].url

    yield start
    for server in servers:
        server.close()


def vector(*values: str) -> bytes:
    result = [{"metric": {}, "value": [time.time(), value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


async def test_a_version_without_figures_is_none_for_stable_and_zero_for_the_canary(
    scripted: Callable[..., str],
) -> None:
    def say(_path: str, body: str) -> tuple[int, bytes]:
        query = parse_qs(body)["query"][0]
        if "canary" in query:
            return 200, vector()
        return 200, vector(str(time.time()) if "timestamp" in query else "100")

    readings = PrometheusReadings({"shop": 800.0})
    reading = await readings.read(make_shop(scripted(say)), make_split())
    assert (reading.stable.requests, reading.canary) == (100, Counters())
    with pytest.raises(RetryableError, match="has no figures"):
        await readings.read(make_shop(scripted(lambda _p, _b: (200, vector()))), make_split())


@pytest.mark.parametrize("answer", [(200, b"<html>"), (502, b""), (200, b'{"status": 5}'), (200, b"")])
async def test_an_answer_that_is_none_is_tried_again(scripted: Callable[..., str], answer: tuple[int, bytes]) -> None:
    with pytest.raises(RetryableError, match="does not answer"):
        await PrometheusReadings({"shop": 800.0}).read(make_shop(scripted(lambda _p, _b: answer)), make_split())


async def test_the_token_is_sent_from_the_environment_and_never_shown(
    scripted: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROM_TOKEN", "s3cret-token")
    with pytest.raises(FinalError) as caught:
        await PrometheusReadings({"shop": 800.0}).read(
            make_shop(
                scripted(lambda _p, _b: (400, b'{"status":"error","error":"parse error"}')), token_env="PROM_TOKEN"
            ),
            make_split(),
        )
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"
