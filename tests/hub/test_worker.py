"""The loops of worker and API: nothing that they opened stays open, and none of them stays dead."""

import asyncio
from asyncio import CancelledError
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from channels.base import Category
from hub.errors import Unavailable
from hub.ids import new_id
from hub.loops import cancelled, keep_going
from hub.notifications.intake import Intake
from hub.notifications.request import NotificationIn
from hub.notifications.steps import Due
from hub.queue import Lane, connect
from hub.resources import Hub
from hub.worker.main import _Lane
from hub.worker.picking import Picker


class Endless:
    """Takes the place of the deliverer: is never done with anything."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def deliver(self, ids: Sequence[UUID], handed_out_at: datetime) -> None:
        self.begun.set()
        await asyncio.Event().wait()

    def crowded(self, lane: Lane) -> bool:
        return False


async def test_a_lane_stopped_in_the_middle_of_a_job_leaves_no_connection(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    """The second cancellation, a moment after the first, meets it while it waits for its job."""
    onlooker = connect(hub.settings.hub.redis_url.get_secret_value())
    await hub.queue.hand_out(Lane.BULK, [new_id()])
    before = await _clients(onlooker)
    job: Any = Endless()
    lane = _Lane(hub, Lane.BULK, job, asyncio.Event())
    running = asyncio.create_task(keep_going(lane.run))
    async with asyncio.timeout(10):
        await job.begun.wait()
    assert await _clients(onlooker) - before

    async with asyncio.timeout(10):
        await cancelled([running])

    try:
        assert not caplog.records
        await _gone(onlooker, before)
    finally:
        await onlooker.flushdb()
        await onlooker.aclose()


class Never(Endless):
    """Takes any number of jobs and ends none."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs = 0

    async def deliver(self, ids: Sequence[UUID], handed_out_at: datetime) -> None:
        self.jobs += 1
        await super().deliver(ids, handed_out_at)


async def test_what_comes_after_redis_was_away_waits_for_no_job_from_before(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, away = Picker._poll_iteration, asyncio.Event()

    async def poll(self: Picker) -> None:
        if away.is_set():
            away.clear()
            raise RedisConnectionError("gone for a moment")
        await real(self)

    monkeypatch.setattr(Picker, "_poll_iteration", poll)
    deliverer: Any = Never()
    lane = _Lane(hub, Lane.TRANSACTIONAL, deliverer, asyncio.Event())
    running = asyncio.create_task(keep_going(lane.run))
    async with asyncio.timeout(10):
        await hub.queue.hand_out(Lane.TRANSACTIONAL, [new_id()])
        await deliverer.begun.wait()
        away.set()
        while away.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await hub.queue.hand_out(Lane.TRANSACTIONAL, [new_id()])
        while deliverer.jobs < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

        await cancelled([running])

    assert not lane._left


async def _gone(redis: Any, before: set[str]) -> None:
    """Redis hears a little later that they were closed."""
    async with asyncio.timeout(2):
        while True:
            if not await _clients(redis) - before:
                return
            await asyncio.sleep(0.02)


async def _clients(redis: Any) -> set[str]:
    return {client["id"] for client in await redis.client_list()}


async def test_a_loop_goes_on_whatever_it_died_of() -> None:
    """A cancellation that is not its own is one of them: of something that it waited for."""
    ends = iter(
        [RuntimeError("a bug"), OSError("away"), RedisError("away"), CancelledError(), None]
    )
    ended = asyncio.Event()

    async def chore() -> None:
        match next(ends, None):
            case None:
                ended.set()
            case error:
                raise error

    running = asyncio.create_task(keep_going(chore))
    async with asyncio.timeout(10):
        await ended.wait()

    running.cancel()
    with suppress(CancelledError):
        await running
    assert running.cancelled()


async def test_an_intake_that_died_takes_requests_again(hub: Hub) -> None:
    """Of something that nobody thought of, on the way of its hand-outs to Redis."""

    class Broken:
        calls = 0

        async def hand_out(self, _lane: Lane, _ids: Sequence[UUID]) -> None:
            self.calls += 1
            if self.calls == 1:
                raise RuntimeError("nobody thought of that")

        async def depth(self, _lane: Lane) -> int:
            return 0

    queue: Any = Broken()
    intake = Intake(replace(hub, queue=queue))
    running = asyncio.create_task(keep_going(intake.run))
    asked = NotificationIn.model_validate_json(
        b'{"content": {"text": "Hello"},'
        b' "recipient": {"address": {"channel": "email", "value": "a@b.example"}}}'
    )
    async with asyncio.timeout(10):
        while queue.calls < 3:
            with suppress(Unavailable):
                await intake.accept(hub.shop("main"), [asked], body_of=lambda _: b"")
            await asyncio.sleep(0.05)

    running.cancel()
    with suppress(CancelledError):
        await running


async def test_what_is_accepted_in_the_last_moment_is_still_handed_out(hub: Hub) -> None:
    class Slow:
        def __init__(self) -> None:
            self.begun = asyncio.Event()
            self.handed: list[UUID] = []

        async def hand_out(self, _lane: Lane, ids: Sequence[UUID]) -> None:
            if not self.begun.is_set():
                self.begun.set()
                await asyncio.Event().wait()
            self.handed += ids

        async def depth(self, _lane: Lane) -> int:
            return 0

    queue: Any = Slow()
    intake = Intake(replace(hub, queue=queue))
    running = asyncio.create_task(intake.run())
    due = [Due(Category.TRANSACTIONAL, new_id()) for _ in range(3)]
    intake.pass_on(due[:2])
    async with asyncio.timeout(5):
        await queue.begun.wait()
    intake.pass_on(due[2:])

    running.cancel()
    with suppress(CancelledError):
        await running

    assert set(queue.handed) == {one.id for one in due}


async def test_the_end_of_one_loop_does_not_cut_off_another() -> None:
    """An API's intake hands out what it accepted last, over connections that are closed when all loops have ended."""
    done = []

    async def with_last_words() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            done.append("said")

    async def without() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(keep_going(loop)) for loop in (without, with_last_words)]
    await asyncio.sleep(0)
    await cancelled(tasks)

    assert done == ["said"]
