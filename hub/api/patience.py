"""Waiting for others, but not for ever."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, TypeVar

T = TypeVar("T")


async def within(patience: timedelta, work: Awaitable[T]) -> T:
    """What `work` returns or raises; it is cancelled and `TimeoutError` raised when time is up.

    In a task of its own, and not `asyncio.timeout`: a query that is cancelled waits for the server once more,
    and that may be the one that hangs.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=patience.total_seconds())
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        if not task.done():
            task.add_done_callback(_forget)
            task.cancel()


def _forget(task: asyncio.Future[Any]) -> None:
    """Nobody is left to hear how it ended; unread, asyncio would complain of it."""
    if not task.cancelled():
        task.exception()
