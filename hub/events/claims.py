"""Takes due events for one worker and writes what came of them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from hub.db.pool import Connection, Db
from hub.events.model import Claimed, Done
from hub.ids import made_at
from hub.sources import queries
from hub.sources.model import Action, Kind, Result, Via

LEASE = timedelta(seconds=60)
"""Longer than an event may take; what a dead worker held is due again after it."""

# Sources in turn, each with as many as it has room for, and of an object only the oldest that is due or in hand: one that
# waits for another try does not block the newer ones, which carry the whole state. What has to ask the platform first waits
# while that is paused, and is not looked through meanwhile; the first try of what it is to be told does more than ask it.
_CLAIM = """
WITH room AS (
    SELECT q.id, q.paused_until IS NOT NULL AND q.paused_until > now() AS paused,
           $1 - coalesce(busy.calls, 0) AS free
      FROM source AS q LEFT JOIN unnest($2::uuid[], $3::int[]) AS busy (id, calls) ON busy.id = q.id
     WHERE q.active AND q.deleted_at IS NULL
), due AS (
    SELECT e.id
      FROM (SELECT room.id, room.free, asks.it AS asks
              FROM room CROSS JOIN (VALUES (false), (true)) AS asks (it)
             WHERE room.free > 0 AND NOT (room.paused AND asks.it) ORDER BY random()) AS room
     CROSS JOIN LATERAL (
           SELECT e.id FROM shop_event AS e
            WHERE e.source_id = room.id AND (e.payload IS NULL OR e.via = 'write' AND e.tries > 0) = room.asks
              AND e.result = 'waiting' AND e.due_at <= now()
              AND NOT EXISTS (
                  SELECT FROM shop_event AS o
                   WHERE o.source_id = e.source_id AND o.kind = e.kind AND o.object = e.object AND o.id < e.id
                     AND o.result = 'waiting' AND (o.due_at <= now() OR o.leased_by IS NOT NULL))
            ORDER BY e.due_at, e.id LIMIT room.free FOR UPDATE OF e SKIP LOCKED) AS e
     LIMIT $4
)
UPDATE shop_event AS e SET due_at = now() + $5::interval, leased_by = $6, tries = tries + 1
  FROM due WHERE e.id = due.id
RETURNING e.id, e.shop_id, e.source_id, e.kind, e.action, e.object, e.via, e.happened_at, e.payload, e.quiet, e.tries
"""


class Lost(Exception):
    """Somebody else has it by now: nothing of it may be written."""


async def claim(
    db: Db, worker: UUID, busy: Mapping[UUID, int] | None = None, *, each: int, limit: int
) -> list[Claimed]:
    """At most `limit`, and of one source `each` less those that are `busy` already, twice that where some of them have
    to ask the platform and some have not; the oldest first."""
    busy = busy or {}
    rows = await db.fetch(_CLAIM, each, list(busy), list(busy.values()), limit, LEASE, worker)
    if not rows:
        return []
    sources = await queries.many(db, list({row["source_id"] for row in rows}))
    return [
        Claimed(
            id=row["id"],
            shop_id=row["shop_id"],
            source=sources[row["source_id"]],
            kind=Kind(row["kind"]),
            action=Action(row["action"]),
            object=row["object"],
            via=Via(row["via"]),
            happened_at=row["happened_at"],
            received_at=made_at(row["id"]),
            payload=row["payload"],
            quiet=row["quiet"],
            tries=row["tries"],
            worker=worker,
        )
        for row in sorted(rows, key=lambda row: row["id"])
    ]


async def done(
    conn: Connection, claimed: Claimed, done: Done, payload: Mapping[str, Any] | None = None
) -> None:
    """In the transaction of what came of it. `payload`: what was read for it. Raises `Lost`."""
    ours = await conn.fetchval(
        """
        UPDATE shop_event
           SET result = $3, reason = $4, contact_id = coalesce($5, contact_id), set_off = $6,
               payload = CASE WHEN $8 THEN coalesce($7, payload) END, leased_by = NULL, handled_at = now()
         WHERE id = $1 AND leased_by = $2 AND result = 'waiting'
        RETURNING true
        """,
        claimed.id,
        claimed.worker,
        done.result,
        done.reason[:500],
        done.contact_id,
        done.set_off.as_json() if done.set_off else None,
        payload,
        done.keep,
    )
    if not ours:
        raise Lost


async def later(
    db: Db, claimed: Claimed, after: timedelta, reason: str, *, counts: bool = True
) -> None:
    """It is tried again then. `counts` false: as if this try had not been."""
    await db.execute(
        """
        UPDATE shop_event SET due_at = now() + $3::interval, reason = $4, leased_by = NULL,
               tries = CASE WHEN $5 THEN tries ELSE greatest(tries - 1, 0) END
         WHERE id = $1 AND leased_by = $2 AND result = 'waiting'
        """,
        claimed.id,
        claimed.worker,
        after,
        reason[:500],
        counts,
    )


async def failed(db: Db, claimed: Claimed, reason: str) -> None:
    """It stays as it is until somebody has it tried again."""
    await db.execute(
        """
        UPDATE shop_event SET result = $3, reason = $4, leased_by = NULL, handled_at = now()
         WHERE id = $1 AND leased_by = $2 AND result = 'waiting'
        """,
        claimed.id,
        claimed.worker,
        Result.FAILED,
        reason[:500],
    )


async def free(db: Db, worker: UUID) -> None:
    """That worker is dead, or has ended: what it held is due."""
    await db.execute(
        "UPDATE shop_event SET due_at = now(), leased_by = NULL"
        " WHERE leased_by = $1 AND result = 'waiting'",
        worker,
    )


async def take_back(db: Db) -> None:
    """At the start of the only instance on a database: whoever held a lease is dead."""
    await db.execute(
        "UPDATE shop_event SET due_at = now(), leased_by = NULL"
        " WHERE leased_by IS NOT NULL AND result = 'waiting'"
    )
    await db.execute(
        "UPDATE source SET read_due_at = now(), read_by = NULL WHERE read_by IS NOT NULL"
    )


async def calm(conn: Connection) -> None:
    """After a backup was restored: what it had in hand may have been told since. It is taken over quietly, nothing is
    written to platforms, no rule waits any more."""
    await conn.execute("UPDATE shop_event SET quiet = true WHERE result = 'waiting'")
    await conn.execute(
        """
        UPDATE shop_event SET result = 'failed', reason = 'restored', leased_by = NULL, handled_at = now()
         WHERE result = 'waiting' AND via = 'write'
        """
    )
    await conn.execute("DELETE FROM rule_timer WHERE due_at <= now()")
    await conn.execute("UPDATE source SET quiet_before = now()")
