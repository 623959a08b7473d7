"""How many calls of one account may be begun and under way in this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """An attempt is a row before its call, and after a crash every begun one counts as perhaps sent: so no
    more are begun than are soon made. Begun are at most twice as many as may be under way, in groups, because
    their rows are written together."""

    def __init__(self, concurrency: int) -> None:
        self._group = max(1, concurrency // 2)
        self._begun = asyncio.Semaphore(concurrency * 2)
        self._under_way = asyncio.Semaphore(concurrency)
        # One at a time: two that each wait for the rest of their group would wait for ever.
        self._turn = asyncio.Lock()

    async def enter(self, wanted: int) -> int:
        """How many of `wanted` calls may be begun now; waits until a group of them may."""
        async with self._turn:
            entered = 0
            try:
                while entered < wanted and (entered < self._group or not self._begun.locked()):
                    await self._begun.acquire()
                    entered += 1
            except asyncio.CancelledError:
                self.leave(entered)
                raise
        return entered

    def leave(self, calls: int = 1) -> None:
        """These were not made after all."""
        for _ in range(calls):
            self._begun.release()

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """One begun call is made inside; then its place is free again."""
        try:
            async with self._under_way:
                yield
        finally:
            self.leave()
