"""SQL of rules that wait for their time."""

from datetime import datetime, timedelta
from uuid import UUID

from hub.db.pool import Connection, Db
from hub.ids import new_id
from hub.rules.model import Rule, Timer
from hub.sources.model import Kind


async def put(
    connection: Connection,
    shop_id: int,
    rule: Rule,
    *,
    about: str,
    due_at: datetime,
    state: str = "",
    event_id: UUID | None = None,
) -> UUID:
    """One for each rule and object: whatever of it waited until now gives way."""
    id_: UUID = await connection.fetchval(
        """
        INSERT INTO rule_timer AS t (id, shop_id, rule, event, kind, about, state, event_id, due_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (shop_id, rule, kind, about) DO UPDATE
           SET event = excluded.event, state = excluded.state, event_id = excluded.event_id,
               due_at = excluded.due_at, failing_since = NULL
        RETURNING t.id
        """,
        new_id(),
        shop_id,
        rule.name,
        rule.event,
        rule.kind,
        about,
        state,
        event_id,
        due_at,
    )
    return id_


async def drop(connection: Connection, shop_id: int, kind: Kind, about: str) -> None:
    """Of this object nothing waits any more."""
    await connection.execute(
        "DELETE FROM rule_timer WHERE shop_id = $1 AND kind = $2 AND about = $3",
        shop_id,
        kind,
        about,
    )


async def drop_rule(connection: Connection, shop_id: int, rule: str) -> None:
    """The rule is gone, or about something else now."""
    await connection.execute(
        "DELETE FROM rule_timer WHERE shop_id = $1 AND rule = $2", shop_id, rule
    )


async def due(db: Db, limit: int) -> list[Timer]:
    """Those whose time has come, the longest due first. Nothing is locked: see `take`."""
    rows = await db.fetch(
        """
        SELECT id, shop_id, rule, event, kind, about, state, event_id, due_at FROM rule_timer
         WHERE due_at <= now() ORDER BY due_at, id LIMIT $1
        """,
        limit,
    )
    return [Timer(**{**row, "kind": Kind(row["kind"])}) for row in rows]


async def take(connection: Connection, timer: Timer) -> bool:
    """It is the caller's, whose transaction ends it. False: it was dropped or moved since it was read."""
    taken = await connection.fetchval(
        "DELETE FROM rule_timer WHERE id = $1 AND due_at = $2 RETURNING true",
        timer.id,
        timer.due_at,
    )
    return bool(taken)


async def postpone(connection: Connection, timer: Timer, by: timedelta) -> None:
    await connection.execute(
        "UPDATE rule_timer SET due_at = now() + $3 WHERE id = $1 AND due_at = $2",
        timer.id,
        timer.due_at,
        by,
    )


async def give_up(connection: Connection, timer: Timer, after: timedelta) -> bool:
    """It is gone, where it has failed for so long."""
    gone = await connection.fetchval(
        """
        DELETE FROM rule_timer WHERE id = $1 AND due_at = $2 AND failing_since <= now() - $3::interval
        RETURNING true
        """,
        timer.id,
        timer.due_at,
        after,
    )
    return bool(gone)


async def fail(connection: Connection, timer: Timer, by: timedelta) -> None:
    """As `postpone`, and it is known since when."""
    await connection.execute(
        """
        UPDATE rule_timer SET due_at = now() + $3, failing_since = coalesce(failing_since, now())
         WHERE id = $1 AND due_at = $2
        """,
        timer.id,
        timer.due_at,
        by,
    )
