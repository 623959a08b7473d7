"""Who goes first in a worker that has a campaign and order messages in hand."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TypeVar

from hub.queue import Lane

_LONGEST = timedelta(milliseconds=200)
"""A campaign goes on in the end, however many order messages there are."""

_SLICE = 50
"""Letters that are made without a look at others: some milliseconds."""

T = TypeVar("T")


class RightOfWay:
    """One per process: before each of its steps a campaign's job lets those pass that somebody waits for."""

    def __init__(self) -> None:
        self._urgent = 0
        self._calm = asyncio.Event()
        self._calm.set()

    @contextmanager
    def taken(self, lane: Lane) -> Iterator[None]:
        """By a job of that lane, until the context ends; a campaign's takes none."""
        if lane is Lane.BULK:
            yield
            return
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
        if lane is Lane.BULK and self._urgent:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST.total_seconds()):
                    await self._calm.wait()

    async def sliced(self, many: Sequence[T]) -> AsyncIterator[Sequence[T]]:
        """All of them, some at a time, with a breath for others in between."""
        for start in range(0, len(many), _SLICE):
            if start:
                await asyncio.sleep(0)
            yield many[start : start + _SLICE]
