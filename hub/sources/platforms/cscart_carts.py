"""Carts of CS-Cart: nothing tells of them, so the list of those of the last week is looked through."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hub.sources.base import Ask, Page, Purpose
from hub.sources.model import Action, CartFacts, CustomerFacts, Incoming, Kind
from hub.sources.platforms import cscart_fields as fields
from hub.sources.platforms.cscart_lists import LISTS, Lists, digest
from hub.sources.values import first, instant, money, required, table, text

# A rule may wait for a week at most. Guests' carts say of nobody whose they are.
_WHICH = {"period": "HW", "users_type": "R", "product_type_c": "true"}

_DEEPEST = 10
_AT_A_TIME = 25


def facts(payload: Mapping[str, Any], *, currency: str, vendors: bool, url: str) -> CartFacts:
    id_, owner = required(payload, "user_id"), table(payload.get("user_data"))
    names = (first(payload.get(name), owner.get(name)) for name in ("firstname", "lastname"))
    return CartFacts(
        id=id_,
        customer=CustomerFacts(
            id=id_,
            name=" ".join(filter(None, names)),
            email=text(owner.get("email")),
            phone=text(owner.get("phone")),
            locale=text(owner.get("lang_code")),
        ),
        lines=fields.lines(payload, vendors=vendors),
        currency=currency,
        total=money(payload.get("total")),
        url=url,
    )


async def read(lists: Lists, ask: Ask) -> Page:
    """What has changed in the carts since they were looked through the last time, and which are gone. What a row tells
    (time, sum, number of goods) is remembered, and only a cart of which it tells something else is read."""
    if ask.purpose is Purpose.HISTORY:
        return Page((), {}, more=False, total=0)
    of, at = LISTS[Kind.CART], dict(ask.position or {})
    page, seen, here = int(at.get("page", 1)), dict(at.get("seen", {})), dict(at.get("here", {}))
    listed = await lists.page(of, page, "desc", which=_WHICH)
    items: list[Incoming] = []
    for row in listed.rows:
        id_, told = text(row[of.id]), digest(fields.kept_of(Kind.CART, row))[:8]
        if here.get(id_) == told:
            continue
        if seen.get(id_) != told:
            if len(items) == _AT_A_TIME:
                return Page(items, {"page": page, "seen": seen, "here": here}, more=True)
            # `date` is when it was begun, as documented, or when it was changed, as it is seen to be. What comes next
            # is timed by our clock, and must not lie before it.
            now = datetime.now(UTC)
            since = now if id_ in seen else min(instant(row.get(of.at)) or now, now)
            cart = await lists.find(Kind.CART, id_)
            if cart is not None:
                items.append(_changed(id_, told, since, cart))
        here[id_] = told
    if listed.more and page < _DEEPEST:
        return Page(items, {"page": page + 1, "seen": seen, "here": here}, more=True)
    if not listed.more:
        items += [_gone(id_, seen[id_]) for id_ in seen if id_ not in here]
    return Page(items, {"seen": here}, more=False)


def _changed(id_: str, told: str, at: datetime, cart: Mapping[str, Any]) -> Incoming:
    return Incoming(Kind.CART, Action.UPDATED, id_, f"poll:cart:{id_}:{told}", at, cart)


def _gone(id_: str, told: str) -> Incoming:
    """Emptied, ordered, or a week old."""
    return Incoming(Kind.CART, Action.DELETED, id_, f"poll:cart:{id_}:{told}:gone", payload={})
