"""Locks that are asked for briefly, so that nobody is held up, and those that a process holds to be the only one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg

from hub.db.pool import Connection

# While a change waits for a table that is in use, everybody else waits behind it.
WAIT = timedelta(seconds=1)

IN_THE_WAY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
"""What a change of the schema ends with when others were faster: nothing was changed, try again."""


@asynccontextmanager
async def briefly(connection: Connection) -> AsyncIterator[None]:
    """A transaction that waits for each lock no longer than `WAIT`. Raises what `IN_THE_WAY` lists."""
    async with connection.transaction():
        await connection.execute(
            f"SET LOCAL lock_timeout = '{WAIT // timedelta(milliseconds=1)}ms'"
        )
        yield


@asynccontextmanager
async def alone(connection: Connection, number: int) -> AsyncIterator[bool]:
    """Whether this connection is the one that has the lock, which lasts as long as the context or the connection.

    What was set for the session meanwhile is taken back; a connection of which that is not certain is closed.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", number):
        yield False
        return
    try:
        yield True
    finally:
        if not connection.is_closed():
            try:
                await connection.execute("SELECT pg_advisory_unlock($1)", number)
                await connection.execute("RESET ALL")
            except BaseException:
                connection.terminate()
                raise
