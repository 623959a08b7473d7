"""The orders of one buyer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from hub.db.pool import Db


@dataclass(frozen=True, slots=True)
class Bought:
    id: UUID
    external_id: str
    number: str
    status: str
    currency: str
    total: Decimal | None
    created_at: datetime


async def page(
    db: Db, shop_id: int, buyer_id: UUID, *, before: UUID | None = None, limit: int = 50
) -> Sequence[Bought]:
    """The newest first. `before`: the last id of the page before."""
    rows = await db.fetch(
        f"""
        SELECT id, external_id, number, status, currency, total, created_at FROM shop_order
         WHERE buyer_id = $2 AND shop_id = $1 {"AND id < $4" if before else ""}
         ORDER BY id DESC LIMIT $3
        """,  # noqa: S608 (a constant)
        shop_id,
        buyer_id,
        limit,
        *([before] if before else []),
    )
    return [Bought(**dict(row)) for row in rows]
