"""HAProxy's runtime socket: a command in, its answer out. Raises RetryableError when HAProxy does not answer."""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import Sequence

import msgspec

from greenlane.adapters.haproxy.section import BOUNDS_MS, limit_variable, table_name
from greenlane.domain.errors import FinalError, RetryableError

ANSWER_TIMEOUT_S = 5.0
MAX_ANSWER = 4 << 20
_ENTRY = re.compile(r"key=(\S+) .*")
_COUNTER = re.compile(r"\bgpc(\d+)=(\d+)")
_MAINTENANCE = 0x7B
"""Bits of `srv_admin_state` that mean: gets no traffic because somebody said so. Not 0x04, which only remembers that
the configuration began so."""
_RUNNING = "2"


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One `server` of the backend: where it points, and whether it may get traffic."""

    address: str
    weight: int
    is_up: bool
    in_maintenance: bool


class SlotCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Cumulative counts of one server since HAProxy started. `over` is by bound in ms; `over_limit` by the limit.
    `open` are requests under way."""

    requests: int = 0
    errors: int = 0
    over_limit: int = 0
    over: tuple[int, ...] = (0,) * len(BOUNDS_MS)
    open: int = 0


class Runtime:
    """`socket` is the path of HAProxy's `stats socket`, at level admin."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    async def ask(self, *commands: str) -> str:
        """Commands in one go, in this order."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(self._socket, limit=MAX_ANSWER)
                try:
                    writer.write((";".join(commands) + "\n").encode())
                    await writer.drain()
                    answer = await reader.read(MAX_ANSWER)
                    while part := await reader.read(MAX_ANSWER):
                        answer += part
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise RetryableError(
                f"HAProxy does not answer at {self._socket}: {error}",
                hint="is it running, with `stats socket PATH level admin`, and may this user open the socket?",
            ) from error
        text = answer.decode("utf-8", "replace")
        if "Permission denied" in text:
            raise FinalError(f"HAProxy refuses {commands[0].split()[0]!r}", hint="the socket needs `level admin`")
        return text

    async def epoch(self) -> str:
        """Names this run of HAProxy: another one has begun its counters at 0."""
        fields = dict(line.split(": ", 1) for line in (await self.ask("show info")).splitlines() if ": " in line)
        return f"{fields.get('Pid')}:{fields.get('Start_time_sec', '')}"

    async def slots(self, backend: str) -> dict[str, Slot]:
        """The servers of a backend by name. Raises FinalError if there is no such backend."""
        rows = (await self.ask(f"show servers state {backend}")).splitlines()
        header = next((line for line in rows if line.startswith("# ")), "")
        if not header:
            raise FinalError(
                f"HAProxy has no backend {backend!r}",
                hint="`greenlane router SERVICE` prints what its configuration needs",
            )
        names = header[2:].split()
        found = {}
        for line in rows:
            fields = dict(zip(names, line.split(), strict=False))
            if line.startswith("#") or "srv_name" not in fields:
                continue
            found[fields["srv_name"]] = Slot(
                address=f"{fields['srv_addr']}:{fields['srv_port']}",
                weight=int(fields["srv_uweight"]),
                is_up=fields["srv_op_state"] == _RUNNING,
                in_maintenance=bool(int(fields["srv_admin_state"]) & _MAINTENANCE),
            )
        return found

    async def counts(self, backend: str) -> dict[str, SlotCounts]:
        """What each server of the backend has answered since HAProxy started."""
        table = await self.ask(f"show table {table_name(backend)}")
        counters: dict[str, dict[int, int]] = {}
        for line in table.splitlines():
            if entry := _ENTRY.search(line):
                counters[entry[1]] = {int(n): int(value) for n, value in _COUNTER.findall(line)}
        text = (await self.ask(f"show stat {backend} 4 -1")).lstrip("# ")
        found = {}
        for row in csv.DictReader(text.splitlines()):
            if row.get("pxname") != backend:
                continue
            slow = counters.get(row["svname"], {})
            answered = _sum(row, ("hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"))
            unanswered = _sum(row, ("econ", "eresp", "wredis"))
            found[row["svname"]] = SlotCounts(
                requests=answered + unanswered,
                errors=_sum(row, ("hrsp_5xx",)) + unanswered,
                over_limit=slow.get(1, 0),
                over=tuple(slow.get(number, 0) for number in range(2, 2 + len(BOUNDS_MS))),
                open=_sum(row, ("scur",)),
            )
        return found

    async def set_limit(self, service: str, limit_ms: float) -> None:
        """Move the bound of slow requests. Raises FinalError if HAProxy does not know it, or keeps another one."""
        name = limit_variable(service)
        shown = await self.ask(f"get var {name}")
        if f"<{limit_ms:.0f}>" in shown:
            return
        shown = await self.ask("experimental-mode on", f"set var {name} int({limit_ms:.0f})", f"get var {name}")
        if f"<{limit_ms:.0f}>" not in shown:
            raise FinalError(
                f"HAProxy counts slow requests of {service} by another limit than {limit_ms:.0f} ms",
                hint="`greenlane router SERVICE` prints what its configuration needs",
            )

    async def set_slots(self, backend: str, *changes: str) -> None:
        """`changes` are what follows `set server BACKEND/`: `canary weight 5`, `stable addr 127.0.0.1 port 80`."""
        await self.ask(*(f"set server {backend}/{change}" for change in changes))


def _sum(row: dict[str, str], names: Sequence[str]) -> int:
    return sum(int(row.get(name) or 0) for name in names)
