"""Imports that the hub reads by itself."""

import asyncio
from uuid import UUID

from hub.accounts.limits import RateLimits
from hub.resources import Hub


class Importer:
    """One per worker process. Nothing is imported yet."""

    def __init__(self, hub: Hub, worker: UUID, limits: RateLimits) -> None:
        self._hub = hub
        self._worker = worker
        self._limits = limits

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.Event().wait()
