"""Tables that grow are cut by month of their UUIDv7 key, made ahead of time."""

from datetime import UTC, datetime
from uuid import UUID

from hub.db.pool import Db

GROWING = (
    "notification",
    "delivery",
    "attempt",
    "receipt",
    "event",
    "callback",
    "callback_attempt",
    "audit",
)
_AHEAD = 3


def first_id(at: datetime) -> UUID:
    """The lowest UUIDv7 of that instant: every id made then or later is not below it."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def _month(at: datetime, plus: int = 0) -> datetime:
    index = at.year * 12 + at.month - 1 + plus
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)


async def make_ahead(db: Db, now: datetime | None = None) -> None:
    """Makes this month's partitions and those of the next months. Rows outside them (a clock far off) go to
    the default partition, so that an insert never fails for want of one."""
    now = now or datetime.now(UTC)
    for table in GROWING:
        await db.execute(f"CREATE TABLE IF NOT EXISTS {table}_default PARTITION OF {table} DEFAULT")
        for ahead in range(-1, _AHEAD + 1):
            start, end = _month(now, ahead), _month(now, ahead + 1)
            name = f"{table}_{start:%Y_%m}"
            if await db.fetchval("SELECT to_regclass($1)", name) is None:
                await db.execute(
                    f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table}"
                    f" FOR VALUES FROM ('{first_id(start)}') TO ('{first_id(end)}')"
                )
