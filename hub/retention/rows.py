"""What is old, row by row: in portions, each a short transaction about rows that nobody else looks at any more."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from hub.contacts import erasure, history
from hub.db.partitions import first_id
from hub.db.pool import Connection
from hub.retention.months import TOTALS

PORTION = 500

_NOBODY = UUID(int=0)

Portion = Callable[[Connection, int, datetime, UUID], Awaitable[UUID | None]]
"""Of one shop, what is older than that and comes after that id: takes a portion and returns its last id. None: there
is no more. Safe to repeat."""


async def notifications(
    connection: Connection, shop_id: int, before: datetime, after: UUID = _NOBODY
) -> UUID | None:
    """With all that belongs to them. What is still to be sent stays, however old it is."""
    rows = await connection.fetch(
        """
        SELECT n.id FROM notification AS n
         WHERE n.shop_id = $1 AND n.id < $2 AND n.id > $3
           AND n.status NOT IN ('scheduled', 'queued') AND n.step_at IS NULL
           AND NOT EXISTS (SELECT FROM delivery AS d
                            WHERE d.notification_id = n.id AND d.status IN ('queued', 'sending'))
         ORDER BY n.id LIMIT $4
        """,
        shop_id,
        first_id(before),
        after,
        PORTION,
    )
    ids = [row["id"] for row in rows]
    if ids:
        await _drop_notifications(connection, ids)
    return ids[-1] if len(ids) == PORTION else None


async def _drop_notifications(connection: Connection, ids: Sequence[UUID]) -> None:
    async with connection.transaction():
        rows = await connection.fetch(
            "SELECT id FROM delivery WHERE notification_id = ANY($1) ORDER BY id FOR UPDATE", ids
        )
        deliveries = [row["id"] for row in rows]
        for table in (
            "attempt",
            "receipt",
            "sandbox_message",
            "status_question",
            "message_edit",
            "message_page",
            "held_delivery",
        ):
            await connection.execute(
                f"DELETE FROM {table} WHERE delivery_id = ANY($1)",  # noqa: S608 (constants)
                deliveries,
            )
        gone = "(SELECT * FROM delivery WHERE id = ANY($1)) AS gone"
        await connection.execute(TOTALS.format(source=gone), deliveries)
        await connection.execute("DELETE FROM delivery WHERE id = ANY($1)", deliveries)
        await connection.execute("DELETE FROM notification WHERE id = ANY($1)", ids)


def by_id(table: str, key: str = "id", unless: str = "false") -> Portion:
    """Of a table whose ids follow the time. `unless`: what stays however old it is."""

    async def portion(
        connection: Connection, shop_id: int, before: datetime, after: UUID = _NOBODY
    ) -> UUID | None:
        rows = await connection.fetch(
            f"""
            DELETE FROM {table} WHERE {key} IN (
                SELECT {key} FROM {table}
                 WHERE shop_id = $1 AND {key} < $2 AND {key} > $3 AND NOT ({unless})
                 ORDER BY {key} LIMIT $4)
            RETURNING {key} AS id
            """,  # noqa: S608 (constants)
            shop_id,
            first_id(before),
            after,
            PORTION,
        )
        # A webhook each has its own callback of an event, so there may be more rows than ids.
        return max(row["id"] for row in rows) if len(rows) >= PORTION else None

    return portion


def by_age(table: str) -> Portion:
    """Of a table of what came in and was handled."""

    async def portion(
        connection: Connection,
        shop_id: int,
        before: datetime,
        after: UUID = _NOBODY,  # noqa: ARG001
    ) -> UUID | None:
        rows = await connection.fetch(
            f"""
            DELETE FROM {table} WHERE id IN (
                SELECT id FROM {table}
                 WHERE shop_id = $1 AND received_at < $2 AND handled_at IS NOT NULL
                 ORDER BY received_at LIMIT $3)
            RETURNING id
            """,  # noqa: S608 (constants)
            shop_id,
            before,
            PORTION,
        )
        return _NOBODY if len(rows) == PORTION else None

    return portion


# Names of whoever answered at the time; whom the shop knows is known by his contact.
_STAFF = (
    """
    UPDATE stock_answer AS a SET label = '', name = '' FROM stock_request AS r
     WHERE r.order_id = ANY($1) AND a.stock_request_id = r.id AND (a.label <> '' OR a.name <> '')
    """,
    """
    UPDATE stock_line AS k SET answered_label = '', answered_name = '' FROM stock_request AS r
     WHERE r.order_id = ANY($1) AND k.stock_request_id = r.id
       AND (k.answered_label <> '' OR k.answered_name <> '')
    """,
    """
    UPDATE assembly SET assembled_label = '', assembled_name = ''
     WHERE order_id = ANY($1) AND (assembled_label <> '' OR assembled_name <> '')
    """,
    "UPDATE shop_order SET forgotten_at = now() WHERE id = ANY($1)",
)


async def orders(
    connection: Connection,
    shop_id: int,
    before: datetime,
    after: UUID = _NOBODY,  # noqa: ARG001
) -> UUID | None:
    """They stay, and lose whom they were for and the names of those who answered."""
    async with connection.transaction():
        rows = await connection.fetch(
            """
            SELECT id FROM shop_order
             WHERE shop_id = $1 AND forgotten_at IS NULL AND updated_at < $2
             ORDER BY updated_at LIMIT $3 FOR UPDATE SKIP LOCKED
            """,
            shop_id,
            before,
            PORTION // 5,
        )
        ids = [row["id"] for row in rows]
        await erasure.forget_orders(connection, ids)
        for statement in _STAFF:
            await connection.execute(statement, ids)
    return _NOBODY if ids else None


async def one_offs(
    connection: Connection, shop_id: int, before: datetime, after: UUID = _NOBODY
) -> UUID | None:
    """Receivers of one-off messages of which nothing is kept any more. Who is written to at this moment stays."""
    rows = await connection.fetch(
        """
        SELECT c.id, NOT EXISTS (SELECT FROM notification AS n WHERE n.contact_id = c.id) AS unused
          FROM contact AS c
         WHERE c.shop_id = $1 AND c.external_id IS NULL AND c.id < $2 AND c.id > $3
           AND EXISTS (SELECT FROM address AS a WHERE a.contact_id = c.id AND a.one_off)
         ORDER BY c.id LIMIT $4
        """,
        shop_id,
        first_id(before),
        after,
        PORTION,
    )
    if unused := [row["id"] for row in rows if row["unused"]]:
        async with connection.transaction():
            locked = await connection.fetch(
                "SELECT contact_id FROM address WHERE contact_id = ANY($1) ORDER BY digest"
                " FOR UPDATE SKIP LOCKED",
                unused,
            )
            # A statement of its own: what others have committed until the lock is seen.
            still = await connection.fetch(
                """
                SELECT id FROM contact AS c
                 WHERE id = ANY($1)
                   AND NOT EXISTS (SELECT FROM notification AS n WHERE n.contact_id = c.id)
                """,
                [row["contact_id"] for row in locked],
            )
            ids = [row["id"] for row in still]
            await history.forget(connection, ids)
            await connection.execute("DELETE FROM contact WHERE id = ANY($1)", ids)
    return rows[-1]["id"] if len(rows) == PORTION else None


async def proofs(
    connection: Connection,
    shop_id: int,
    before: datetime,
    after: UUID = _NOBODY,  # noqa: ARG001
) -> UUID | None:
    """Of the consents of those who were erased."""
    rows = await connection.fetch(
        """
        DELETE FROM consent_event WHERE id IN (
            SELECT id FROM consent_event WHERE shop_id = $1 AND erased_at < $2
             ORDER BY erased_at LIMIT $3)
        RETURNING id
        """,
        shop_id,
        before,
        PORTION,
    )
    return _NOBODY if len(rows) == PORTION else None


BY_TABLE: Mapping[str, Portion] = {
    "attempt": by_id("attempt"),
    "receipt": by_id("receipt"),
    "callback_attempt": by_id("callback_attempt"),
    "callback": by_id("callback", "event_id"),
    "event": by_id("event"),
    # One that waits has its source paused or switched off: it is still to be worked on.
    "shop_event": by_id("shop_event", unless="result = 'waiting'"),
    "notification": notifications,
}
"""Of those cut by month: for shops that keep them less long than others, and for months that cannot go as a whole."""
