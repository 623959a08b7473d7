"""SQL of what people wrote."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from channels.base import Channel, Heard
from hub.contacts import addresses
from hub.db.pool import Db
from hub.db.text import storable
from hub.ids import new_id

_LONGEST = 4096
_SAME_WITHIN = 120
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that was not handled yet. `failures`: how often it was tried in vain; `heard_at`: when it was written,
    as far as the provider tells."""

    id: UUID
    shop_id: int
    account: str
    channel: Channel
    address: str
    digest: bytes
    text: str
    failures: int
    heard_at: datetime
    received_at: datetime


async def add(db: Db, shop_id: int, account: str, channel: Channel, heard: Sequence[Heard]) -> int:
    """How many of them are new. What comes from no address of the channel (a service's short number) cannot be
    answered and is nobody's: it is passed over."""
    rows = []
    for one in heard:
        try:
            address = addresses.normalise(channel, one.address)
        except ValueError:
            continue
        rows.append((address, one))
    if not rows:
        return 0
    now = datetime.now(UTC)
    added = await db.fetch(
        """
        INSERT INTO heard (id, shop_id, account, channel, event, address, digest, text, heard_at)
        SELECT id, $1, $2, $3, event, address, digest, text, heard_at
          FROM unnest($4::uuid[], $5::text[], $6::text[], $7::bytea[], $8::text[], $9::timestamptz[])
            AS t (id, event, address, digest, text, heard_at)
        ON CONFLICT (shop_id, account, event) DO NOTHING
        RETURNING id
        """,
        shop_id,
        account,
        channel,
        [new_id() for _ in rows],
        [_event(address, one) for address, one in rows],
        [address for address, _ in rows],
        [addresses.digest_at(channel, address) for address, _ in rows],
        [storable(one.text, _LONGEST) for _, one in rows],
        # A window of hours is counted from here: nobody writes in the future.
        [min(one.at or now, now) for _, one in rows],
    )
    return len(added)


def _event(address: str, one: Heard) -> str:
    """Without an id of the provider's, the same words from the same address at the same time are the same; without
    a time, in the same two minutes: a connection that broke before it was acknowledged brings them again."""
    if one.id:
        return storable(one.id, 255)
    at = one.at.isoformat() if one.at else int(datetime.now(UTC).timestamp()) // _SAME_WITHIN
    said = f"{address}\n{at}\n{one.text}"
    return sha256(said.encode("utf-8", "replace")).hexdigest()


async def waiting(db: Db, shops: Collection[int], limit: int) -> list[Waiting]:
    """Of these shops, the oldest first."""
    rows = await db.fetch(
        """
        SELECT id, shop_id, account, channel, address, digest, text, failures, heard_at, received_at
          FROM heard WHERE handled_at IS NULL AND shop_id = ANY($1) ORDER BY id LIMIT $2
        """,
        list(shops),
        limit,
    )
    return [Waiting(**{**row, "channel": Channel(row["channel"])}) for row in map(dict, rows)]


async def handled(db: Db, id_: UUID) -> bool:
    """False: somebody else has handled it."""
    return bool(
        await db.fetchval(
            "UPDATE heard SET handled_at = now() WHERE id = $1 AND handled_at IS NULL RETURNING true",
            id_,
        )
    )


async def failed(db: Db, id_: UUID) -> None:
    await db.execute("UPDATE heard SET failures = failures + 1 WHERE id = $1", id_)


async def lately(db: Db, one: Waiting, within: timedelta) -> int:
    """How much was heard from the same address up to now."""
    count: int = await db.fetchval(
        """
        SELECT count(*) FROM heard
         WHERE shop_id = $1 AND digest = $2 AND channel = $3 AND heard_at > now() - $4::interval
        """,
        one.shop_id,
        one.digest,
        one.channel,
        within,
    )
    return count
