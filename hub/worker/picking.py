"""How a lane's jobs are taken from Redis: arq lists what waits, and all of it that there is room for is taken at once."""

from typing import Any

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.utils import timestamp_ms
from arq.worker import Worker

# What arq asks in four round trips for each job: whether it is still waiting and nobody has it.
_TAKE = """
local taken = {}
for n = 4, #ARGV do
    if #taken >= 2 * tonumber(ARGV[1]) then break end
    local score = redis.call('ZSCORE', KEYS[1], ARGV[n])
    if score and tonumber(score) <= tonumber(ARGV[2])
       and redis.call('SET', KEYS[2] .. ARGV[n], '1', 'PX', ARGV[3], 'NX') then
        taken[#taken + 1] = ARGV[n]
        taken[#taken + 1] = score
    end
end
return taken
"""


class Picker(Worker):
    """An arq worker that takes all jobs that it has room for at once: in a busy process milliseconds go by before an
    answer of Redis is read, and order messages would wait for one another. Beside arq's own workers it can be used."""

    def __init__(self, redis: ArqRedis, **options: Any) -> None:
        super().__init__(redis_pool=redis, **options)
        self._take = redis.register_script(_TAKE)

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        others = [id_ for id_ in job_ids if id_.decode() not in self.tasks]
        room = self.max_jobs - self.job_counter
        if not others or room <= 0:
            return
        in_progress = int(self.in_progress_timeout_s * 1000)
        taken = await self._take(
            keys=[self.queue_name, in_progress_key_prefix],
            args=[room, timestamp_ms(), in_progress, *others],
        )
        for name, score in zip(taken[::2], taken[1::2], strict=True):
            id_ = name.decode()
            await self.sem.acquire()
            self.job_counter += 1
            self.tasks[id_] = task = self.loop.create_task(self.run_job(id_, int(score)))
            task.add_done_callback(self._ended)

    def _ended(self, _task: Any) -> None:
        self._release_sem_dec_counter_on_complete()
