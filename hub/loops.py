"""Loops that run as long as their process: one that died is started again."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import structlog
from redis.exceptions import RedisError

from hub.db.pool import UNREACHABLE

log = structlog.get_logger()

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
_ASKED_AGAIN = 2.0


async def keep_going(chore: Callable[[], Awaitable[None]]) -> None:
    """Until cancelled: Redis and PostgreSQL come and go, the process stays."""
    pause, task = _FIRST_PAUSE, asyncio.current_task()
    while True:
        try:
            await chore()
        except asyncio.CancelledError:
            if task and task.cancelling():
                raise
            # Not ours: of something that it waited for.
            log.warning("loop.broken_off")
        except (RedisError, *UNREACHABLE) as error:
            log.warning("loop.away", error=type(error).__name__)
        except Exception:
            log.exception("loop.died")
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def cancelled(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Returns when all of them have ended, each in its own time. Asked again and again: a cancellation drowns in the
    error of the connection that it interrupts."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_ASKED_AGAIN)
