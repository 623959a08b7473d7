"""Addresses that are not to be written to on a channel. The digest outlives the address."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from channels.base import Channel
from hub.contacts import events
from hub.contacts.events import Suppressed
from hub.db.pool import Db

BLOCKED = "blocked"
"""The person blocked the bot, or forbade messages."""

STOPPED = "stopped"
"""The person told the bot to stop."""


async def suppress(
    db: Db,
    shop_id: int,
    channel: Channel,
    digest: bytes,
    reason: str,
    *,
    code: str = "",
    delivery_id: UUID | None = None,
) -> bool:
    """False where it was suppressed before; then the first reason stays. The shop's backend is told in the
    caller's transaction."""
    added = await db.fetchval(
        """
        INSERT INTO suppression (shop_id, channel, digest, reason, code, delivery_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING
        RETURNING true
        """,
        shop_id,
        channel,
        digest,
        reason,
        code,
        delivery_id,
    )
    if added:
        suppressed = Suppressed(shop_id, channel, digest, reason, code)
        if reason == STOPPED:
            await events.stopped(db, suppressed)
        else:
            await events.blocked(db, [suppressed])
    return bool(added)


async def lift(db: Db, shop_id: int, channel: Channel, digest: bytes) -> bool:
    """The person came back: whatever the reason was, it is over. False where nothing was suppressed."""
    lifted = await db.fetchval(
        "DELETE FROM suppression WHERE shop_id = $1 AND channel = $2 AND digest = $3 RETURNING true",
        shop_id,
        channel,
        digest,
    )
    return bool(lifted)


async def lift_hindrance(db: Db, shop_id: int, channel: Channel, digest: bytes) -> None:
    """The person can be reached again, as far as the channel goes. What he asked for himself stays."""
    await db.execute(
        """
        DELETE FROM suppression
         WHERE shop_id = $1 AND channel = $2 AND digest = $3 AND reason <> ALL($4)
        """,
        shop_id,
        channel,
        digest,
        [STOPPED, "complained"],
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """One address on one channel. `delivery_id`: by which it was found out, where it was."""

    digest: bytes
    channel: Channel
    reason: str
    code: str
    delivery_id: UUID | None
    created_at: datetime


async def of(db: Db, shop_id: int, digests: Sequence[bytes]) -> list[Kept]:
    """On which channels these addresses are not written to, and why."""
    rows = await db.fetch(
        """
        SELECT digest, channel, reason, code, delivery_id, created_at FROM suppression
         WHERE shop_id = $1 AND digest = ANY($2) ORDER BY channel
        """,
        shop_id,
        list(digests),
    )
    return [Kept(**dict(row) | {"channel": Channel(row["channel"])}) for row in rows]


async def is_suppressed(db: Db, shop_id: int, channel: Channel, digest: bytes) -> bool:
    return bool(
        await db.fetchval(
            "SELECT true FROM suppression WHERE shop_id = $1 AND channel = $2 AND digest = $3",
            shop_id,
            channel,
            digest,
        )
    )
