"""`make bench`: starts a hub and a sink, measures, prints one table (and JSON with --json FILE)."""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import aiohttp

from bench.load import Figure, batches, process, singles, steady

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
        await singles(session, notifications, total=300, connections=10)  # warm
        await asyncio.sleep(1)
        figures = await steady(session, notifications, sink, arrivals, rate=200, seconds=15)
        before = await _count(session, sink)
        figures.append(await singles(session, notifications, total=6000, connections=50))
        figures.append(await _drain(session, sink, before, 6000))
        before = await _count(session, sink)
        figures.append(await batches(session, notifications, batches=24, size=500))
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
        with process(sys.executable, "-m", "bench.sink", str(arrivals)) as (_, port):
            settings = Path(folder, "vestnik.toml")
            settings.write_text(_SETTINGS.format(port=port))
            common = ["--config", str(settings), "--data", str(Path(folder, "data"))]
            hub = [sys.executable, "-m", "hub"]
            with process(*hub, "up", *common) as (_, ready):
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
