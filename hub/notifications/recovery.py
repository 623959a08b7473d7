"""Takes back what dead workers held, by the rule of what may have been sent."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from asyncpg import Record

from channels.base import Category, Channel
from hub.accounts import health
from hub.db.pool import Connection, Db
from hub.notifications import attempts, steps
from hub.notifications.attempts import COLUMNS, OF_ATTEMPT
from hub.notifications.model import DeliveryStatus
from hub.notifications.settle import InHand, Settled, after_crash
from hub.notifications.steps import TRIED, Due
from hub.resources import Hub
from hub.webhooks import claims as callbacks

log = structlog.get_logger()

_AT_ONCE = 1000


async def take_back(db: Db) -> None:
    """At the start of the only instance on a database: whoever held a lease is dead, and accounts get
    another try. The tick then does what the rules say."""
    await db.execute(
        "UPDATE delivery SET leased_until = now() - interval '1 second' WHERE status = 'sending'"
    )
    await hand_out_anew(db)
    await health.lift_all(db)
    await callbacks.take_back(db)


async def hand_out_anew(db: Db) -> None:
    """Whatever was handed out and is not in a worker's hand: nobody knows of it any more."""
    await db.execute(
        """
        WITH gone AS (
            SELECT d.id FROM shop CROSS JOIN unnest($1::text[]) AS c (category)
             CROSS JOIN LATERAL (
                   SELECT id FROM delivery
                    WHERE shop_id = shop.id AND category = c.category AND status = 'queued'
                      AND handout_at > now() AND due_at <= now()) AS d
        )
        UPDATE delivery AS d SET handout_at = now() FROM gone WHERE d.id = gone.id
        """,
        list(Category),
    )


async def free(db: Db, worker: UUID) -> None:
    """That worker is dead, or has ended: what it still holds need not wait for its leases to run out."""
    await db.execute(
        "UPDATE delivery SET leased_until = now() WHERE leased_by = $1 AND status = 'sending'",
        worker,
    )
    await callbacks.free(db, worker)


async def expired_leases(hub: Hub, connection: Connection) -> list[Due]:
    """Settles deliveries whose worker no longer renews its lease; those to be sent (again) are returned."""
    async with connection.transaction():
        rows = await connection.fetch(
            """
            SELECT d.id, d.shop_id, d.notification_id, d.channel, d.category, coalesce(t.account, d.account) AS account,
                   greatest(d.attempt_count, (SELECT count(*) FROM attempt AS a WHERE a.delivery_id = d.id))::int
                     AS attempt_count, d.give_up_at, d.maybe_duplicate,
                   t.started_at, t.provider, t.batch_key
              FROM delivery AS d
              LEFT JOIN LATERAL (
                   SELECT * FROM attempt AS a
                    WHERE a.delivery_id = d.id AND a.outcome IS NULL AND a.number = d.attempt_count
                    ORDER BY a.id DESC LIMIT 1) AS t ON true
             WHERE d.status = 'sending' AND d.leased_until <= now()
             LIMIT $1 FOR UPDATE OF d SKIP LOCKED
            """,
            _AT_ONCE,
        )
        if not rows:
            return []
        now = datetime.now(UTC)
        settled = [_after_crash(hub, dict(r), now) for r in rows]
        log.warning("recovery.taken_back", deliveries=len(rows))
        await _write(connection, rows, settled)
        begun = [r["id"] for r in rows if r["started_at"]]
        await attempts.write_unknown(connection, begun, "worker-died")
        ended = {
            r["notification_id"]
            for r, s in zip(rows, settled, strict=True)
            if s.status is not DeliveryStatus.QUEUED
        }
        opened = await steps.advance(connection, ended)
        await steps.let_pass(connection, ended)
        again = [
            Due(Category(r["category"]), r["id"])
            for r, s in zip(rows, settled, strict=True)
            if s.status is DeliveryStatus.QUEUED
        ]
        return opened + again


def _after_crash(hub: Hub, row: dict[str, Any], now: datetime) -> Settled:
    account = hub.accounts.get(row["shop_id"], row["account"] or "")
    delivery = InHand(
        id=row["id"],
        category=Category(row["category"]),
        channel=Channel(row["channel"]),
        attempt_count=row["attempt_count"],
        give_up_at=row["give_up_at"],
        deduplicates=account.deduplicates if account else timedelta(0),
        maybe_duplicate=row["maybe_duplicate"],
    )
    return after_crash(delivery, called_at=row["started_at"], now=now)


async def _write(
    connection: Connection, rows: Sequence[Record], settled: Sequence[Settled]
) -> None:
    """With what the worker that died did not come to write of its last calls."""
    await connection.execute(
        f"""
        UPDATE delivery AS d
           SET status = t.status, reason = t.reason, maybe_duplicate = t.maybe_duplicate,
               route = CASE WHEN t.attempt_count > 0 THEN {TRIED} ELSE d.route END,
               due_at = coalesce(t.due_at, d.due_at), handout_at = now() + interval '10 seconds',
               leased_until = NULL, leased_by = NULL, updated_at = now(), {OF_ATTEMPT}
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::timestamptz[],
                      $6::text[], $7::text[], $8::uuid[], $9::int[])
            AS t (id, status, reason, maybe_duplicate, due_at, {COLUMNS})
         WHERE d.id = t.id AND d.id = ANY($1)
        """,  # noqa: S608
        [s.id for s in settled],
        [s.status for s in settled],
        [s.reason for s in settled],
        [s.maybe_duplicate for s in settled],
        [s.due_at for s in settled],
        *(
            [r[name] for r in rows]
            for name in ("account", "provider", "batch_key", "attempt_count")
        ),
    )
