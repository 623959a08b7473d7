"""What sources leave behind: names of events that nobody repeats any more, carts that are over, and all of a source that was removed."""

import asyncio
from datetime import datetime, timedelta

import structlog

from hub.db.pool import Connection
from hub.retention.months import PAUSE

log = structlog.get_logger()

KEYS_FOR = timedelta(days=14)
"""How long a platform's repeat is known by its name; later by what is known of the object."""

OVER_FOR = timedelta(days=14)
"""How long a cart that was bought or deleted is known to be over: after that no platform tells of it any more."""

REMOVED_FOR = timedelta(days=30)
"""A source that was removed, so that its last events tell where they came from."""

_PORTION = 1000

# What refers to a source, and nothing refers to it. In this order, and the source itself at last.
_OF_SOURCE = (
    ("source_object", "source_id = $1"),
    ("shop_event_key", "source_id = $1"),
    ("import_run", "source_id = $1"),
)


async def keep_house(connection: Connection, now: datetime) -> None:
    """Safe to repeat, and to break off anywhere."""
    await _drop(connection, "shop_event_key", "seen_at < $1", now - KEYS_FOR)
    await _drop(connection, "source_object", "kind = 'cart' AND deleted_at < $1", now - OVER_FOR)
    gone = await connection.fetch("SELECT id FROM source WHERE deleted_at < $1", now - REMOVED_FOR)
    for row in gone:
        for table, where in _OF_SOURCE:
            await _drop(connection, table, where, row["id"])
        await connection.execute("DELETE FROM source WHERE id = $1", row["id"])
        log.info("retention.source_dropped", source=str(row["id"]))


async def _drop(connection: Connection, table: str, where: str, argument: object) -> None:
    """In portions, each a short transaction."""
    while True:
        rows = await connection.fetch(
            f"""
            DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {where} LIMIT $2))
            RETURNING true
            """,  # noqa: S608 (constants)
            argument,
            _PORTION,
        )
        if len(rows) < _PORTION:
            return
        await asyncio.sleep(PAUSE.total_seconds())
