"""Takes due callbacks for one worker and writes what came of the calls."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from hub.db.pool import Connection, Db
from hub.ids import made_at, new_id
from hub.webhooks.model import (
    FAILING_FOR,
    PATIENCE,
    Answer,
    Attempt,
    Claimed,
    Outcome,
    Status,
    Verdict,
)

LEASE = timedelta(seconds=45)
"""Longer than a call may take; what a dead worker held is due again after it."""

# The endpoints in turn, each with as many as it has room for. A round begins with its first try: however long a callback
# waited for it, because the hub was off or the endpoint left alone, does not count. A lease and not a row lock: a call may take
# 15 seconds, and no connection is held meanwhile.
_CLAIM = """
WITH room AS (
    SELECT w.id, CASE WHEN w.failures >= $1 THEN 1 ELSE $2 END - coalesce(busy.calls, 0) AS free
      FROM webhook AS w LEFT JOIN unnest($3::uuid[], $4::int[]) AS busy (id, calls) ON busy.id = w.id
     WHERE w.active AND (w.paused_until IS NULL OR w.paused_until <= now())
), due AS (
    SELECT c.event_id, c.webhook_id
      FROM (SELECT * FROM room ORDER BY random()) AS room
     CROSS JOIN LATERAL (
           SELECT event_id, webhook_id FROM callback
            WHERE webhook_id = room.id AND status = 'pending' AND due_at <= now()
            ORDER BY due_at LIMIT greatest(room.free, 0)
              FOR UPDATE SKIP LOCKED) AS c
     LIMIT $5
), claimed AS (
    UPDATE callback AS c
       SET due_at = now() + $6, leased_by = $7, begun_at = CASE WHEN c.tries = 0 THEN now() ELSE c.begun_at END
      FROM due WHERE c.event_id = due.event_id AND c.webhook_id = due.webhook_id
    RETURNING c.*
)
SELECT c.event_id, c.webhook_id, c.shop_id, e.type, e.body, w.url, w.secret,
       CASE WHEN w.previous_until > now() THEN w.previous_secret END AS previous_secret,
       w.failures, c.tries, c.attempt_count, c.begun_at, c.repeats
  FROM claimed AS c
  JOIN webhook AS w ON w.id = c.webhook_id
  JOIN event AS e ON e.id = c.event_id
"""


async def claim(
    db: Db, worker: UUID, busy: Mapping[UUID, int], *, each: int, limit: int
) -> list[Claimed]:
    """At most `limit`, and of one endpoint `each` less those that are `busy` already."""
    rows = await db.fetch(
        _CLAIM, PATIENCE, each, list(busy), list(busy.values()), limit, LEASE, worker
    )
    return [Claimed(**row) for row in rows]


def attempt_of(claimed: Claimed, answer: Answer, verdict: Verdict, took: timedelta) -> Attempt:
    """The row of a call that has just ended and took so long."""
    id_ = new_id()
    return Attempt(
        id=id_,
        event_id=claimed.event_id,
        type=claimed.type,
        number=claimed.attempt_count + 1,
        outcome=answer.outcome,
        reason=answer.reason,
        http_status=answer.http_status,
        answer=answer.text,
        started_at=made_at(id_) - took,
        duration=took,
        next_at=verdict.next_at,
    )


async def record(
    connection: Connection, claimed: Claimed, attempt: Attempt, verdict: Verdict, worker: UUID
) -> None:
    """The attempt is kept in any case; the callback moves only while this worker has it."""
    await connection.execute(
        """
        WITH told AS (
            INSERT INTO callback_attempt (id, shop_id, webhook_id, event_id, type, number, outcome, reason,
                                          http_status, answer, started_at, duration, next_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
                    -- Whoever it was about may have been erased while the backend thought.
                    CASE WHEN EXISTS (SELECT FROM event WHERE id = $4) THEN $10 ELSE '' END,
                    $11, $12, $13)
        )
        UPDATE callback
           SET status = $14, due_at = coalesce($13, due_at), tries = tries + 1, attempt_count = $6,
               leased_by = NULL
         WHERE event_id = $4 AND webhook_id = $3 AND leased_by = $15
        """,
        attempt.id,
        claimed.shop_id,
        claimed.webhook_id,
        claimed.event_id,
        attempt.type,
        attempt.number,
        attempt.outcome,
        attempt.reason,
        attempt.http_status,
        attempt.answer,
        attempt.started_at,
        attempt.duration,
        attempt.next_at,
        verdict.status,
        worker,
    )
    if attempt.outcome is Outcome.SUCCEEDED:
        await _works(connection, claimed)
    elif claimed.repeats:
        await _does_not_work(connection, claimed, attempt, verdict)


async def _works(connection: Connection, claimed: Claimed) -> None:
    await connection.execute(
        "UPDATE webhook SET failures = 0, failing_since = NULL, paused_until = NULL"
        " WHERE id = $1 AND failing_since IS NOT NULL",
        claimed.webhook_id,
    )


async def _does_not_work(
    connection: Connection, claimed: Claimed, attempt: Attempt, verdict: Verdict
) -> None:
    # An answer of the former URL says nothing of the present one.
    await connection.execute(
        """
        UPDATE webhook
           SET failures = failures + 1, failing_since = coalesce(failing_since, $3),
               paused_until = greatest(paused_until, now() + $4::interval)
         WHERE id = $1 AND url = $2
        """,
        claimed.webhook_id,
        claimed.url,
        attempt.started_at,
        verdict.pause,
    )


async def disable(connection: Connection, claimed: Claimed, reason: str, *, at_once: bool) -> bool:
    """The endpoint is called no more; what waits for it waits on, the callback in hand among it. Unless
    `at_once`, only after `FAILING_FOR` without a success. False: nothing has changed."""
    disabled = await connection.fetchval(
        """
        UPDATE webhook SET active = false, disabled_reason = $3, disabled_at = now(), updated_at = now()
         WHERE id = $1 AND url = $2 AND active AND ($4 OR failing_since <= now() - $5::interval)
        RETURNING true
        """,
        claimed.webhook_id,
        claimed.url,
        reason,
        at_once,
        FAILING_FOR,
    )
    if disabled and claimed.repeats:
        await connection.execute(
            "UPDATE callback SET status = $3 WHERE event_id = $1 AND webhook_id = $2",
            claimed.event_id,
            claimed.webhook_id,
            Status.PENDING,
        )
    return bool(disabled)


async def free(db: Db, worker: UUID) -> None:
    """That worker is dead, or has ended: what it held is due."""
    await db.execute(
        "UPDATE callback SET due_at = now(), leased_by = NULL"
        " WHERE leased_by = $1 AND status = 'pending'",
        worker,
    )


async def take_back(db: Db) -> None:
    """At the start of the only instance on a database: whoever held a lease is dead."""
    await db.execute(
        "UPDATE callback SET due_at = now(), leased_by = NULL"
        " WHERE leased_by IS NOT NULL AND status = 'pending'"
    )
