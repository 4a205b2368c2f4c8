"""HTTP: reads a request, asks `shop.api` for the answer, and writes it in one piece."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from shop.api import ApiError, Request, answer

MAX_BODY_BYTES = 64 * 1024

log = logging.getLogger("shop")


class ShopServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], data: Path) -> None:
        self.data = data
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "shop"
    disable_nagle_algorithm = True
    wbufsize = 256 * 1024  # head and body leave in one write
    timeout = 60
    server: ShopServer

    def do_GET(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self._reply()

    def _reply(self) -> None:
        try:
            status, body = answer(self.server.data, self._request())
        except ApiError as error:
            status, body = error.status, {"error": str(error)}
        except Exception:
            log.exception("%s %s failed", self.command, self.path)
            status, body = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "something went wrong on our side"}
        content = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _request(self) -> Request:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
        content = self.rfile.read(int(length))
        if not content:
            return Request(self.command, url.path, query, {})
        try:
            body = json.loads(content)
        except ValueError:
            raise ApiError(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
        if not isinstance(body, dict):
            raise ApiError(HTTPStatus.BAD_REQUEST, "the body is not a JSON object")
        return Request(self.command, url.path, query, body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are counted by the proxy; the log is for what went wrong."""
