"""The worker process: one arq loop per lane, the tick, the leases, and whatever keeps them going."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
import uvloop
from arq.connections import ArqRedis
from arq.worker import func
from redis.exceptions import RedisError

from channels.base import Listens, Told
from hub import garbage, heartbeat, logs, metrics
from hub.accounts.book import LiveAccount
from hub.accounts.limits import RateLimits
from hub.config import Settings, host_and_port
from hub.db import budget
from hub.db.pool import UNREACHABLE
from hub.events import claims, timers
from hub.events.processing import Processor
from hub.events.reading import Reader
from hub.history.running import Importer
from hub.ids import new_id
from hub.inbound import service as inbound
from hub.loops import cancelled, keep_going
from hub.notifications import admins, recovery
from hub.notifications.delivery import Deliverer
from hub.notifications.edits import Editor
from hub.notifications.shares import JOBS
from hub.notifications.statuses import Asker
from hub.notifications.tick import Tick
from hub.orders import escalation
from hub.orders.messages import interactives
from hub.queue import DELIVER, DELIVER_DUE, WORKER_ALIVE, Lane, connect, queue_name
from hub.resources import Hub, open_hub
from hub.retention.keeper import Keeper
from hub.statistics.counting import Counting
from hub.webhooks.delivery import Callbacks
from hub.worker.bells import Bells
from hub.worker.picking import Picker
from hub.worker.tasks import deliver, deliver_due

log = structlog.get_logger()

WORKER_ID = "VESTNIK_WORKER_ID"

# How soon a lane is looked at once more where jobs were left: an order message must not wait for a campaign's rhythm.
_POLL = {
    Lane.SECURITY: timedelta(milliseconds=20),
    Lane.TRANSACTIONAL: timedelta(milliseconds=20),
    Lane.BULK: timedelta(milliseconds=100),
}
_JOB_TIMEOUT = timedelta(minutes=10)
_DRAIN = timedelta(seconds=9)
_ALIVE_FOR = timedelta(seconds=15)


def run(settings: Settings, lane: str | None = None) -> None:
    """Until SIGTERM or SIGINT; then what is under way is finished, within 10 s.

    `VESTNIK_WORKER_ID` (a UUID): whoever had this id before is certainly dead, so what it held is taken back
    at once. Left out, a worker is nobody's successor. Exits with 1 and one line on stderr where `metrics_listen`
    cannot be listened on.
    """
    logs.configure(settings.hub.log_level, role="worker")
    uvloop.run(_main(settings, [Lane(lane)] if lane else list(Lane)))


async def _main(settings: Settings, lanes: Sequence[Lane]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    given = os.environ.get(WORKER_ID)
    async with AsyncExitStack() as stack:
        ready = await stack.enter_async_context(heartbeat.beating())
        await _serve_numbers(settings, stack)
        hub = await stack.enter_async_context(
            open_hub(settings, pool_size=budget.WORKER, sends=True)
        )
        garbage.look_seldom()
        ready()
        await work(hub, lanes, stopping, worker=UUID(given) if given else new_id())


async def _serve_numbers(settings: Settings, stack: AsyncExitStack) -> None:
    listen = settings.hub.metrics_listen
    if not listen:
        return
    try:
        port = await stack.enter_async_context(metrics.served(*host_and_port(listen)))
    except OSError as error:
        sys.stderr.write(
            f"hub.metrics_listen = {listen!r}: cannot listen there: {error.strerror}\n"
        )
        raise SystemExit(1) from None
    log.info("worker.metrics_served", port=port)


async def work(hub: Hub, lanes: Sequence[Lane], stopping: asyncio.Event, *, worker: UUID) -> None:
    """Works until `stopping` is set. `worker` names this process in its leases."""
    with suppress(*UNREACHABLE):
        await _free(hub, worker)
    redis = connect(hub.settings.hub.redis_url.get_secret_value())
    questions = interactives(hub)
    limits = RateLimits(redis)
    deliverer = Deliverer(hub, worker, limits, questions)
    callbacks = Callbacks(
        hub.db,
        hub.signer,
        hub.settings.hub.outgoing_allow,
        worker,
        partial(admins.webhook_disabled, hub),
    )
    tick = Tick(
        hub,
        limits,
        deliverer.hand_out,
        chores=[escalation.due_steps, inbound.handle_waiting, timers.due_rules],
    )
    events = Processor(hub, worker, limits)
    reader = Reader(hub, worker, limits)
    bells = Bells(redis, lanes)
    loops = [_Lane(hub, lane, deliverer, bells.rung[lane]) for lane in lanes]
    chores: list[Callable[[], Awaitable[None]]] = [
        deliverer.leases.keep,
        deliverer.watch,
        tick.run,
        Editor(hub, questions).run,
        Asker(hub, limits, deliverer.hand_out).run,
        Keeper(hub).run,
        Counting(hub).run,
        *(
            partial(_listen, hub, deliverer, account, account.adapter)
            for account in hub.accounts.all()
            if isinstance(account.adapter, Listens)
        ),
        callbacks.run,
        events.run,
        reader.run,
        Importer(hub, worker, limits).run,
        lambda: _refresh(hub),
        lambda: _beat(redis),
        bells.listen,
        *(lane.run for lane in loops),
    ]
    tasks = [asyncio.create_task(keep_going(chore)) for chore in chores]
    log.info("worker.started", lanes=[str(lane) for lane in lanes])
    await stopping.wait()
    deliverer.draining = callbacks.draining = events.draining = reader.draining = True
    for lane in loops:
        lane.stop_picking()
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN.total_seconds()):
            await asyncio.gather(
                callbacks.drained(), events.drained(), *(lane.drained() for lane in loops)
            )
    await cancelled(tasks)
    try:
        # What could not be finished in time is the others' at once.
        with suppress(*UNREACHABLE):
            await _free(hub, worker)
    finally:
        await _closed(redis)
    log.info("worker.stopped")


async def _free(hub: Hub, worker: UUID) -> None:
    await recovery.free(hub.db, worker)
    await claims.free(hub.db, worker)


async def _listen(hub: Hub, deliverer: Deliverer, account: LiveAccount, adapter: Listens) -> None:
    async def take(told: Told) -> None:
        """The adapter makes nothing of the error but that the provider must come again: it is told here."""
        try:
            await deliverer.hand_out(await inbound.store(hub, account, told))
        except (RedisError, *UNREACHABLE) as error:
            log.warning("listen.not_stored", account=account.name, error=type(error).__name__)
            raise
        except Exception:
            log.exception("listen.not_stored", account=account.name)
            raise

    await adapter.listen(take)


async def _refresh(hub: Hub) -> None:
    """What this process knows of templates and accounts is never older than a second or so."""
    while True:
        await hub.catalog.refresh(hub.db)
        await hub.accounts.refresh(hub.db)
        await asyncio.sleep(1)


async def _beat(redis: Any) -> None:
    while True:
        await redis.set(WORKER_ALIVE, 1, ex=int(_ALIVE_FOR.total_seconds()))
        await asyncio.sleep(_ALIVE_FOR.total_seconds() / 5)


def _says_something(record: logging.LogRecord) -> bool:
    """arq takes a job for failed that the end of this process cuts off, and says so with its whole stack. What was not
    with a provider has gone back, and nothing is wrong."""
    return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)


async def _ended(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancelled meanwhile, it cancels them and still waits for their end."""
    await asyncio.gather(*tasks, return_exceptions=True)


async def _closed(redis: ArqRedis) -> None:
    with suppress(RedisError, OSError):
        await redis.aclose()


async def _to_the_end(worker: Picker, redis: ArqRedis) -> None:
    """The last one first, and each of them although another cancellation may have broken off the one before."""
    async with AsyncExitStack() as ends:
        ends.push_async_callback(_closed, redis)
        ends.push_async_callback(_ended, worker.tasks.values())
        ends.push_async_callback(_ended, worker.job_tasks.values())


class _Lane:
    """One arq worker, made anew whenever Redis broke the last one."""

    def __init__(self, hub: Hub, lane: Lane, deliverer: Deliverer, rung: asyncio.Event) -> None:
        self._hub = hub
        self._lane = lane
        self._rung = rung
        self._deliverer = deliverer
        self._worker: Picker | None = None
        self._left: set[asyncio.Task[None]] = set()
        """Earlier ones, with jobs that are still under way."""
        self._stopped = False

    async def run(self) -> None:
        logging.getLogger("arq.worker").addFilter(_says_something)
        redis = connect(self._hub.settings.hub.redis_url.get_secret_value())
        self._worker = worker = Picker(
            redis,
            rung=self._rung,
            functions=[func(deliver, name=DELIVER), func(deliver_due, name=DELIVER_DUE)],
            queue_name=queue_name(self._lane),
            handle_signals=False,
            max_jobs=JOBS[self._lane],
            job_timeout=_JOB_TIMEOUT,
            keep_result=0,
            poll_delay=_POLL[self._lane],
            # A campaign's jobs are for all processes; what somebody waits for is taken by the first that has room.
            crowded=partial(self._deliverer.crowded, self._lane)
            if self._lane is Lane.BULK
            else None,
            # Attempts and their times are in the database: arq never tries a job again.
            max_tries=1,
            retry_jobs=False,
            health_check_interval=60,
            ctx={"deliverer": self._deliverer},
            log_results=False,
        )
        worker.allow_pick_jobs = not self._stopped
        try:
            await worker.async_run()
        except Exception:
            # Jobs under way go on without arq: their outcomes belong to the database. What comes next need not wait.
            left = asyncio.create_task(_to_the_end(worker, redis))
            self._left.add(left)
            left.add_done_callback(self._left.discard)
            raise
        except asyncio.CancelledError:
            async with AsyncExitStack() as ends:
                ends.push_async_callback(_ended, self._left)
                ends.push_async_callback(_to_the_end, worker, redis)
            raise

    def stop_picking(self) -> None:
        self._stopped = True
        if self._worker:
            self._worker.allow_pick_jobs = False

    async def drained(self) -> None:
        under_way = [*self._left, *(self._worker.job_tasks.values() if self._worker else ())]
        if under_way:
            await asyncio.wait(under_way)
