"""Jobs are taken many at once, each by one worker, and by none that has its hands full."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.worker import Worker, func

from hub.queue import ArqQueue, Lane, bell_name, connect, queue_name
from hub.worker import picking
from hub.worker.bells import Bells
from hub.worker.picking import Picker

LANE = Lane.TRANSACTIONAL


class Jobs:
    """What was begun, by whom; nothing ends before `go`."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.by: Counter[str] = Counter()
        self.go = asyncio.Event()

    async def deliver(self, ctx: dict[str, Any], ids: list[str]) -> None:
        self.begun[ids[0]] += 1
        self.by[ctx["name"]] += 1
        await self.go.wait()

    async def began(self, count: int) -> None:
        async def so_many() -> bool:
            return sum(self.begun.values()) >= count

        await _until(so_many)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    redis = connect(redis_url)
    await redis.flushdb()
    yield redis
    await redis.flushdb()
    await redis.aclose()


@pytest.fixture
async def running(redis: ArqRedis) -> AsyncIterator[Any]:
    """`running(Picker, "name", jobs, room)` works until the test is over."""
    async with AsyncExitStack() as ends:

        def start(kind: type[Worker], name: str, jobs: Jobs, room: int) -> None:
            options: dict[str, Any] = {
                "functions": [func(jobs.deliver, name="deliver")],
                "queue_name": queue_name(LANE),
                "handle_signals": False,
                "max_jobs": room,
                "poll_delay": 0.01 if kind is Worker else 3600,
                "keep_result": 0,
                "ctx": {"name": name},
            }
            if kind is Picker:
                bells = Bells(redis, [LANE])
                ends.push_async_callback(_ended, asyncio.create_task(bells.listen()))
                worker: Worker = Picker(redis, rung=bells.rung[LANE], **options)
            else:
                worker = kind(redis_pool=redis, **options)
            ends.push_async_callback(_ended, asyncio.create_task(worker.async_run()))

        yield start


@pytest.fixture
def nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being told that there is something."""
    monkeypatch.setattr(picking, "_SELDOM", timedelta(hours=1))


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _until(there: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while True:
            if await there():
                return
            await asyncio.sleep(0.01)


async def _gone(queue: ArqQueue) -> None:
    async def empty() -> bool:
        return not await queue.depth(LANE)

    await _until(empty)


async def test_each_job_is_taken_once_also_beside_workers_of_arq(
    redis: ArqRedis, running: Any
) -> None:
    jobs = Jobs()
    jobs.go.set()
    for name, kind in (("a", Picker), ("b", Picker), ("c", Worker)):
        running(kind, name, jobs, 20)
    queue = ArqQueue(redis)
    for _ in range(20):
        await asyncio.gather(*(queue.hand_out(LANE, [uuid4()]) for _ in range(15)))

    await jobs.began(300)
    await _gone(queue)
    assert len(jobs.begun) == 300
    assert set(jobs.begun.values()) == {1}
    assert jobs.by["a"]
    assert jobs.by["b"]


async def test_no_more_are_taken_than_there_is_room_for(redis: ArqRedis, running: Any) -> None:
    jobs = Jobs()
    queue = ArqQueue(redis)
    for _ in range(12):
        await queue.hand_out(LANE, [uuid4()])
    running(Picker, "a", jobs, 5)

    await jobs.began(5)
    await asyncio.sleep(0.1)
    assert sum(jobs.begun.values()) == 5
    assert len(await redis.keys(f"{in_progress_key_prefix}*")) == 5

    jobs.go.set()
    await _gone(queue)
    assert sum(jobs.begun.values()) == 12
    assert await redis.keys(f"{in_progress_key_prefix}*") == []


async def test_a_job_that_somebody_has_is_left_to_him(redis: ArqRedis, running: Any) -> None:
    jobs = Jobs()
    jobs.go.set()
    queue = ArqQueue(redis)
    await queue.hand_out(LANE, [uuid4()])
    [id_] = await redis.zrange(queue_name(LANE), 0, -1)
    await redis.set(in_progress_key_prefix + id_.decode(), 1)
    await queue.hand_out(LANE, [uuid4()])
    running(Picker, "a", jobs, 5)

    await jobs.began(1)
    await asyncio.sleep(0.1)
    assert sum(jobs.begun.values()) == 1
    assert await redis.zrange(queue_name(LANE), 0, -1) == [id_]


async def test_the_first_to_look_leaves_jobs_to_others(redis: ArqRedis) -> None:
    jobs, crowded = Jobs(), asyncio.Event()
    queue = ArqQueue(redis)
    for _ in range(12):
        await queue.hand_out(LANE, [uuid4()])
    ids = await redis.zrange(queue_name(LANE), 0, -1)
    worker = Picker(
        redis,
        rung=asyncio.Event(),
        crowded=crowded.is_set,
        functions=[func(jobs.deliver, name="deliver")],
        queue_name=queue_name(LANE),
        handle_signals=False,
        max_jobs=20,
        keep_result=0,
        ctx={"name": "a"},
    )

    await worker.start_jobs(ids)
    assert worker.job_counter == 6
    await worker.start_jobs(ids)
    assert worker.job_counter == 9
    # All that it took more would only wait in its hand.
    crowded.set()
    await worker.start_jobs(ids)
    assert worker.job_counter == 10

    jobs.go.set()
    await asyncio.gather(*worker.tasks.values())
    assert sum(jobs.begun.values()) == 10


@pytest.mark.usefixtures("nobody_looks")
async def test_whoever_is_rung_for_looks(redis: ArqRedis, running: Any) -> None:
    jobs, queue = Jobs(), ArqQueue(redis)
    jobs.go.set()
    running(Picker, "a", jobs, 20)
    await _until(lambda: _waits_for_a_ring(redis))

    for count in (1, 2, 3):
        await queue.hand_out(LANE, [uuid4()])
        await jobs.began(count)


@pytest.mark.usefixtures("nobody_looks")
async def test_whoever_has_room_again_looks_for_what_was_left(
    redis: ArqRedis, running: Any
) -> None:
    jobs, queue = Jobs(), ArqQueue(redis)
    running(Picker, "a", jobs, 5)
    for _ in range(12):
        await queue.hand_out(LANE, [uuid4()])
    await jobs.began(5)

    jobs.go.set()

    await jobs.began(12)


async def test_what_nobody_has_rung_for_is_found(redis: ArqRedis, running: Any) -> None:
    """Handed out by a version that rings no bell; or the ring was not heard."""
    jobs, queue = Jobs(), ArqQueue(redis)
    jobs.go.set()
    await queue.hand_out(LANE, [uuid4()])
    [id_] = await redis.zrange(queue_name(LANE), 0, -1)
    await redis.zrem(queue_name(LANE), id_)
    running(Picker, "a", jobs, 5)
    await _until(lambda: _waits_for_a_ring(redis))

    await redis.zadd(queue_name(LANE), {id_: 1})

    await jobs.began(1)


async def test_each_lane_has_its_bell_and_all_workers_hear_it(redis: ArqRedis) -> None:
    queue = ArqQueue(redis)
    one, other = Bells(redis, list(Lane)), Bells(redis, list(Lane))
    tasks = [asyncio.create_task(bells.listen()) for bells in (one, other)]
    try:
        # Redis may have forgotten everything meanwhile.
        for _ in range(2):
            for lane in Lane:
                await queue.hand_out(lane, [uuid4()])
                async with asyncio.timeout(10):
                    await asyncio.gather(one.rung[lane].wait(), other.rung[lane].wait())
                rung = [there for there in Lane if one.rung[there].is_set()]
                assert rung == [lane]
                for bells in (one, other):
                    bells.rung[lane].clear()
                assert await redis.xlen(bell_name(lane)) == 1
            await redis.flushdb()
    finally:
        for task in tasks:
            await _ended(task)


async def _waits_for_a_ring(redis: ArqRedis) -> bool:
    return any(client["cmd"] == "xread" for client in await redis.client_list())
