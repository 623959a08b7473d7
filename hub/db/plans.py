"""Statements whose plans are always the same, whatever their arguments."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from hub.db.pool import Connection, Db, transaction

PLANNED_ONCE: Mapping[str, str] = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
}
"""For a session whose statements are planned once. PostgreSQL plans a prepared statement anew at each of its first five runs
on a connection, which takes as long as a third of hundreds of rows. And whatever it took for an empty table stays in the
plan: rows are found by index in any case."""

BY_INDEX: Mapping[str, str] = {
    **PLANNED_ONCE,
    "enable_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""And whose indexes are in order, and everything else is found by its id: to sort is what PostgreSQL prefers while it takes
a backlog for a few rows, to read whole tables where it cannot tell how many rows there will be."""


@asynccontextmanager
async def planned_once(db: Db) -> AsyncIterator[Connection]:
    """A transaction in which statements are planned so, on a connection whose others are not."""
    async with transaction(db) as connection:
        await connection.execute(
            "; ".join(f"SET LOCAL {name} = {value}" for name, value in PLANNED_ONCE.items())
        )
        yield connection
