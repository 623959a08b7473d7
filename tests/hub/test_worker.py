"""The worker's loops as they end: nothing that they opened stays open."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from hub.ids import new_id
from hub.queue import Lane, connect
from hub.resources import Hub
from hub.worker.main import _cancelled, _keep_going, _Lane


class Endless:
    """Takes the place of the deliverer: is never done with anything."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def deliver(self, ids: Sequence[UUID]) -> None:
        self.begun.set()
        await asyncio.Event().wait()


async def test_a_lane_stopped_in_the_middle_of_a_job_leaves_no_connection(hub: Hub) -> None:
    """The second cancellation, a second after the first, meets it while it waits for its job."""
    onlooker = connect(hub.settings.hub.redis_url.get_secret_value())
    await hub.queue.hand_out(Lane.BULK, [new_id()])
    before = await _clients(onlooker)
    job: Any = Endless()
    lane = _Lane(hub, Lane.BULK, job)
    running = asyncio.create_task(_keep_going(lane.run))
    async with asyncio.timeout(10):
        await job.begun.wait()
    assert await _clients(onlooker) - before

    async with asyncio.timeout(10):
        await _cancelled([running])

    try:
        await _gone(onlooker, before)
    finally:
        await onlooker.flushdb()
        await onlooker.aclose()


async def _gone(redis: Any, before: set[str]) -> None:
    """Redis hears a little later that they were closed."""
    async with asyncio.timeout(2):
        while True:
            if not await _clients(redis) - before:
                return
            await asyncio.sleep(0.02)


async def _clients(redis: Any) -> set[str]:
    return {client["id"] for client in await redis.client_list()}
