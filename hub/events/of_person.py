"""What shops' platforms told of one person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hub.db.pool import Db
from hub.ids import made_at


@dataclass(frozen=True, slots=True)
class Told:
    """One event, without what was told. `source` None: removed long ago."""

    id: UUID
    source: str | None
    kind: str | None
    action: str | None
    object: str
    result: str
    reason: str
    received_at: datetime


async def page(
    db: Db, shop_id: int, contact_id: UUID, *, before: UUID | None = None, limit: int = 50
) -> Sequence[Told]:
    """The newest first. `before`: the last id of the page before."""
    rows = await db.fetch(
        f"""
        SELECT e.id, s.name AS source, e.kind, e.action, e.object, e.result, e.reason
          FROM shop_event AS e LEFT JOIN source AS s ON s.id = e.source_id
         WHERE e.contact_id = $2 AND e.shop_id = $1 {"AND e.id < $4" if before else ""}
         ORDER BY e.id DESC LIMIT $3
        """,  # noqa: S608 (a constant)
        shop_id,
        contact_id,
        limit,
        *([before] if before else []),
    )
    return [Told(**dict(row), received_at=made_at(row["id"])) for row in rows]
