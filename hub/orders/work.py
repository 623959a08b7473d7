"""One transaction of this package: what it needs at hand, and what is handed out after its commit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from hub.db.pool import Connection
from hub.notifications import service as notifications
from hub.notifications.steps import Due
from hub.resources import Hub
from hub.shops.registry import Shop


@dataclass(frozen=True, slots=True)
class Work:
    """`now` is the same for all that happens in it. `quiet`: what is written is told to nobody, and nobody is asked.

    `source`: the name of the shop's source that it comes from, where it comes from one.
    `told`, `fired`, `timers`: what came of it: notifications, names of rules, rules that wait.
    """

    hub: Hub
    conn: Connection
    shop: Shop
    now: datetime
    due: list[Due] = field(default_factory=list)
    quiet: bool = False
    source: str = ""
    told: list[UUID] = field(default_factory=list)
    fired: list[str] = field(default_factory=list)
    timers: list[UUID] = field(default_factory=list)


@asynccontextmanager
async def working(
    hub: Hub,
    shop: Shop,
    now: datetime | None = None,
    *,
    quiet: bool = False,
    source: str = "",
) -> AsyncIterator[Work]:
    """Commits at the end and then nudges the workers for what was to be sent."""
    async with hub.db.acquire() as conn, conn.transaction():
        work = Work(hub, conn, shop, now or datetime.now(UTC), quiet=quiet, source=source)
        yield work
    await notifications.hand_out(hub, work.due)
