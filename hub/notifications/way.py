"""Who goes first in a worker that has a campaign and order messages in hand."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from hub.queue import Lane

_LONGEST = timedelta(milliseconds=200)
"""A campaign goes on in the end, however many order messages there are."""

_TOLERATED = timedelta(milliseconds=30)
"""Messages that somebody waits for may be so late before campaigns slow down."""

_REMEMBERED = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(milliseconds=800)

_SLICE = 50
"""Letters that are made without a look at others: some milliseconds."""

T = TypeVar("T")


class RightOfWay:
    """One per process: before each of its steps a campaign's job lets those pass that somebody waits for.

    That is not enough where the machine is full: PostgreSQL and the other processes are as busy with the campaign as
    this one. It shows in how late order messages are, and campaigns then go one step at a time with pauses.
    """

    def __init__(self) -> None:
        self._urgent = 0
        self._calm = asyncio.Event()
        self._calm.set()
        # One may be late for a reason of its own: an earlier one of its order, an account.
        self._late: deque[timedelta] = deque(maxlen=3)
        self._noted_at = 0.0
        self._step = asyncio.Lock()

    @contextmanager
    def taken(self, lane: Lane, *, late: timedelta | None) -> Iterator[None]:
        """By a job of that lane, until the context ends; a campaign's takes none. `late`: how long the last of its
        messages had been due when it was claimed; None: that says nothing of this machine."""
        if lane is Lane.BULK:
            yield
            return
        if late is not None:
            self._late.append(late)
            self._noted_at = monotonic()
        self._urgent += 1
        self._calm.clear()
        try:
            yield
        finally:
            self._urgent -= 1
            if not self._urgent:
                self._calm.set()

    async def give(self, lane: Lane) -> None:
        """Returns when nobody has it, or after a moment; at once but for a campaign."""
        if lane is not Lane.BULK:
            return
        if self._urgent:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST.total_seconds()):
                    await self._calm.wait()
        if pause := self._pause():
            async with self._step:
                await asyncio.sleep(pause.total_seconds())

    def _pause(self) -> timedelta:
        if monotonic() - self._noted_at > _REMEMBERED.total_seconds():
            return timedelta(0)
        late = min(self._late, default=timedelta(0))
        return min(4 * late, _LONGEST_PAUSE) if late > _TOLERATED else timedelta(0)

    async def sliced(self, many: Sequence[T]) -> AsyncIterator[Sequence[T]]:
        """All of them, some at a time, with a breath for others in between."""
        for start in range(0, len(many), _SLICE):
            if start:
                await asyncio.sleep(0)
            yield many[start : start + _SLICE]
