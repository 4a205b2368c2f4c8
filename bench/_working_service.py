"""A service that computes: how long an answer takes depends on the CPU that it gets. Standard library only.

Each answer is a log-normal amount of work around `work` thousand steps, one after the other in one process, so that
requests wait for each other when the CPU is short. A share `fail` of the answers is a 500. `release.json` beside this
file says both: each release is another artifact.
"""

import asyncio
import json
import os
import random
from pathlib import Path

TOLD = json.loads(Path(__file__).with_name("release.json").read_text())
STEPS, FAIL, SIGMA = float(TOLD["work"]) * 1000, float(TOLD["fail"]), 0.35


def work() -> None:
    total = 0
    for i in range(int(STEPS * random.lognormvariate(0, SIGMA))):
        total += i * i


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            status = b"200 OK"
            if b" /healthz " not in head:
                work()
                status = b"500 Failed" if random.random() < FAIL else status
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
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
