"""How many calls of one account may be begun and under way in this process."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

_GLANCE = timedelta(milliseconds=500)

IsLeft = Callable[[], bool]
"""Whether nothing more is to be begun at the account: it was paused while somebody waited for a place."""


class Gate:
    """An attempt is a row before its call, and after a crash every begun one counts as perhaps sent: so no
    more are begun than are soon made. Begun are at most twice as many as may be under way, in groups, because
    their rows are written together.

    Who waits behind calls that hang looks up now and then whether the account was left meanwhile."""

    def __init__(self, concurrency: int, is_left: IsLeft) -> None:
        self._is_left = is_left
        self._group = max(1, concurrency // 2)
        self._begun = asyncio.Semaphore(concurrency * 2)
        self._under_way = asyncio.Semaphore(concurrency)
        # One at a time: two that each wait for the rest of their group would wait for ever.
        self._turn = asyncio.Semaphore(1)

    async def enter(self, wanted: int) -> int:
        """How many of `wanted` calls may be begun now; waits until a group of them may. 0: the account is left."""
        if not await self._place(self._turn):
            return 0
        entered = 0
        try:
            while entered < wanted and (entered < self._group or not self._begun.locked()):
                if not await self._place(self._begun):
                    self.leave(entered)
                    return 0
                entered += 1
        except asyncio.CancelledError:
            self.leave(entered)
            raise
        finally:
            self._turn.release()
        return entered

    def leave(self, calls: int = 1) -> None:
        """These were not made after all."""
        for _ in range(calls):
            self._begun.release()

    async def begins(self) -> bool:
        """One begun call has its turn, until `ended`. False: the account is left, the call is not to be made."""
        try:
            may = await self._place(self._under_way)
        except BaseException:
            self.leave()
            raise
        if not may:
            self.leave()
        return may

    def ended(self) -> None:
        """The call that `begins` let pass is over: its place is free again."""
        self._under_way.release()
        self.leave()

    async def _place(self, places: asyncio.Semaphore) -> bool:
        """Takes one as soon as there is one, unless the account is left before that."""
        while places.locked():
            try:
                async with asyncio.timeout(_GLANCE.total_seconds()):
                    await places.acquire()
            except TimeoutError:
                if self._is_left():
                    return False
            else:
                return True
        if self._is_left():
            return False
        await places.acquire()
        return True
