"""SQL of stock requests and answers. Whoever writes has locked the order first."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base import Channel
from hub.db.partitions import first_id
from hub.db.pool import Connection, Db
from hub.ids import new_id
from hub.notifications.edits import EDITABLE
from hub.orders.model import (
    ACTIVE,
    Answerer,
    Line,
    RequestStatus,
    StockLine,
    StockRequest,
    Via,
)

_ACTIVE = [str(status) for status in ACTIVE]

_REQUEST = """
SELECT r.id, r.order_id, o.external_id AS "order", o.number, s.external_id AS seller,
       w.external_id AS warehouse, r.status, r.reason, r.revision, r.opened_at, r.deadline,
       r.answered_at,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', k.line_id, 'sku', coalesce(l.sku, ''), 'title', coalesce(l.title, ''),
                   'asked', k.asked, 'confirmed', k.confirmed,
                   'answered_by', coalesce(c.external_id, nullif(k.answered_label, ''),
                                           nullif(k.answered_name, '')),
                   'answered_name', k.answered_name, 'answered_at', k.answered_at, 'via', k.via)
                   ORDER BY l.position, k.line_id), '[]')
          FROM stock_line AS k
          LEFT JOIN order_line AS l ON l.order_id = r.order_id AND l.line_id = k.line_id
          LEFT JOIN contact AS c ON c.id = k.answered_by
         WHERE k.stock_request_id = r.id) AS lines
  FROM stock_request AS r
  JOIN shop_order AS o ON o.id = r.order_id
  LEFT JOIN contact AS s ON s.id = r.seller_id
  LEFT JOIN warehouse AS w ON w.id = r.warehouse_id
"""


async def by_id(db: Db, shop_id: int, id_: UUID) -> StockRequest | None:
    row = await db.fetchrow(f"{_REQUEST} WHERE r.shop_id = $1 AND r.id = $2", shop_id, id_)
    return _request(row) if row else None


async def of_orders(db: Db, orders: Sequence[UUID]) -> Mapping[UUID, list[StockRequest]]:
    """Of each order, the oldest first."""
    rows = await db.fetch(f"{_REQUEST} WHERE r.order_id = ANY($1) ORDER BY r.id", orders)
    found: dict[UUID, list[StockRequest]] = {}
    for row in rows:
        found.setdefault(row["order_id"], []).append(_request(row))
    return found


async def page(
    db: Db,
    shop_id: int,
    *,
    status: RequestStatus | None = None,
    warehouse: str | None = None,
    seller: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[StockRequest]:
    """The newest first. `before`: the last id of the page before."""
    rows = await db.fetch(
        f"""{_REQUEST}
         WHERE r.shop_id = $1
           AND ($2::text IS NULL OR r.status = $2)
           AND ($3::text IS NULL OR w.external_id = $3)
           AND ($4::text IS NULL OR s.external_id = $4)
           AND ($5::uuid IS NULL OR r.id < $5)
         ORDER BY r.id DESC LIMIT $6""",
        shop_id,
        status,
        warehouse,
        seller,
        before,
        limit,
    )
    return [_request(row) for row in rows]


async def order_of(db: Db, shop_id: int, id_: UUID) -> UUID | None:
    """The order that a question belongs to, which never changes; None: there is no such question."""
    found: UUID | None = await db.fetchval(
        "SELECT order_id FROM stock_request WHERE shop_id = $1 AND id = $2", shop_id, id_
    )
    return found


async def lock(conn: Connection, id_: UUID) -> Mapping[str, Any]:
    """The question's row, held until the transaction ends."""
    rows = await conn.fetch("SELECT * FROM stock_request WHERE id = $1 FOR NO KEY UPDATE", id_)
    return dict(rows[0])


async def active(conn: Connection, order_id: UUID) -> list[Mapping[str, Any]]:
    """The order's questions that are still to be answered, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT id, seller_id, warehouse_id, status, seller_asked FROM stock_request
         WHERE order_id = $1 AND status = ANY($2::text[]) ORDER BY id
           FOR NO KEY UPDATE
        """,
        order_id,
        _ACTIVE,
    )
    return [dict(row) for row in rows]


async def open_request(
    conn: Connection,
    shop_id: int,
    order_id: UUID,
    *,
    seller_id: UUID | None,
    warehouse_id: UUID | None,
    now: datetime,
) -> UUID:
    id_ = new_id()
    await conn.execute(
        """
        INSERT INTO stock_request (id, shop_id, order_id, seller_id, warehouse_id, opened_at,
                                   clock_from)
        VALUES ($1, $2, $3, $4, $5, $6, $6)
        """,
        id_,
        shop_id,
        order_id,
        seller_id,
        warehouse_id,
        now,
    )
    return id_


async def ask_lines(
    conn: Connection, shop_id: int, order_id: UUID, request_id: UUID, lines: Sequence[Line]
) -> None:
    """Puts lines into a question, as not answered."""
    await conn.execute(
        """
        INSERT INTO stock_line (stock_request_id, line_id, shop_id, asked)
        SELECT $1, line_id, $2, asked FROM unnest($3::text[], $4::int[]) AS t (line_id, asked)
        ON CONFLICT (stock_request_id, line_id) DO UPDATE
           SET asked = excluded.asked, confirmed = NULL, answered_by = NULL, answered_label = '',
               answered_name = '', answered_at = NULL, final_at = NULL, via = NULL
        """,
        request_id,
        shop_id,
        [line.id for line in lines],
        [line.quantity for line in lines],
    )
    await conn.execute(
        "UPDATE order_line SET stock_request_id = $2 WHERE order_id = $1 AND line_id = ANY($3)",
        order_id,
        request_id,
        [line.id for line in lines],
    )


async def withdraw(conn: Connection, pairs: Sequence[tuple[UUID, str]]) -> set[UUID]:
    """Takes lines out of questions that are still open; what was answered in full stays as it was.
    Returns the questions that lost a line."""
    rows = await conn.fetch(
        """
        DELETE FROM stock_line AS k
         USING unnest($1::uuid[], $2::text[]) AS t (request_id, line_id), stock_request AS r
         WHERE k.stock_request_id = t.request_id AND k.line_id = t.line_id
           AND r.id = k.stock_request_id AND r.status = ANY($3::text[])
        RETURNING k.stock_request_id
        """,
        [request for request, _ in pairs],
        [line for _, line in pairs],
        _ACTIVE,
    )
    return {row["stock_request_id"] for row in rows}


async def lessen(conn: Connection, lines: Sequence[Line]) -> None:
    """Fewer are wanted of these than were asked for, and the answer says how many of those there are."""
    await conn.execute(
        """
        UPDATE stock_line AS k SET asked = t.asked, confirmed = t.confirmed
          FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[])
            AS t (request_id, line_id, asked, confirmed)
         WHERE k.stock_request_id = t.request_id AND k.line_id = t.line_id
        """,
        [line.stock_request_id for line in lines],
        [line.id for line in lines],
        [line.quantity for line in lines],
        [line.confirmed for line in lines],
    )


async def lines(conn: Connection, request_id: UUID) -> dict[str, Mapping[str, Any]]:
    """The rows of a question's lines, by their id."""
    rows = await conn.fetch("SELECT * FROM stock_line WHERE stock_request_id = $1", request_id)
    return {row["line_id"]: dict(row) for row in rows}


async def set_clock(
    conn: Connection,
    request_id: UUID,
    *,
    clock_from: datetime,
    next_step: int,
    next_step_at: datetime | None,
    deadline: datetime,
) -> None:
    """Waits from now on as if it were new."""
    await conn.execute(
        """
        UPDATE stock_request
           SET status = 'open', clock_from = $2, next_step = $3, next_step_at = $4, deadline = $5,
               updated_at = now()
         WHERE id = $1
        """,
        request_id,
        clock_from,
        next_step,
        next_step_at,
        deadline,
    )


async def took_step(
    conn: Connection,
    request_id: UUID,
    *,
    status: RequestStatus,
    next_step: int,
    next_step_at: datetime | None,
) -> None:
    await conn.execute(
        """
        UPDATE stock_request
           SET status = $2, next_step = $3, next_step_at = $4, updated_at = now() WHERE id = $1
        """,
        request_id,
        status,
        next_step,
        next_step_at,
    )


async def seller_was_asked(conn: Connection, id_: UUID) -> None:
    await conn.execute("UPDATE stock_request SET seller_asked = true WHERE id = $1", id_)


async def named(db: Db, id_: UUID) -> list[UUID]:
    """The contacts that a question names: its seller, and whoever answered a line."""
    rows = await db.fetch(
        """
        SELECT seller_id AS id FROM stock_request WHERE id = $1 AND seller_id IS NOT NULL
         UNION
        SELECT answered_by FROM stock_line WHERE stock_request_id = $1 AND answered_by IS NOT NULL
        """,
        id_,
    )
    return [row["id"] for row in rows]


async def add_message(
    conn: Connection,
    shop_id: int,
    id_: UUID,
    contact_id: UUID,
    *,
    notification_id: UUID,
    step: int,
    channel: Channel | None,
) -> None:
    """This person was asked by that notification."""
    await conn.execute(
        """
        INSERT INTO stock_message (stock_request_id, notification_id, shop_id, contact_id, step,
                                   channel)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        id_,
        notification_id,
        shop_id,
        contact_id,
        step,
        channel,
    )


async def asked(conn: Connection, request_id: UUID) -> dict[UUID, set[Channel]]:
    """Who was asked so far, and by which channels."""
    rows = await conn.fetch(
        "SELECT contact_id, channel FROM stock_message WHERE stock_request_id = $1 ORDER BY notification_id",
        request_id,
    )
    found: dict[UUID, set[Channel]] = {}
    for row in rows:
        by = found.setdefault(row["contact_id"], set())
        if row["channel"]:
            by.add(Channel(row["channel"]))
    return found


SENT = """(d.status IN ('sent', 'delivered', 'read') AND d.sent_at <= $5
                       -- Perhaps it has left: nobody is to be told for ever to wait for it.
                       OR d.status = 'unknown' AND d.updated_at <= $5)"""
"""SQL: whether the delivery `d` had been sent at the time $5."""


async def knew_older(
    db: Db, request_id: UUID, contacts: Collection[UUID], *, since: datetime, at: datetime
) -> bool:
    """Whether these people were asked of the order before the question was put as it stands (`since`), and nothing that
    shows it so had been sent to them `at` that time. Whoever was asked nothing knows of it by other ways.

    What cannot be changed in place shows the state in which it was made; the rest that of its last edit.
    """
    known: bool = await db.fetchval(
        f"""
        SELECT EXISTS (
               SELECT FROM stock_request AS r
                 JOIN stock_request AS o ON o.order_id = r.order_id
                 JOIN stock_message AS m ON m.stock_request_id = o.id
                WHERE r.id = $1 AND m.contact_id = ANY($2) AND m.notification_id < $3)
           AND NOT EXISTS (
               SELECT FROM stock_message AS m
                 JOIN delivery AS d ON d.notification_id = m.notification_id
                WHERE m.stock_request_id = $1 AND m.contact_id = ANY($2)
                  AND {SENT}
                  AND (m.notification_id >= $3
                       OR d.channel = ANY($6) AND $4 <= $5
                      AND NOT EXISTS (SELECT FROM message_edit AS e WHERE e.delivery_id = d.id)))
        """,  # noqa: S608 (a constant)
        request_id,
        list(contacts),
        first_id(since),
        since,
        at,
        EDITABLE,
    )
    return known


async def answer_line(
    conn: Connection,
    request_id: UUID,
    line_id: str,
    confirmed: int,
    by: Answerer,
    *,
    via: Via,
    now: datetime,
    final_at: datetime,
) -> None:
    await conn.execute(
        """
        UPDATE stock_line
           SET confirmed = $3, answered_by = $4, answered_label = $5, answered_name = $6, via = $7,
               answered_at = $8, final_at = $9
         WHERE stock_request_id = $1 AND line_id = $2
        """,
        request_id,
        line_id,
        confirmed,
        by.contact_id,
        by.label,
        by.name,
        via,
        now,
        final_at,
    )


async def log_answer(
    conn: Connection,
    shop_id: int,
    request_id: UUID,
    by: Answerer,
    *,
    via: Via,
    lines: Mapping[str, int] | None,
    seen: Mapping[str, Any],
    result: Mapping[str, Any],
    now: datetime,
) -> None:
    """Kept whatever came of it. `lines` None: all of them, as asked."""
    await conn.execute(
        """
        INSERT INTO stock_answer (id, shop_id, stock_request_id, contact_id, label, name, via,
                                  lines, seen, result, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        new_id(),
        shop_id,
        request_id,
        by.contact_id,
        by.label,
        by.name,
        via,
        "all" if lines is None else lines,
        seen,
        result,
        now,
    )


async def complete(conn: Connection, request_id: UUID, now: datetime) -> int:
    """All its lines are answered (again). The new revision."""
    revision: int = await conn.fetchval(
        """
        UPDATE stock_request
           SET status = 'answered', revision = revision + 1, answered_at = $2, next_step_at = NULL,
               updated_at = now()
         WHERE id = $1 RETURNING revision
        """,
        request_id,
        now,
    )
    return revision


async def close(conn: Connection, requests: Sequence[UUID], reason: str) -> None:
    """Nobody is asked any more."""
    await conn.execute(
        """
        UPDATE stock_request
           SET status = 'cancelled', reason = $2, next_step_at = NULL, updated_at = now()
         WHERE id = ANY($1)
        """,
        requests,
        reason,
    )


DUE = """
SELECT id, shop_id, order_id FROM stock_request
 WHERE next_step_at <= now() ORDER BY next_step_at LIMIT $1
"""


async def due(db: Db, *, limit: int) -> list[tuple[UUID, int, UUID]]:
    """(question, shop, order) of those whose next step's time has come, the longest due first."""
    rows = await db.fetch(DUE, limit)
    return [(row["id"], row["shop_id"], row["order_id"]) for row in rows]


async def postpone(db: Db, request_id: UUID, until: datetime) -> None:
    await db.execute(
        """
        UPDATE stock_request SET next_step_at = $2
         WHERE id = $1 AND next_step_at IS NOT NULL
        """,
        request_id,
        until,
    )


def _request(row: Any) -> StockRequest:
    fields = dict(row)
    return StockRequest(
        **fields
        | {
            "status": RequestStatus(fields["status"]),
            "lines": tuple(_stock_line(line) for line in fields["lines"]),
        }
    )


def _stock_line(given: Mapping[str, Any]) -> StockLine:
    answered_at = given["answered_at"]
    return StockLine(
        **dict(given)
        | {
            "answered_at": datetime.fromisoformat(answered_at) if answered_at else None,
            "via": Via(given["via"]) if given["via"] else None,
        }
    )
