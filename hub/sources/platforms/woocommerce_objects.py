"""Orders, customers and products of WooCommerce: which of their fields are kept, and what they say in our words."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.sources.base import Unreadable
from hub.sources.model import CustomerFacts, Facts, Kind, LineFacts, OrderFacts, ProductFacts
from hub.sources.values import first, instant, money, number, required, rows, table, text
from hub.sources.whitelist import Spec, kept

PAID = "financial:paid"

TRACKING_ITEMS = "_wc_shipment_tracking_items"
"""Where the Shipment Tracking extension, and those that follow it, keep the numbers of parcels."""

_TRACKS = ("_tracking_number", "tracking_number", "_aftership_tracking_number")
META = frozenset({TRACKING_ITEMS, *_TRACKS})
"""Of the free fields of orders only these are kept: others hold payments' tokens and whatever plugins please."""

_DATES: Spec = dict.fromkeys(
    ("date_created", "date_created_gmt", "date_modified", "date_modified_gmt"), True
)
_PLACE: Spec = dict.fromkeys(
    (
        *("first_name", "last_name", "company", "address_1", "address_2"),
        *("city", "state", "postcode", "country", "phone"),
    ),
    True,
)
_BILLING: Spec = {**_PLACE, "email": True}
_LINE: Spec = {
    **dict.fromkeys(("id", "name", "product_id", "variation_id", "quantity", "sku"), True),
    **dict.fromkeys(("price", "subtotal", "total"), True),
    "image": {"src": True},
}
# Left out on purpose: `order_key` opens the order to whoever has it; addresses of computers, user agents and
# `transaction_id` are nobody's business here.
_ORDER: Spec = {
    **dict.fromkeys(("id", "number", "parent_id", "status", "currency", "created_via"), True),
    **dict.fromkeys(("total", "discount_total", "shipping_total", "customer_id"), True),
    **dict.fromkeys(("customer_note", "payment_method", "payment_method_title"), True),
    **dict.fromkeys(("date_paid", "date_paid_gmt", "date_completed", "date_completed_gmt"), True),
    **_DATES,
    "billing": _BILLING,
    "shipping": _PLACE,
    "line_items": [_LINE],
    "shipping_lines": [{"id": True, "method_id": True, "method_title": True, "total": True}],
}
_CUSTOMER: Spec = {
    **dict.fromkeys(("id", "email", "first_name", "last_name", "role", "is_paying_customer"), True),
    **_DATES,
    "billing": _BILLING,
    "shipping": _PLACE,
}
_PRODUCT: Spec = {
    **dict.fromkeys(("id", "name", "slug", "permalink", "type", "status", "sku", "price"), True),
    **dict.fromkeys(("regular_price", "sale_price", "stock_quantity", "stock_status"), True),
    **_DATES,
    "images": [{"src": True}],
}
_FIELDS: Mapping[Kind, Spec] = {
    Kind.ORDER: _ORDER,
    Kind.CUSTOMER: _CUSTOMER,
    Kind.PRODUCT: _PRODUCT,
}

FIELDS: Mapping[Kind, str] = {
    kind: ",".join([*spec, "meta_data"] if kind is Kind.ORDER else spec)
    for kind, spec in _FIELDS.items()
}
"""As a list is asked for them: texts of products and what plugins add are left at the shop."""

_PICKUP = ("local_pickup", "pickup_location", "pickup")


def whitelisted(kind: Kind, given: Mapping[str, Any], meta: Collection[str]) -> dict[str, Any]:
    """`meta`: keys of the free fields that may be kept; their plain values, and lists of objects with plain values."""
    payload = kept(given, _FIELDS[kind])
    extra = [
        {"key": key, "value": _extra(each.get("value"))}
        for each in rows(given.get("meta_data"))
        if (key := text(each.get("key"), 100)) in meta
    ]
    return {**payload, "meta_data": extra} if extra else payload


def facts_of(kind: Kind, payload: Mapping[str, Any]) -> Facts:
    """Raises `Unreadable`."""
    if kind not in _FACTS:
        raise Unreadable(f"WooCommerce tells nothing of a {kind}")
    return _FACTS[kind](payload)


def changed(payload: Mapping[str, Any]) -> datetime | None:
    """Their times of the world come without the Z that says so; those of the shop's own clock are no use to us."""
    return instant(payload.get("date_modified_gmt"))


def _extra(value: Any) -> Any:
    fields: Spec = {"value": True}
    if isinstance(value, list | Mapping):
        return [kept(row, {"*": True}) for row in rows(value)]
    return kept({"value": value}, fields).get("value")


def _customer(payload: Mapping[str, Any]) -> CustomerFacts:
    billing = table(payload.get("billing"))
    return CustomerFacts(
        id=required(payload, "id"),
        name=_name(payload) or _name(billing),
        email=first(payload.get("email"), billing.get("email")),
        phone=text(billing.get("phone")),
        changed_at=changed(payload),
        created_at=instant(payload.get("date_created_gmt")),
    )


def _product(payload: Mapping[str, Any]) -> ProductFacts:
    return ProductFacts(
        id=required(payload, "id"),
        title=text(payload.get("name")),
        sku=text(payload.get("sku"), 100),
        price=money(payload.get("price")),
        url=text(payload.get("permalink"), 2048),
        image_url=_picture(next(iter(rows(payload.get("images"))), {})),
        quantity=number(payload.get("stock_quantity")),
        changed_at=changed(payload),
    )


def _order(payload: Mapping[str, Any]) -> OrderFacts:
    status = text(payload.get("status")).removeprefix("wc-")
    paid = first(payload.get("date_paid_gmt"), payload.get("date_paid"))
    parent = text(payload.get("parent_id"))
    return OrderFacts(
        id=required(payload, "id"),
        number=first(payload.get("number"), payload.get("id")),
        codes=tuple((code,) for code in (status, PAID if paid else "") if code),
        lines=tuple(_line(line) for line in rows(payload.get("line_items"))),
        customer=_buyer(payload),
        currency=text(payload.get("currency")).upper(),
        total=money(payload.get("total")),
        delivery=_delivery(payload),
        parent_id="" if parent == "0" else parent,
        created_at=instant(payload.get("date_created_gmt")),
        changed_at=changed(payload),
    )


def _line(line: Mapping[str, Any]) -> LineFacts:
    return LineFacts(
        id=required(line, "id"),
        title=text(line.get("name")),
        quantity=number(line.get("quantity")) or Decimal(0),
        sku=text(line.get("sku"), 100),
        price=money(line.get("price")),
        image_url=_picture(table(line.get("image"))),
        product=text(line.get("product_id")),
    )


def _buyer(payload: Mapping[str, Any]) -> CustomerFacts | None:
    """Customer 0 is a guest: known by what stands in the bill."""
    billing, shipping = table(payload.get("billing")), table(payload.get("shipping"))
    id_ = text(payload.get("customer_id"))
    if not billing and id_ in ("", "0"):
        return None
    return CustomerFacts(
        id="" if id_ == "0" else id_,
        name=_name(billing) or _name(shipping),
        email=text(billing.get("email")),
        phone=first(billing.get("phone"), shipping.get("phone")),
    )


def _delivery(payload: Mapping[str, Any]) -> dict[str, str]:
    way = next(iter(rows(payload.get("shipping_lines"))), {})
    meta = {text(each.get("key")): each.get("value") for each in rows(payload.get("meta_data"))}
    parcel = next(iter(rows(meta.get(TRACKING_ITEMS))), {})
    title = text(way.get("method_title"))
    said = {
        "method": "pickup" if text(way.get("method_id")).split(":")[0] in _PICKUP else title,
        "address": _address(payload),
        "carrier": first(
            parcel.get("tracking_provider"), parcel.get("custom_tracking_provider"), title
        ),
        "tracking": first(parcel.get("tracking_number"), *(meta.get(name) for name in _TRACKS)),
    }
    return {name: value for name, value in said.items() if value}


def _address(payload: Mapping[str, Any]) -> str:
    """Of a shop that asks for one address only, the bill's."""
    places = (table(payload.get("shipping")), table(payload.get("billing")))
    place = next((place for place in places if text(place.get("address_1"))), {})
    parts = ("postcode", "city", "address_1", "address_2")
    return ", ".join(filter(None, (text(place.get(part)) for part in parts)))


def _name(person: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (text(person.get("first_name")), text(person.get("last_name")))))


def _picture(image: Mapping[str, Any]) -> str:
    url = text(image.get("src"), 2048)
    return url if url.startswith(("http://", "https://")) else ""


_FACTS: Mapping[Kind, Callable[[Mapping[str, Any]], Facts]] = {
    Kind.ORDER: _order,
    Kind.CUSTOMER: _customer,
    Kind.PRODUCT: _product,
}
