"""How much of a worker's lane one account may take, so that a provider that hangs holds up nobody else."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

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


@dataclass(slots=True)
class _Places:
    """Of one account in one lane. `freed_at`: when the last one became free, by `monotonic`."""

    free: asyncio.Semaphore
    freed_at: float = field(default_factory=monotonic)
    waiting: int = 0

    async def take(self, patience: float) -> bool:
        """False: for so long none became free, or all were others' for much longer."""
        began = monotonic()
        until = began + patience
        self.waiting += 1
        try:
            while until > monotonic():
                with suppress(TimeoutError):
                    async with asyncio.timeout(until - monotonic()):
                        await self.free.acquire()
                        return True
                until = min(self.freed_at + patience, began + _LONGEST * patience)
            return False
        finally:
            self.waiting -= 1

    def leave(self) -> None:
        self.freed_at = monotonic()
        self.free.release()


class Shares:
    """One per process."""

    def __init__(self) -> None:
        self._places: dict[tuple[Lane, str], _Places] = {}

    def crowded(self, lane: Lane) -> bool:
        """Whether some account's jobs wait for their share."""
        return any(places.waiting for (of, _), places in self._places.items() if of is lane)

    @asynccontextmanager
    async def one(self, lane: Lane, account: str) -> AsyncIterator[bool]:
        """A place at the account while the context lasts; False: it has its share, come back later."""
        places = self._places.get((lane, account))
        if places is None:
            places = self._places[lane, account] = _Places(asyncio.Semaphore(SHARE[lane]))
        if not await places.take(PATIENCE[lane].total_seconds()):
            yield False
            return
        try:
            yield True
        finally:
            places.leave()
