"""Forgets a person: what is personal goes, counts and statuses stay, what has not left stays here."""

from hub.db.pool import Connection, Pool
from hub.errors import NotFound

# In this order, each with the contact's id as $1; a table that holds something personal has its line here.
# Deliveries under way (`sending`) are in a worker's hand and end as they end, without their content.
_STEPS: tuple[tuple[str, str], ...] = (
    (
        "delivery",
        """
        UPDATE delivery SET status = 'cancelled', reason = 'erased', updated_at = now()
         WHERE notification_id IN (SELECT id FROM notification WHERE contact_id = $1)
           AND status = 'queued'
        """,
    ),
    (
        "attempt",
        """
        UPDATE attempt SET detail = NULL, instead_of = instead_of - 'detail'
         WHERE (detail IS NOT NULL OR instead_of IS NOT NULL) AND delivery_id IN (
               SELECT d.id FROM delivery AS d JOIN notification AS n ON n.id = d.notification_id
                WHERE n.contact_id = $1)
        """,
    ),
    (
        "receipt",
        """
        UPDATE receipt SET detail = ''
         WHERE detail <> '' AND delivery_id IN (
               SELECT d.id FROM delivery AS d JOIN notification AS n ON n.id = d.notification_id
                WHERE n.contact_id = $1)
        """,
    ),
    (
        "sandbox_message",
        """
        DELETE FROM sandbox_message
         WHERE delivery_id IN (
               SELECT d.id FROM delivery AS d JOIN notification AS n ON n.id = d.notification_id
                WHERE n.contact_id = $1)
        """,
    ),
    *(
        (
            table,
            f"""
            DELETE FROM {table}
             WHERE delivery_id IN (
                   SELECT d.id FROM delivery AS d JOIN notification AS n ON n.id = d.notification_id
                    WHERE n.contact_id = $1)
            """,  # noqa: S608 (two constants)
        )
        # Nothing of what stands in the person's messenger is changed any more, nor asked after.
        for table in ("message_edit", "message_page", "status_question")
    ),
    (
        # Written in the transaction of the notification, so it has the very same time: found by index.
        "idempotency",
        """
        DELETE FROM idempotency
         WHERE contacts @> ARRAY[$1::uuid] AND created_at IN (
               SELECT created_at FROM notification WHERE contact_id = $1)
        """,
    ),
    (
        "notification",
        """
        UPDATE notification AS n
           SET data = NULL, content = NULL, meta = NULL, ordering_key = NULL, collapse_key = NULL,
               step_at = NULL, expires_at = least(expires_at, now()),
               status = CASE WHEN status IN ('scheduled', 'queued') AND NOT EXISTS (
                             SELECT FROM delivery AS d
                              WHERE d.notification_id = n.id AND d.status <> 'cancelled')
                        THEN 'cancelled' ELSE status END
         WHERE contact_id = $1
        """,
    ),
    # What the shop's backend was told of the person, or would have been; what it answered may quote it.
    (
        "callback_attempt",
        """
        UPDATE callback_attempt SET answer = ''
         WHERE answer <> '' AND event_id IN (SELECT id FROM event WHERE contact_id = $1)
        """,
    ),
    (
        "callback",
        "DELETE FROM callback WHERE event_id IN (SELECT id FROM event WHERE contact_id = $1)",
    ),
    ("event", "DELETE FROM event WHERE contact_id = $1"),
    (
        "bot_update",
        """
        DELETE FROM bot_update AS u
         USING address AS a
         WHERE a.contact_id = $1 AND a.kind IN ('telegram', 'vk', 'max', 'viber')
           AND u.shop_id = a.shop_id AND u.chat = a.value
        """,
    ),
    (
        "heard",
        """
        DELETE FROM heard AS h
         USING address AS a
         WHERE a.contact_id = $1 AND h.shop_id = a.shop_id AND h.digest = a.digest
        """,
    ),
    (
        "code_guess",
        """
        DELETE FROM code_guess AS g
         USING address AS a
         WHERE a.contact_id = $1 AND g.shop_id = a.shop_id AND g.digest = a.digest
        """,
    ),
    # Orders keep their lines and lose the person: who bought, where it goes, what was said about it.
    (
        "order_history",
        """
        UPDATE order_history SET reason = ''
         WHERE reason <> '' AND NOT late
           AND order_id IN (SELECT id FROM shop_order WHERE buyer_id = $1)
        """,
    ),
    (
        "shop_order",
        """
        UPDATE shop_order
           SET buyer_id = NULL, delivery = delivery - 'address' - 'tracking', updated_at = now()
         WHERE buyer_id = $1
        """,
    ),
    (
        "stock_line",
        """
        UPDATE stock_line SET answered_by = NULL, answered_label = '', answered_name = ''
         WHERE answered_by = $1
        """,
    ),
    (
        "stock_answer",
        "UPDATE stock_answer SET contact_id = NULL, label = '', name = '' WHERE contact_id = $1",
    ),
    (
        "assembly",
        """
        UPDATE assembly SET assembled_by = NULL, assembled_label = '', assembled_name = ''
         WHERE assembled_by = $1
        """,
    ),
    # Addresses, consents and links go with it; where it sold or was asked, its place stays empty.
    ("contact", "DELETE FROM contact WHERE id = $1"),
)

TABLES = frozenset(table for table, _ in _STEPS) | {
    "address",
    "consent",
    "contact_link",
    "answer_link",
    "order_line",
    "stock_request",
    "stock_message",
    "assembly_message",
    "warehouse",
    "warehouse_chat",
}
"""Every table that an erasure looks at."""


async def erase(db: Pool, shop_id: int, external_id: str) -> None:
    """All of it or nothing. Suppressions stay, as digests: whoever left must not be written to again.

    Raises `NotFound`.
    """
    async with db.acquire() as conn, conn.transaction():
        await _erase(conn, shop_id, external_id)


async def _erase(conn: Connection, shop_id: int, external_id: str) -> None:
    contact_id = await conn.fetchval(
        "SELECT id FROM contact WHERE shop_id = $1 AND external_id = $2 FOR UPDATE",
        shop_id,
        external_id,
    )
    if contact_id is None:
        raise NotFound("there is no contact with this external_id")
    for _, statement in _STEPS:
        await conn.execute(statement, contact_id)
