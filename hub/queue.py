"""Hands ids of due deliveries to workers; with worker/ the only place that knows arq.

Nothing here is the truth: what a lost Redis forgets, the tick finds again in PostgreSQL.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID, uuid4

import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.asyncio import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from channels.base import Category

log = structlog.get_logger()

BATCH = 500
"""Deliveries in one job."""

DELIVER = "deliver"
"""A worker's task: these deliveries."""

DELIVER_DUE = "deliver_due"
"""A worker's task: the foremost of a route, whichever they are."""

_EPOCH_KEY = "vestnik:epoch"

WORKER_ALIVE = "vestnik:worker:alive"
"""The Redis key that every worker sets for 15 s, again and again."""


class Lane(StrEnum):
    """The queue that a category travels in, so that a campaign never delays a code."""

    SECURITY = "security"
    TRANSACTIONAL = "transactional"
    BULK = "bulk"


LANES = {
    Category.SECURITY: Lane.SECURITY,
    Category.TRANSACTIONAL: Lane.TRANSACTIONAL,
    Category.MARKETING: Lane.BULK,
}


@dataclass(frozen=True, slots=True)
class DueRoute:
    """Deliveries of one shop and category that wait for the same accounts."""

    shop_id: int
    category: Category
    route: str


class QueueAway(Exception):
    """Redis does not answer; nothing is lost, the tick hands out later."""


class Queue(Protocol):
    async def hand_out(self, lane: Lane, ids: Sequence[UUID]) -> None:
        """Raises `QueueAway`."""
        ...

    async def hand_out_due(self, lane: Lane, route: DueRoute, counts: Sequence[int]) -> None:
        """A job for each of `counts`: so many of the foremost deliveries of that route. Raises `QueueAway`."""
        ...

    async def depth(self, lane: Lane) -> int:
        """Jobs that wait. Raises `QueueAway`."""
        ...

    async def was_wiped(self, mark: str) -> bool:
        """Whether Redis has forgotten everything since `mark` was last set. Raises `QueueAway`."""
        ...

    async def set_mark(self, mark: str) -> None: ...

    async def ping(self) -> None:
        """Raises `QueueAway`."""
        ...

    async def worker_alive(self) -> bool:
        """Whether any worker has been heard of lately. Raises `QueueAway`."""
        ...

    async def close(self) -> None: ...


def queue_name(lane: Lane) -> str:
    return f"vestnik:lane:{lane}"


def bell_name(lane: Lane) -> str:
    """A stream of one entry: a new one comes with whatever is put into the lane."""
    return f"vestnik:bell:{lane}"


def connect(url: str) -> ArqRedis:
    """A client that has not connected yet and gives up on a silent server within 3 s."""
    pool: ConnectionPool = ConnectionPool.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=3,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=15,
    )
    redis = _Redis(pool_or_conn=pool)
    pool.connection_class = _CANCELLABLE[pool.connection_class]
    # The pool is nobody else's: it goes with its client.
    redis.auto_close_connection_pool = True
    return redis


class _Redis(ArqRedis):
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class _Pipeline(Pipeline):
    """The client's own keeps its connection when it is interrupted in letting it go, and closes it when it is collected,
    whoever uses it by then."""

    async def reset(self) -> None:
        try:
            await super().reset()  # type: ignore[no-untyped-call]
        except BaseException:
            held, self.connection, self.watching = self.connection, None, False
            if held:
                await held.disconnect(nowait=True)
                await self.connection_pool.release(held)
            raise


class _Cancellable(AbstractConnection):
    """The client writes under `asyncio.wait_for`, which in Python 3.11 may swallow a cancellation
    (cpython 86296): a loop that is stopped just then would go on for ever."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await super().send_packed_command(command, check_health)
        if task and task.cancelling() > before:
            # The answer to what was just sent must not be read as another one's.
            await self.disconnect(nowait=True)
            raise asyncio.CancelledError


class _Tcp(_Cancellable, Connection):
    """redis://"""


class _Tls(_Cancellable, SSLConnection):
    """rediss://"""


class _Local(_Cancellable, UnixDomainSocketConnection):
    """unix://"""


_CANCELLABLE: Mapping[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: _Tcp,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Local,
}


class ArqQueue:
    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis

    async def hand_out(self, lane: Lane, ids: Sequence[UUID]) -> None:
        batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        # The row's own times say when and until when: this only keeps Redis from filling up.
        jobs = [([id_.hex for id_ in batch],) for batch in batches]
        await self._enqueue(lane, DELIVER, jobs, lasts=timedelta(hours=1))

    async def hand_out_due(self, lane: Lane, route: DueRoute, counts: Sequence[int]) -> None:
        which = (route.shop_id, str(route.category), route.route)
        jobs = [(*which, count) for count in counts]
        await self._enqueue(lane, DELIVER_DUE, jobs, lasts=timedelta(minutes=1))

    async def _enqueue(
        self, lane: Lane, task: str, jobs: Sequence[tuple[Any, ...]], *, lasts: timedelta
    ) -> None:
        """As arq does it with each by itself, of which it first asks whether it is there already: ours are new."""
        if not jobs:
            return
        now = timestamp_ms()
        try:
            async with self.redis.pipeline(transaction=True) as pipe:
                for arguments in jobs:
                    id_ = uuid4().hex
                    packed = serialize_job(task, arguments, {}, None, now)
                    pipe.psetex(f"{job_key_prefix}{id_}", lasts, packed)
                    pipe.zadd(queue_name(lane), {id_: now})
                pipe.xadd(bell_name(lane), {"": ""}, maxlen=1, approximate=False)
                await pipe.execute()
        except (RedisError, OSError) as error:
            raise QueueAway(type(error).__name__) from error

    async def depth(self, lane: Lane) -> int:
        try:
            return int(await self.redis.zcard(queue_name(lane)))
        except (RedisError, OSError) as error:
            raise QueueAway(type(error).__name__) from error

    async def was_wiped(self, mark: str) -> bool:
        try:
            found = await self.redis.get(_EPOCH_KEY)
        except (RedisError, OSError) as error:
            raise QueueAway(type(error).__name__) from error
        return found is None or found.decode() != mark

    async def set_mark(self, mark: str) -> None:
        try:
            await self.redis.set(_EPOCH_KEY, mark)
        except (RedisError, OSError) as error:
            raise QueueAway(type(error).__name__) from error

    async def ping(self) -> None:
        try:
            await self.redis.ping()
        except (RedisError, OSError) as error:
            raise QueueAway(type(error).__name__) from error

    async def worker_alive(self) -> bool:
        try:
            return bool(await self.redis.exists(WORKER_ALIVE))
        except (RedisError, OSError) as error:
            raise QueueAway(type(error).__name__) from error

    async def close(self) -> None:
        # The pool was made outside the client, which otherwise leaves it open.
        await self.redis.aclose(close_connection_pool=True)
