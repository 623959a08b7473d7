"""Live events go first: while they wait for their turn, an import waits for them between its portions."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from time import monotonic

from hub.db.pool import Db
from hub.resources import Hub

LATE = timedelta(milliseconds=300)
"""Events that nobody has taken by then show that the machine has no room for both."""

FORGOTTEN = timedelta(minutes=1)
"""What is due for longer waits for something else, such as a platform that is away."""

_MOST = timedelta(seconds=1)
_LOOK_EVERY = timedelta(milliseconds=100)


async def made(hub: Hub, began: float) -> None:
    """After a portion that `began` then: a pause of a tenth of it, and longer, up to a second, while events are late.
    No connection is held meanwhile."""
    ended = monotonic()
    await asyncio.sleep((ended - began) / 10)
    until = ended + _MOST.total_seconds()
    while True:
        if monotonic() > until or not await events_are_late(hub.db, hub.shops):
            return
        await asyncio.sleep(_LOOK_EVERY.total_seconds())


async def events_are_late(db: Db, shops: Collection[int]) -> bool:
    found: bool = await db.fetchval(
        """
        SELECT EXISTS (SELECT FROM shop_event
                        WHERE shop_id = ANY($1) AND result = 'waiting' AND leased_by IS NULL
                          AND due_at > now() - $2::interval AND due_at < now() - $3::interval)
        """,
        list(shops),
        FORGOTTEN,
        LATE,
    )
    return found
