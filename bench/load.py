"""Load as shops make it, over the outside door, and what comes of it at the provider."""

import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.bodies import Body, to_telegram
from bench.sink import MARK
from bench.wire import Connection

NOTIFICATIONS = "/v1/notifications"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Door:
    """Where requests go."""

    url: str
    key: str = ""

    def open(self) -> Connection:
        return Connection(self.url, self.key)


async def singles(door: Door, body: Body, *, total: int, connections: int) -> Figure:
    """One notification a request, each connection sending the next when the last was answered."""
    numbers = iter(range(total))

    async def client() -> None:
        async with door.open() as connection:
            for number in numbers:
                await connection.post(NOTIFICATIONS, body(number))

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    rate = total / (time.perf_counter() - started)
    return Figure(f"intake, one a request, {connections} connections", rate, "/s")


async def batches(
    door: Door, body: Body, *, total: int, size: int = 500, connections: int = 4
) -> Figure:
    starts = iter(range(0, total, size))

    async def client() -> None:
        async with door.open() as connection:
            for start in starts:
                items = [body(number) for number in range(start, start + size)]
                await connection.post(f"{NOTIFICATIONS}/batch", {"notifications": items})

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    rate = total / (time.perf_counter() - started)
    return Figure(f"intake, batches of {size}, {connections} connections", rate, "/s")


async def steady(
    door: Door, *, rate: int, seconds: int, name: str, category: str = "transactional"
) -> dict[str, float]:
    """Sends at a steady rate; by text, when it was accepted. `name`: in no other texts before."""
    accepted: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        free: asyncio.Queue[Connection] = asyncio.Queue()
        for _ in range(50):
            free.put_nowait(await stack.enter_async_context(door.open()))

        async def one(number: int) -> None:
            text = f"{MARK}{name}-{number}"
            body = to_telegram(number) | {"content": {"text": text}, "category": category}
            connection = await free.get()
            await connection.post(NOTIFICATIONS, body)
            accepted[text] = time.time()
            free.put_nowait(connection)

        started, tasks = time.perf_counter(), []
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(one(number)))
        await asyncio.gather(*tasks)
    return accepted


async def waits(
    sink: str, accepted: Mapping[str, float], *, within: float = 3
) -> tuple[Sequence[float], int]:
    """From each one's acceptance to its arrival, in milliseconds: 100 quantiles, and how many are not there `within`
    so many seconds after the last one was accepted."""
    await asyncio.sleep(within)
    async with Connection(sink) as connection:
        seen = json.loads(await connection.get("/sink/arrivals"))["arrivals"]
    found = [max(0.0, seen[text] - at) * 1000 for text, at in accepted.items() if text in seen]
    return statistics.quantiles(found, n=100), len(accepted) - len(found)
