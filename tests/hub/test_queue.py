"""The queue's client against a real Redis."""

import asyncio

from hub.queue import ArqQueue, Lane, QueueAway, connect


async def test_a_cancelled_call_ends_whenever_it_is_cancelled(redis_url: str) -> None:
    queue = ArqQueue(connect(redis_url))
    for turns in range(20):
        call = asyncio.create_task(queue.depth(Lane.BULK))
        for _ in range(turns):
            await asyncio.sleep(0)
        if call.done():
            continue
        call.cancel()

        [ended] = await asyncio.gather(call, return_exceptions=True)

        assert isinstance(ended, asyncio.CancelledError), turns
        assert isinstance(await queue.depth(Lane.BULK), int)
    await queue.close()


async def test_a_redis_that_is_away_is_said_to_be(unused_tcp_port: int) -> None:
    queue = ArqQueue(connect(f"redis://127.0.0.1:{unused_tcp_port}/0"))
    calls = (queue.depth(Lane.BULK), queue.ping(), queue.hand_out(Lane.BULK, []))

    ended = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(e) for e in ended] == [QueueAway, QueueAway, type(None)]
    await queue.close()


async def test_a_pipeline_lets_go_of_its_connection_whenever_it_is_cancelled(
    redis_url: str,
) -> None:
    """As arq's worker looks whether a job is taken already, cancelled in that, and once more in tidying up."""
    redis = connect(redis_url)

    async def look() -> None:
        async with redis.pipeline() as pipe:
            await pipe.watch("some-job")
            await pipe.exists("some-job")

    for turns in range(30):
        for later in range(6):
            looking = asyncio.create_task(look())
            for _ in range(turns):
                await asyncio.sleep(0)
            looking.cancel()
            for _ in range(later):
                await asyncio.sleep(0)
            looking.cancel()

            await asyncio.gather(looking, return_exceptions=True)

            assert not redis.connection_pool._in_use_connections, (turns, later)
    assert await redis.ping()
    await redis.aclose()
