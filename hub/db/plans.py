"""Statements over hundreds of rows whose plans are always the same."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.db.pool import Connection, Db, transaction

# PostgreSQL plans a prepared statement anew at each of its first five runs on a connection, which takes as long as a
# third of its rows. And whatever it took for an empty table stays in the plan: rows are found by index in any case.
_ONCE = """
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL enable_seqscan = off;
"""
MANY = 100
"""From so many rows on."""


async def plan_once(connection: Connection, more: str = "") -> None:
    """Until the end of the transaction statements are planned once a connection, for whatever arguments. `more`: what
    else is to be set till then."""
    await connection.execute(_ONCE + more)


@asynccontextmanager
async def planned(db: Db, more: str = "") -> AsyncIterator[Connection]:
    """A transaction in which statements are planned as `plan_once` says."""
    async with transaction(db) as connection:
        await plan_once(connection, more)
        yield connection


@asynccontextmanager
async def planned_once(db: Db, rows: int) -> AsyncIterator[Db]:
    """Where to run a statement over so many rows: in a transaction that plans it once, where it is worth it."""
    if rows < MANY:
        yield db
        return
    async with planned(db) as connection:
        yield connection
