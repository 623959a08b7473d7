"""What providers say later moves deliveries forward, never back, and feeds suppressions and consents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from channels.base import Category, Channel, Receipt, ReceiptStatus
from hub.accounts.book import LiveAccount
from hub.contacts.erasure import stand_ins
from hub.contacts.model import ConsentState
from hub.db.partitions import first_id
from hub.db.pool import Connection, Pool
from hub.db.text import storable
from hub.ids import new_id
from hub.notifications import attempts, quoted, steps
from hub.notifications.model import ACTIVE, LIFETIME, DeliveryStatus, may_move
from hub.notifications.steps import TRIED, Due
from hub.preferences import consents, reports, suppressions
from hub.preferences.reports import LEAVING, SUPPRESSING
from hub.tokens import Signer

STRAY_FOR = timedelta(hours=1)
"""How long a receipt waits for the delivery that it names: the provider may be faster than our own note."""

_LOST_WAIT = timedelta(minutes=1)
"""As long as providers take an equal call for a repeat of the one they lost."""

SENT_THERE = "coalesce(a.value_since, '-infinity') <= coalesce(d.sent_at, d.updated_at)"
"""In SQL, whether the delivery `d` went to what the address `a` is now, and not to what it was before."""

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


# Tuples, because receipts come by the hundred.
class Reported(NamedTuple):
    """A delivery as far as receipts can change it. `failed_at`: the latest time of a receipt that says so."""

    status: DeliveryStatus
    reason: str | None = None
    code: str | None = None
    cost: Decimal | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    failed_at: datetime | None = None


class _Known(NamedTuple):
    """A receipt with the delivery that it is about."""

    receipt: Receipt
    delivery_id: UUID
    row: Mapping[str, Any]


def moved(delivery: Reported, receipt: Receipt, *, now: datetime) -> Reported:
    """What the receipt makes of it: forward or nothing. Where receipts come in another order than things
    happened, what happened last counts."""
    to = _MOVES_TO.get(receipt.status)
    if to is None or not may_move(delivery.status, to) or _outdated(delivery, to, receipt.at):
        return delivery
    at = receipt.at or now
    failed = to is DeliveryStatus.FAILED
    return delivery._replace(
        status=to,
        reason=_REASONS.get(receipt.status),
        code=storable(receipt.code, 100) or None,
        cost=delivery.cost if receipt.cost is None else receipt.cost,
        delivered_at=delivery.delivered_at if failed else delivery.delivered_at or at,
        read_at=at if to is DeliveryStatus.READ else delivery.read_at,
        failed_at=at if failed else delivery.failed_at,
    )


def _outdated(delivery: Reported, to: DeliveryStatus, at: datetime | None) -> bool:
    other = delivery.delivered_at if to is DeliveryStatus.FAILED else delivery.failed_at
    return at is not None and other is not None and at < other


async def store(
    db: Pool, signer: Signer, account: LiveAccount, receipts: Sequence[Receipt]
) -> list[Due]:
    """One transaction: the receipts become rows and their deliveries move. A receipt that was here before
    changes nothing; one of an unknown message is kept and tried again for `STRAY_FOR`. Of somebody who was
    erased only what became of the message is kept."""
    # One call may bring the same thing twice.
    receipts = list(dict.fromkeys(map(_fit, receipts)))
    if not receipts:
        return []
    async with db.acquire() as connection, connection.transaction():
        known, strays = await _find(connection, signer, account, receipts)
        # What is about no message that we know may still be about an address.
        addressed = [s for s in strays if s.address]
        await reports.believe(connection, account.shop_id, account.channel, addressed)
        strays = [s for s in strays if s.provider_id or s.key]
        fresh = await _insert(connection, account, known, strays)
        return await _apply(connection, fresh, account)


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
            RETURNING r.id AS receipt_id, r.status AS receipt_status, r.provider_id, r.code AS receipt_code, r.detail,
                      r.cost, r.happened_at, d.id
            """,
            first_id(datetime.now(UTC) - STRAY_FOR),
        )
        if not rows:
            return []
        rows = sorted(rows, key=lambda row: row["receipt_id"])
        deliveries = await _rows(connection, [r["id"] for r in rows])
        return await _apply(
            connection, [_Known(_receipt(dict(r)), r["id"], deliveries[r["id"]]) for r in rows]
        )


async def forget_strays(connection: Connection, now: datetime) -> None:
    """Of messages that nobody will ever know: their ids and texts may name somebody, and serve nothing."""
    await connection.execute(
        "DELETE FROM receipt WHERE delivery_id IS NULL AND id < $1", first_id(now - STRAY_FOR)
    )


def _fit(receipt: Receipt) -> Receipt:
    provider_id = storable(receipt.provider_id)
    code, text = storable(receipt.code, 100), storable(receipt.text)
    if (provider_id, code, text) == (receipt.provider_id, receipt.code, receipt.text):
        return receipt
    return replace(receipt, provider_id=provider_id, code=code, text=text)


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
    connection: Connection, signer: Signer, account: LiveAccount, receipts: Sequence[Receipt]
) -> tuple[list[_Known], list[Receipt]]:
    keys = [_uuid(r.key) for r in receipts]
    named = {r.provider_id for r, key in zip(receipts, keys, strict=True) if not key}
    named.discard("")
    # What an erasure has put in the place of the provider's own.
    erased = {stand_in: name for name in named for stand_in in stand_ins(signer, name)}
    by_provider_id: dict[str, UUID] = {}
    if named:
        found = await connection.fetch(
            """
            SELECT id, provider_id FROM delivery
             WHERE shop_id = $1 AND account = $2 AND provider_id = ANY($3)
            """,
            account.shop_id,
            account.name,
            [*named, *erased],
        )
        by_provider_id = {erased.get(r["provider_id"], r["provider_id"]): r["id"] for r in found}
    ids = {*by_provider_id.values(), *filter(None, keys)}
    rows = await _rows(connection, list(ids), account.shop_id)
    known, strays = [], []
    for receipt, key in zip(receipts, keys, strict=True):
        id_ = key or by_provider_id.get(receipt.provider_id)
        if id_ in rows:
            said = quoted.receipt(receipt, rows[id_]["address"])
            if rows[id_]["erased"]:
                said = replace(said, provider_id="", text="")
            known.append(_Known(said, id_, rows[id_]))
        else:
            strays.append(quoted.receipt(receipt, None))
    return known, strays


async def _rows(
    connection: Connection, ids: Sequence[UUID], shop_id: int | None = None
) -> dict[UUID, Mapping[str, Any]]:
    """Those of the shop, or of whichever. Locked in the order of their ids, so that two hooks about the same messages do
    not wait in a ring."""
    locked = await connection.fetch(
        "SELECT id FROM delivery WHERE id = ANY($1) AND shop_id = coalesce($2, shop_id) ORDER BY id FOR UPDATE",
        ids,
        shop_id,
    )
    rows = await connection.fetch(
        f"""
        SELECT d.id, d.shop_id, d.notification_id, d.contact_id, d.channel, d.category, d.status,
               d.reason, d.code, d.cost, d.sent_at, d.delivered_at, d.read_at,
               CASE WHEN {SENT_THERE} THEN a.digest END AS digest,
               CASE WHEN {SENT_THERE} THEN a.value END AS address,
               NOT EXISTS (SELECT FROM contact AS c WHERE c.id = d.contact_id) AS erased,
               CASE WHEN d.status = 'failed' THEN (
                    SELECT max(r.happened_at) FROM receipt AS r
                     WHERE r.delivery_id = d.id AND r.status IN ('failed', 'bounced'))
               END AS failed_at
          FROM delivery AS d LEFT JOIN address AS a ON a.id = d.address_id
         WHERE d.id = ANY($1)
        """,  # noqa: S608 (a constant)
        [r["id"] for r in locked],
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
        [r.text for r, _ in every],
        [r.cost for r, _ in every],
        [r.at for r, _ in every],
    )
    written = {r["id"] for r in rows}
    return [k for k, id_ in zip(known, ids, strict=False) if id_ in written]


async def _apply(
    connection: Connection, known: Sequence[_Known], account: LiveAccount | None = None
) -> list[Due]:
    """`account`: whose receipts they are, where it is not known from their deliveries."""
    if not known:
        return []
    now = datetime.now(UTC)
    rows = {k.delivery_id: k.row for k in known}
    before = {id_: _reported(row) for id_, row in rows.items()}
    after = dict(before)
    for item in known:
        after[item.delivery_id] = moved(after[item.delivery_id], item.receipt, now=now)
    await _write(connection, {i: a for i, a in after.items() if a != before[i]}, account)
    for item in known:
        await _consequences(connection, item)
    lost = [k.delivery_id for k in known if k.receipt.status is ReceiptStatus.LOST]
    await _send_again(connection, lost)
    late = {row["notification_id"] for row in rows.values() if _too_late(row, now)}
    touched = {row["notification_id"] for row in rows.values()}
    due = await steps.advance(connection, touched, too_late=late)
    # Of these no outcome is written any more that would do it.
    ended = {
        row["notification_id"]
        for id_, row in rows.items()
        if before[id_].status in ACTIVE and after[id_].status not in ACTIVE
    }
    if ended:
        await steps.let_pass(connection, ended)
    return due


def _reported(row: Mapping[str, Any]) -> Reported:
    return Reported(
        DeliveryStatus(row["status"]),
        row["reason"],
        row["code"],
        row["cost"],
        row["delivered_at"],
        row["read_at"],
        row["failed_at"],
    )


def _too_late(row: Mapping[str, Any], now: datetime) -> bool:
    """A letter that comes back after days is no reason to send its old news by SMS."""
    return bool(row["sent_at"]) and now - row["sent_at"] > LIFETIME[Category(row["category"])]


async def _write(
    connection: Connection, after: Mapping[UUID, Reported], account: LiveAccount | None
) -> None:
    if not after:
        return
    await connection.execute(
        """
        UPDATE delivery AS d
           SET status = t.status, reason = t.reason, code = t.code, cost = t.cost,
               -- Receipts may come before the outcome is written.
               account = coalesce(d.account, $8), provider = coalesce(d.provider, $9),
               sent_at = coalesce(d.sent_at, now()), delivered_at = t.delivered_at, read_at = t.read_at,
               leased_until = NULL, leased_by = NULL, updated_at = now()
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::numeric[],
                      $6::timestamptz[], $7::timestamptz[])
            AS t (id, status, reason, code, cost, delivered_at, read_at)
         WHERE d.id = t.id AND d.id = ANY($1)
        """,
        list(after),
        *map(list, zip(*(_columns(r) for r in after.values()), strict=True)),
        account and account.name,
        account and account.provider,
    )


def _columns(r: Reported) -> Iterable[Any]:
    return r.status, r.reason, r.code, r.cost, r.delivered_at, r.read_at


async def _consequences(connection: Connection, item: _Known) -> None:
    """A dead or complaining address is written to no more; whoever left at the provider has left here."""
    status, row = item.receipt.status, item.row
    if status in SUPPRESSING and row["digest"]:
        await suppressions.suppress(
            connection,
            row["shop_id"],
            Channel(row["channel"]),
            row["digest"],
            status,
            code=item.receipt.code,
            delivery_id=item.delivery_id,
        )
    if status in LEAVING:
        await consents.set_state(
            connection,
            row["contact_id"],
            Channel(row["channel"]),
            Category.MARKETING,
            ConsentState.UNSUBSCRIBED,
            source="provider",
        )


async def _send_again(connection: Connection, lost: Sequence[UUID]) -> None:
    """The provider lost them and kept no copy: a new call while there is time, else the next channel."""
    if not lost:
        return
    await attempts.write_taken(connection, lost)
    await connection.execute(
        f"""
        UPDATE delivery
           SET status = CASE WHEN give_up_at > now() + $2 THEN 'queued' ELSE 'failed' END,
               route = {TRIED}, reason = 'lost_by_provider', provider_id = NULL, batch_key = NULL,
               due_at = now() + $2, handout_at = now() + $2, updated_at = now()
         WHERE id = ANY($1) AND status = 'sent'
        """,  # noqa: S608
        lost,
        _LOST_WAIT,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
