"""What platforms told, to look at: what came of each, and another try for what failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from hub.db.partitions import first_id
from hub.db.pool import Connection, Db
from hub.errors import Conflict, NotFound
from hub.ids import made_at
from hub.sources.model import Kind, Result

MOST_AT_ONCE = 1000
"""Events that one call brings back."""

MOST_COUNTED = 10_000
_DAY = timedelta(days=1)

UNKNOWN_STATUS = "unknown-status"
"""Why an event was applied without a status: the map that it lacked may be there by now."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One event. `source` None: removed long ago. `next_at`: when it is tried, while it waits. `payload`: what is
    kept of what was told; None where it was not asked for, too."""

    id: UUID
    source_id: UUID
    source: str | None
    kind: str | None
    action: str | None
    object: str
    via: str
    happened_at: datetime | None
    received_at: datetime
    result: Result
    reason: str
    quiet: bool
    set_off: Mapping[str, Any] | None
    tries: int
    next_at: datetime | None
    handled_at: datetime | None
    payload: Mapping[str, Any] | None = None


_SHOWN = """
SELECT e.id, e.source_id, s.name AS source, e.kind, e.action, e.object, e.via, e.happened_at, e.result, e.reason, e.quiet,
       e.set_off, e.tries, CASE WHEN e.result = 'waiting' THEN e.due_at END AS next_at, e.handled_at {more}
  FROM shop_event AS e LEFT JOIN source AS s ON s.id = e.source_id
"""

# Only what is asked for stands in the statement: with `$2 IS NULL OR …` no plan could use an index for it.
_FILTERS: Mapping[str, str] = {
    "kind": "e.kind = {0}",
    "action": "e.action = {0}",
    "object": "e.object = {0}",
    "source": "e.source_id IN (SELECT id FROM source WHERE shop_id = $1 AND name = {0})",
    "via": "e.via = {0}",
    "first": "e.id >= {0}",
    "last": "e.id < {0}",
    "before": "e.id < {0}",
}
# Said in the statement itself: an index that has only some of them is used for no other.
_OF_RESULT: Mapping[Result, str] = {result: f"e.result = '{result}'" for result in Result}
_ANY_KIND = f"e.kind IN ({', '.join(repr(kind.value) for kind in Kind)})"
"""So that the index of objects, which begins with the kind, finds an object of whatever kind."""


async def page(
    db: Db,
    shop_id: int,
    *,
    kind: str | None = None,
    action: str | None = None,
    object_: str | None = None,
    source: str | None = None,
    result: Result | None = None,
    via: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Shown]:
    """The newest first, without what was told. `since` and `until`: when it came in; `before`: the last id of the
    page before."""
    asked = {
        "kind": kind,
        "action": action,
        "object": object_,
        "source": source,
        "via": via,
        # Ids follow the time, and partitions the ids: what is older is not looked at.
        "first": first_id(since) if since else None,
        "last": first_id(until) if until else None,
        "before": before,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    wheres = [_FILTERS[name].format(f"${i}") for i, name in enumerate(given, 3)]
    wheres += [_OF_RESULT[result]] if result else []
    wheres += [_ANY_KIND] if object_ is not None and kind is None else []
    where = " AND ".join(["e.shop_id = $1", *wheres])
    statement = f"{_SHOWN.format(more='')} WHERE {where} ORDER BY e.id DESC LIMIT $2"
    return [_shown(row) for row in await db.fetch(statement, shop_id, limit, *given.values())]


async def by_id(db: Db, shop_id: int, id_: UUID) -> Shown:
    """With its payload. Raises `NotFound`."""
    statement = f"{_SHOWN.format(more=', e.payload')} WHERE e.shop_id = $1 AND e.id = $2"
    row = await db.fetchrow(statement, shop_id, id_)
    if row is None:
        raise NotFound("there is no event with this id, or it is no longer kept")
    return _shown(row)


_AGAIN = """
UPDATE shop_event AS e
   SET result = 'waiting', reason = '', set_off = NULL, tries = 0, due_at = now(), handled_at = NULL, leased_by = NULL
  FROM source AS s
 WHERE e.shop_id = $1 AND e.id = ANY($2)
   AND (e.result IN ('failed', 'ignored') OR e.result = 'applied' AND e.reason = 'unknown-status')
   AND e.kind IS NOT NULL AND e.object <> '' AND e.reason <> 'erased'
   AND s.id = e.source_id AND s.deleted_at IS NULL
RETURNING e.id
"""


async def replay(connection: Connection, shop_id: int, id_: UUID) -> None:
    """Has it worked on once more, as if it had just come in; what was told since is newer all the same.

    Raises `NotFound`, `Conflict` (nothing failed, or there is nothing to work on).
    """
    event = await by_id(connection, shop_id, id_)
    if not _may_be_replayed(event):
        raise Conflict(
            f"only what failed or was ignored is replayed, and this event is {event.result}"
        )
    if event.kind is None or not event.object or event.reason == "erased":
        raise Conflict("nothing is kept of this event that could be worked on")
    if await connection.fetchval(_AGAIN, shop_id, [id_]) is None:
        raise Conflict("the source of this event was removed")


async def replay_many(
    connection: Connection,
    shop_id: int,
    *,
    source: str,
    since: datetime | None = None,
    reason: str | None = None,
) -> int:
    """As `replay`, for at most `MOST_AT_ONCE` of those of a source that failed, the oldest first; how many. `reason`: for
    which they did; `UNKNOWN_STATUS`: of those that were applied without their status."""
    asked = {
        "source": source,
        "first": first_id(since) if since else None,
        "reason": reason,
    }
    filters = {**_FILTERS, "reason": "e.reason = {0}"}
    given = {name: value for name, value in asked.items() if value is not None}
    wheres = [filters[name].format(f"${i}") for i, name in enumerate(given, 3)]
    result = Result.APPLIED if reason == UNKNOWN_STATUS else Result.FAILED
    where = " AND ".join(["e.shop_id = $1", _OF_RESULT[result], *wheres])
    rows = await connection.fetch(
        f"SELECT e.id FROM shop_event AS e WHERE {where} ORDER BY e.id LIMIT $2"  # noqa: S608 (constants)
        " FOR UPDATE SKIP LOCKED",
        shop_id,
        MOST_AT_ONCE,
        *given.values(),
    )
    return len(await connection.fetch(_AGAIN, shop_id, _ids(rows))) if rows else 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a shop's events stand. `waiting`: due now and not worked on; `failed`: within a day; `troubled`: sources that
    their platform refuses. Counts stop at `MOST_COUNTED`."""

    waiting: int = 0
    oldest_due_at: datetime | None = None
    failed: int = 0
    troubled: int = 0


async def standing(db: Db, shops: Sequence[int], now: datetime) -> dict[int, Standing]:
    """By shop; those that have no source are left out."""
    rows = await db.fetch(
        """
        SELECT q.shop_id, sum(w.waiting)::int AS waiting, min(w.oldest_due_at) AS oldest_due_at,
               count(*) FILTER (WHERE q.problem <> '' OR q.write_problem <> '')::int AS troubled,
               (SELECT count(*) FROM (SELECT FROM shop_event AS f
                                       WHERE f.shop_id = q.shop_id AND f.result = 'failed' AND f.id >= $2
                                       LIMIT $3) AS f)::int AS failed
          FROM source AS q
         CROSS JOIN LATERAL (
               SELECT count(*) AS waiting, min(due_at) AS oldest_due_at
                 FROM (SELECT due_at FROM shop_event
                        WHERE source_id = q.id AND result = 'waiting' AND due_at <= now() LIMIT $3) AS e) AS w
         WHERE q.shop_id = ANY($1) AND q.active AND q.deleted_at IS NULL
         GROUP BY q.shop_id
        """,
        shops,
        first_id(now - _DAY),
        MOST_COUNTED,
    )
    return {
        row["shop_id"]: Standing(**{k: v for k, v in row.items() if k != "shop_id"}) for row in rows
    }


def _may_be_replayed(event: Shown) -> bool:
    return event.result in (Result.FAILED, Result.IGNORED) or (
        event.result is Result.APPLIED and event.reason == UNKNOWN_STATUS
    )


def _ids(rows: Sequence[asyncpg.Record]) -> list[UUID]:
    return [row["id"] for row in rows]


def _shown(row: asyncpg.Record) -> Shown:
    told = {**row, "result": Result(row["result"])}
    return Shown(received_at=made_at(row["id"]), **told)
