"""Whole months that nobody keeps any more: dropped at once, which costs the same however much is in them."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action
from hub.db import partitions
from hub.db.locks import IN_THE_WAY
from hub.db.partitions import Part, first_id
from hub.db.pool import Connection

log = structlog.get_logger()

PAUSE = timedelta(milliseconds=50)
"""Between two portions, so that everybody else has the disk for himself."""

# What belongs to deliveries and messages of that month and was written later: it would know a person whom no
# erasure finds any more.
_LATER_PARTS = {
    "delivery": {
        "attempt": "id",
        "receipt": "id",
        "sandbox_message": "id",
        "status_question": "delivery_id",
        "message_edit": "delivery_id",
        "message_page": "delivery_id",
        "held_delivery": "delivery_id",
    },
}
_PORTION = 1000

# Scheduled for long after it was accepted, or held back.
_ALIVE = {
    "delivery": "SELECT EXISTS (SELECT FROM {name} WHERE status IN ('queued', 'sending'))",
    "notification": """
        SELECT EXISTS (SELECT FROM {name} WHERE status IN ('scheduled', 'queued') OR step_at IS NOT NULL)
            OR EXISTS (SELECT FROM delivery WHERE notification_id < $1)
        """,
    "shop_event": "SELECT EXISTS (SELECT FROM {name} WHERE result = 'waiting')",
}


async def drop(connection: Connection, table: str, before: datetime) -> datetime | None:
    """Drops the months of a table that ended before then, with what was written later of what is in them. A month in
    which something is still to be sent stays, and so does what lies in no month (a clock was far off): until when
    rows have to go one by one, None where there are none.

    Nobody waits: a month that is in use at the moment is left for the next time.
    """
    left = before if await _has_outsiders(connection, table, before) else None
    for part in await partitions.parts(connection, table):
        if part.end > before:
            break
        if await _is_alive(connection, part):
            left = max(left, part.end) if left else part.end
            continue
        try:
            await _drop(connection, part)
        except IN_THE_WAY:
            log.info("retention.later", part=part.name)
    return left


async def _has_outsiders(connection: Connection, table: str, before: datetime) -> bool:
    key = "event_id" if table == "callback" else "id"
    found = await connection.fetchval(
        f"SELECT EXISTS (SELECT FROM {table}_default WHERE {key} < $1)",  # noqa: S608 (constants)
        first_id(before),
    )
    return bool(found)


async def _is_alive(connection: Connection, part: Part) -> bool:
    statement = _ALIVE.get(part.table)
    if statement is None:
        return False
    arguments = [first_id(part.end)] if "$1" in statement else []
    return bool(await connection.fetchval(statement.format(name=part.name), *arguments))


async def _drop(connection: Connection, part: Part) -> None:
    for table, key in _LATER_PARTS.get(part.table, {}).items():
        await _drop_later(connection, table, key, first_id(part.end))
    async with connection.transaction():
        if part.table == "delivery":
            await connection.execute(TOTALS.format(source=part.name))
        await partitions.drop(connection, part)
        await audit.record(connection, None, SYSTEM, Action.DATA_DROPPED, part.name)
    log.info("retention.dropped", part=part.name)


async def _drop_later(connection: Connection, table: str, key: str, before: UUID) -> None:
    while True:
        rows = await connection.fetch(
            f"""
            DELETE FROM {table} WHERE {key} IN (
                SELECT {key} FROM {table} WHERE delivery_id < $1 LIMIT $2)
            RETURNING true
            """,  # noqa: S608 (constants)
            before,
            _PORTION,
        )
        if len(rows) < _PORTION:
            return
        await asyncio.sleep(PAUSE.total_seconds())


TOTALS = """
    INSERT INTO delivery_total AS t
        (shop_id, month, channel, category, provider, status, deliveries, cost)
    SELECT shop_id, date_trunc('month', created_at AT TIME ZONE 'UTC')::date, channel, category,
           coalesce(provider, ''), status, count(*), coalesce(sum(cost), 0)
      FROM {source}
     GROUP BY 1, 2, 3, 4, 5, 6
     ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (shop_id, month, channel, category, provider, status) DO UPDATE
       SET deliveries = t.deliveries + excluded.deliveries, cost = t.cost + excluded.cost
"""
"""Counts what goes. `source`: the rows."""
