"""The loop that keeps the house clean of personal data: beside the hot path, in small steps, one process at a time."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from hub.contacts import erasure, history
from hub.db.pool import Connection
from hub.notifications import receipts
from hub.resources import Hub

log = structlog.get_logger()

_LOCK = 0x76657374_6B656570
_FIRST = timedelta(minutes=1)
_EVERY = timedelta(minutes=10)
_AT_ONCE = 1000


class Keeper:
    """One per worker process; one of them at a time has anything to do (advisory lock)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._adopted = False

    async def run(self) -> None:
        """Until cancelled."""
        wait = _FIRST
        while True:
            await asyncio.sleep(wait.total_seconds())
            wait = _EVERY
            await self.turn(datetime.now(UTC))

    async def turn(self, now: datetime) -> None:
        """All that is due. Safe to repeat, and to break off anywhere."""
        async with self._hub.db.acquire() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                return
            try:
                if swept := await erasure.sweep(self._hub, now):
                    log.info("retention.swept", contacts=swept)
                await receipts.forget_strays(connection, now)
                await self._adopt_consents(connection)
            finally:
                if not connection.is_closed():
                    await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)

    async def _adopt_consents(self, connection: Connection) -> None:
        """Once in the life of a process: whatever an earlier version has written is known then."""
        while not self._adopted:
            self._adopted = await history.adopt(connection, limit=_AT_ONCE) < _AT_ONCE
            await asyncio.sleep(0.1)
