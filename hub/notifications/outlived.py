"""Ends deliveries that waited behind an earlier one of their ordering key until they were not worth sending."""

from collections.abc import Collection
from uuid import UUID

from hub.db.pool import Connection
from hub.notifications import steps
from hub.notifications.model import GAVE_UP
from hub.notifications.storage import PERHAPS_SENT

_GIVEN_UP = f"""
UPDATE delivery AS d
   SET status = CASE WHEN {PERHAPS_SENT} THEN 'unknown' ELSE 'failed' END,
       -- As `settle.given_up`: by another channel marketing would perhaps be the second.
       reason = CASE WHEN d.category = 'marketing' AND {PERHAPS_SENT} THEN 'maybe_sent' ELSE '{GAVE_UP}' END,
       updated_at = now()
 WHERE d.id = ANY($1) AND d.status = 'queued'
RETURNING d.notification_id
"""  # noqa: S608 (constants)


async def end(connection: Connection, ids: Collection[UUID]) -> None:
    """Those of them that nobody holds. The next channel is opened where there is one, and the tick hands it out."""
    if not ids:
        return
    async with connection.transaction():
        free = await connection.fetch(
            "SELECT id FROM delivery WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED",
            list(ids),
        )
        rows = await connection.fetch(_GIVEN_UP, [row["id"] for row in free])
        ended = {row["notification_id"] for row in rows}
        await steps.advance(connection, ended)
        await steps.let_pass(connection, ended)
