"""Carts and customers of platforms: what was last seen of them."""

from datetime import datetime
from uuid import UUID

from hub.events import objects, people, telling
from hub.events.model import Claimed, Done, SetOff, digest_of, plain
from hub.events.objects import Known, Seen
from hub.orders.work import Work
from hub.rules import timers
from hub.sources.model import CartFacts, CustomerFacts, Kind, Result, Source


async def apply_cart(
    work: Work, claimed: Claimed, facts: CartFacts, before: Known | None, at: datetime
) -> Done:
    if not facts.lines:
        # Emptied, or turned into something else: it is no cart any more.
        await drop(work, claimed.source, claimed.object, at)
        return Done(Result.APPLIED, "emptied", before.contact_id if before else None)
    if before and before.deleted_at and before.changed_at and at <= before.changed_at:
        # Of the very moment at which it was over: platforms tell whole seconds, and a purchase takes less.
        return Done(Result.STALE, contact_id=before.contact_id)
    contact_id = await people.person(work, claimed.source, facts.customer)
    if contact_id and before is None and await _bought_since(work, claimed.source, contact_id, at):
        # Platforms do not tell in order: the purchase was told before the cart that it came of.
        return Done(Result.STALE, contact_id=contact_id)
    digest = digest_of(facts)
    repeated = before is not None and before.digest == digest
    # Of whom nobody knows who it is nothing personal is kept.
    shown = plain(facts)
    if contact_id is None:
        shown.pop("customer", None)
    seen = Seen(claimed.object, at, digest, contact_id=contact_id, facts=shown)
    source = claimed.source
    await objects.put(work.conn, work.shop.id, source.id, Kind.CART, seen)
    if repeated:
        return Done(Result.REPEATED, contact_id=contact_id)
    cart = telling.seen(
        source.id,
        source.name,
        Kind.CART,
        claimed.object,
        digest=digest,
        contact_id=contact_id,
        facts=shown,
    )
    first = before is None or before.deleted_at is not None
    await telling.news(work, cart, first=first)
    return Done(Result.APPLIED, contact_id=contact_id, set_off=SetOff.of(work))


async def apply_customer(
    work: Work, claimed: Claimed, facts: CustomerFacts, before: Known | None, at: datetime
) -> Done:
    contact_id = await people.person(work, claimed.source, facts)
    digest = digest_of(facts)
    repeated = before is not None and before.digest == digest and before.contact_id == contact_id
    seen = Seen(claimed.object, at, digest, contact_id=contact_id)
    source = claimed.source
    await objects.put(work.conn, work.shop.id, source.id, Kind.CUSTOMER, seen)
    if repeated:
        return Done(Result.REPEATED, contact_id=contact_id)
    if contact_id is not None:
        who = await telling.customer(work.conn, work.shop.id, contact_id, source.name)
        if who is not None:
            await telling.news(work, who, first=before is None)
    return Done(Result.APPLIED, contact_id=contact_id, set_off=SetOff.of(work))


async def drop(work: Work, source: Source, object_: str, at: datetime) -> None:
    """The cart is gone, and with it whatever waited for it."""
    await timers.drop(work.conn, work.shop.id, Kind.CART, telling.about(source.id, object_))
    await objects.bury(work.conn, work.shop.id, source.id, Kind.CART, object_, at)


async def ordered(work: Work, source: Source, contact_id: UUID, at: datetime) -> None:
    """The person has bought: carts that are kept of him in this source are over."""
    carts = await work.conn.fetch(
        """
        SELECT object FROM source_object
         WHERE contact_id = $1 AND kind = 'cart' AND source_id = $2 AND deleted_at IS NULL
         ORDER BY object
        """,
        contact_id,
        source.id,
    )
    for cart in carts:
        await drop(work, source, cart["object"], at)


async def _bought_since(work: Work, source: Source, contact_id: UUID, at: datetime) -> bool:
    """An order of which nobody says when it was made has the time at which it was applied; it was told before."""
    found = await work.conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM source_object AS s JOIN shop_order AS o ON o.id = s.order_id
             WHERE s.contact_id = $1 AND s.kind = 'order' AND s.source_id = $2
               AND least(o.created_at, s.changed_at) >= $3)
        """,
        contact_id,
        source.id,
        at,
    )
    return bool(found)
