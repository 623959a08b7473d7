"""Indexes of large tables, built while others write to them; those that a cut short migration left out, too."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from hub.db.locks import briefly
from hub.db.retired import RETIRED

log = structlog.get_logger()

LARGE = 32 * 1024 * 1024
"""Bytes; below that an index is built in the blink of an eye."""

_MADE = re.compile(r"^CREATE INDEX (\w+)\s+ON (\w+)\s+(.+?);", re.MULTILINE | re.DOTALL)
_DROPPED = re.compile(r"^DROP INDEX (?:IF EXISTS )?(\w+);", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Index:
    """As a migration has it; `rest` is what follows the table's name."""

    name: str
    table: str
    rest: str


def made_by(sql: str) -> Iterator[Index]:
    """Unique ones are not among them: the statements beside them may rely on them."""
    for found in _MADE.finditer(sql):
        yield Index(found[1], found[2], found[3])


async def without_slow(connection: asyncpg.Connection, sql: str, large: int) -> str:
    """The step without those indexes whose table has `large` bytes already: `complete` builds them, and only then
    takes away what they stand in for."""
    sizes = {index.table: await _size(connection, index.table) for index in made_by(sql)}
    if max(sizes.values(), default=0) < large:
        return sql

    def kept(found: re.Match[str]) -> str:
        return "" if sizes[found[2]] >= large else found[0]

    return _DROPPED.sub("", _MADE.sub(kept, sql))


async def complete(connection: asyncpg.Connection, steps: Sequence[str]) -> None:
    """Builds what these steps name and is not there, or only in part, then takes away what they drop. Nobody who writes
    waits for it."""
    wanted: dict[str, Index] = {}
    dropped: set[str] = set()
    for sql in steps:
        made = {index.name: index for index in made_by(sql)}
        gone = set(_DROPPED.findall(sql))
        wanted = {name: index for name, index in wanted.items() if name not in gone} | made
        dropped = (dropped - made.keys()) | gone
    wanted = {name: index for name, index in wanted.items() if name not in RETIRED}
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
        " WHERE i.indisvalid AND c.relname = ANY($1)"
        "   AND c.relnamespace = current_schema()::regnamespace",
        list(wanted),
    )
    whole = {r["relname"] for r in rows}
    for index in wanted.values():
        if index.name not in whole:
            log.info("index.building", index=index.name, table=index.table)
            await _build(connection, index)
    for name in sorted(dropped):
        if await connection.fetchval("SELECT to_regclass($1)", name):
            async with briefly(connection):
                await connection.execute(f"DROP INDEX {name}")


async def _build(connection: asyncpg.Connection, index: Index) -> None:
    parts = await _partitions(connection, index.table)
    if parts is None:
        await _build_one(connection, index.name, index.table, index.rest)
        return
    async with briefly(connection):
        await connection.execute(
            f"CREATE INDEX IF NOT EXISTS {index.name} ON ONLY {index.table} {index.rest}"
        )
    for part in parts:
        if await _has(connection, index.name, part):
            continue
        # PostgreSQL builds none beside the writers for a whole partitioned table.
        name = f"{index.name}_{part.removeprefix(index.table + '_')}"
        await _build_one(connection, name, part, index.rest)
        async with briefly(connection):
            await connection.execute(f"ALTER INDEX {index.name} ATTACH PARTITION {name}")


async def _build_one(connection: asyncpg.Connection, name: str, table: str, rest: str) -> None:
    valid = await connection.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", name
    )
    if valid is False:
        # Of a run that was cut short.
        await connection.execute(f"DROP INDEX CONCURRENTLY {name}")
    if not valid:
        await connection.execute(f"CREATE INDEX CONCURRENTLY {name} ON {table} {rest}")


async def _partitions(connection: asyncpg.Connection, table: str) -> list[str] | None:
    """None: it is not a partitioned table."""
    kind = await connection.fetchval(
        "SELECT relkind::text FROM pg_class WHERE oid = to_regclass($1)", table
    )
    if kind != "p":
        return None
    rows = await connection.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent = to_regclass($1) ORDER BY 1",
        table,
    )
    return [r["name"] for r in rows]


async def _has(connection: asyncpg.Connection, index: str, partition: str) -> bool:
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_inherits AS h JOIN pg_index AS i ON i.indexrelid = h.inhrelid"
            " WHERE h.inhparent = to_regclass($1) AND i.indrelid = to_regclass($2))",
            index,
            partition,
        )
    )


async def _size(connection: asyncpg.Connection, table: str) -> int:
    """Zero where there is none yet."""
    found = await connection.fetchval(
        "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint"
        " FROM pg_partition_tree(to_regclass($1))",
        table,
    )
    plain = await connection.fetchval("SELECT pg_total_relation_size(to_regclass($1))", table)
    return max(int(found or 0), int(plain or 0))
