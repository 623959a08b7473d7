"""Tells the shop's backend what a person did, in the transaction in which it happened. Those known by an
address only have no name that the shop would know, so nothing is told of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from channels.base import Category, Channel
from hub.db.pool import Db
from hub.webhooks.model import Event, EventType
from hub.webhooks.service import publish_many


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An address that is not written to any more. `reason` and `code` as its suppression has them."""

    shop_id: int
    channel: str
    digest: bytes
    reason: str
    code: str = ""


async def linked(db: Db, contact_id: UUID, channel: Channel) -> None:
    """The person opened a link that binds a messenger."""
    found = await _known(db, contact_id, EventType.CONTACT_LINKED)
    await publish_many(
        db,
        [
            Event(
                shop_id,
                EventType.CONTACT_LINKED,
                {"contact": {"external_id": external_id}, "channel": channel},
                contact_id,
            )
            for shop_id, external_id in found
        ],
    )


async def unsubscribed(
    db: Db, contact_id: UUID, channel: Channel, category: Category, *, source: str
) -> None:
    """The person wants no more of that category on that channel. `source`: `one-click`, `provider` …"""
    found = await _known(db, contact_id, EventType.CONTACT_UNSUBSCRIBED)
    await publish_many(
        db,
        [
            Event(
                shop_id,
                EventType.CONTACT_UNSUBSCRIBED,
                {
                    "contact": {"external_id": external_id},
                    "channel": channel,
                    "category": category,
                    "source": source,
                },
                contact_id,
            )
            for shop_id, external_id in found
        ],
    )


async def replied(db: Db, contacts: Sequence[UUID], channel: Channel, text: str) -> None:
    """Somebody with an address of these contacts wrote to the shop."""
    for contact_id in contacts:
        found = await _known(db, contact_id, EventType.CONTACT_REPLIED)
        await publish_many(
            db,
            [
                Event(
                    shop_id,
                    EventType.CONTACT_REPLIED,
                    {"contact": {"external_id": external_id}, "channel": channel, "text": text},
                    contact_id,
                )
                for shop_id, external_id in found
            ],
        )


async def stopped(db: Db, address: Suppressed) -> None:
    """The person told a bot to stop: no category is wanted on that channel."""
    await publish_many(
        db,
        [
            Event(
                address.shop_id,
                EventType.CONTACT_UNSUBSCRIBED,
                {
                    "contact": {"external_id": external_id},
                    "channel": address.channel,
                    "category": None,
                    "source": "bot",
                },
                id_,
            )
            for id_, external_id, _ in await _at(db, [address], EventType.CONTACT_UNSUBSCRIBED)
        ],
    )


async def blocked(db: Db, addresses: Sequence[Suppressed]) -> None:
    """They are not written to any more: the person blocked us or complained, or the address is dead."""
    if not addresses:
        return
    found = await _at(db, addresses, EventType.CONTACT_BLOCKED)
    await publish_many(
        db,
        [
            Event(
                address.shop_id,
                EventType.CONTACT_BLOCKED,
                {
                    "contact": {"external_id": external_id},
                    "channel": address.channel,
                    "reason": address.reason,
                    "code": address.code or None,
                },
                id_,
            )
            for id_, external_id, address in found
        ],
    )


async def _known(db: Db, contact_id: UUID, type_: EventType) -> list[tuple[int, str]]:
    """(shop, external_id), where somebody asked for such events."""
    rows = await db.fetch(
        """
        SELECT c.shop_id, c.external_id FROM contact AS c
         WHERE c.id = $1 AND c.external_id IS NOT NULL
           AND EXISTS (SELECT FROM webhook AS w
                        WHERE w.shop_id = c.shop_id AND w.active AND $2 = ANY(w.events))
        """,
        contact_id,
        type_,
    )
    return [(row["shop_id"], row["external_id"]) for row in rows]


async def _at(
    db: Db, addresses: Sequence[Suppressed], type_: EventType
) -> list[tuple[UUID, str, Suppressed]]:
    """Everybody who has one of these addresses, where somebody asked for such events."""
    rows = await db.fetch(
        """
        SELECT DISTINCT c.id, c.external_id, t.number
          FROM unnest($1::smallint[], $2::bytea[]) WITH ORDINALITY AS t (shop_id, digest, number)
          JOIN address AS a ON a.shop_id = t.shop_id AND a.digest = t.digest
          JOIN contact AS c ON c.id = a.contact_id
         WHERE c.external_id IS NOT NULL
           AND EXISTS (SELECT FROM webhook AS w
                        WHERE w.shop_id = t.shop_id AND w.active AND $3 = ANY(w.events))
         ORDER BY t.number
        """,
        [address.shop_id for address in addresses],
        [address.digest for address in addresses],
        type_,
    )
    return [(row["id"], row["external_id"], addresses[row["number"] - 1]) for row in rows]
