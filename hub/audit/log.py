"""Lines added in the transaction of what they tell of, and read page by page."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hub.audit.model import Action, Actor, ActorKind, Entry
from hub.db.partitions import first_id
from hub.db.pool import Connection, Db
from hub.ids import new_id

_CLOCKS = timedelta(minutes=5)
"""By how much the clocks of two machines may differ."""


async def record(
    connection: Connection,
    shop_id: int | None,
    by: Actor,
    action: Action,
    object_: str | UUID = "",
    **detail: Any,
) -> None:
    """In the caller's transaction. `shop_id` None: it concerns the whole hub."""
    await connection.execute(
        """
        INSERT INTO audit (id, shop_id, actor, actor_id, actor_name, action, object, detail, request_id,
                           remote)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        new_id(),
        shop_id,
        by.kind,
        by.id,
        by.name,
        action,
        str(object_),
        detail,
        by.request_id,
        by.remote,
    )


# Only what is asked for stands in the statement: with `$2 IS NULL OR …` no plan could use an index for it.
_FILTERS: Mapping[str, str] = {
    "action": "action = {0}",
    "actor_id": "actor_id = {0}",
    "object": "object = {0} AND object <> ''",
    "since": "at >= {0}",
    "until": "at < {0}",
    "first": "id >= {0}",
    "before": "id < {0}",
}


async def page(
    db: Db,
    shop_id: int,
    *,
    action: str | None = None,
    actor_id: UUID | None = None,
    object_: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Entry]:
    """The newest first. `before`: the last id of the page before."""
    asked = {
        "action": action,
        "actor_id": actor_id,
        "object": object_,
        "since": since,
        "until": until,
        # Ids follow the time, and partitions the ids: what is older is not looked at.
        "first": first_id(since - _CLOCKS) if since else None,
        "before": before,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    wheres = [_FILTERS[name].format(f"${i}") for i, name in enumerate(given, 3)]
    rows = await db.fetch(
        f"""
        SELECT id, actor, actor_id, actor_name, action, object, detail, request_id, remote, at
          FROM audit WHERE {" AND ".join(["shop_id = $1", *wheres])}
         ORDER BY id DESC LIMIT $2
        """,  # noqa: S608 (fixed fragments)
        shop_id,
        limit,
        *given.values(),
    )
    return [Entry(**{**row, "actor": ActorKind(row["actor"])}) for row in rows]
