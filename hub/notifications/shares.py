"""How much of a worker's lane one account may take, so that a provider that hangs holds up nobody else."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from hub.queue import Lane

JOBS: Mapping[Lane, int] = {Lane.SECURITY: 60, Lane.TRANSACTIONAL: 100, Lane.BULK: 18}
"""Jobs that one process has in hand at once. A job that waits for its provider costs little but its place."""

SHARE: Mapping[Lane, int] = {Lane.SECURITY: 20, Lane.TRANSACTIONAL: 30, Lane.BULK: 6}
"""Of these, how many may be at one account. The breaker notices a silent provider only when its first calls
have timed out; until then every job of its account keeps its place."""

PATIENCE: Mapping[Lane, timedelta] = {
    Lane.SECURITY: timedelta(milliseconds=100),
    Lane.TRANSACTIONAL: timedelta(milliseconds=200),
    Lane.BULK: timedelta(seconds=1),
}
"""How long a job waits for its share: an account that answers has one free in no time, and what is given back has to be
claimed once more."""


class Shares:
    """One per process."""

    def __init__(self) -> None:
        self._places: dict[tuple[Lane, str], asyncio.Semaphore] = {}

    @asynccontextmanager
    async def one(self, lane: Lane, account: str) -> AsyncIterator[bool]:
        """A place at the account while the context lasts; False: it has its share, come back later."""
        places = self._places.setdefault((lane, account), asyncio.Semaphore(SHARE[lane]))
        try:
            async with asyncio.timeout(PATIENCE[lane].total_seconds()):
                await places.acquire()
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            places.release()
