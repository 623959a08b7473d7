"""An order of Yandex Market: what of it may be kept, and what it says in the hub's words."""

from collections.abc import Mapping
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

from hub.sources.base import Impossible, Unreadable
from hub.sources.model import Action, CustomerFacts, Decision, Incoming, Kind, LineFacts, OrderFacts
from hub.sources.platforms.wire import digest
from hub.sources.values import first, instant, money, number, required, rows, table, text
from hub.sources.whitelist import Spec, kept

FEWER = "items"
"""Written back in place of a status: the counts become smaller, the status stays."""

MOSCOW = timezone(timedelta(hours=3))

_PLACE: Spec = {
    "address": dict.fromkeys(("city", "street", "house", "block", "apartment"), True),
}
_AMOUNT: Spec = {"value": True, "currencyId": True}

# Left out: codes that hand a parcel over (eac, receiveCode), couriers, the buyer's notes, marking codes.
SPEC: Spec = {
    **dict.fromkeys(("orderId", "campaignId", "programType", "status", "substatus"), True),
    **dict.fromkeys(("creationDate", "updateDate", "paymentType", "cancelRequested"), True),
    "items": [
        {
            **dict.fromkeys(("id", "offerId", "offerName", "count"), True),
            "prices": {"payment": _AMOUNT, "cashback": _AMOUNT},
        }
    ],
    "prices": {"payment": _AMOUNT, "cashback": _AMOUNT, "delivery": {"payment": _AMOUNT}},
    "delivery": {
        **dict.fromkeys(("type", "serviceName", "warehouseId"), True),
        "dates": {"fromDate": True, "toDate": True},
        "courier": _PLACE,
        "pickup": _PLACE,
        "tracks": [{"trackCode": True}],
    },
    "buyer": dict.fromkeys(("id", "lastName", "firstName", "middleName", "phone"), True),
}

_METHODS: Mapping[str, str] = {
    "DELIVERY": "courier",
    "PICKUP": "pickup",
    "POST": "post",
    "DIGITAL": "digital",
}
_PAID_IN = frozenset({"PENDING", "PROCESSING", "DELIVERY", "PICKUP", "DELIVERED"})
# A basket on its way to an order; half an hour later it is one, or is forgotten.
_UNBORN = frozenset({"PLACING", "RESERVED", "UNPAID"})
_STILLBORN = frozenset({"USER_NOT_PAID", "RESERVATION_EXPIRED", "RESERVATION_FAILED"})
_ROUBLES = frozenset({"RUR", "RUB"})


def is_unborn(order: Mapping[str, Any]) -> bool:
    """Whether it is no order yet, or never became one: nobody at the shop should hear of it."""
    if order.get("status") == "CANCELLED":
        return order.get("substatus") in _STILLBORN
    return order.get("status") in _UNBORN


def read_item(order: Mapping[str, Any], *, may_be_thin: bool) -> Incoming:
    """One of a page. A thin one is a DBS order: its buyer is yet to be asked for."""
    payload, number_ = kept(order, SPEC), text(order.get("orderId"))
    return Incoming(
        kind=Kind.ORDER,
        action=Action.UPDATED,
        object=number_,
        key=f"poll:{number_}:{text(order.get('updateDate'))}:{digest(payload)}",
        happened_at=instant(order.get("updateDate"), MOSCOW),
        payload=None if may_be_thin and order.get("programType") == "DBS" else payload,
    )


def fewer(order: Mapping[str, Any], decision: Decision) -> tuple[str, Mapping[str, Any]] | None:
    """What to put where, so that the order becomes as small as was decided; None: it is.

    Raises `Impossible`: it is too late.
    """
    there = {line.id: line.confirmed for line in decision.lines}
    items = rows(order.get("items"))
    had = [(item.get("id"), int(number(item.get("count")) or 0)) for item in items]
    left = [(id_, min(count, there.get(text(id_), count))) for id_, count in had]
    if left == had:
        # An earlier try, or somebody in the Market's own pages, was here first.
        return None
    if (order.get("status"), order.get("substatus")) != ("PROCESSING", "STARTED"):
        raise Impossible("the Market lets lines be taken out in PROCESSING/STARTED only")
    if order.get("programType") == "DBS":
        lines = [{"id": id_, "count": count} for id_, count in left]
        return "items", {"items": lines, "reason": "PARTNER_REQUESTED_REMOVE"}
    # In one box: how it is really packed is said in the Market's own pages before it is handed over.
    box = [{"id": id_, "fullCount": count} for id_, count in left if count]
    return "boxes", {"boxes": [{"items": box}], "allowRemove": True}


def order_facts(payload: Mapping[str, Any], *, with_phone: bool) -> OrderFacts:
    """Raises `Unreadable`. `with_phone`: take over the substitute number that the Market shows for a buyer."""
    number_ = required(payload, "orderId")
    delivery, prices = table(payload.get("delivery")), table(payload.get("prices"))
    warehouse = text(delivery.get("warehouseId"))
    return OrderFacts(
        id=number_,
        number=number_,
        codes=_codes(payload),
        lines=tuple(_line(item, warehouse) for item in rows(payload.get("items"))),
        customer=_buyer(table(payload.get("buyer")), with_phone=with_phone),
        currency=_currency(table(prices.get("payment"))),
        total=_sum(prices, table(prices.get("delivery"))),
        delivery=_delivery(delivery),
        created_at=instant(payload.get("creationDate"), MOSCOW),
        changed_at=instant(payload.get("updateDate"), MOSCOW),
    )


def _codes(payload: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """One that is UNPAID is prepaid, too, so that this counts from when it may be worked on."""
    status, substatus = required(payload, "status"), text(payload.get("substatus"))
    chain = (f"{status}/{substatus}", status, "other") if substatus else (status, "other")
    paid = payload.get("paymentType") == "PREPAID" and status in _PAID_IN
    return (chain, ("financial:paid",)) if paid else (chain,)


def _line(item: Mapping[str, Any], warehouse: str) -> LineFacts:
    count = number(item.get("count"))
    if count is None:
        raise Unreadable("items[].count is missing")
    # The prices are of all pieces of the line together.
    total = _sum(table(item.get("prices")))
    return LineFacts(
        id=required(item, "id"),
        title=text(item.get("offerName")),
        quantity=count,
        sku=text(item.get("offerId")),
        price=money(total / count) if total is not None and count > 0 else None,
        warehouse=warehouse,
    )


def _sum(*prices: Mapping[str, Any]) -> Decimal | None:
    """What the buyer pays, in money and in points of Plus: the shop gets both."""
    parts = [
        amount
        for price in prices
        for name in ("payment", "cashback")
        if (amount := money(table(price.get(name)).get("value"))) is not None
    ]
    return sum(parts, Decimal(0)) if parts else None


def _currency(amount: Mapping[str, Any]) -> str:
    code = text(amount.get("currencyId"))
    return "RUB" if code in _ROUBLES else code


def _delivery(delivery: Mapping[str, Any]) -> dict[str, str]:
    place = table(delivery.get("pickup")) or table(delivery.get("courier"))
    address, dates = table(place.get("address")), table(delivery.get("dates"))
    parts = (text(address.get(name)) for name in ("city", "street", "house", "block", "apartment"))
    tracks = (text(track.get("trackCode")) for track in rows(delivery.get("tracks")))
    found = {
        "method": _METHODS.get(text(delivery.get("type")), ""),
        "carrier": text(delivery.get("serviceName")),
        "tracking": next(filter(None, tracks), ""),
        "address": ", ".join(filter(None, parts)),
        "date": first(dates.get("toDate"), dates.get("fromDate")),
    }
    return {name: value for name, value in found.items() if value}


def _buyer(buyer: Mapping[str, Any], *, with_phone: bool) -> CustomerFacts | None:
    if not text(buyer.get("id")):
        return None
    names = (text(buyer.get(name)) for name in ("firstName", "middleName", "lastName"))
    return CustomerFacts(
        id=text(buyer.get("id")),
        name=" ".join(filter(None, names)),
        phone=text(buyer.get("phone")) if with_phone else "",
    )
