"""What conditions may ask of beside the thing itself: whose it is and where it came from."""

from typing import Any
from uuid import UUID

from hub.db.pool import Db


async def of_contact(db: Db, shop_id: int, contact_id: UUID | None) -> dict[str, Any]:
    """Empty where there is nobody (any more)."""
    row = await db.fetchrow(
        "SELECT role, locale, attributes FROM contact WHERE shop_id = $1 AND id = $2",
        shop_id,
        contact_id,
    )
    return dict(row) if row else {}


async def source_of(db: Db, order_id: UUID) -> str | None:
    """The name of the source that told of this order."""
    name: str | None = await db.fetchval(
        """
        SELECT s.name FROM source_object AS o JOIN source AS s ON s.id = o.source_id
         WHERE o.order_id = $1 ORDER BY o.updated_at LIMIT 1
        """,
        order_id,
    )
    return name
