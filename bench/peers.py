"""A message each by what a shop would take instead: a plain job of arq, and a task of Celery.

Neither looks anything up or writes anything down but what its own queue needs.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
from arq import create_pool, run_worker
from arq.connections import ArqRedis, RedisSettings
from celery import Celery
from celery.signals import worker_ready
from redis.asyncio import Redis

from bench.sink import MARK
from bench.wire import Connection

_CALL = "/bot1:x/sendMessage"
_QUEUE = "peer"
_HELD = "peer-held"
"""Where jobs are put before all of them become due at once, by a new name of the queue."""

_AT_ONCE = 50
_PATIENCE = 120.0
"""Seconds."""


def _form(text: str) -> dict[str, Any]:
    return {"chat_id": 1, "text": text}


# -- arq ----------------------------------------------------------------------------------------------------------------


def _redis(url: str) -> RedisSettings:
    parts = urlsplit(url)
    return RedisSettings(parts.hostname or "", parts.port or 0, password=parts.password)


async def _job(ctx: dict[str, Any], text: str) -> None:
    async with ctx["session"].post(_CALL, json=_form(text)) as answer:
        await answer.read()


def work_arq(redis: str, sink: str) -> None:
    """One worker; says when it is ready."""

    async def begin(ctx: dict[str, Any]) -> None:
        ctx["session"] = aiohttp.ClientSession(sink)
        print("ready", flush=True)

    async def end(ctx: dict[str, Any]) -> None:
        await ctx["session"].close()

    settings = {
        "functions": [_job],
        "redis_settings": _redis(redis),
        "on_startup": begin,
        "on_shutdown": end,
        "queue_name": _QUEUE,
        "max_jobs": 100,
        "poll_delay": 0.02,
        "keep_result": 0,
    }
    run_worker(settings)


async def enqueue_arq(redis: str, *, rate: int, seconds: int) -> dict[str, float]:
    """Jobs at a steady rate: text and when it was there."""
    queue = await create_pool(_redis(redis), default_queue_name=_QUEUE)
    accepted: dict[str, float] = {}

    async def one(text: str) -> None:
        await queue.enqueue_job(_job.__name__, text)
        accepted[text] = time.time()

    started, tasks = time.perf_counter(), []
    for number in range(rate * seconds):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(f"{MARK}arq-{number}")))
    await asyncio.gather(*tasks)
    await queue.aclose()
    return accepted


async def hold_arq(redis: str, count: int) -> None:
    """So many jobs that no worker sees yet."""
    queue = await create_pool(_redis(redis), default_queue_name=_HELD)
    texts = iter(_texts(count))

    async def client(queue: ArqRedis) -> None:
        for text in texts:
            await queue.enqueue_job(_job.__name__, text)

    await asyncio.gather(*(client(queue) for _ in range(_AT_ONCE)))
    await queue.aclose()


# -- Celery -------------------------------------------------------------------------------------------------------------

_TASK = "send"


def _celery(redis: str) -> Celery:
    app = Celery("peer", broker=redis)
    app.conf.update(
        task_default_queue=_QUEUE, task_ignore_result=True, worker_redirect_stdouts=False
    )
    return app


def work_celery(redis: str, sink: str, processes: int) -> None:
    """One worker with so many processes; says when it is ready."""
    app = _celery(redis)

    @cache
    def client() -> httpx.Client:
        # Made at a process's first task: processes are forks, and each needs its own connections.
        return httpx.Client(base_url=sink)

    def send(text: str) -> None:
        client().post(_CALL, json=_form(text)).raise_for_status()

    def ready(**_: Any) -> None:
        print("ready", flush=True)

    app.task(send, name=_TASK)
    worker_ready.connect(ready, weak=False)
    app.worker_main(
        [
            *("--quiet", "worker", "--pool", "prefork", "--concurrency", str(processes)),
            *("--loglevel", "ERROR"),
        ]
    )


async def hold_celery(redis: str, count: int) -> None:
    """So many tasks that no worker sees yet."""

    def publish() -> None:
        with _celery(redis) as app:
            for text in _texts(count):
                app.send_task(_TASK, [text], queue=_HELD)

    await asyncio.to_thread(publish)


# -- both ---------------------------------------------------------------------------------------------------------------


def _texts(count: int) -> Iterable[str]:
    return (f"{MARK}peer-{number}" for number in range(count))


async def drained(redis: str, sink: str, count: int) -> float:
    """Messages a second, from the moment when all of them are due to the last one's arrival. With workers that wait."""
    async with Redis.from_url(redis) as db:
        began = time.time()
        await db.rename(_HELD, _QUEUE)
    async with Connection(sink) as connection:
        while json.loads(await connection.get("/sink/messages"))["messages"] < count:
            if time.time() > began + _PATIENCE:
                raise RuntimeError(f"not sent within {_PATIENCE:.0f} s")
            await asyncio.sleep(0.05)
        arrivals = json.loads(await connection.get("/sink/arrivals"))["arrivals"]
    return count / float(max(arrivals.values()) - began)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("arq", "celery"))
    parser.add_argument("--redis", required=True)
    parser.add_argument("--sink", required=True)
    parser.add_argument("--processes", type=int, default=1, help="of Celery's worker")
    given = parser.parse_args()
    if given.what == "arq":
        work_arq(given.redis, given.sink)
    else:
        work_celery(given.redis, given.sink, given.processes)


if __name__ == "__main__":
    main()
