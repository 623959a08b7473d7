"""A trial order, so that the whole loop can be played where no account is connected: its people live at addresses that
belong to nobody, and only on channels that the sandbox carries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from channels.base import Channel
from channels.registry import SANDBOX
from hub.api.console.frame import Visit
from hub.audit import log as audit
from hub.audit.model import Action
from hub.contacts import queries as contacts
from hub.contacts import service as people
from hub.contacts.addresses import KIND_OF
from hub.contacts.model import ContactIn, Role
from hub.db.pool import transaction
from hub.orders import queries, service, warehouses
from hub.orders.model import OrderStatus, may_move
from hub.orders.request import OrderIn, WarehouseIn

BEFORE: Final = "trial-"
BUYER: Final = f"{BEFORE}buyer"

# Reserved names (RFC 2606), and numbers that belong to nobody in the sandbox.
_AT: Mapping[Channel, str] = {
    Channel.TELEGRAM: "91000000{n}",
    Channel.VK: "91000000{n}",
    Channel.EMAIL: "trial-{n}@example.com",
    Channel.SMS: "+7999000010{n}",
}


@dataclass(frozen=True, slots=True)
class _Person:
    """`reads`: the first of these that the sandbox carries is where he is reached."""

    id: str
    role: Role
    reads: Sequence[Channel]
    place: str = ""


_PEOPLE: Sequence[_Person] = (
    _Person("buyer", Role.BUYER, (Channel.EMAIL, Channel.TELEGRAM, Channel.VK, Channel.SMS)),
    _Person("anna", Role.WAREHOUSE, (Channel.TELEGRAM, Channel.VK, Channel.EMAIL), "forest"),
    _Person("boris", Role.WAREHOUSE, (Channel.VK, Channel.TELEGRAM, Channel.EMAIL), "harbour"),
    _Person("tea", Role.SELLER, (Channel.EMAIL, Channel.SMS, Channel.TELEGRAM, Channel.VK)),
    _Person("paper", Role.SELLER, (Channel.SMS, Channel.EMAIL, Channel.TELEGRAM, Channel.VK)),
)
_LINES: Sequence[tuple[str, int, str, str, str | None]] = (
    # The last one lies with its seller.
    ("CH-210", 2, "310.00", "tea", "forest"),
    ("CH-300", 1, "420.00", "tea", "forest"),
    ("KT-17", 2, "1990.00", "tea", "harbour"),
    ("OT-5", 3, "90.00", "paper", None),
)
_TOTAL = "5290.00"

# What the shop would say next, in its order.
_NEXT: Sequence[OrderStatus] = (
    OrderStatus.PAID,
    OrderStatus.SHIPPED,
    OrderStatus.AT_PICKUP_POINT,
    OrderStatus.DELIVERED,
    OrderStatus.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Trial:
    """The latest trial order. `onward`: what the shop may say of it now."""

    id: str
    number: str
    status: OrderStatus
    onward: tuple[OrderStatus, ...]


async def place(visit: Visit) -> bool:
    """As the shop's backend would by the API: the people and the places first, then the order. False: there is no
    channel on which it would write to nobody."""
    channels = playable(visit)
    if not channels:
        return False
    names, body = visit.said["trial"], body_of(visit)
    external_id = BEFORE + body["number"]
    given = [(BEFORE + one.id, _contact(visit, one, channels)) for one in _PEOPLE]
    async with transaction(visit.hub.db) as connection:
        actors = {id_: visit.actor for id_, _ in given}
        await people.upsert_many(connection, visit.shop.id, given, by=actors)
        for id_ in ("forest", "harbour"):
            called = WarehouseIn(name=names["places"][id_])
            await warehouses.put(connection, visit.shop.id, BEFORE + id_, called, by=visit.actor)
        await audit.record(connection, visit.shop.id, visit.actor, Action.ORDER_TRIED, external_id)
    # As JSON: what the API takes, and nothing else.
    given_order = OrderIn.model_validate_json(orjson.dumps(body))
    await service.put_order(visit.hub, visit.shop, external_id, given_order)
    return True


def playable(visit: Visit) -> set[Channel]:
    """Channels that reach nobody but the sandbox, whatever is sent."""
    found = set()
    for channel in _AT:
        accounts = visit.hub.accounts.of(visit.shop.id, channel)
        if accounts and all(account.provider == SANDBOX for account in accounts):
            found.add(channel)
    return found


def _contact(visit: Visit, person: _Person, channels: set[Channel]) -> ContactIn:
    number = _PEOPLE.index(person) + 1
    addresses: dict[str, str | None] = dict.fromkeys(map(str, (KIND_OF[c] for c in _AT)))
    way = next((channel for channel in person.reads if channel in channels), None)
    if way:
        addresses[str(KIND_OF[way])] = _AT[way].format(n=number)
    body = {
        "role": person.role,
        "name": visit.said["trial"]["people"][person.id],
        "locale": visit.locale,
        "addresses": addresses,
        **({"warehouses": [BEFORE + person.place]} if person.place else {}),
    }
    return ContactIn.model_validate_json(orjson.dumps(body))


def body_of(visit: Visit) -> dict[str, Any]:
    """What is sent to `PUT /v1/orders/{external_id}`."""
    goods = visit.said["trial"]["goods"]
    return {
        "number": f"T{visit.now:%d%H%M%S}",
        "buyer": {"external_id": BUYER},
        "currency": "RUB",
        "total": _TOTAL,
        "delivery": {"method": "pickup"},
        "lines": [
            {
                "id": str(number),
                "sku": sku,
                "title": goods[sku],
                "quantity": quantity,
                "price": price,
                "seller": {"external_id": BEFORE + seller},
                "warehouse": {"external_id": BEFORE + place_} if place_ else None,
            }
            for number, (sku, quantity, price, seller, place_) in enumerate(_LINES, 1)
        ],
    }


async def latest(visit: Visit) -> Trial | None:
    known = await contacts.by_external_ids(visit.hub.db, visit.shop.id, [BUYER])
    if BUYER not in known:
        return None
    orders = await queries.of_buyer(visit.hub.db, visit.shop.id, known[BUYER].id, limit=1)
    if not orders:
        return None
    [order] = orders
    asks = order.status in (OrderStatus.PLACED, OrderStatus.AWAITING_STOCK)
    never = {OrderStatus.PAID} if asks else set()
    onward = tuple(one for one in _NEXT if may_move(order.status, one) and one not in never)
    return Trial(str(order.id), order.number, order.status, onward)
