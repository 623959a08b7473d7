"""SQL of sources."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from hub.db.pool import Connection, Db
from hub.sources.mapping import read_mapping
from hub.sources.model import Source

COLUMNS = """id, shop_id, name, platform, active, config, secrets, hook_version, id_prefix, seller, warehouse, mapping,
       write_back, tell_within, quiet_before, poll_every, cursors, read_at, paused_until, problem,
       write_problem, unknown_codes, created_at, updated_at"""

_CHANGEABLE = frozenset(
    {
        "name",
        "active",
        "config",
        "secrets",
        "id_prefix",
        "seller",
        "warehouse",
        "mapping",
        "write_back",
        "tell_within",
        "poll_every",
        "read_due_at",
        "paused_until",
        "problem",
        "write_problem",
        "failures",
    }
)

_ONCE = frozenset({"platform", "quiet_before"})


async def add(
    conn: Connection, shop_id: int, id_: UUID, fields: Mapping[str, Any]
) -> Source | None:
    """None: the name or the prefix is taken."""
    names = [name for name in fields if name in _CHANGEABLE or name in _ONCE]
    row = await conn.fetchrow(
        f"""
        INSERT INTO source (id, shop_id, {", ".join(names)})
        VALUES ($1, $2, {", ".join(f"${i}" for i in range(3, len(names) + 3))})
        ON CONFLICT DO NOTHING
        RETURNING {COLUMNS}
        """,  # noqa: S608 (names of columns)
        id_,
        shop_id,
        *(fields[name] for name in names),
    )
    return source_of(row) if row else None


async def by_id(db: Db, shop_id: int, id_: UUID) -> Source | None:
    row = await db.fetchrow(
        f"SELECT {COLUMNS} FROM source WHERE shop_id = $1 AND id = $2 AND deleted_at IS NULL",  # noqa: S608
        shop_id,
        id_,
    )
    return source_of(row) if row else None


async def locked(conn: Connection, shop_id: int, id_: UUID) -> Source | None:
    """As `by_id`, for whoever writes back a part of what he reads: nobody else changes it meanwhile."""
    row = await conn.fetchrow(
        f"""
        SELECT {COLUMNS} FROM source
         WHERE shop_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE
        """,  # noqa: S608
        shop_id,
        id_,
    )
    return source_of(row) if row else None


async def of_hook(db: Db, id_: UUID) -> Source | None:
    """By the id that a hook's token carries."""
    row = await db.fetchrow(
        f"SELECT {COLUMNS} FROM source WHERE id = $1 AND deleted_at IS NULL",  # noqa: S608
        id_,
    )
    return source_of(row) if row else None


async def by_name(db: Db, shop_id: int, name: str) -> Source | None:
    row = await db.fetchrow(
        f"SELECT {COLUMNS} FROM source WHERE shop_id = $1 AND name = $2 AND deleted_at IS NULL",  # noqa: S608
        shop_id,
        name,
    )
    return source_of(row) if row else None


async def many(db: Db, ids: Sequence[UUID]) -> dict[UUID, Source]:
    """Those there are, removed ones among them."""
    rows = await db.fetch(f"SELECT {COLUMNS} FROM source WHERE id = ANY($1)", ids)  # noqa: S608
    return {row["id"]: source_of(row) for row in rows}


async def page(db: Db, shop_id: int, *, before: UUID | None, limit: int) -> list[Source]:
    """The newest first."""
    rows = await db.fetch(
        f"""
        SELECT {COLUMNS} FROM source
         WHERE shop_id = $1 AND deleted_at IS NULL AND ($2::uuid IS NULL OR id < $2)
         ORDER BY id DESC LIMIT $3
        """,  # noqa: S608
        shop_id,
        before,
        limit,
    )
    return [source_of(row) for row in rows]


async def prefix_is_free(db: Db, shop_id: int, prefix: str) -> bool:
    """Whether no other platform of the shop has it."""
    taken = await db.fetchval(
        """
        SELECT true FROM source
         WHERE shop_id = $1 AND id_prefix = $2 AND platform <> 'generic' AND deleted_at IS NULL
        """,
        shop_id,
        prefix,
    )
    return not taken


async def change(
    conn: Connection, shop_id: int, id_: UUID, changes: Mapping[str, Any]
) -> Source | None:
    """None: there is no such source. Raises `asyncpg.UniqueViolationError` (name or prefix)."""
    names = [name for name in changes if name in _CHANGEABLE]
    sets = "".join(f"{name} = ${i}, " for i, name in enumerate(names, 3))
    row = await conn.fetchrow(
        f"""
        UPDATE source SET {sets}updated_at = now()
         WHERE shop_id = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING {COLUMNS}
        """,  # noqa: S608 (names of columns)
        shop_id,
        id_,
        *(changes[name] for name in names),
    )
    return source_of(row) if row else None


async def exchange_url(conn: Connection, shop_id: int, id_: UUID) -> Source | None:
    """Whoever has the former address of the hook is not heard any more."""
    row = await conn.fetchrow(
        f"""
        UPDATE source SET hook_version = hook_version % 30000 + 1, updated_at = now()
         WHERE shop_id = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING {COLUMNS}
        """,  # noqa: S608
        shop_id,
        id_,
    )
    return source_of(row) if row else None


async def remove(conn: Connection, shop_id: int, id_: UUID) -> bool:
    """What waits of it is never applied. False: there is no such source."""
    removed = await conn.fetchval(
        """
        UPDATE source SET deleted_at = now(), active = false, secrets = '', read_due_at = NULL
         WHERE shop_id = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING true
        """,
        shop_id,
        id_,
    )
    if removed:
        await conn.execute(
            """
            UPDATE shop_event
               SET result = 'ignored', reason = 'source-removed', leased_by = NULL, handled_at = now()
             WHERE source_id = $1 AND result = 'waiting'
            """,
            id_,
        )
    return bool(removed)


async def note_problem(
    db: Db, id_: UUID, problem: str, *, writing: bool, least: timedelta, most: timedelta
) -> bool:
    """The platform refuses us: nobody asks it anything for a while, longer each time. Whether it is news. `writing`:
    while it was told something, which stays noted when it lets itself be read."""
    row = await db.fetchrow(
        """
        UPDATE source AS s
           SET problem = $2, failures = s.failures + 1, write_problem = CASE WHEN $5 THEN $2 ELSE s.write_problem END,
               paused_until = now() + least($3::interval * power(2, least(s.failures, 20)), $4::interval)
          FROM (SELECT id, problem, write_problem FROM source WHERE id = $1 FOR UPDATE) AS before
         WHERE s.id = before.id
        RETURNING before.problem, before.write_problem
        """,
        id_,
        problem[:500],
        least,
        most,
        writing,
    )
    if row is None:
        return False
    known = (row["problem"], row["write_problem"]) if writing else (row["problem"],)
    return problem[:500] not in known


async def note_written(db: Db, id_: UUID) -> None:
    """The platform took what it was told."""
    await db.execute(
        """
        UPDATE source
           SET write_problem = '', problem = CASE WHEN problem = write_problem THEN '' ELSE problem END,
               failures = CASE WHEN problem = write_problem THEN 0 ELSE failures END
         WHERE id = $1 AND write_problem <> ''
        """,
        id_,
    )


async def note_works(db: Db, id_: UUID) -> None:
    """It can be asked; whether it can be told is another matter."""
    await db.execute(
        """
        UPDATE source SET problem = '', failures = 0, paused_until = NULL
         WHERE id = $1 AND (problem <> '' OR failures <> 0 OR paused_until IS NOT NULL)
        """,
        id_,
    )


async def note_unknown(conn: Connection, id_: UUID, codes: Sequence[str], most: int) -> list[str]:
    """Words of the platform that no map knows; those that are new. `most`: what a source keeps of them."""
    known = await conn.fetchval("SELECT unknown_codes FROM source WHERE id = $1 FOR UPDATE", id_)
    fresh = [code for code in codes if code not in known][: max(0, most - len(known))]
    if fresh:
        await conn.execute(
            "UPDATE source SET unknown_codes = unknown_codes || $2::text[] WHERE id = $1",
            id_,
            fresh,
        )
    return fresh


async def forget_removed(db: Db, before: datetime) -> list[UUID]:
    """Sources that were removed by then."""
    rows = await db.fetch("SELECT id FROM source WHERE deleted_at < $1 LIMIT 10", before)
    return [row["id"] for row in rows]


def source_of(row: asyncpg.Record | Mapping[str, Any], prefix: str = "") -> Source:
    """`prefix`: of the columns' names, where they stand beside another table's."""
    fields = {name.strip(): row[f"{prefix}{name.strip()}"] for name in COLUMNS.split(",")}
    fields["sealed"] = fields.pop("secrets")
    stored = fields["mapping"]
    fields["mapping"], fields["mapping_fault"] = read_mapping(stored)
    fields["mapping_stored"] = stored
    fields["unknown_codes"] = tuple(fields["unknown_codes"])
    return Source(**fields)
