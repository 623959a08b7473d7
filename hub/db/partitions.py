"""Tables that grow are cut by month of their UUIDv7 key, made ahead of time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import structlog

from hub.db.locks import IN_THE_WAY, briefly
from hub.db.pool import Connection

log = structlog.get_logger()

GROWING = (
    "notification",
    "delivery",
    "attempt",
    "receipt",
    "event",
    "callback",
    "callback_attempt",
    "audit",
    "shop_event",
)
_FILLED: Mapping[str, int] = {"delivery": 60, "notification": 50}
"""In hundredths, how full a page gets by new rows. The rest is for what becomes of them, beside them: a delivery is written
twice more until it is sent, a notification once, in its place."""
_AHEAD = 3
_DROP_WAIT = timedelta(milliseconds=200)


def first_id(at: datetime) -> UUID:
    """The lowest UUIDv7 of that instant: every id made then or later is not below it."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def _month(at: datetime, plus: int = 0) -> datetime:
    index = at.year * 12 + at.month - 1 + plus
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)


async def make_ahead(db: Connection, now: datetime | None = None) -> None:
    """Makes this month's partitions and those of the next months. Rows outside them (a clock far off) go to
    the default partition, so that an insert never fails for want of one.

    A backup keeps its hands on the tables as long as it reads them, and everybody else would wait behind us for
    their turn: rather than that, the rest is left for the next time.
    """
    now = now or datetime.now(UTC)
    try:
        for table in GROWING:
            await _make(db, f"{table}_default", f"{table} DEFAULT")
            for ahead in range(-1, _AHEAD + 1):
                await _make_if_it_may_be(db, table, _month(now, ahead))
        await _leave_room(db)
    except IN_THE_WAY:
        log.warning("partitions.later", hint="somebody reads the tables, a backup for one")


async def _make_if_it_may_be(db: Connection, table: str, at: datetime) -> None:
    """Rows of that month stand in the default partition, of a time when a clock was far off: there they stay, and those
    that come join them."""
    try:
        # Looked for first: PostgreSQL itself would read the whole partition through for them, and nobody gets at the
        # table meanwhile.
        if not await _are_in_the_way(db, table, at):
            await make(db, table, at)
            return
    except asyncpg.CheckViolationError:
        pass
    log.warning("partitions.rows_in_the_way", table=table, month=f"{at:%Y-%m}")


async def _are_in_the_way(db: Connection, table: str, at: datetime) -> bool:
    key = "event_id" if table == "callback" else "id"
    found = await db.fetchval(
        f"SELECT EXISTS (SELECT FROM {table}_default WHERE {key} >= $1 AND {key} < $2)",  # noqa: S608 (constants)
        first_id(_month(at)),
        first_id(_month(at, 1)),
    )
    return bool(found)


@dataclass(frozen=True, slots=True)
class Part:
    """One month of a table: what was made from `start` to before `end`."""

    table: str
    name: str
    start: datetime
    end: datetime


async def parts(db: Connection, table: str) -> list[Part]:
    """The months there are, the oldest first; the default partition is none of them."""
    rows = await db.fetch(
        """
        SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = to_regclass($1)
        """,
        table,
    )
    found = []
    for row in rows:
        if named := re.fullmatch(rf"{table}_(\d{{4}})_(\d\d)", row["relname"]):
            start = datetime(int(named[1]), int(named[2]), 1, tzinfo=UTC)
            found.append(Part(table, row["relname"], start, _month(start, 1)))
    return sorted(found, key=lambda part: part.start)


async def drop(db: Connection, part: Part) -> None:
    """In the caller's transaction, which ends soon. Whoever uses the table waits behind us as long as we wait: no
    longer than `_DROP_WAIT`. Raises what `IN_THE_WAY` lists."""
    await db.execute(f"SET LOCAL lock_timeout = '{_DROP_WAIT // timedelta(milliseconds=1)}ms'")
    await db.execute(f"DROP TABLE {part.name}")


async def make(db: Connection, table: str, at: datetime) -> None:
    """The month in which that is. Raises what `IN_THE_WAY` lists."""
    start, end = _month(at), _month(at, 1)
    values = f"FROM ('{first_id(start)}') TO ('{first_id(end)}')"
    await _make(db, f"{table}_{start:%Y_%m}", f"{table} FOR VALUES {values}")


async def _make(db: Connection, name: str, of: str) -> None:
    if await db.fetchval("SELECT to_regclass($1)", name) is None:
        async with briefly(db):
            await db.execute(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {of}")


async def _leave_room(db: Connection) -> None:
    """Those that a version made which did not know of it, too. What is full already stays so."""
    for table, filled in _FILLED.items():
        option = f"fillfactor={filled}"
        rows = await db.fetch(
            """
            SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = to_regclass($1) AND NOT coalesce($2 = ANY(c.reloptions), false)
            """,
            table,
            option,
        )
        for row in rows:
            async with briefly(db):
                await db.execute(f"ALTER TABLE {row['relname']} SET ({option})")
