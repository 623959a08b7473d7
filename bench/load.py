"""Load as shops make it, over the outside door, and what comes of it at the provider."""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str


@contextmanager
def process(*command: str, env: dict[str, str] | None = None) -> Iterator[tuple[Any, str]]:
    """The running process and the first line it printed."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | (env or {})
    )
    assert process.stdout
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def body(text: str, chat: int) -> dict[str, Any]:
    recipient = {"address": {"channel": "telegram", "value": str(chat)}}
    return {"recipient": recipient, "content": {"text": text}}


async def singles(
    session: aiohttp.ClientSession, url: str, *, total: int, connections: int
) -> Figure:
    """One notification a request, each connection sending the next when the last was answered."""
    numbers = iter(range(total))

    async def client() -> None:
        for number in numbers:
            async with session.post(url, json=body(f"s{number}", 1 + number % 1000)) as answer:
                assert answer.status == 202, await answer.text()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    rate = total / (time.perf_counter() - started)
    return Figure(f"intake, single, {connections} connections", rate, "requests/s")


async def batches(session: aiohttp.ClientSession, url: str, *, batches: int, size: int) -> Figure:
    numbers = iter(range(batches))

    async def client() -> None:
        for number in numbers:
            items = [body(f"b{number}-{i}", 1 + i) for i in range(size)]
            async with session.post(f"{url}/batch", json={"notifications": items}) as answer:
                assert answer.status == 202, await answer.text()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(4)))
    rate = batches * size / (time.perf_counter() - started)
    return Figure(f"intake, batches of {size}", rate, "notifications/s")


async def steady(
    session: aiohttp.ClientSession,
    url: str,
    sink: str,
    arrivals: Path,
    *,
    rate: int,
    seconds: int,
    name: str = "r",
    category: str = "transactional",
) -> list[Figure]:
    """From the answer 202 to the arrival at the provider, at a steady rate. `name`: in no other texts before."""
    accepted: dict[str, float] = {}

    async def one(text: str, chat: int) -> None:
        message = body(text, chat) | {"category": category}
        async with session.post(url, json=message) as answer:
            assert answer.status == 202
            accepted[text] = time.time()

    tasks = []
    started = time.perf_counter()
    for number in range(rate * seconds):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(f"{name}{number}", 1 + number % 1000)))
    await asyncio.gather(*tasks)
    await asyncio.sleep(3)
    async with session.post(f"{sink}/dump") as answer:
        await answer.read()
    seen = json.loads(await asyncio.to_thread(arrivals.read_text))
    lost = [text for text in accepted if text not in seen]
    waits = [max(0.0, seen[text] - at) * 1000 for text, at in accepted.items() if text in seen]
    cuts = statistics.quantiles(waits, n=100)
    return [
        Figure(f"accept to provider at {rate}/s, p50", cuts[49], "ms"),
        Figure(f"accept to provider at {rate}/s, p95", cuts[94], "ms"),
        Figure(f"accept to provider at {rate}/s, p99", cuts[98], "ms"),
        Figure(f"not arrived 3 s after the last of {len(accepted)}", len(lost), "messages"),
    ]
