"""What the product is held against besides sends all that it is given."""

import sys
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from bench import peers
from bench.rig import process
from tests.bench.conftest import ROOT

Hold = Callable[[str, int], Awaitable[None]]


@pytest.mark.parametrize(("peer", "hold"), [("arq", peers.hold_arq), ("celery", peers.hold_celery)])
async def test_a_message_a_job(redis_url: str, sink: str, peer: str, hold: Hold) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    await hold(redis_url, 20)

    command = (sys.executable, "-m", "bench.peers", peer, "--redis", redis_url, "--sink", sink)
    with process(*command, cwd=ROOT) as (_, said):
        rate = await peers.drained(redis_url, sink, 20)

    assert said == "ready"
    assert rate > 1
