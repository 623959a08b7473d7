"""`make bench`: starts a hub and a sink, measures, prints one table (and JSON with --json FILE)."""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

_SETTINGS = """
[hub]
listen = "127.0.0.1:0"
rate_limit = 0
log_level = "warning"

[[shops.main.accounts]]
name = "tg"
channel = "telegram"
provider = "bot_api"
token = "1:a-token-for-the-benchmark"
base_url = "http://127.0.0.1:{port}"
limits = {{ per_second = 100000, per_recipient = "0s", concurrency = 50 }}
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str


@contextmanager
def _process(*command: str, env: dict[str, str] | None = None) -> Iterator[tuple[Any, str]]:
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


def _body(text: str, chat: int) -> dict[str, Any]:
    recipient = {"address": {"channel": "telegram", "value": str(chat)}}
    return {"recipient": recipient, "content": {"text": text}}


async def _singles(
    session: aiohttp.ClientSession, url: str, *, total: int, connections: int
) -> Figure:
    """One notification a request, each connection sending the next when the last was answered."""
    numbers = iter(range(total))

    async def client() -> None:
        for number in numbers:
            async with session.post(url, json=_body(f"s{number}", 1 + number % 1000)) as answer:
                assert answer.status == 202, await answer.text()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    rate = total / (time.perf_counter() - started)
    return Figure(f"intake, single, {connections} connections", rate, "requests/s")


async def _batches(session: aiohttp.ClientSession, url: str, *, batches: int, size: int) -> Figure:
    numbers = iter(range(batches))

    async def client() -> None:
        for number in numbers:
            items = [_body(f"b{number}-{i}", 1 + i) for i in range(size)]
            async with session.post(f"{url}/batch", json={"notifications": items}) as answer:
                assert answer.status == 202, await answer.text()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(4)))
    rate = batches * size / (time.perf_counter() - started)
    return Figure(f"intake, batches of {size}", rate, "notifications/s")


async def _steady(
    session: aiohttp.ClientSession, url: str, sink: str, arrivals: Path, *, rate: int, seconds: int
) -> list[Figure]:
    """From the answer 202 to the arrival at the provider, at a steady rate."""
    accepted: dict[str, float] = {}

    async def one(text: str, chat: int) -> None:
        async with session.post(url, json=_body(text, chat)) as answer:
            assert answer.status == 202
            accepted[text] = time.time()

    tasks = []
    started = time.perf_counter()
    for number in range(rate * seconds):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(f"r{number}", 1 + number % 1000)))
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


async def _drain(session: aiohttp.ClientSession, sink: str, already: int, expected: int) -> Figure:
    """How fast what waits goes out, one message a call."""
    started, before = time.perf_counter(), await _count(session, sink)
    # The sink is another process: there is nothing to wait on but its count.
    while (count := await _count(session, sink)) - already < expected:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    rate = (count - before) / (time.perf_counter() - started)
    return Figure("sending, one a call, rest of the backlog", rate, "messages/s")


async def _count(session: aiohttp.ClientSession, sink: str) -> int:
    async with session.get(f"{sink}/count") as answer:
        return int((await answer.json())["count"])


async def _measure(url: str, key: str, sink: str, arrivals: Path) -> list[Figure]:
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        notifications = f"{url}/v1/notifications"
        await _singles(session, notifications, total=300, connections=10)  # warm
        await asyncio.sleep(1)
        figures = await _steady(session, notifications, sink, arrivals, rate=200, seconds=15)
        before = await _count(session, sink)
        figures.append(await _singles(session, notifications, total=6000, connections=50))
        figures.append(await _drain(session, sink, before, 6000))
        before = await _count(session, sink)
        figures.append(await _batches(session, notifications, batches=24, size=500))
        figures.append(await _drain(session, sink, before, 12_000))
        return figures


def _show(figures: list[Figure]) -> None:
    width = max(len(f.name) for f in figures)
    for figure in figures:
        print(f"{figure.name:<{width}}  {figure.value:>10.1f} {figure.unit}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arrivals = Path(folder, "arrivals.json")
        with _process(sys.executable, "-m", "bench.sink", str(arrivals)) as (_, port):
            settings = Path(folder, "vestnik.toml")
            settings.write_text(_SETTINGS.format(port=port))
            common = ["--config", str(settings), "--data", str(Path(folder, "data"))]
            hub = [sys.executable, "-m", "hub"]
            with _process(*hub, "up", *common) as (_, ready):
                url = ready.removeprefix("ready ")
                key = subprocess.check_output(
                    [*hub, "keys", "create", "--scope", "admin", *common], text=True
                ).strip()
                sink = f"http://127.0.0.1:{port}"
                figures = asyncio.run(_measure(url, key, sink, arrivals))
    _show(figures)
    if given.json:
        given.json.write_text(json.dumps([asdict(f) for f in figures], indent=1))


if __name__ == "__main__":
    main()
