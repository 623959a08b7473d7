"""Indexes that only the version before looks for, and that cost every message something: they go when it has gone."""

from collections.abc import Mapping
from datetime import timedelta

import structlog

from hub.db.locks import IN_THE_WAY, briefly
from hub.db.pool import Connection

log = structlog.get_logger()

RETIRED: Mapping[str, int] = {"notification_rare": 43, "notification_expires": 43}
"""By name, the step since which nobody needs it."""

GRACE = timedelta(days=1)
"""Longer than a fleet runs with roles of two versions; those that do are slow after it, and right."""


async def take_away(connection: Connection, *, at_once: bool = False) -> None:
    """`at_once`: no other role is at work. What is in use at the moment stays until the next time."""
    for name, step in RETIRED.items():
        due = await connection.fetchval(
            "SELECT $3 OR applied_at < now() - $2::interval FROM schema_step WHERE number = $1",
            step,
            GRACE,
            at_once,
        )
        if not due or await connection.fetchval("SELECT to_regclass($1)", name) is None:
            continue
        try:
            async with briefly(connection):
                await connection.execute(f"DROP INDEX IF EXISTS {name}")
        except IN_THE_WAY:
            return
        log.info("index.retired", index=name)
