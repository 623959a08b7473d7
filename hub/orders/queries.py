"""SQL of orders, their lines and their history. Whoever changes an order or anything of it locks it first."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hub.db.pool import Connection, Db
from hub.ids import new_id
from hub.orders.model import Change, Line, Order, OrderStatus, Source

# Money as text: JSON would make binary fractions of it.
_ORDER = """
SELECT o.id, o.shop_id, o.external_id, o.number, o.status, o.told_status, o.buyer_id,
       b.external_id AS buyer, o.currency, o.total, o.delivery, o.labels_url, o.revision,
       o.created_at, o.updated_at,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', l.line_id, 'sku', l.sku, 'title', l.title, 'quantity', l.quantity,
                   'price', l.price::text, 'image_url', l.image_url,
                   'seller_id', l.seller_id, 'seller', s.external_id,
                   'warehouse_id', l.warehouse_id, 'warehouse', w.external_id,
                   'stock_request_id', l.stock_request_id, 'confirmed', k.confirmed)
                   ORDER BY l.position), '[]')
          FROM order_line AS l
          LEFT JOIN contact AS s ON s.id = l.seller_id
          LEFT JOIN warehouse AS w ON w.id = l.warehouse_id
          LEFT JOIN stock_line AS k ON k.stock_request_id = l.stock_request_id
                                   AND k.line_id = l.line_id
         WHERE l.order_id = o.id) AS lines
  FROM shop_order AS o LEFT JOIN contact AS b ON b.id = o.buyer_id
"""


async def lock(conn: Connection, shop_id: int, external_id: str) -> UUID | None:
    """Holds the order until the transaction ends; None: there is none."""
    id_: UUID | None = await conn.fetchval(
        "SELECT id FROM shop_order WHERE shop_id = $1 AND external_id = $2 FOR NO KEY UPDATE",
        shop_id,
        external_id,
    )
    return id_


async def lock_id(conn: Connection, order_id: UUID) -> None:
    """As `lock`, of an order that there is."""
    await conn.execute("SELECT FROM shop_order WHERE id = $1 FOR NO KEY UPDATE", order_id)


async def by_id(db: Db, shop_id: int, order_id: UUID) -> Order | None:
    row = await db.fetchrow(f"{_ORDER} WHERE o.shop_id = $1 AND o.id = $2", shop_id, order_id)
    return _order(row) if row else None


async def by_external_id(db: Db, shop_id: int, external_id: str) -> Order | None:
    row = await db.fetchrow(
        f"{_ORDER} WHERE o.shop_id = $1 AND o.external_id = $2", shop_id, external_id
    )
    return _order(row) if row else None


async def page(
    db: Db,
    shop_id: int,
    *,
    status: OrderStatus | None = None,
    buyer: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Order]:
    """The newest first. `before`: the last id of the page before."""
    rows = await db.fetch(
        f"""{_ORDER}
         WHERE o.shop_id = $1
           AND ($2::text IS NULL OR o.status = $2)
           AND ($3::text IS NULL OR o.buyer_id = (
                SELECT id FROM contact WHERE shop_id = $1 AND external_id = $3))
           AND ($4::uuid IS NULL OR o.id < $4)
         ORDER BY o.id DESC LIMIT $5""",  # noqa: S608 (constants)
        shop_id,
        status,
        buyer,
        before,
        limit,
    )
    return [_order(row) for row in rows]


async def of_buyer(db: Db, shop_id: int, buyer_id: UUID, *, limit: int = 10) -> list[Order]:
    """A person's latest orders, the newest first."""
    rows = await db.fetch(
        f"{_ORDER} WHERE o.shop_id = $1 AND o.buyer_id = $2 ORDER BY o.id DESC LIMIT $3",
        shop_id,
        buyer_id,
        limit,
    )
    return [_order(row) for row in rows]


async def add(conn: Connection, order: Order) -> bool:
    """False: somebody else has just added it. Its lines are not looked at."""
    added = await conn.fetchval(
        """
        INSERT INTO shop_order (id, shop_id, external_id, number, status, told_status, buyer_id,
                                currency, total, delivery, labels_url, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
        ON CONFLICT (shop_id, external_id) DO NOTHING
        RETURNING true
        """,
        order.id,
        order.shop_id,
        order.external_id,
        order.number,
        order.status,
        order.told_status,
        order.buyer_id,
        order.currency,
        order.total,
        order.delivery,
        order.labels_url,
        order.created_at,
    )
    return bool(added)


async def change(conn: Connection, order: Order, now: datetime) -> None:
    """Everything of it but its lines."""
    await conn.execute(
        """
        UPDATE shop_order
           SET number = $2, status = $3, told_status = $4, buyer_id = $5, currency = $6, total = $7,
               delivery = $8, labels_url = $9, revision = $10, updated_at = $11,
               forgotten_at = NULL
         WHERE id = $1
        """,
        order.id,
        order.number,
        order.status,
        order.told_status,
        order.buyer_id,
        order.currency,
        order.total,
        order.delivery,
        order.labels_url,
        order.revision,
        now,
    )


async def set_lines(conn: Connection, order: Order, lines: Sequence[Line]) -> None:
    """These and no others. `stock_request_id` is written as each line says."""
    await conn.execute(
        "DELETE FROM order_line WHERE order_id = $1 AND line_id <> ALL($2::text[])",
        order.id,
        [line.id for line in lines],
    )
    await conn.execute(
        """
        INSERT INTO order_line (order_id, shop_id, line_id, position, sku, title, quantity, price,
                                image_url, seller_id, warehouse_id, stock_request_id)
        SELECT $1, $2, line_id, position, sku, title, quantity, price, image_url, seller_id,
               warehouse_id, stock_request_id
          FROM unnest($3::text[], $4::smallint[], $5::text[], $6::text[], $7::int[], $8::numeric[],
                      $9::text[], $10::uuid[], $11::uuid[], $12::uuid[])
            AS t (line_id, position, sku, title, quantity, price, image_url, seller_id,
                  warehouse_id, stock_request_id)
        ON CONFLICT (order_id, line_id) DO UPDATE
           SET position = excluded.position, sku = excluded.sku, title = excluded.title,
               quantity = excluded.quantity, price = excluded.price,
               image_url = excluded.image_url, seller_id = excluded.seller_id,
               warehouse_id = excluded.warehouse_id, stock_request_id = excluded.stock_request_id
        """,
        order.id,
        order.shop_id,
        [line.id for line in lines],
        list(range(len(lines))),
        [line.sku for line in lines],
        [line.title for line in lines],
        [line.quantity for line in lines],
        [line.price for line in lines],
        [line.image_url for line in lines],
        [line.seller_id for line in lines],
        [line.warehouse_id for line in lines],
        [line.stock_request_id for line in lines],
    )


async def add_change(conn: Connection, order: Order, change: Change) -> None:
    await conn.execute(
        """
        INSERT INTO order_history (id, shop_id, order_id, status, source, late, reason, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        new_id(),
        order.shop_id,
        order.id,
        change.status,
        change.source,
        change.late,
        change.reason,
        change.at,
    )


async def came_late_last(conn: Connection, order_id: UUID) -> OrderStatus | None:
    """The late status that nothing has come after; None: the last one was not late."""
    found = await conn.fetchval(
        """
        SELECT CASE WHEN late THEN status END FROM order_history
         WHERE order_id = $1 ORDER BY id DESC LIMIT 1
        """,
        order_id,
    )
    return OrderStatus(found) if found else None


async def history(db: Db, orders: Sequence[UUID]) -> Mapping[UUID, list[Change]]:
    """Of each order, the oldest first."""
    rows = await db.fetch(
        """
        SELECT order_id, status, at, source, late, reason FROM order_history
         WHERE order_id = ANY($1) ORDER BY order_id, id
        """,
        orders,
    )
    found: dict[UUID, list[Change]] = {}
    for row in rows:
        change = Change(
            OrderStatus(row["status"]), row["at"], Source(row["source"]), row["late"], row["reason"]
        )
        found.setdefault(row["order_id"], []).append(change)
    return found


def _order(row: Any) -> Order:
    fields = dict(row)
    return Order(
        **fields
        | {
            "status": OrderStatus(fields["status"]),
            "told_status": OrderStatus(fields["told_status"]),
            "lines": tuple(_line(line) for line in fields["lines"]),
        }
    )


def _line(given: Mapping[str, Any]) -> Line:
    return Line(
        id=given["id"],
        sku=given["sku"],
        title=given["title"],
        quantity=given["quantity"],
        price=None if given["price"] is None else Decimal(given["price"]),
        image_url=given["image_url"],
        seller_id=_uuid(given["seller_id"]),
        seller=given["seller"],
        warehouse_id=_uuid(given["warehouse_id"]),
        warehouse=given["warehouse"],
        stock_request_id=_uuid(given["stock_request_id"]),
        confirmed=given["confirmed"],
    )


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None
