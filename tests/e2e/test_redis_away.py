"""Redis wiped, killed and frozen while messages travel through it: it holds nothing that only it knows."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.e2e.sending import Crowd, Place, eventually

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(120),
]


def _redis_url(data: Path) -> str:
    return str(json.loads((data / "servers.json").read_text())["redis_url"])


async def test_a_wiped_redis_delays_nothing_for_long(place: Place, crowd: Crowd) -> None:
    crowd.telegram.answers_after = 0.1
    async with Redis.from_url(_redis_url(place.up.data)) as redis:
        await crowd.tell(range(1000))
        await redis.flushall()
        await crowd.arrived(200)
        await redis.flushall()

    await crowd.ended(within=20)
    assert await crowd.check_arrivals() == 0


async def test_a_killed_redis_is_back_and_everything_goes_out(place: Place, crowd: Crowd) -> None:
    crowd.telegram.answers_after = 0.1
    pid = place.up.pids()["redis"]
    async with crowd.calling() as calls:
        await crowd.tell(range(1000, 1500))
        await crowd.arrived(100)
        place.signal("redis", signal.SIGKILL)
        await eventually(lambda: place.up.pids().get("redis", pid) != pid, within=10)

    assert {answer.status for answer in calls.answers} == {202}
    await crowd.ended(within=15)
    assert await crowd.check_arrivals() == 0


async def test_a_frozen_redis_slows_no_intake(place: Place, crowd: Crowd) -> None:
    crowd.telegram.answers_after = 0.1
    async with crowd.calling() as calls:
        await crowd.tell(range(1000, 1300))
        await crowd.arrived(50)
        place.signal("redis", signal.SIGSTOP)
        await asyncio.sleep(10)
        place.signal("redis", signal.SIGCONT)

    assert {answer.status for answer in calls.answers} == {202}
    assert max(answer.seconds for answer in calls.answers) < 1
    await crowd.ended(within=15)
    assert await crowd.check_arrivals() == 0
