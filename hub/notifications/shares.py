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
"""How long a job waits for its share since one was free last: an account that answers has one free in no time, and what
is given back has to be claimed once more."""

_LONGEST = 3
"""Times that patience, however quickly they become free: its jobs keep places that others could have."""


class _Places:
    """Of one account in one lane."""

    def __init__(self, lane: Lane) -> None:
        self._patience = PATIENCE[lane].total_seconds()
        self._free = asyncio.Semaphore(SHARE[lane])
        self._waiting: dict[asyncio.Timeout, float] = {}
        """With the latest time at which each gives up."""

    @property
    def crowded(self) -> bool:
        return bool(self._waiting)

    @property
    def free(self) -> bool:
        return not self._free.locked()

    async def take(self) -> bool:
        """False: for so long none became free, or all were others' for much longer."""
        now = asyncio.get_running_loop().time()
        limit = asyncio.timeout_at(now + self._patience)
        self._waiting[limit] = now + _LONGEST * self._patience
        try:
            async with limit:
                return await self._free.acquire()
        except TimeoutError:
            return False
        finally:
            del self._waiting[limit]

    def leave(self) -> None:
        self._free.release()
        later = asyncio.get_running_loop().time() + self._patience
        for limit, latest in self._waiting.items():
            if not limit.expired():
                limit.reschedule(min(later, latest))


class Shares:
    """One per process."""

    def __init__(self) -> None:
        self._places: dict[tuple[Lane, str], _Places] = {}

    def crowded(self, lane: Lane) -> bool:
        """Whether some account's jobs wait for their share."""
        return any(places.crowded for (of, _), places in self._places.items() if of is lane)

    def free(self, lane: Lane, account: str) -> bool:
        """Whether a job would have a place at the account without waiting for it."""
        places = self._places.get((lane, account))
        return places is None or places.free

    @asynccontextmanager
    async def one(self, lane: Lane, account: str) -> AsyncIterator[bool]:
        """A place at the account while the context lasts; False: it has its share, come back later."""
        places = self._places.get((lane, account))
        if places is None:
            places = self._places[lane, account] = _Places(lane)
        if not await places.take():
            yield False
            return
        try:
            yield True
        finally:
            places.leave()
