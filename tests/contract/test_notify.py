"""Notifications against a real receiver on this machine: what arrives, and what happens if it does not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenlane.adapters.notify import Courier, Outbox
from greenlane.adapters.sockets import find_free_port
from greenlane.domain import events as e
from greenlane.domain.change import Change, Recorded, fold
from greenlane.domain.notifications import Notifications
from tests.support.agents import WHY

TOKEN = "ghp_" + "a1B2" * 9


class Receiver:
    """Answers as it is told, one answer a request (then 200), and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[bytes | float] = []
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return int(self.server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.got.append((first.split()[1], headers, body))
            answer = self.answers.pop(0) if self.answers else http(200)
            if isinstance(answer, float):
                await asyncio.sleep(answer)
                answer = http(200)
            writer.write(answer)
            await writer.drain()
        finally:
            writer.close()


def http(code: int, body: bytes = b"ok", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n" % (code, len(body), extra) + body


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    yield made
    if made.server is not None:
        made.server.close()


def asked(title: str = "Double the price") -> tuple[Change, Recorded]:
    """A change that waits for a human."""
    opened = e.PrOpened(
        repo="shop", pr_number=7, title=title, branch="feature", base_branch="main", head_sha="f" * 40,
        base_sha="b" * 40, merge_base_sha="b" * 40, author="Ada <ada@example.com>", diff_sha256="d" * 64,
    )  # fmt: skip
    trigger = e.Trigger(rule="secret_found", summary=f"a token = '{TOKEN}' <!channel>", clears_when="it is gone")
    gate = e.Gate(gate_id="g", before=e.Stage.STAGING, triggers=(trigger,))
    events = (opened, e.HumanRequested(why=WHY, gate=gate))
    history = [
        Recorded(seq=i, event_id=f"shop-7/{i}", agent="t", timestamp="2026-01-01T00:00:00+00:00", event=event)
        for i, event in enumerate(events, 1)
    ]
    return fold("shop-7", history), history[-1]


def make(tmp_path: Path, port: int, **changed: object) -> Courier:
    url = f"http://127.0.0.1:{port}"
    sections = {
        "webhooks": [{"url": f"{url}/hook", "secret_env": "HOOK_SECRET"}],
        "timeout_s": 0.4, "backoff_s": 0.02, "max_attempts": 3,
    }  # fmt: skip
    environ = {"HOOK_SECRET": "hush-hush", "SLACK_WEBHOOK_URL": f"{url}/T0/slack-secret", "PAGERDUTY_ROUTING_KEY": "R0"}
    return Courier(Notifications.model_validate(sections | changed), tmp_path / "n.db", environ)


async def until_settled(courier: Courier, tmp_path: Path) -> None:
    task = asyncio.create_task(courier.run())
    for _ in range(500):
        rows = Outbox(tmp_path / "n.db").deliveries()
        if rows and all(r.state != "waiting" for r in rows):
            break
        await asyncio.sleep(0.01)
    task.cancel()


async def test_each_receiver_gets_the_notice_in_its_own_form(tmp_path: Path, receiver: Receiver) -> None:
    port = await receiver.start()
    courier = make(
        tmp_path, port, slack=[{}], pagerduty=[{"base_url": f"http://127.0.0.1:{port}", "events": ["human_requested"]}]
    )
    change, recorded = asked()
    await courier.notify(change, recorded)
    await courier.notify(change, recorded)  # again after a crash: no second message
    assert await courier.flush() == 3
    got = {path: (headers, body) for path, headers, body in receiver.got}
    assert len(receiver.got) == 3
    assert not any(TOKEN.encode() in body for _, body in got.values())

    headers, body = got["/hook"]
    said = json.loads(body)
    assert (said["version"], said["kind"], said["run"], said["pr_number"]) == (1, "human_requested", "shop-7", 7)
    assert headers["idempotency-key"] == headers["webhook-id"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(b"hush-hush", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"

    slack = json.loads(got["/T0/slack-secret"][1])
    assert "Double the price" in slack["text"]
    assert all(b["text"]["type"] == "plain_text" for b in slack["blocks"][:-1])  # hostile text mentions nobody

    duty = json.loads(got["/v2/enqueue"][1])
    assert (duty["routing_key"], duty["event_action"], duty["dedup_key"]) == ("R0", "trigger", headers["webhook-id"])
    kept = (tmp_path / "n.db").read_bytes()
    assert b"hush-hush" not in kept
    assert b"slack-secret" not in kept
    assert TOKEN.encode() not in kept


async def test_a_slow_failing_or_babbling_receiver_is_tried_again_with_the_same_key(
    tmp_path: Path, receiver: Receiver
) -> None:
    courier = make(tmp_path, await receiver.start(), max_attempts=4)
    receiver.answers = [http(500, b"no"), 2.0, b"\x00\xffgarbage\r\n\r\n"]
    await courier.notify(*asked())
    await until_settled(courier, tmp_path)
    (row,) = Outbox(tmp_path / "n.db").deliveries()
    assert (row.state, row.attempts) == ("delivered", 4)
    assert len({headers["idempotency-key"] for _, headers, _ in receiver.got}) == 1


async def test_a_refused_connection_is_kept_over_a_restart_and_delivered_then(
    tmp_path: Path, receiver: Receiver
) -> None:
    port = find_free_port()
    courier = make(tmp_path, port, backoff_s=3000)
    await courier.notify(*asked())
    await courier.flush()
    (row,) = Outbox(tmp_path / "n.db").deliveries(unsettled=True)
    assert row.state == "waiting"
    assert "Connect" in row.answer
    await receiver.start(port)
    await until_settled(make(tmp_path, port), tmp_path)  # another process: it does not wait for the back-off
    assert len(receiver.got) == 1
    assert Outbox(tmp_path / "n.db").deliveries(unsettled=True) == ()


async def test_what_is_refused_or_fails_too_often_is_given_up_and_shown_until_it_is_retried(
    tmp_path: Path, receiver: Receiver
) -> None:
    courier = make(tmp_path, await receiver.start())
    receiver.answers = [http(404, b"hush-hush is wrong")]
    await courier.notify(*asked())
    await until_settled(courier, tmp_path)
    (row,) = Outbox(tmp_path / "n.db").deliveries(unsettled=True)
    assert (row.state, row.attempts) == ("undelivered", 1)
    assert "hush" not in row.answer  # what the receiver says is kept without our secret
    assert Outbox(tmp_path / "n.db").retry() == 1
    await until_settled(courier, tmp_path)
    assert Outbox(tmp_path / "n.db").deliveries(unsettled=True) == ()
    receiver.answers = [http(302, extra=b"Location: http://127.0.0.1:1/\r\n")]
    assert not (await courier.send(_test_notice()))[
        f"webhook http://127.0.0.1:{receiver_port(receiver)}/hook"
    ].delivered


def _test_notice() -> object:
    from greenlane.policy.notices import make_test_notice

    return make_test_notice("shop", "2026-01-01T00:00:00+00:00")


def receiver_port(receiver: Receiver) -> int:
    assert receiver.server is not None
    return int(receiver.server.sockets[0].getsockname()[1])


async def test_two_processes_share_the_outbox_and_deliver_once(tmp_path: Path, receiver: Receiver) -> None:
    port = await receiver.start()
    one, two = make(tmp_path, port, timeout_s=5), make(tmp_path, port, timeout_s=5)
    receiver.answers = [0.3]
    await one.notify(*asked())
    await asyncio.gather(one.flush(), two.flush())
    assert len(receiver.got) == 1
