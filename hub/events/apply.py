"""One event applied: whether it is news, whether it is told, and what follows from it by its kind."""

from dataclasses import replace
from datetime import datetime, timedelta

from hub.events import carts, objects, orders, products
from hub.events.model import Claimed, Done
from hub.events.objects import Known
from hub.orders.work import Work
from hub.sources.model import (
    Action,
    CartFacts,
    CustomerFacts,
    Facts,
    Kind,
    OrderFacts,
    ProductFacts,
    Result,
)

_CLOCKS = timedelta(minutes=2)
"""By how much a platform's clock may be behind ours; many tell whole seconds only."""

_AHEAD = timedelta(hours=1)
"""By how much it may be ahead."""


async def apply(
    work: Work, claimed: Claimed, facts: Facts | None, *, read_at: datetime | None = None
) -> Done:
    """In the caller's transaction, with what was seen of the object put down. `facts` None: it was deleted; `read_at`:
    when they were read, where the event brought none.

    Raises `HubError` for what cannot be applied.
    """
    source = claimed.source
    await objects.lock(work.conn, source.id, claimed.kind, claimed.object)
    before = await objects.known(work.conn, source.id, claimed.kind, claimed.object)
    at = _changed_at(work.now, claimed, facts, read_at)
    if is_stale(before, at):
        return Done(Result.STALE, contact_id=before.contact_id if before else None)
    if facts is None or claimed.action is Action.DELETED:
        return await _deleted(work, claimed, at, before)
    if not work.quiet and is_quiet(work.now, claimed, facts, before):
        work = replace(work, quiet=True)
    match facts:
        case OrderFacts():
            return await orders.apply_order(work, claimed, facts, before, at)
        case CustomerFacts():
            return await carts.apply_customer(work, claimed, facts, before, at)
        case CartFacts():
            return await carts.apply_cart(work, claimed, facts, before, at)
        case ProductFacts():
            return await products.apply_product(work, claimed, facts, before, at)


def is_stale(before: Known | None, at: datetime) -> bool:
    """Whether something newer of the object was there first."""
    return before is not None and before.changed_at is not None and at < before.changed_at


def is_quiet(now: datetime, claimed: Claimed, facts: Facts, before: Known | None) -> bool:
    """Whether it is old news: taken over, and told to nobody."""
    source = claimed.source
    begun_at = source.quiet_before - _CLOCKS
    happened_at = claimed.happened_at or facts.changed_at or claimed.received_at
    if claimed.quiet or happened_at < max(begun_at, now - source.tell_within):
        return True
    first_sight = before is None or before.order_id is None
    return (
        isinstance(facts, OrderFacts)
        and first_sight
        and facts.created_at is not None
        and facts.created_at < begun_at
    )


def _changed_at(
    now: datetime, claimed: Claimed, facts: Facts | None, read_at: datetime | None
) -> datetime:
    """What lies in the future is of now: else all that is told after it would be older than it."""
    said = facts.changed_at if facts else None
    at = said or read_at or claimed.happened_at or claimed.received_at
    return now if at > now + _AHEAD else at


async def _deleted(work: Work, claimed: Claimed, at: datetime, before: Known | None) -> Done:
    """The platform forgot it. An order was bought all the same, a person is still one; a cart is gone."""
    source = claimed.source
    if claimed.kind is Kind.CART:
        await carts.drop(work, source, claimed.object, at)
    else:
        await objects.note_deleted(work.conn, source.id, claimed.kind, claimed.object, at)
    return Done(Result.IGNORED, "deleted", before.contact_id if before else None, keep=False)
