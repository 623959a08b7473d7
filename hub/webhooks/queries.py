"""SQL of webhooks as the API sees them, and of the events that are told to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from hub.db.pool import Connection, Db
from hub.webhooks.model import Attempt, Outcome, Webhook

_COLUMNS = """id, url, events, description, active, failing_since, disabled_reason, disabled_at,
       CASE WHEN previous_until > now() THEN previous_until END AS previous_until,
       created_at, updated_at"""


@dataclass(frozen=True, slots=True)
class Written:
    """An event as its row keeps it."""

    id: UUID
    shop_id: int
    type: str
    contact_id: UUID | None
    body: bytes
    contacts: Sequence[UUID] = ()


async def publish(db: Db, events: Sequence[Written]) -> None:
    """Keeps those that some webhook asked for, with a callback for each such webhook."""
    await db.execute(
        """
        WITH told AS (
            SELECT t.*, w.id AS webhook_id
              FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::uuid[], $5::bytea[], $6::text[])
                AS t (id, shop_id, type, contact_id, body, contacts)
              JOIN webhook AS w ON w.shop_id = t.shop_id AND w.active AND t.type = ANY(w.events)
        ), kept AS (
            INSERT INTO event (id, shop_id, type, contact_id, body, contacts)
            SELECT DISTINCT ON (id) id, shop_id, type, contact_id, body, contacts::uuid[] FROM told
        )
        INSERT INTO callback (event_id, webhook_id, shop_id) SELECT id, webhook_id, shop_id FROM told
        """,
        [e.id for e in events],
        [e.shop_id for e in events],
        [e.type for e in events],
        [e.contact_id for e in events],
        [e.body for e in events],
        # As text: an array of arrays would have to be square.
        [f"{{{','.join(map(str, e.contacts))}}}" if e.contacts else None for e in events],
    )


async def add(
    connection: Connection,
    shop_id: int,
    id_: UUID,
    *,
    url: str,
    events: Sequence[str],
    description: str,
    secret: bytes,
    most: int,
) -> Webhook | None:
    """None: the shop has `most` of them already."""
    # So that two at once cannot both be the last one.
    await connection.execute("SELECT FROM shop WHERE id = $1 FOR NO KEY UPDATE", shop_id)
    row = await connection.fetchrow(
        f"""
        INSERT INTO webhook (id, shop_id, url, events, description, secret)
        SELECT $2, $1, $3, $4, $5, $6
         WHERE (SELECT count(*) FROM webhook WHERE shop_id = $1 AND deleted_at IS NULL) < $7
        RETURNING {_COLUMNS}
        """,  # noqa: S608 (a constant)
        shop_id,
        id_,
        url,
        events,
        description,
        secret,
        most,
    )
    return _webhook(row) if row else None


async def by_id(db: Db, shop_id: int, id_: UUID) -> Webhook | None:
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM webhook WHERE shop_id = $1 AND id = $2 AND deleted_at IS NULL",  # noqa: S608
        shop_id,
        id_,
    )
    return _webhook(row) if row else None


async def page(db: Db, shop_id: int, *, before: UUID | None, limit: int) -> list[Webhook]:
    """The newest first."""
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS} FROM webhook
         WHERE shop_id = $1 AND deleted_at IS NULL AND ($2::uuid IS NULL OR id < $2)
         ORDER BY id DESC LIMIT $3
        """,  # noqa: S608
        shop_id,
        before,
        limit,
    )
    return [_webhook(row) for row in rows]


async def change(
    db: Db, shop_id: int, id_: UUID, changes: Mapping[str, Any], *, renewed: bool
) -> Webhook | None:
    """`changes`: url, events, description, active, where they change. `renewed`: what was held against the
    endpoint is forgotten. None: there is no such webhook."""
    row = await db.fetchrow(
        f"""
        UPDATE webhook
           SET url = coalesce($3, url), events = coalesce($4, events),
               description = coalesce($5, description), active = coalesce($6, active),
               failures = CASE WHEN $7 THEN 0 ELSE failures END,
               failing_since = CASE WHEN $7 THEN NULL ELSE failing_since END,
               paused_until = CASE WHEN $7 THEN NULL ELSE paused_until END,
               disabled_reason = CASE WHEN $6 THEN NULL ELSE disabled_reason END,
               disabled_at = CASE WHEN $6 THEN NULL ELSE disabled_at END,
               updated_at = now()
         WHERE shop_id = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        shop_id,
        id_,
        changes.get("url"),
        changes.get("events"),
        changes.get("description"),
        changes.get("active"),
        renewed,
    )
    return _webhook(row) if row else None


async def begin_anew(db: Db, webhook_id: UUID) -> None:
    """Whatever waits for the webhook is due now, with a whole round of tries."""
    await db.execute(
        "UPDATE callback SET due_at = now(), begun_at = now(), tries = 0"
        " WHERE webhook_id = $1 AND status = 'pending' AND leased_by IS NULL",
        webhook_id,
    )


async def rotate(
    db: Db, shop_id: int, id_: UUID, secret: bytes, *, until: datetime
) -> Webhook | None:
    """The former secret signs along until then. None: there is no such webhook."""
    row = await db.fetchrow(
        f"""
        UPDATE webhook
           SET previous_secret = secret, previous_until = $4, secret = $3, updated_at = now()
         WHERE shop_id = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        shop_id,
        id_,
        secret,
        until,
    )
    return _webhook(row) if row else None


async def remove(db: Db, shop_id: int, id_: UUID) -> bool:
    """What waits for it is never sent; its rows go by their age. False: there is no such webhook."""
    return bool(
        await db.fetchval(
            """
            UPDATE webhook
               SET deleted_at = now(), active = false, secret = '', previous_secret = NULL
             WHERE shop_id = $1 AND id = $2 AND deleted_at IS NULL
            RETURNING true
            """,
            shop_id,
            id_,
        )
    )


async def add_for(db: Db, webhook_id: UUID, event: Written) -> None:
    """For this webhook alone, whatever it asked for; tried once."""
    await db.execute(
        """
        WITH kept AS (
            INSERT INTO event (id, shop_id, type, body) VALUES ($1, $2, $3, $4)
        ), awake AS (
            UPDATE webhook SET paused_until = NULL WHERE id = $5
        )
        INSERT INTO callback (event_id, webhook_id, shop_id, repeats) VALUES ($1, $5, $2, false)
        """,
        event.id,
        event.shop_id,
        event.type,
        event.body,
        webhook_id,
    )


async def send_again(db: Db, webhook_id: UUID, attempt_id: UUID) -> UUID | None:
    """The event of that attempt, due now with a whole round of tries. None: there is no such attempt, or the
    event is gone."""
    event_id: UUID | None = await db.fetchval(
        """
        WITH again AS (
            UPDATE callback AS c
               SET status = 'pending', due_at = now(), begun_at = now(), tries = 0, leased_by = NULL
              FROM callback_attempt AS a
             WHERE a.id = $2 AND a.webhook_id = $1
               AND c.event_id = a.event_id AND c.webhook_id = $1
            RETURNING c.event_id
        ), awake AS (
            UPDATE webhook SET paused_until = NULL WHERE id = $1
        )
        SELECT event_id FROM again
        """,
        webhook_id,
        attempt_id,
    )
    return event_id


async def attempts(
    db: Db,
    webhook_id: UUID,
    *,
    outcome: Outcome | None,
    event_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[Attempt]:
    """The newest first. `webhook_id`: of a webhook whose shop was looked at."""
    rows = await db.fetch(
        """
        SELECT id, event_id, type, number, outcome, reason, http_status, answer, started_at, duration,
               next_at
          FROM callback_attempt
         WHERE webhook_id = $1 AND ($2::text IS NULL OR outcome = $2)
           AND ($3::uuid IS NULL OR event_id = $3) AND ($4::uuid IS NULL OR id < $4)
         ORDER BY id DESC LIMIT $5
        """,
        webhook_id,
        outcome,
        event_id,
        before,
        limit,
    )
    return [Attempt(**{**row, "outcome": Outcome(row["outcome"])}) for row in rows]


async def forget_removed(db: Db, before: datetime) -> None:
    """Webhooks that were removed by then; nothing refers to them any more."""
    await db.execute("DELETE FROM webhook WHERE deleted_at < $1", before)


def _webhook(row: asyncpg.Record) -> Webhook:
    return Webhook(**row)
