"""What PostgreSQL keeps of rows that are gone: given up after erasures, and on demand taken off the disk."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import asyncpg

from hub.contacts.personal import PERSONAL
from hub.db.locks import IN_THE_WAY
from hub.db.pool import Connection

_EVERY = timedelta(hours=20)
_PATIENCE = timedelta(hours=2)
"""For one table."""

_TRIES = 5
_WAIT = timedelta(seconds=1)
"""For a table that is in use; everybody else waits behind us as long."""

_NO_RIGHT = (asyncpg.InsufficientPrivilegeError, asyncpg.CantChangeRuntimeParamError)


async def after_erasures(connection: Connection, now: datetime) -> bool:
    """Once in a day in which somebody was erased: dead rows make room, and the planner's samples of values are taken
    anew. Nobody waits for it. False: there was nothing to do."""
    swept = await connection.fetch(
        """
        SELECT contact_id FROM erasure WHERE tidied_at IS NULL AND swept_at IS NOT NULL
           AND NOT EXISTS (SELECT FROM erasure WHERE tidied_at > $1)
        """,
        now - _EVERY,
    )
    if not swept:
        return False
    for table in await _tables(connection, "r"):
        await _run(
            connection, f"VACUUM (ANALYZE, INDEX_CLEANUP ON, SKIP_LOCKED, TRUNCATE OFF) {table}"
        )
    await _forget_samples(connection)
    await connection.execute(
        "UPDATE erasure SET tidied_at = $2 WHERE contact_id = ANY($1)",
        [row["contact_id"] for row in swept],
        now,
    )
    return True


async def scrub(connection: Connection) -> AsyncIterator[str]:
    """Writes every table with personal data anew, so that the files hold nothing any more that is not in a row, and
    lets go of the write-ahead log up to now. Tells what could not be done. Whoever uses a table waits while it is
    written: seconds for each gigabyte."""
    await _forget_samples(connection)
    for table in [*await _tables(connection, "r"), "pg_catalog.pg_statistic"]:
        async for line in _rewritten(connection, table):
            yield line
    async for line in _without_log(connection):
        yield line


async def _rewritten(connection: Connection, table: str) -> AsyncIterator[str]:
    await connection.execute(f"SET lock_timeout = '{_WAIT // timedelta(milliseconds=1)}ms'")
    try:
        for left in reversed(range(_TRIES)):
            try:
                await _run(connection, f"VACUUM (FULL, ANALYZE) {table}")
            except IN_THE_WAY:
                if not left:
                    yield f"{table}: is in use all the time; try again"
            except _NO_RIGHT:
                yield f"{table}: only a superuser may write it anew"
                return
            else:
                return
    finally:
        await connection.execute("RESET lock_timeout")


async def _without_log(connection: Connection) -> AsyncIterator[str]:
    """Segments of the log are used again and again with their old content behind the new; for once they are not."""
    try:
        await connection.execute("ALTER SYSTEM SET wal_recycle = off")
        await connection.execute("SELECT pg_reload_conf()")
        # What lies ready for later was used before as well.
        ready = await connection.fetchval(
            "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn())"
        )
        for _ in range(ready + 1):
            await connection.execute("SELECT pg_logical_emit_message(false, 'vestnik', 'scrub')")
            await connection.execute("SELECT pg_switch_wal()")
            await _run(connection, "CHECKPOINT")
    except _NO_RIGHT:
        yield "the write-ahead log: only a superuser may let go of it; it goes with max_wal_size"
        return
    finally:
        try:
            await connection.execute("ALTER SYSTEM RESET wal_recycle")
            await connection.execute("SELECT pg_reload_conf()")
        except _NO_RIGHT:
            pass
    if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_replication_slots)"):
        yield "the write-ahead log: a replication slot keeps it back"


async def _forget_samples(connection: Connection) -> None:
    """Those of tables that are empty, and of whole tables that are cut by month, which nobody takes anew by
    himself."""
    cut = await _tables(connection, "p")
    try:
        await connection.execute(
            """
            SELECT pg_clear_attribute_stats(schemaname::text, tablename::text, attname::text, inherited)
              FROM pg_stats WHERE schemaname = 'public' AND tablename = ANY($1) AND inherited
            """,
            cut,
        )
        for table in await _tables(connection, "r"):
            await connection.execute(
                f"""
                SELECT pg_clear_attribute_stats(schemaname::text, tablename::text, attname::text, inherited)
                  FROM pg_stats
                 WHERE schemaname = 'public' AND tablename = $1 AND NOT EXISTS (SELECT FROM {table})
                """,  # noqa: S608 (a name of our own)
                table,
            )
    except asyncpg.UndefinedFunctionError:
        # Before version 18 they are only ever taken anew.
        for table in cut:
            await _run(connection, f"ANALYZE {table}")


async def _tables(connection: Connection, kind: str) -> Sequence[str]:
    """With personal data, the smallest first: `r` those that hold rows themselves, months among them, `p` those that
    are cut by month."""
    rows = await connection.fetch(
        """
        WITH RECURSIVE held AS (
            SELECT to_regclass(name)::oid AS oid FROM unnest($1::text[]) AS name
             UNION ALL
            SELECT i.inhrelid FROM pg_inherits AS i JOIN held ON held.oid = i.inhparent
        )
        SELECT c.relname FROM held JOIN pg_class AS c ON c.oid = held.oid WHERE c.relkind::text = $2
         ORDER BY pg_relation_size(c.oid), c.relname
        """,
        sorted(PERSONAL),
        kind,
    )
    return [row["relname"] for row in rows]


async def _run(connection: Connection, statement: str) -> None:
    await connection.execute(statement, timeout=_PATIENCE.total_seconds())
