"""Hears that something was put into a lane, so that nobody has to look for it all the time."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import timedelta

from arq.connections import ArqRedis

from hub.queue import Lane, bell_name

_AT_MOST = timedelta(seconds=1)
"""One question to Redis: below what `hub.queue.connect` waits for an answer."""
_TOGETHER = timedelta(milliseconds=5)
"""What is rung for within that is looked at once: a look costs Redis and worker a round trip or two."""


class Bells:
    """`rung`: set when there may be something new in that lane. Whatever is not heard, as long as Redis is away or from a
    process of a version that rings no bell, is found by those who look now and then."""

    def __init__(self, redis: ArqRedis, lanes: Collection[Lane]) -> None:
        self._redis = redis
        self._lanes = {bell_name(lane).encode(): lane for lane in lanes}
        self.rung: Mapping[Lane, asyncio.Event] = {lane: asyncio.Event() for lane in lanes}

    async def listen(self) -> None:
        """Until cancelled. Raises `RedisError` where Redis is away."""
        # With the last ring there was: who was deaf for a while looks at once.
        heard: dict[bytes | str | memoryview, int | bytes | str | memoryview] = dict.fromkeys(
            self._lanes, "0"
        )
        while True:
            # https://redis.io/docs/latest/commands/xread/
            answer = await self._redis.xread(heard, block=int(_AT_MOST.total_seconds() * 1000))
            for name, rings in answer:
                heard[name] = rings[-1][0]
                self.rung[self._lanes[name]].set()
            await asyncio.sleep(_TOGETHER.total_seconds())
