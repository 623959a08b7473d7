"""What was due when a backup was restored: held, because the hub that was lost may have sent it, until somebody
says what shall become of it, or until it is not worth telling any more."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog

from hub.db.pool import Connection, Db
from hub.notifications import steps
from hub.notifications.attempts import COLUMNS, OF_ATTEMPT
from hub.notifications.model import LIFETIME
from hub.notifications.steps import TRIED

log = structlog.get_logger()

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""As a time to be due: never by itself. As the answer to "since when?": none of it."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""As the answer to "since when?": all of it."""

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many deliveries of one shop and category wait, and when the first and the last of them were due. `behind`: how
    many newer ones wait for them, being of the same ordering key."""

    shop: str
    category: str
    count: int
    first: datetime
    last: datetime
    behind: int


@dataclass(frozen=True, slots=True)
class Released:
    """How many deliveries go out, and how many ended without that."""

    sent: int = 0
    ended: int = 0


async def hold(connection: Connection) -> int:
    """Holds everything that is due by now or was in hand, and cascades that would go on; how many deliveries.

    For a database that nobody works with: right after its restoration. Safe to repeat.
    """
    async with connection.transaction():
        await _out_of_hand(connection)
        count = await connection.fetchval(_HOLD, *_lifetimes(), FOREVER)
        await connection.execute(_HOLD_STEPS, *_lifetimes(), FOREVER)
    return int(count)


async def waiting(db: Db) -> list[Waiting]:
    rows = await db.fetch(
        """
        SELECT s.slug AS shop, d.category, count(DISTINCT d.id) AS count, min(h.due_at) AS first,
               max(h.due_at) AS last, count(DISTINCT newer.id) AS behind
          FROM held_delivery AS h
          JOIN delivery AS d ON d.id = h.delivery_id AND d.status = 'queued' AND d.due_at = $1
          JOIN shop AS s ON s.id = h.shop_id
          LEFT JOIN delivery AS newer
            ON newer.contact_id = d.contact_id AND newer.ordering_key = d.ordering_key
           AND newer.status = 'queued' AND newer.due_at <= now()
         GROUP BY 1, 2 ORDER BY 1, 2
        """,
        FOREVER,
    )
    return [Waiting(**row) for row in rows]


async def release(connection: Connection, since: datetime) -> Released:
    """Sends what was due at `since` or later, and ends the rest as `unknown`: it may have been sent. What is not
    worth telling any more ends as `expired`. Safe to repeat and beside a running hub."""
    sent = ended = 0
    while True:
        async with connection.transaction():
            rows = await _some(connection, "true")
            if not rows:
                break
            now = datetime.now(UTC)
            go = [r.id for r in rows if r.due_at >= since and r.outlived_at > now]
            late = [r for r in rows if r.due_at >= since and r.outlived_at <= now]
            await _send(connection, go, doubtful=since == BEGINNING)
            await _end(connection, late, "expired", "expired")
            await _end(connection, [r for r in rows if r.due_at < since], "unknown", "restored")
            await _forget(connection, rows)
            sent, ended = sent + len(go), ended + len(rows) - len(go)
    await _release_steps(connection, since)
    return Released(sent, ended)


async def end_outlived(connection: Connection) -> bool:
    """Nobody said what shall become of these, and now it is too late to tell them. Whether there are more of them."""
    async with connection.transaction():
        rows = await _some(connection, "h.outlived_at <= now()")
        if rows:
            await _end(connection, rows, "unknown", "restored")
            await _forget(connection, rows)
            log.warning("held.outlived", deliveries=len(rows))
        await connection.execute(
            """
            WITH over AS (DELETE FROM held_step WHERE outlived_at <= now() RETURNING notification_id)
            UPDATE notification AS n SET step_at = NULL
              FROM over WHERE n.id = over.notification_id AND n.step_at = $1
            """,
            FOREVER,
        )
    return len(rows) == _AT_ONCE


# When a thing is no longer worth telling: as its request says, else by its category, from when it was to be told.
_OUTLIVED = """
least(n.expires_at, greatest(n.created_at, n.send_at, n.held_until) + life.lasts)
"""

_HOLD = f"""
WITH held AS (
    INSERT INTO held_delivery (delivery_id, shop_id, due_at, outlived_at)
    SELECT d.id, d.shop_id, d.due_at, {_OUTLIVED}
      FROM delivery AS d
      JOIN notification AS n ON n.id = d.notification_id
      JOIN unnest($1::text[], $2::interval[]) AS life (category, lasts) ON life.category = d.category
     WHERE d.status = 'queued' AND d.due_at <= now()
    ON CONFLICT (delivery_id) DO UPDATE SET due_at = excluded.due_at
    RETURNING delivery_id
), waits AS (
    UPDATE delivery AS d SET reason = 'held', due_at = $3, handout_at = $3, updated_at = now()
      FROM held WHERE d.id = held.delivery_id
    RETURNING 1
)
SELECT count(*) FROM waits
"""  # noqa: S608 (constants)

_HOLD_STEPS = f"""
WITH held AS (
    INSERT INTO held_step (notification_id, shop_id, step_at, outlived_at)
    SELECT n.id, n.shop_id, n.step_at, {_OUTLIVED}
      FROM notification AS n
      JOIN unnest($1::text[], $2::interval[]) AS life (category, lasts) ON life.category = n.category
     WHERE n.step_at <= now()
    ON CONFLICT (notification_id) DO UPDATE SET step_at = excluded.step_at
    RETURNING notification_id
)
UPDATE notification AS n SET step_at = $3 FROM held WHERE n.id = held.notification_id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class _Row:
    id: UUID
    notification_id: UUID
    due_at: datetime
    outlived_at: datetime


async def _out_of_hand(connection: Connection) -> None:
    """Calls that were under way when the backup was made: whether they came through was written down only in
    the database that is lost."""
    rows = await connection.fetch(
        f"""
        WITH closed AS (
            UPDATE attempt AS a SET outcome = 'unknown', finished_at = now(), code = 'restored'
              FROM delivery AS d
             WHERE d.status = 'sending' AND a.delivery_id = d.id AND a.outcome IS NULL
            RETURNING a.delivery_id, a.account, a.provider, a.batch_key, a.number + 1 AS attempt_count
        )
        UPDATE delivery AS d
           SET status = CASE WHEN t.attempt_count IS NOT NULL AND category = 'marketing' THEN 'unknown' ELSE 'queued' END,
               route = CASE WHEN greatest(d.attempt_count, t.attempt_count) > 0 THEN {TRIED} ELSE route END,
               reason = 'restored', maybe_duplicate = maybe_duplicate OR t.attempt_count IS NOT NULL,
               leased_until = NULL, leased_by = NULL, updated_at = now(), {OF_ATTEMPT}
          FROM (SELECT sending.id, {COLUMNS}
                  FROM (SELECT id FROM delivery WHERE status = 'sending') AS sending
                  LEFT JOIN closed ON closed.delivery_id = sending.id) AS t
         WHERE d.id = t.id
        RETURNING d.notification_id, d.status
        """  # noqa: S608
    )
    unknown = {row["notification_id"] for row in rows if row["status"] == "unknown"}
    await steps.advance(connection, unknown, too_late=unknown)


async def _some(connection: Connection, which: str) -> list[_Row]:
    """Those that were cancelled, collapsed or erased meanwhile are left out, and forgotten."""
    await connection.execute(
        f"""
        DELETE FROM held_delivery AS h
         WHERE {which} AND NOT EXISTS (SELECT FROM delivery AS d WHERE d.id = h.delivery_id
                                          AND d.status = 'queued' AND d.due_at = $1)
        """,  # noqa: S608
        FOREVER,
    )
    rows = await connection.fetch(
        f"""
        SELECT d.id, d.notification_id, h.due_at, h.outlived_at
          FROM held_delivery AS h JOIN delivery AS d ON d.id = h.delivery_id
         WHERE {which} ORDER BY d.id LIMIT $1 FOR UPDATE OF d
        """,  # noqa: S608
        _AT_ONCE,
    )
    return [_Row(**row) for row in rows]


async def _send(connection: Connection, ids: Sequence[UUID], *, doubtful: bool) -> None:
    """As much time to try it as there was left when it was due. The tick hands it out.

    `doubtful`: nobody has said since when the lost hub sent nothing, so each may be the second.
    """
    await connection.execute(
        """
        UPDATE delivery AS d
           SET reason = NULL, due_at = now(), handout_at = now(), updated_at = now(),
               give_up_at = greatest(d.give_up_at, d.give_up_at + (now() - h.due_at)),
               maybe_duplicate = d.maybe_duplicate OR $2
          FROM held_delivery AS h WHERE h.delivery_id = d.id AND d.id = ANY($1)
        """,
        ids,
        doubtful,
    )


async def _end(connection: Connection, rows: Collection[_Row], status: str, reason: str) -> None:
    """No other channel is tried: the person may know, or it is too late."""
    ended = {row.notification_id for row in rows}
    await connection.execute(
        "UPDATE delivery SET status = $2, reason = $3, updated_at = now() WHERE id = ANY($1)",
        [row.id for row in rows],
        status,
        reason,
    )
    await steps.advance(connection, ended, too_late=ended)
    await steps.let_pass(connection, ended)


async def _forget(connection: Connection, rows: Collection[_Row]) -> None:
    await connection.execute(
        "DELETE FROM held_delivery WHERE delivery_id = ANY($1)", [row.id for row in rows]
    )


async def _release_steps(connection: Connection, since: datetime) -> None:
    await connection.execute(
        """
        WITH held AS (DELETE FROM held_step RETURNING notification_id, step_at, outlived_at)
        UPDATE notification AS n
           SET step_at = CASE WHEN held.step_at >= $1 AND held.outlived_at > now() THEN held.step_at END
          FROM held WHERE n.id = held.notification_id AND n.step_at = $2
        """,
        since,
        FOREVER,
    )


def _lifetimes() -> tuple[list[str], list[object]]:
    return [str(category) for category in LIFETIME], list(LIFETIME.values())
