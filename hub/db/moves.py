"""What rows get that were there before a step of the schema: in portions, so that nobody waits for it.

A step's own SQL is one transaction, which would hold every row that it writes till its end. Cut short, a move begins anew and
passes over what it has done.
"""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

import asyncpg
import structlog

log = structlog.get_logger()

_PORTION = 2000
_FIRST = UUID(int=0)

_LISTED = """
WITH portion AS (
    SELECT id, CASE WHEN status IN ('failed', 'unknown', 'expired', 'undeliverable', 'cancelled', 'collapsed')
               THEN status END AS listed,
           CASE WHEN status IN ('scheduled', 'queued') THEN expires_at END AS ends_at
      FROM {part} WHERE id > $1 ORDER BY id LIMIT $2 FOR UPDATE
), moved AS (
    UPDATE {part} AS n SET listed = portion.listed, ends_at = portion.ends_at
      FROM portion
     WHERE n.id = portion.id AND (n.listed, n.ends_at) IS DISTINCT FROM (portion.listed, portion.ends_at)
)
SELECT id FROM portion ORDER BY id DESC LIMIT 1
"""


async def list_notifications(connection: asyncpg.Connection) -> None:
    """The columns that step 42 adds."""
    parts = await connection.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent = 'notification'::regclass ORDER BY 1"
    )
    for part in parts:
        statement, last = _LISTED.format(part=part["name"]), _FIRST
        while found := await connection.fetchval(statement, last, _PORTION):
            last = found
        if last != _FIRST:
            log.info("rows.moved", table=part["name"])


BEFORE: Mapping[int, Callable[[asyncpg.Connection], Awaitable[None]]] = {43: list_notifications}
"""By the number of the step that needs it done."""
