"""Orders and customers of retailCRM: what of them may be kept, and what they say in the hub's words."""

from collections.abc import Mapping
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Unreadable
from hub.sources.model import CustomerFacts, LineFacts, OrderFacts
from hub.sources.values import first, instant, money, number, required, rows, table, text
from hub.sources.whitelist import Spec

_NAMES = ("firstName", "patronymic", "lastName")

# Left out: managers' and customers' notes, margins, costs, browsers, contractors' papers, payment comments.
CUSTOMER: Spec = {
    **dict.fromkeys(("id", "externalId", *_NAMES, "email", "createdAt", "site"), True),
    **dict.fromkeys(("isContact", "emailMarketingUnsubscribedAt"), True),
    "phones": [{"number": True}],
    "tags": [{"name": True}],
    "customFields": {"*": True},
}
ORDER: Spec = {
    **dict.fromkeys(("id", "externalId", "number", *_NAMES, "email", "phone", "site"), True),
    **dict.fromkeys(("createdAt", "status", "statusUpdatedAt", "fullPaidAt", "currency"), True),
    **dict.fromkeys(("totalSumm", "summ", "shipmentStore"), True),
    "customer": {**dict.fromkeys(("id", "externalId", *_NAMES, "email"), True), "type": True},
    "items": [
        {
            **dict.fromkeys(("id", "productName", "initialPrice", "discountTotal"), True),
            **dict.fromkeys(("quantity", "status", "isCanceled"), True),
            "offer": dict.fromkeys(("id", "externalId", "name", "displayName", "article"), True),
        }
    ],
    "delivery": {
        **dict.fromkeys(("code", "date"), True),
        "service": {"name": True, "code": True},
        "address": {"text": True, "city": True},
        "data": {"trackNumber": True},
    },
    "customFields": {"*": True},
}

# Those that a new account has; each shop changes its own, so that these are suggestions.
STATUSES: Mapping[str, OrderStatus | None] = {
    "new": OrderStatus.PLACED,
    # Still talked about with the buyer.
    "offer-analog": OrderStatus.PLACED,
    "ready-to-wait": OrderStatus.PLACED,
    "waiting-for-arrival": OrderStatus.PLACED,
    "availability-confirmed": OrderStatus.CONFIRMED,
    "client-confirmed": OrderStatus.CONFIRMED,
    "prepayed": OrderStatus.PAID,
    "send-to-assembling": OrderStatus.CONFIRMED,
    "assembling": OrderStatus.CONFIRMED,
    "assembling-complete": OrderStatus.ASSEMBLED,
    "send-to-delivery": OrderStatus.SHIPPED,
    "delivering": OrderStatus.SHIPPED,
    "complete": OrderStatus.DELIVERED,
    "no-call": OrderStatus.CANCELLED,
    "no-product": OrderStatus.CANCELLED,
    "already-buyed": OrderStatus.CANCELLED,
    # Spelt so by the platform.
    "delyvery-did-not-suit": OrderStatus.CANCELLED,
    "prices-did-not-suit": OrderStatus.CANCELLED,
    "cancel-other": OrderStatus.CANCELLED,
    "redirect": None,
    "financial:paid": OrderStatus.PAID,
}

_METHODS: Mapping[str, str] = {
    "self-delivery": "pickup",
    "courier": "courier",
    "russian-post": "post",
    "ems": "post",
}


def order_facts(payload: Mapping[str, Any], zone: tzinfo) -> OrderFacts:
    """Raises `Unreadable`. Times have no offset: they are of the account's `zone`."""
    id_, status = required(payload, "id"), required(payload, "status")
    store = text(payload.get("shipmentStore"))
    # A line that was called off stays in the order.
    items = [item for item in rows(payload.get("items")) if item.get("isCanceled") is not True]
    paid = (("financial:paid",),) if text(payload.get("fullPaidAt")) else ()
    return OrderFacts(
        id=id_,
        number=text(payload.get("number")) or id_,
        codes=((status,), *paid),
        lines=tuple(_line(item, store) for item in items),
        customer=_buyer(payload),
        currency=text(payload.get("currency"), 3),
        total=money(payload.get("totalSumm")),
        delivery=_delivery(table(payload.get("delivery"))),
        created_at=instant(payload.get("createdAt"), zone),
    )


def customer_facts(payload: Mapping[str, Any], zone: tzinfo) -> CustomerFacts:
    """Raises `Unreadable`."""
    phones = (text(phone.get("number")) for phone in rows(payload.get("phones")))
    left = bool(text(payload.get("emailMarketingUnsubscribedAt")))
    return CustomerFacts(
        id=required(payload, "id"),
        name=_name(payload),
        email=text(payload.get("email")),
        phone=next(filter(None, phones), ""),
        tags=tuple(
            name for tag in rows(payload.get("tags")) if (name := text(tag.get("name"), 100))
        ),
        # Who did not leave has not said yes by that.
        subscribed={"email": False} if left else {},
        created_at=instant(payload.get("createdAt"), zone),
    )


def _buyer(payload: Mapping[str, Any]) -> CustomerFacts | None:
    """As the order has them: a firm orders by its people, and a present goes to somebody else."""
    customer = table(payload.get("customer"))
    # A firm's id stands for all of its people.
    id_ = "" if customer.get("type") == "customer_corporate" else text(customer.get("id"))
    name = _name(payload) or _name(customer)
    email = first(payload.get("email"), customer.get("email"))
    phone = text(payload.get("phone"))
    return (
        CustomerFacts(id=id_, name=name, email=email, phone=phone)
        if id_ or email or phone
        else None
    )


def _name(of: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (text(of.get(name)) for name in _NAMES)))


def _line(item: Mapping[str, Any], store: str) -> LineFacts:
    offer, quantity = table(item.get("offer")), number(item.get("quantity"))
    if quantity is None:
        raise Unreadable("items[].quantity is missing")
    price, off = money(item.get("initialPrice")), money(item.get("discountTotal")) or Decimal(0)
    return LineFacts(
        id=required(item, "id"),
        title=first(offer.get("displayName"), item.get("productName"), offer.get("name")),
        quantity=quantity,
        sku=first(offer.get("article"), offer.get("externalId")),
        price=money(price - off) if price is not None else None,
        product=text(offer.get("id")),
        warehouse=store,
    )


def _delivery(delivery: Mapping[str, Any]) -> dict[str, str]:
    code, service = text(delivery.get("code")), table(delivery.get("service"))
    address = table(delivery.get("address"))
    found = {
        "method": _METHODS.get(code, code),
        "carrier": text(service.get("name")),
        "tracking": text(table(delivery.get("data")).get("trackNumber")),
        "address": first(address.get("text"), address.get("city")),
        "date": text(delivery.get("date")),
    }
    return {name: value for name, value in found.items() if value}
