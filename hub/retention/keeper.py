"""The loop that keeps the house clean of personal data: beside the hot path, in small steps, one process at a time."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import UUID

import structlog

from hub.accounts import sandbox
from hub.config import Retention
from hub.contacts import erasure, history
from hub.db.locks import alone
from hub.db.pool import Connection
from hub.notifications import receipts
from hub.resources import Hub
from hub.retention import months, rows, sources, tidy
from hub.retention.plan import TABLES, Kind, Times
from hub.retention.rows import BY_TABLE, Portion
from hub.webhooks import service as webhooks

log = structlog.get_logger()

_LOCK = 0x76657374_6B656570
_FIRST = timedelta(minutes=1)
_EVERY = timedelta(minutes=10)
_ANEW = timedelta(days=1)
"""When all is looked through from its beginning once more, for what was passed over."""
_LONGEST = timedelta(minutes=5)
"""Of one turn; what is left comes in the next."""
_AT_ONCE = 1000

_SIMPLE: Sequence[tuple[Kind, str, Portion]] = (
    (Kind.HEARD, "heard", rows.by_age("heard")),
    (Kind.BOT_UPDATES, "bot_update", rows.by_age("bot_update")),
    (Kind.SANDBOX, "sandbox_message", rows.by_id("sandbox_message")),
    (Kind.ORDERS, "shop_order", rows.orders),
    (Kind.NOTIFICATIONS, "one_off", rows.one_offs),
    (Kind.CONSENTS, "consent_event", rows.proofs),
)


class Keeper:
    """One per worker process; one of them at a time has anything to do (advisory lock)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._adopted = False
        self._anew_at = 0.0
        self._reached: dict[tuple[str, int], UUID] = {}
        """By table and shop: up to where its rows were looked through."""
        self._end = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        wait = _FIRST
        while True:
            await asyncio.sleep(wait.total_seconds())
            wait = _EVERY
            await self.turn(datetime.now(UTC))

    async def turn(self, now: datetime) -> None:
        """All that is due. Safe to repeat, and to break off anywhere."""
        async with self._hub.db.acquire() as connection, alone(connection, _LOCK) as may:
            if not may:
                return
            self._end = monotonic() + _LONGEST.total_seconds()
            await self._sweep(connection, now)
            await self._drop_old(connection, now)
            if await tidy.after_erasures(connection, now):
                log.info("retention.tidied")

    async def _sweep(self, connection: Connection, now: datetime) -> None:
        while swept := await erasure.sweep(self._hub, now):
            log.info("retention.swept", contacts=swept)
        await erasure.forget(connection, now)
        await receipts.forget_strays(connection, now)
        await self._adopt_consents(connection)
        await sandbox.trim(connection)
        await webhooks.keep_house(connection, now)
        await sources.keep_house(connection, now)

    async def _drop_old(self, connection: Connection, now: datetime) -> None:
        if monotonic() > self._anew_at:
            self._reached.clear()
            self._anew_at = monotonic() + _ANEW.total_seconds()
        times = await self._times(connection)
        for kind, tables in TABLES.items():
            for table in tables:
                await self._drop_months(connection, times, kind, table, now)
        for kind, name, portion in _SIMPLE:
            for shop_id in times.shops:
                await self._portions(
                    connection, name, portion, shop_id, times.before(shop_id, kind, now)
                )

    async def _times(self, connection: Connection) -> Times:
        """Also of shops that are no longer in the settings: they keep things as long as others do by default."""
        known = await connection.fetch("SELECT id FROM shop ORDER BY id")
        shops = self._hub.shops
        return Times(
            {
                row["id"]: shops[row["id"]].settings.retention
                if row["id"] in shops
                else Retention()
                for row in known
            }
        )

    async def _drop_months(
        self, connection: Connection, times: Times, kind: Kind, table: str, now: datetime
    ) -> None:
        """First the rows of shops that keep it less long, then the months that nobody keeps; of a month in which
        something is still to be sent, the rest."""
        portion = BY_TABLE.get(table)
        if portion:
            for shop_id in times.sooner(kind):
                before = times.before(shop_id, kind, now)
                await self._portions(connection, table, portion, shop_id, before)
        left_before = await months.drop(connection, table, times.all_before(kind, now))
        if portion and left_before:
            for shop_id in times.shops:
                await self._portions(connection, table, portion, shop_id, left_before)

    async def _portions(
        self,
        connection: Connection,
        table: str,
        portion: Portion,
        shop_id: int,
        before: datetime,
    ) -> None:
        at = (table, shop_id)
        while monotonic() < self._end:
            after = await portion(connection, shop_id, before, self._reached.get(at, UUID(int=0)))
            if after is None:
                return
            self._reached[at] = after
            await asyncio.sleep(months.PAUSE.total_seconds())

    async def _adopt_consents(self, connection: Connection) -> None:
        """Once in the life of a process: whatever an earlier version has written is known then."""
        while not self._adopted:
            self._adopted = await history.adopt(connection, limit=_AT_ONCE) < _AT_ONCE
            await asyncio.sleep(months.PAUSE.total_seconds())
