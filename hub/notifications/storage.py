"""Notifications as rows: added by many, read one by one and in lists."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hub.db.attempts import FINISHED_AT, NUMBER, OUTCOME, UNCLEAR
from hub.db.partitions import first_id
from hub.db.pool import Connection, Db
from hub.notifications import events, steps
from hub.notifications.listed import OF_STATUS
from hub.notifications.model import NotificationStatus
from hub.notifications.prepare import COLUMNS, Prepared

_CLOCKS = timedelta(minutes=5)
"""By how much the clocks of two machines may differ."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """`fingerprint`: SHA-256 of the request's body."""

    path: str
    key: str
    fingerprint: bytes


_ENDED = (NotificationStatus.UNDELIVERABLE, NotificationStatus.EXPIRED)


async def add(
    connection: Connection,
    made: Sequence[Prepared],
    *,
    handout_after: timedelta,
    waiting: Collection[UUID] = (),
) -> None:
    """Writes notifications with their first deliveries; what a newer one of the same `collapse_key` replaces
    ends. `handout_after` and `waiting` (ids of some of them): see `steps.add`."""
    if not made:
        return
    # For hundreds of rows at a time it costs both sides less than a statement with their columns as arrays.
    await connection.copy_records_to_table(
        "notification", records=[p.row for p in made], columns=COLUMNS
    )
    deliveries = [d for p in made for d in p.deliveries]
    if deliveries:
        await steps.add(connection, deliveries, handout_after=handout_after, waiting=waiting)
    # What has nobody to go to, or came too late, has ended already.
    await events.tell(connection, {p.id: p.status for p in made if p.status in _ENDED})
    newer = [p for p in made if p.collapse_key and p.deliveries]
    if newer:
        await _collapse(connection, newer)


async def _collapse(connection: Connection, newer: Sequence[Prepared]) -> None:
    """Only what has not left: a delivery that a worker holds goes its way, and is not tried again (`Claimed.superseded`)."""
    rows = await connection.fetch(
        f"""
        WITH old AS (
            SELECT DISTINCT n.id
              FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS t (contact_id, collapse_key, id)
              JOIN notification AS n
                ON n.contact_id = t.contact_id AND n.collapse_key = t.collapse_key
               -- As `ordering.SUPERSEDED`: those of this transaction were created now.
               AND (n.created_at, n.id) < (now(), t.id)
             WHERE n.status IN ('scheduled', 'queued')
        )
        UPDATE delivery AS d SET {stopped("collapsed")} FROM old WHERE d.notification_id = old.id AND d.status = 'queued'
        RETURNING d.notification_id
        """,  # noqa: S608 (constants)
        [p.contact_id for p in newer],
        [p.collapse_key for p in newer],
        [p.id for p in newer],
    )
    await _settle(connection, {r["notification_id"] for r in rows})


async def answers(
    db: Db, keys: Sequence[tuple[int, IdempotencyKey]]
) -> Mapping[tuple[int, str, str], Any]:
    """What was answered before under these keys."""
    if not keys:
        return {}
    rows = await db.fetch(
        """
        SELECT i.shop_id, i.path, i.key, i.fingerprint, i.status, i.body
          FROM unnest($1::smallint[], $2::text[], $3::text[]) AS t (shop_id, path, key)
          JOIN idempotency AS i USING (shop_id, path, key)
        """,
        [shop_id for shop_id, _ in keys],
        [key.path for _, key in keys],
        [key.key for _, key in keys],
    )
    return {(r["shop_id"], r["path"], r["key"]): r for r in rows}


async def add_answers(
    connection: Connection,
    given: Sequence[tuple[int, IdempotencyKey, int, bytes, Sequence[UUID]]],
) -> set[tuple[int, str, str]]:
    """Those that were the first with their key; the others' answers stand already."""
    won = set()
    # In one order for everybody, so that two processes never wait for each other in a ring.
    for shop_id, key, status, body, contacts in sorted(
        given, key=lambda g: (g[0], g[1].path, g[1].key)
    ):
        first = await connection.fetchval(
            """
            INSERT INTO idempotency (shop_id, path, key, fingerprint, status, body, contacts)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true
            """,
            shop_id,
            key.path,
            key.key,
            key.fingerprint,
            status,
            body,
            contacts,
        )
        if first:
            won.add((shop_id, key.path, key.key))
    return won


_LOCK_DELIVERIES = "SELECT status FROM delivery WHERE notification_id = $1 ORDER BY id FOR UPDATE"


async def cancel(connection: Connection, shop_id: int, id_: UUID) -> str | None:
    """The status after it: `cancelled` if nothing had left; None: there is no such notification. What perhaps had left
    is not sent again and ends as `unknown`."""
    # Deliveries before their notification, as everybody does; then once more, since the next step may have
    # been opened in between.
    await connection.execute(_LOCK_DELIVERIES, id_)
    status = await connection.fetchval(
        "SELECT status FROM notification WHERE shop_id = $1 AND id = $2 FOR UPDATE", shop_id, id_
    )
    if status not in ("scheduled", "queued"):
        return str(status) if status else None
    rows = await connection.fetch(_LOCK_DELIVERIES, id_)
    present = {r["status"] for r in rows}
    if "sending" in present:
        return "sending"
    if present - {"queued", "failed", "suppressed", "expired", "unknown"}:
        return str(status)
    ended = await connection.fetch(
        f"UPDATE delivery AS d SET {stopped('cancelled')}"  # noqa: S608 (constants)
        " WHERE d.notification_id = $1 AND d.status = 'queued' RETURNING d.status",
        id_,
    )
    if "unknown" in present.union(r["status"] for r in ended):
        await _settle(connection, {id_})
        return "unknown"
    await connection.execute(
        "UPDATE notification SET status = 'cancelled', step_at = NULL WHERE id = $1", id_
    )
    await steps.let_pass(connection, [id_])
    return "cancelled"


PERHAPS_SENT = f"""
EXISTS (SELECT FROM attempt AS t
         WHERE d.attempt_count > 0 AND t.delivery_id = d.id AND {UNCLEAR})
"""
"""In SQL, whether some call for the delivery `d` got no clear answer."""


def stopped(status: str, *, doubtful: str = "false") -> str:
    """In SQL, what becomes of a queued delivery `d` that is not to be sent. Of one whose call got no clear answer nobody
    can say that nothing had left; it is not repeated either. `doubtful`: in SQL, for whom else that is so."""
    perhaps_sent = f"coalesce({doubtful}, false) OR {PERHAPS_SENT}"
    return f"""
    status = CASE WHEN {perhaps_sent} THEN 'unknown' ELSE '{status}' END,
    reason = CASE WHEN {perhaps_sent} THEN 'maybe_sent' ELSE '{status}' END, updated_at = now()
    """


async def _settle(connection: Connection, ids: Collection[UUID]) -> None:
    """Deliveries of these were stopped: no further channel is opened, and what they held back may go."""
    if not ids:
        return
    await steps.lock(connection, ids)
    await connection.execute("UPDATE notification SET step_at = NULL WHERE id = ANY($1)", list(ids))
    await steps.advance(connection, ids)
    await steps.let_pass(connection, ids)


_SHOWN = f"""
SELECT n.id, n.template, n.category, n.strategy, n.status, n.plan, n.skipped, n.meta, n.ordering_key,
       n.collapse_key, n.send_at, n.held_until, n.expires_at, n.created_at,
       c.external_id,
       (SELECT coalesce(jsonb_agg(to_jsonb(x) ORDER BY x.id), '[]') FROM (
            SELECT d.id, d.channel, d.provider, d.account, d.provider_id, d.status, d.reason, d.code, d.step,
                   d.cost::text AS cost, d.maybe_duplicate, d.due_at, d.created_at, d.sent_at,
                   d.delivered_at, d.read_at, a.value AS address, a.provider AS address_provider,
                   (SELECT coalesce(jsonb_agg(to_jsonb(y) ORDER BY y.number), '[]') FROM (
                        SELECT {NUMBER} AS number, t.account, t.provider, t.started_at, {FINISHED_AT} AS finished_at,
                               {OUTCOME} AS outcome, t.code, t.detail, t.instead_of
                          FROM attempt AS t WHERE t.delivery_id = d.id) AS y) AS attempts,
                   (SELECT coalesce(jsonb_agg(to_jsonb(z) ORDER BY z.received_at), '[]') FROM (
                        SELECT r.status, r.code, r.detail, r.happened_at, r.received_at
                          FROM receipt AS r WHERE r.delivery_id = d.id) AS z) AS receipts
              FROM delivery AS d LEFT JOIN address AS a ON a.id = d.address_id
             WHERE d.notification_id = n.id) AS x) AS deliveries,
       (SELECT coalesce(jsonb_object_agg(a.id, jsonb_build_object('value', a.value, 'provider', a.provider)), '{{}}')
          FROM address AS a WHERE a.contact_id = n.contact_id) AS addresses
  FROM notification AS n LEFT JOIN contact AS c ON c.id = n.contact_id
"""  # noqa: S608 (constants)


# Only what is asked for stands in the statement: with `$2 IS NULL OR …` no plan could use an index for it.
_FILTERS: Mapping[str, str] = {
    "contact": "n.contact_id = (SELECT id FROM contact WHERE shop_id = $1 AND external_id = {0})",
    "channel": "EXISTS (SELECT FROM delivery AS d WHERE d.notification_id = n.id AND d.channel = {0})",
    "template": "n.template = {0}",
    "since": "n.created_at >= {0}",
    "until": "n.created_at < {0}",
    "first": "n.id >= {0}",
    "before": "n.id < {0}",
}


async def by_id(db: Db, shop_id: int, id_: UUID) -> Mapping[str, Any] | None:
    """Everything about one notification."""
    row = await db.fetchrow(f"{_SHOWN} WHERE n.shop_id = $1 AND n.id = $2", shop_id, id_)
    return dict(row) if row else None


async def page(
    db: Db,
    shop_id: int,
    *,
    contact: str | None = None,
    status: str | None = None,
    channel: str | None = None,
    template: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Mapping[str, Any]]:
    """The newest first. `channel`: one of its deliveries went that way. `before`: the last id of the page
    before."""
    asked = {
        "contact": contact,
        "channel": channel,
        "template": template,
        "since": since,
        "until": until,
        # Ids follow the time, and partitions the ids: what is older is not looked at.
        "first": first_id(since - _CLOCKS) if since else None,
        "before": before,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    wheres = [_FILTERS[name].format(f"${i}") for i, name in enumerate(given, 3)]
    wheres += [OF_STATUS[NotificationStatus(status)]] if status else []
    where = " AND ".join(["n.shop_id = $1", *wheres])
    statement = f"{_SHOWN} WHERE {where} ORDER BY n.id DESC LIMIT $2"
    rows = await db.fetch(statement, shop_id, limit, *given.values())
    return [dict(r) for r in rows]
