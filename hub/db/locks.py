"""Changes of the schema that hold nobody up: they wait a moment for their turn, and else come again."""

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
