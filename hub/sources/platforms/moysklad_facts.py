"""What is kept of MoySklad's objects, and what it means. Pure."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.sources.base import Unreadable
from hub.sources.model import (
    Action,
    CustomerFacts,
    Facts,
    Incoming,
    Kind,
    LineFacts,
    OrderFacts,
    ProductFacts,
)
from hub.sources.values import first, instant, kopecks, number, required, rows, table, text
from hub.sources.whitelist import Spec, kept

# All of its times are Moscow's, without saying so.
ZONE = ZoneInfo("Europe/Moscow")

PAID = "payment:paid"
"""A code of ours: payments are documents of their own in MoySklad, and an order has no status for them."""

ENTITIES: Mapping[Kind, str] = {
    Kind.ORDER: "customerorder",
    Kind.CUSTOMER: "counterparty",
    Kind.PRODUCT: "product",
}
_KINDS = {type_: kind for kind, type_ in ENTITIES.items()}
_ACTIONS = {"CREATE": Action.CREATED, "UPDATE": Action.UPDATED, "DELETE": Action.DELETED}


def _plain(names: str) -> dict[str, bool]:
    return dict.fromkeys(names.split(), True)


_ATTRIBUTES: Spec = {"id": True, "name": True, "type": True, "value": True}
_CUSTOMER: Spec = {
    **_plain("id name email phone companyType tags archived created updated"),
    "attributes": [_ATTRIBUTES],
}
_POSITION: Spec = {
    **_plain("id quantity price discount vat reserve shipped"),
    "assortment": {"id": True, "name": True, "code": True, "article": True},
}
_SPECS: Mapping[Kind, Spec] = {
    Kind.ORDER: {
        **_plain("id name code externalCode moment created updated sum"),
        **_plain("payedSum shippedSum shipmentAddress vatEnabled vatIncluded"),
        "deliveryPlannedMoment": True,
        "state": {"id": True, "name": True, "stateType": True},
        "store": {"id": True, "name": True},
        "rate": {"currency": {"isoCode": True}},
        "agent": _CUSTOMER,
        "attributes": [_ATTRIBUTES],
        "positions": {"rows": [_POSITION]},
    },
    Kind.CUSTOMER: _CUSTOMER,
    Kind.PRODUCT: {
        **_plain("id name code article updated archived"),
        "salePrices": [{"value": True}],
        "attributes": [_ATTRIBUTES],
    },
}


def incoming(key: str, event: Mapping[str, Any], at: datetime | None) -> Incoming:
    """One link of a hook. Its address is never called: only the type and the id are taken from it."""
    meta = table(event.get("meta"))
    kind, action = _KINDS.get(text(meta.get("type"))), _ACTIONS.get(text(event.get("action")))
    try:
        id_ = str(UUID(text(meta.get("href")).partition("?")[0].rpartition("/")[2]))
    except ValueError:
        return Incoming(kind, action, "", key, at, ignored="no-id")
    if kind is None or action is None:
        return Incoming(kind, action, id_, key, at, ignored="unknown-type")
    payload = {"id": id_} if action is Action.DELETED else None
    return Incoming(kind, action, id_, key, at, payload)


def whitelisted(kind: Kind, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Own fields that point into a directory are kept by the name of what they point to."""
    found = {**found, "attributes": _flat(found)}
    if agent := table(found.get("agent")):
        found["agent"] = {**agent, "attributes": _flat(agent)}
    return kept(found, _SPECS[kind])


def facts_of(kind: Kind, payload: Mapping[str, Any], currency: str) -> Facts:
    """`currency`: of what does not say its own. Raises `Unreadable`."""
    match kind:
        case Kind.ORDER:
            return _order(payload, currency)
        case Kind.CUSTOMER:
            return _customer(payload)
        case Kind.PRODUCT:
            return _product(payload, currency)
    raise Unreadable("MoySklad has no carts")


def _flat(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {**field, "value": value["name"]}
        if isinstance(value := field.get("value"), Mapping) and "name" in value
        else {**field}
        for field in rows(found.get("attributes"))
    ]


def _order(payload: Mapping[str, Any], currency: str) -> OrderFacts:
    state = text(table(payload.get("state")).get("name"))
    total, paid = kopecks(payload.get("sum")), kopecks(payload.get("payedSum"))
    planned = instant(payload.get("deliveryPlannedMoment"), ZONE)
    delivery = {
        "address": text(payload.get("shipmentAddress")),
        "date": planned.date().isoformat() if planned else "",
    }
    codes = [(state,)] if state else []
    if total and paid and paid >= total:
        codes.append((PAID,))
    agent, store = table(payload.get("agent")), text(table(payload.get("store")).get("id"))
    adds_vat = payload.get("vatEnabled") is True and payload.get("vatIncluded") is False
    positions = rows(table(payload.get("positions")).get("rows"))
    id_ = required(payload, "id")
    rate = table(table(payload.get("rate")).get("currency"))
    return OrderFacts(
        id=id_,
        number=first(payload.get("name"), id_),
        codes=tuple(codes),
        lines=tuple(_line(row, store, adds_vat=adds_vat) for row in positions),
        customer=_customer(agent) if agent.get("id") else None,
        currency=first(rate.get("isoCode"), currency),
        total=total,
        delivery={name: value for name, value in delivery.items() if value},
        created_at=instant(payload.get("created"), ZONE),
        changed_at=instant(payload.get("updated"), ZONE),
    )


def _line(row: Mapping[str, Any], store: str, *, adds_vat: bool) -> LineFacts:
    """What is paid for a piece: `price` is before the discount, which is a percentage (a surcharge is one below
    zero), and in some orders before the tax."""
    goods = table(row.get("assortment"))
    price = number(row.get("price"))
    if price is not None:
        price = price * (100 - (number(row.get("discount")) or 0)) / 100
        price = price * (100 + ((number(row.get("vat")) or 0) if adds_vat else 0)) / 100
    return LineFacts(
        id=required(row, "id"),
        title=text(goods.get("name")),
        quantity=number(row.get("quantity")) or Decimal(0),
        sku=text(first(goods.get("article"), goods.get("code")), 100),
        price=kopecks(price),
        product=text(goods.get("id")),
        warehouse=store,
    )


def _customer(payload: Mapping[str, Any]) -> CustomerFacts:
    tags = payload.get("tags")
    return CustomerFacts(
        id=required(payload, "id"),
        name=text(payload.get("name"), 200),
        email=text(payload.get("email")),
        phone=text(payload.get("phone")),
        tags=tuple(filter(None, map(text, tags))) if isinstance(tags, list) else (),
        changed_at=instant(payload.get("updated"), ZONE),
        created_at=instant(payload.get("created"), ZONE),
    )


def _product(payload: Mapping[str, Any], currency: str) -> ProductFacts:
    prices = rows(payload.get("salePrices"))
    return ProductFacts(
        id=required(payload, "id"),
        title=text(payload.get("name")),
        sku=text(first(payload.get("article"), payload.get("code")), 100),
        price=kopecks(prices[0].get("value")) if prices else None,
        currency=currency,
        changed_at=instant(payload.get("updated"), ZONE),
    )
