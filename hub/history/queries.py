"""SQL of imports."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from hub.db.pool import Connection, Db
from hub.history.model import MOST_FAULTS, Origin, RowFault, Run, RunState, Taken
from hub.history.progress import Pace
from hub.ids import new_id
from hub.sources.model import Kind

LEASE = timedelta(seconds=60)
"""Renewed while a worker has it in hand; what a dead one held goes on after it."""

_RUN = """
SELECT r.id, r.shop_id, r.source_id, s.name AS source, r.origin, r.kinds, r.since, r.state, r.reason, r.position,
       r.total, r.done, r.added, r.changed, r.known, r.faulty, r.faults, r.window_at, r.window_done, r.created_at,
       r.finished_at
  FROM import_run AS r JOIN source AS s ON s.id = r.source_id
"""


async def add(
    conn: Connection,
    shop_id: int,
    source_id: UUID,
    origin: Origin,
    kinds: Sequence[Kind],
    *,
    since: datetime | None = None,
    total: int | None = None,
    fingerprint: str = "",
) -> UUID:
    id_ = new_id()
    await conn.execute(
        """
        INSERT INTO import_run (id, shop_id, source_id, origin, kinds, since, total, fingerprint)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        id_,
        shop_id,
        source_id,
        origin,
        list(kinds),
        since,
        total,
        fingerprint,
    )
    return id_


async def by_id(db: Db, shop_id: int, id_: UUID) -> Run | None:
    row = await db.fetchrow(f"{_RUN} WHERE r.shop_id = $1 AND r.id = $2", shop_id, id_)
    return _run(row) if row else None


async def lock(conn: Connection, shop_id: int, id_: UUID) -> Run | None:
    """Holds it until the transaction ends: portions of one run follow each other."""
    row = await conn.fetchrow(
        f"{_RUN} WHERE r.shop_id = $1 AND r.id = $2 FOR NO KEY UPDATE OF r", shop_id, id_
    )
    return _run(row) if row else None


async def open_ones(db: Db, source_id: UUID, origin: Origin) -> list[tuple[UUID, str]]:
    """(id, fingerprint) of those of a source that are not over, the oldest first."""
    rows = await db.fetch(
        """
        SELECT id, fingerprint FROM import_run
         WHERE source_id = $1 AND origin = $2 AND state IN ('running', 'paused') ORDER BY id
        """,
        source_id,
        origin,
    )
    return [(row["id"], row["fingerprint"]) for row in rows]


async def page(db: Db, shop_id: int, *, before: UUID | None, limit: int) -> list[Run]:
    """The newest first. `before`: the last id of the page before."""
    rows = await db.fetch(
        f"{_RUN} WHERE r.shop_id = $1 AND ($2::uuid IS NULL OR r.id < $2) ORDER BY r.id DESC LIMIT $3",
        shop_id,
        before,
        limit,
    )
    return [_run(row) for row in rows]


async def become(conn: Connection, id_: UUID, state: RunState, reason: str = "") -> None:
    """Another state; whoever has it in hand finds that out with his next portion."""
    await conn.execute(
        """
        UPDATE import_run
           SET state = $2, reason = $3, leased_by = NULL, due_at = now(),
               window_at = NULL, window_done = done,
               finished_at = CASE WHEN $2 IN ('done', 'failed', 'cancelled') THEN now() END
         WHERE id = $1
        """,
        id_,
        state,
        reason,
    )


async def record(
    conn: Connection,
    run: Run,
    count: int,
    taken: Taken,
    pace: Pace,
    position: Mapping[str, Any],
) -> None:
    """`count` rows further, in the transaction in which they were taken. The run is locked."""
    room = max(0, MOST_FAULTS - len(run.faults))
    faults = [{"row": fault.row, "detail": fault.detail} for fault in taken.faults[:room]]
    await conn.execute(
        """
        UPDATE import_run
           SET done = done + $2, added = added + $3, changed = changed + $4, known = known + $5,
               faulty = faulty + $6, faults = faults || $7::jsonb, position = $8, reason = '',
               window_at = $9, window_done = $10
         WHERE id = $1
        """,
        run.id,
        count,
        taken.added,
        taken.changed,
        taken.known,
        len(taken.faults),
        faults,
        position,
        pace.at,
        pace.done,
    )


async def claim(db: Db, worker: UUID, lease: timedelta = LEASE) -> Run | None:
    """One that the hub reads by itself and that is due, for this worker for as long as the lease."""
    row = await db.fetchrow(
        """
        UPDATE import_run SET leased_by = $1, due_at = now() + $2
         WHERE id = (SELECT r.id FROM import_run AS r JOIN source AS s ON s.id = r.source_id
                      WHERE r.state = 'running' AND r.origin = 'source' AND r.due_at <= now()
                        AND (s.paused_until IS NULL OR s.paused_until <= now())
                      ORDER BY r.due_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED)
        RETURNING shop_id, id
        """,
        worker,
        lease,
    )
    return await by_id(db, row["shop_id"], row["id"]) if row else None


async def renew(db: Db, run: Run, worker: UUID, lease: timedelta) -> None:
    """Nothing, where it was stopped, or somebody else has it."""
    await db.execute(
        """
        UPDATE import_run SET due_at = now() + $3
         WHERE id = $1 AND leased_by = $2 AND state = 'running'
        """,
        run.id,
        worker,
        lease,
    )


async def hold(conn: Connection, run: Run, worker: UUID) -> Run | None:
    """Locked, and its lease begun anew; None: it was stopped, or somebody else has it."""
    held = await conn.fetchval(
        """
        UPDATE import_run SET due_at = now() + $3
         WHERE id = $1 AND leased_by = $2 AND state = 'running' RETURNING true
        """,
        run.id,
        worker,
        LEASE,
    )
    return await by_id(conn, run.shop_id, run.id) if held else None


async def announce(db: Db, run: Run, worker: UUID, total: int | None) -> None:
    await db.execute(
        "UPDATE import_run SET total = $3 WHERE id = $1 AND leased_by = $2", run.id, worker, total
    )


async def later(db: Db, id_: UUID, worker: UUID, after: timedelta, reason: str) -> None:
    await db.execute(
        """
        UPDATE import_run SET due_at = now() + $3, reason = $4, leased_by = NULL
         WHERE id = $1 AND leased_by = $2
        """,
        id_,
        worker,
        after,
        reason,
    )


async def free(db: Db, worker: UUID) -> None:
    """That worker is dead, or has ended: what it held is due."""
    await db.execute(
        "UPDATE import_run SET due_at = now(), leased_by = NULL WHERE leased_by = $1", worker
    )


def _run(row: asyncpg.Record) -> Run:
    fields = dict(row)
    at, done = fields.pop("window_at"), fields.pop("window_done")
    return Run(
        **fields
        | {
            "origin": Origin(fields["origin"]),
            "state": RunState(fields["state"]),
            "kinds": tuple(Kind(kind) for kind in fields["kinds"]),
            "faults": tuple(RowFault(one["row"], one["detail"]) for one in fields["faults"]),
            "pace": Pace(at, done) if at else None,
            "unknown_codes": tuple(fields["position"].get("unknown_codes", ())),
        }
    )
