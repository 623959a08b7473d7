"""Whose press counts: the people at the shelf as they are now, not as they were when the message was sent."""

from collections.abc import Collection
from uuid import UUID

from hub.db.pool import Db
from hub.orders.model import Kind

# Storekeepers of the place, its group chats, the seller, and admins.
_MAY = """
SELECT EXISTS (
    SELECT FROM {table} AS x
      JOIN contact AS c ON c.shop_id = x.shop_id AND c.id = ANY($3)
      LEFT JOIN warehouse AS w ON w.id = x.warehouse_id
     WHERE x.shop_id = $1 AND x.id = $2
       AND (c.role = 'admin' OR c.id = x.seller_id
            OR (c.role = 'warehouse' AND w.external_id = ANY(c.warehouses))
            OR EXISTS (SELECT FROM warehouse_chat AS h
                        WHERE h.warehouse_id = x.warehouse_id AND h.contact_id = c.id)))
"""
_STATEMENTS = {
    Kind.STOCK: _MAY.format(table="stock_request"),
    Kind.ASSEMBLY: _MAY.format(table="assembly"),
}


async def may_answer(
    db: Db, shop_id: int, kind: Kind, about: UUID, contacts: Collection[UUID]
) -> bool:
    """Whether one of `contacts`, all of whom have the address of the chat, has a say in it."""
    return bool(await db.fetchval(_STATEMENTS[kind], shop_id, about, list(contacts)))
