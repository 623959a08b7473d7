"""Who is behind a warehouse, a seller's name, a shop: contacts to ask and to tell."""

from collections.abc import Collection, Mapping
from uuid import UUID

from hub.contacts.model import Role
from hub.db.pool import Db


async def staff(db: Db, shop_id: int, warehouse_id: UUID | None) -> list[UUID]:
    """The storekeepers that name this place, those known longest first, and then its group chats; nobody where it is
    none."""
    if warehouse_id is None:
        return []
    rows = await db.fetch(
        """
        SELECT c.id FROM warehouse AS w
          JOIN contact AS c ON c.shop_id = w.shop_id AND c.warehouses @> ARRAY[w.external_id]
         WHERE w.shop_id = $1 AND w.id = $2 AND c.warehouses <> '{}' AND c.role = 'warehouse'
         ORDER BY c.id
        """,
        shop_id,
        warehouse_id,
    )
    chats = await db.fetch(
        "SELECT contact_id FROM warehouse_chat WHERE warehouse_id = $1 ORDER BY created_at",
        warehouse_id,
    )
    return list(dict.fromkeys([r["id"] for r in rows] + [r["contact_id"] for r in chats]))


async def admins(db: Db, shop_id: int) -> list[UUID]:
    rows = await db.fetch(
        """
        SELECT id FROM contact
         WHERE shop_id = $1 AND role = 'admin' AND external_id IS NOT NULL ORDER BY id
        """,
        shop_id,
    )
    return [row["id"] for row in rows]


async def named(
    db: Db, shop_id: int, external_ids: Collection[str]
) -> Mapping[str, tuple[UUID, Role]]:
    """Those there are, by their external_id."""
    rows = await db.fetch(
        "SELECT external_id, id, role FROM contact WHERE shop_id = $1 AND external_id = ANY($2)",
        shop_id,
        list(external_ids),
    )
    return {row["external_id"]: (row["id"], Role(row["role"])) for row in rows}
