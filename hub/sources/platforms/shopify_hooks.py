"""What Shopify's webhooks say, once their signature is proven. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from channels.base import BadHook
from hub.sources.model import Action, Incoming, Kind
from hub.sources.platforms.shopify_facts import whitelisted
from hub.sources.values import text

_TOPICS: Mapping[str, tuple[Kind, Action]] = {
    "orders/create": (Kind.ORDER, Action.CREATED),
    "orders/updated": (Kind.ORDER, Action.UPDATED),
    "orders/paid": (Kind.ORDER, Action.UPDATED),
    "orders/cancelled": (Kind.ORDER, Action.UPDATED),
    "orders/fulfilled": (Kind.ORDER, Action.UPDATED),
    "orders/partially_fulfilled": (Kind.ORDER, Action.UPDATED),
    "orders/delete": (Kind.ORDER, Action.DELETED),
    "carts/create": (Kind.CART, Action.CREATED),
    "carts/update": (Kind.CART, Action.UPDATED),
    "checkouts/create": (Kind.CART, Action.CREATED),
    "checkouts/update": (Kind.CART, Action.UPDATED),
    "checkouts/delete": (Kind.CART, Action.DELETED),
    "products/create": (Kind.PRODUCT, Action.CREATED),
    "products/update": (Kind.PRODUCT, Action.UPDATED),
    "products/delete": (Kind.PRODUCT, Action.DELETED),
    "customers/create": (Kind.CUSTOMER, Action.CREATED),
    "customers/update": (Kind.CUSTOMER, Action.UPDATED),
    "customers/enable": (Kind.CUSTOMER, Action.UPDATED),
    "customers/disable": (Kind.CUSTOMER, Action.UPDATED),
    "customers/delete": (Kind.CUSTOMER, Action.DELETED),
}

# Of a parcel: the order that it belongs to is read.
_PARCELS = frozenset({"fulfillments/create", "fulfillments/update", "fulfillment_events/create"})


def incoming(topic: str, told: Mapping[str, Any], telling: str, at: datetime | None) -> Incoming:
    """`telling`: the same when it comes again. One act may be told under several topics with one event id, so the
    key names topic and object, too. Raises `BadHook`."""
    if topic in _PARCELS:
        order = text(told.get("order_id"))
        return Incoming(Kind.ORDER, Action.UPDATED, order, f"{topic}:{order}:{telling}", at)
    id_ = text(told.get("id"))
    key = f"{topic}:{id_}:{telling}"
    if topic not in _TOPICS:
        return Incoming(None, None, id_, key, at, ignored="unknown-type")
    if not id_:
        raise BadHook("id is missing")
    kind, action = _TOPICS[topic]
    if kind is Kind.CART and told.get("completed_at"):
        # It has become an order.
        action = Action.DELETED
    payload = {"id": id_} if action is Action.DELETED else whitelisted(kind, told)
    return Incoming(kind, action, id_, key, at, payload)
