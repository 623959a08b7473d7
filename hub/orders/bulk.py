"""Orders of the past, many at once: written as they are, and nothing follows from it."""

from collections.abc import Sequence
from uuid import UUID

from hub.db.pool import Connection, as_json
from hub.ids import new_id
from hub.orders.model import Order, Source


async def add_quietly(conn: Connection, orders: Sequence[Order]) -> set[UUID]:
    """The ids of those added, with their lines and one line of history each, at the order's `updated_at`; an order
    whose `external_id` is there already is left alone. Nobody is asked or told, and no callback is made.

    People and places are named by their ids. In the order of `external_id`, so that two who write the same orders
    wait for each other one way.
    """
    orders = sorted(orders, key=lambda order: order.external_id)
    lines = [(order.id, place, line) for order in orders for place, line in enumerate(order.lines)]
    rows = await conn.fetch(
        """
        WITH added AS (
            INSERT INTO shop_order (id, shop_id, external_id, number, status, told_status, buyer_id,
                                    currency, total, delivery, labels_url, created_at, updated_at)
            SELECT id, shop_id, external_id, number, status, told_status, buyer_id, currency, total,
                   delivery::jsonb, labels_url, created_at, updated_at
              FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[],
                          $7::uuid[], $8::text[], $9::numeric[], $10::text[], $11::text[],
                          $12::timestamptz[], $13::timestamptz[])
                AS t (id, shop_id, external_id, number, status, told_status, buyer_id, currency, total,
                      delivery, labels_url, created_at, updated_at)
            ON CONFLICT (shop_id, external_id) DO NOTHING
            RETURNING id, shop_id, status, updated_at
        ), bought AS (
            INSERT INTO order_line (order_id, shop_id, line_id, position, sku, title, quantity, price,
                                    image_url, seller_id, warehouse_id)
            SELECT t.order_id, added.shop_id, line_id, position, sku, title, quantity, price, image_url,
                   seller_id, warehouse_id
              FROM unnest($14::uuid[], $15::text[], $16::smallint[], $17::text[], $18::text[], $19::int[],
                          $20::numeric[], $21::text[], $22::uuid[], $23::uuid[])
                AS t (order_id, line_id, position, sku, title, quantity, price, image_url, seller_id,
                      warehouse_id)
              JOIN added ON added.id = t.order_id
        ), past AS (
            INSERT INTO order_history (id, shop_id, order_id, status, source, at)
            SELECT t.id, added.shop_id, added.id, added.status, $25, added.updated_at
              FROM unnest($24::uuid[], $1::uuid[]) AS t (id, order_id)
              JOIN added ON added.id = t.order_id
        )
        SELECT id FROM added
        """,
        [order.id for order in orders],
        [order.shop_id for order in orders],
        [order.external_id for order in orders],
        [order.number for order in orders],
        [order.status for order in orders],
        [order.told_status for order in orders],
        [order.buyer_id for order in orders],
        [order.currency for order in orders],
        [order.total for order in orders],
        [as_json(order.delivery) for order in orders],
        [order.labels_url for order in orders],
        [order.created_at for order in orders],
        [order.updated_at for order in orders],
        [order_id for order_id, _, _ in lines],
        [line.id for _, _, line in lines],
        [place for _, place, _ in lines],
        [line.sku for _, _, line in lines],
        [line.title for _, _, line in lines],
        [line.quantity for _, _, line in lines],
        [line.price for _, _, line in lines],
        [line.image_url for _, _, line in lines],
        [line.seller_id for _, _, line in lines],
        [line.warehouse_id for _, _, line in lines],
        [new_id() for _ in orders],
        Source.API,
    )
    return {row["id"] for row in rows}
