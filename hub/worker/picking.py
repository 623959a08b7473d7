"""How a lane's jobs are taken from Redis: arq lists what waits, and all of it that there is room for is taken at once."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.utils import timestamp_ms
from arq.worker import Worker

# What arq asks in four round trips for each job: whether it is still waiting and nobody has it.
_TAKE = """
local waiting = {}
for n = 5, #ARGV do
    local score = redis.call('ZSCORE', KEYS[1], ARGV[n])
    if score and tonumber(score) <= tonumber(ARGV[2])
       and redis.call('EXISTS', KEYS[2] .. ARGV[n]) == 0 then
        waiting[#waiting + 1] = {ARGV[n], score}
    end
end
local taken = {}
for n = 1, math.min(tonumber(ARGV[1]), math.ceil(#waiting * tonumber(ARGV[4]))) do
    redis.call('SET', KEYS[2] .. waiting[n][1], '1', 'PX', ARGV[3])
    taken[#taken + 1] = waiting[n][1]
    taken[#taken + 1] = waiting[n][2]
end
return taken
"""


_SELDOM = timedelta(milliseconds=250)
"""How often it is looked where nobody has rung."""


class Picker(Worker):
    """An arq worker that takes all jobs that it has room for at once: in a busy process milliseconds go by before an
    answer of Redis is read, and order messages would wait for one another. Beside arq's own workers it can be used.

    arq looks every `poll_delay`, which for an idle worker is all that it does. This one looks when it is `rung` for, when
    it has room again for what it had to leave, and now and then; after `poll_delay` only where it left something.

    `crowded`: given where jobs are long and few, so that the first to look does not have all of them in hand while
    another process has none: it takes half of what waits at one look, rounded up, and one while that is true.
    """

    def __init__(
        self,
        redis: ArqRedis,
        *,
        rung: asyncio.Event,
        crowded: Callable[[], bool] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(redis_pool=redis, **options)
        self._rung = rung
        self._crowded = crowded
        self._take = redis.register_script(_TAKE)
        self._left_some = False

    async def main(self) -> None:
        self.ctx["redis"] = self.pool
        while True:
            self._rung.clear()
            # Where there is no room arq does not look at all.
            self._left_some = self.job_counter >= self.max_jobs
            await self._poll_iteration()
            pause = self.poll_delay_s if self._left_some else _SELDOM.total_seconds()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._rung.wait()

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        others = [id_ for id_ in job_ids if id_.decode() not in self.tasks]
        self._left_some = bool(others)
        room = self.max_jobs - self.job_counter
        if not others or room <= 0:
            return
        part = 1.0
        if self._crowded:
            part, room = 0.5, 1 if self._crowded() else room
        in_progress = int(self.in_progress_timeout_s * 1000)
        taken = await self._take(
            keys=[self.queue_name, in_progress_key_prefix],
            args=[room, timestamp_ms(), in_progress, part, *others],
        )
        self._left_some = len(taken) // 2 < len(others)
        for name, score in zip(taken[::2], taken[1::2], strict=True):
            id_ = name.decode()
            await self.sem.acquire()
            self.job_counter += 1
            self.tasks[id_] = task = self.loop.create_task(self.run_job(id_, int(score)))
            task.add_done_callback(self._ended)

    def _ended(self, _task: Any) -> None:
        self._release_sem_dec_counter_on_complete()
        if self._left_some:
            self._rung.set()
