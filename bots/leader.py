"""One process per account: two that ask Telegram for updates throw each other out (409)."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from hub.db.locks import alone
from hub.db.pool import UNREACHABLE, Pool

StillLeading = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def leadership(db: Pool, shop_id: int, account: str) -> AsyncIterator[StillLeading | None]:
    """None: another process leads. Else a question to ask from time to time, since the lock goes with its
    connection. Ends with the process, however it ends."""
    number = _lock_number(shop_id, account)
    async with db.acquire() as conn, alone(conn, number) as leads:
        if not leads:
            yield None
            return

        async def still() -> bool:
            try:
                await conn.execute("SELECT 1")
            except (*UNREACHABLE, asyncpg.PostgresError):
                return False
            return True

        yield still


def _lock_number(shop_id: int, account: str) -> int:
    name = f"vestnik:bots:{shop_id}:{account}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big", signed=True)
