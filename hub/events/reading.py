"""Catches up with platforms."""

import asyncio
from uuid import UUID

from hub.accounts.limits import RateLimits
from hub.resources import Hub


class Reader:
    """One per worker process. Nothing is read yet."""

    def __init__(self, hub: Hub, worker: UUID, limits: RateLimits) -> None:
        self._hub = hub
        self._worker = worker
        self._limits = limits
        self.draining = False

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.Event().wait()
