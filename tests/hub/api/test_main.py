"""The role `api` as a process: it says when it listens, and ends when it is told to."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from hub.api.server import bind
from hub.config import Settings


@asynccontextmanager
async def started(settings: Settings, listen: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hub",
        "api",
        env=os.environ
        | {
            "VESTNIK_LISTEN": listen,
            "VESTNIK_DATABASE_URL": settings.hub.database_url.get_secret_value(),
            "VESTNIK_REDIS_URL": settings.hub.redis_url.get_secret_value(),
            "VESTNIK_SECRET": settings.hub.secret.get_secret_value(),
        },
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        # Reads both pipes to their end, so that nothing stays open.
        await process.communicate()


async def ready(process: Process) -> str:
    """The address of the ready line."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = (await process.stdout.readline()).decode()
    word, _, url = line.strip().partition(" ")
    assert word == "ready"
    return url


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_on_a_free_port_until_told_to_stop(
    settings: Settings, number: signal.Signals
) -> None:
    async with started(settings, "127.0.0.1:0") as process, aiohttp.ClientSession() as session:
        url = await ready(process)
        async with session.get(f"{url}/openapi.json") as response:
            document = await response.json()

        process.send_signal(number)
        async with asyncio.timeout(8):
            code = await process.wait()

    assert document["servers"] == [{"url": url}]
    assert code == 0


async def test_a_taken_port_is_said_in_one_line(settings: Settings) -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        async with started(settings, f"127.0.0.1:{port}") as process:
            out, err = await process.communicate()

    assert process.returncode == 1
    assert out == b""
    assert err.decode().splitlines() == [
        f"cannot listen on 127.0.0.1:{port}: Address already in use"
    ]


async def test_it_stops_while_it_waits_for_its_database(settings: Settings) -> None:
    with bind("127.0.0.1", 0) as nobody:
        away = f"postgresql://postgres@127.0.0.1:{nobody.getsockname()[1]}/x"
        hub = settings.hub.model_copy(update={"database_url": type(settings.hub.secret)(away)})
        waiting = settings.model_copy(update={"hub": hub})
        async with started(waiting, "127.0.0.1:0") as process:
            assert process.stderr is not None
            async with asyncio.timeout(30):
                said = await process.stderr.readline()

            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(8):
                code = await process.wait()

    assert b"database.unreachable" in said
    assert code == 0
