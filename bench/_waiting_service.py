"""A service as most are: it waits (for a database, say) longer than it computes. Standard library only.

Each answer waits a log-normal time around `MEDIAN_S` (15 ms) and computes for about 0.3 ms. `SLOWDOWN` makes every wait
longer by this factor; `TAIL_SHARE` and `TAIL_FACTOR` only that share of slowest waits. Told by `faults.json` beside
this file, so that a slow version is another artifact. One event loop and no thread: what is measured is little but the
machine.
"""

import asyncio
import json
import os
import random
from pathlib import Path

TOLD = Path(__file__).with_name("faults.json")
FAULTS = json.loads(TOLD.read_text()) if TOLD.exists() else {}
SLOWDOWN = float(FAULTS.get("slowdown", 1.0))
TAIL_SHARE, TAIL_FACTOR = float(FAULTS.get("tail_share", 0.0)), float(FAULTS.get("tail_factor", 1.0))
MEDIAN_S, SIGMA = float(FAULTS.get("median_s", 0.015)), 0.4


def draw_wait_s() -> float:
    place = random.random()
    wait_s = MEDIAN_S * random.lognormvariate(0, SIGMA) if not TAIL_SHARE else _at(place)
    if TAIL_SHARE and place > 1 - TAIL_SHARE:
        wait_s *= TAIL_FACTOR
    return wait_s * SLOWDOWN


def _at(place: float) -> float:
    from statistics import NormalDist

    return MEDIAN_S * 2.718281828 ** (SIGMA * NormalDist().inv_cdf(min(max(place, 1e-9), 1 - 1e-9)))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b" /healthz " not in head:
                await asyncio.sleep(draw_wait_s())
                sum(i * i for i in range(3000))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, os.environ["HOST"], int(os.environ["PORT"]), backlog=256)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
