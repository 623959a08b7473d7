"""What providers say later moves deliveries forward, never back, and feeds suppressions and consents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from channels.base import Category, Channel, Receipt, ReceiptStatus
from hub.accounts.book import LiveAccount
from hub.db.partitions import first_id
from hub.db.pool import Connection, Pool
from hub.ids import new_id
from hub.notifications import steps
from hub.notifications.model import DeliveryStatus, may_move
from hub.notifications.steps import Due

STRAY_FOR = timedelta(hours=1)
"""How long a receipt waits for the delivery that it names: the provider may be faster than our own note."""

_MOVES_TO: Mapping[ReceiptStatus, DeliveryStatus] = {
    ReceiptStatus.DELIVERED: DeliveryStatus.DELIVERED,
    ReceiptStatus.READ: DeliveryStatus.READ,
    ReceiptStatus.CLICKED: DeliveryStatus.READ,
    ReceiptStatus.FAILED: DeliveryStatus.FAILED,
    ReceiptStatus.BOUNCED: DeliveryStatus.FAILED,
}
_REASONS: Mapping[ReceiptStatus, str] = {
    ReceiptStatus.FAILED: "undelivered",
    ReceiptStatus.BOUNCED: "bounced",
}
_SUPPRESSING = frozenset({ReceiptStatus.BOUNCED, ReceiptStatus.COMPLAINED})
_LEAVING = frozenset({ReceiptStatus.UNSUBSCRIBED, ReceiptStatus.COMPLAINED})


@dataclass(frozen=True, slots=True)
class _Known:
    """A receipt with the delivery that it is about."""

    receipt: Receipt
    delivery_id: UUID
    row: Mapping[str, Any]


async def store(db: Pool, account: LiveAccount, receipts: Sequence[Receipt]) -> list[Due]:
    """One transaction: the receipts become rows and their deliveries move. A receipt that was here before
    changes nothing; one of an unknown message is kept and tried again for `STRAY_FOR`."""
    if not receipts:
        return []
    async with db.acquire() as connection, connection.transaction():
        known, strays = await _find(connection, account, receipts)
        fresh = await _insert(connection, account, known, strays)
        return await _apply(connection, fresh)


async def match_strays(connection: Connection) -> list[Due]:
    """Finds the deliveries of receipts that came before we had noted the provider's id."""
    async with connection.transaction():
        rows = await connection.fetch(
            """
            UPDATE receipt AS r SET delivery_id = d.id
              FROM delivery AS d
             WHERE r.delivery_id IS NULL AND r.provider_id <> '' AND r.id >= $1
               AND d.provider_id = r.provider_id AND d.account = r.account
               AND d.shop_id = r.shop_id
            RETURNING r.status AS receipt_status, r.provider_id, r.code AS receipt_code, r.detail,
                      r.cost, r.happened_at, d.id
            """,
            first_id(datetime.now(UTC) - STRAY_FOR),
        )
        if not rows:
            return []
        deliveries = await _rows(connection, [r["id"] for r in rows])
        return await _apply(
            connection, [_Known(_receipt(dict(r)), r["id"], deliveries[r["id"]]) for r in rows]
        )


def _receipt(row: Mapping[str, Any]) -> Receipt:
    return Receipt(
        status=ReceiptStatus(row["receipt_status"]),
        provider_id=row["provider_id"],
        code=row["receipt_code"],
        text=row["detail"],
        at=row["happened_at"],
        cost=row["cost"],
    )


async def _find(
    connection: Connection, account: LiveAccount, receipts: Sequence[Receipt]
) -> tuple[list[_Known], list[Receipt]]:
    keys = [key for r in receipts if (key := _uuid(r.key))]
    provider_ids = [r.provider_id for r in receipts if r.provider_id and not _uuid(r.key)]
    found = await connection.fetch(
        """
        SELECT id, provider_id FROM delivery WHERE shop_id = $1 AND id = ANY($2)
        UNION ALL
        SELECT id, provider_id FROM delivery
         WHERE shop_id = $1 AND account = $3 AND provider_id = ANY($4)
        """,
        account.shop_id,
        keys,
        account.name,
        provider_ids,
    )
    rows = await _rows(connection, [r["id"] for r in found])
    by_provider_id = {r["provider_id"]: r["id"] for r in found if r["provider_id"]}
    known, strays = [], []
    for receipt in receipts:
        id_ = _uuid(receipt.key) or by_provider_id.get(receipt.provider_id)
        if id_ in rows:
            known.append(_Known(receipt, id_, rows[id_]))
        else:
            strays.append(receipt)
    return known, strays


async def _rows(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """Locked in the order of their ids, so that two hooks about the same messages do not wait in a ring."""
    await connection.execute("SELECT FROM delivery WHERE id = ANY($1) ORDER BY id FOR UPDATE", ids)
    rows = await connection.fetch(
        """
        SELECT d.id, d.shop_id, d.notification_id, d.contact_id, d.channel, d.status, d.give_up_at,
               a.digest
          FROM delivery AS d LEFT JOIN address AS a ON a.id = d.address_id
         WHERE d.id = ANY($1)
        """,
        ids,
    )
    return {r["id"]: dict(r) for r in rows}


async def _insert(
    connection: Connection,
    account: LiveAccount,
    known: Sequence[_Known],
    strays: Sequence[Receipt],
) -> list[_Known]:
    """Writes those that are new; gives back the new ones of known deliveries."""
    every: list[tuple[Receipt, UUID | None]] = [(k.receipt, k.delivery_id) for k in known]
    every += [(s, None) for s in strays]
    ids = [new_id() for _ in every]
    rows = await connection.fetch(
        """
        INSERT INTO receipt
            (id, shop_id, delivery_id, account, provider_id, status, code, detail, cost, happened_at)
        SELECT t.id, $1, t.delivery_id, $2, t.provider_id, t.status, t.code, t.detail, t.cost, t.happened_at
          FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
                      $9::numeric[], $10::timestamptz[])
            AS t (id, delivery_id, provider_id, status, code, detail, cost, happened_at)
         WHERE NOT EXISTS (
               SELECT FROM receipt AS r
                WHERE r.delivery_id = t.delivery_id AND r.status = t.status AND r.code = t.code
                  AND r.happened_at IS NOT DISTINCT FROM t.happened_at)
           AND NOT (t.delivery_id IS NULL AND EXISTS (
               SELECT FROM receipt AS r
                WHERE r.delivery_id IS NULL AND r.account = $2 AND r.provider_id = t.provider_id
                  AND r.status = t.status AND r.code = t.code))
        RETURNING id
        """,
        account.shop_id,
        account.name,
        ids,
        [delivery_id for _, delivery_id in every],
        [r.provider_id for r, _ in every],
        [r.status for r, _ in every],
        [r.code for r, _ in every],
        [r.text[:500] for r, _ in every],
        [r.cost for r, _ in every],
        [r.at for r, _ in every],
    )
    written = {r["id"] for r in rows}
    return [k for k, id_ in zip(known, ids, strict=False) if id_ in written]


async def _apply(connection: Connection, known: Sequence[_Known]) -> list[Due]:
    moved = [m for k in known if (m := _move(k))]
    await _write(connection, moved)
    for item in known:
        await _consequences(connection, item)
    again = [k for k in known if k.receipt.status is ReceiptStatus.LOST]
    due = await _send_again(connection, again)
    touched = {k.row["notification_id"] for k in known}
    return due + await steps.advance(connection, touched)


def _move(item: _Known) -> tuple[_Known, DeliveryStatus] | None:
    to = _MOVES_TO.get(item.receipt.status)
    if to is None or not may_move(DeliveryStatus(item.row["status"]), to):
        return None
    return item, to


async def _write(connection: Connection, moved: Sequence[tuple[_Known, DeliveryStatus]]) -> None:
    """One receipt after the other, as they came: two of one call may be about one message."""
    for item, to in moved:
        failed = to is DeliveryStatus.FAILED
        allowed = [s for s in DeliveryStatus if may_move(s, to)]
        await connection.execute(
            """
            UPDATE delivery
               SET status = $2, updated_at = now(), leased_until = NULL, leased_by = NULL,
                   reason = $3, code = $4, cost = coalesce($5, cost),
                   sent_at = coalesce(sent_at, now()),
                   delivered_at = CASE WHEN $6 THEN delivered_at ELSE coalesce(delivered_at, $7) END,
                   read_at = CASE WHEN $2 = 'read' THEN $7 ELSE read_at END
             WHERE id = $1 AND status = ANY($8)
            """,
            item.delivery_id,
            to,
            _REASONS.get(item.receipt.status),
            item.receipt.code or None,
            item.receipt.cost,
            failed,
            item.receipt.at or datetime.now(UTC),
            allowed,
        )


async def _consequences(connection: Connection, item: _Known) -> None:
    """A dead or complaining address is written to no more; whoever left at the provider has left here."""
    status, row = item.receipt.status, item.row
    if status in _SUPPRESSING and row["digest"]:
        await connection.execute(
            "INSERT INTO suppression (shop_id, channel, digest, reason, code, delivery_id)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            row["shop_id"],
            row["channel"],
            row["digest"],
            status,
            item.receipt.code,
            item.delivery_id,
        )
    if status in _LEAVING:
        await connection.execute(
            """
            INSERT INTO consent (contact_id, category, channel, state, source)
            SELECT id, $2, $3, 'unsubscribed', 'provider' FROM contact WHERE id = $1
            ON CONFLICT (contact_id, category, channel)
            DO UPDATE SET state = 'unsubscribed', source = 'provider', changed_at = now()
            """,
            row["contact_id"],
            Category.MARKETING,
            Channel(row["channel"]),
        )


async def _send_again(connection: Connection, lost: Sequence[_Known]) -> list[Due]:
    """The provider lost them and kept no copy: a new call, while there is time."""
    rows = await connection.fetch(
        """
        UPDATE delivery
           SET status = 'queued', reason = 'lost_by_provider', provider_id = NULL, batch_key = NULL,
               due_at = now(), handout_at = now() + interval '10 seconds', updated_at = now()
         WHERE id = ANY($1) AND status = 'sent' AND give_up_at > now()
        RETURNING id, category
        """,
        [k.delivery_id for k in lost],
    )
    return [Due(Category(r["category"]), r["id"]) for r in rows]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
