"""What is kept of Shopify's objects, and what it means. Pure."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.sources.base import Unreadable
from hub.sources.model import (
    CartFacts,
    CustomerFacts,
    Facts,
    Kind,
    LineFacts,
    OrderFacts,
    ProductFacts,
)
from hub.sources.platforms.shopify_states import codes_of
from hub.sources.values import first, instant, money, number, required, rows, table, text
from hub.sources.whitelist import Spec, kept


def _plain(names: str) -> dict[str, bool]:
    return dict.fromkeys(names.split(), True)


_CONSENT: Spec = {"state": True}
_CUSTOMER: Spec = {
    **_plain("id email phone first_name last_name tags created_at updated_at"),
    "email_marketing_consent": _CONSENT,
    "sms_marketing_consent": _CONSENT,
}
_ADDRESS: Spec = _plain("name phone address1 address2 city zip province country")
_LINE: Spec = _plain(
    "id key variant_id product_id title name variant_title quantity current_quantity sku price vendor"
)
_SPECS: Mapping[Kind, Spec] = {
    Kind.ORDER: {
        **_plain("id name order_number email contact_email phone created_at updated_at"),
        **_plain("cancelled_at cancel_reason closed_at test tags source_name customer_locale"),
        **_plain("currency total_price current_total_price financial_status fulfillment_status"),
        "note_attributes": [{"name": True, "value": True}],
        "customer": _CUSTOMER,
        "shipping_address": _ADDRESS,
        "shipping_lines": [{"title": True, "code": True}],
        "line_items": [_LINE],
        "fulfillments": [
            _plain("id status shipment_status tracking_company tracking_number updated_at")
        ],
        "refunds": [
            {"refund_line_items": [_plain("line_item_id quantity restock_type")]},
        ],
    },
    Kind.CUSTOMER: _CUSTOMER,
    Kind.CART: {
        **_plain("id email phone created_at updated_at completed_at customer_locale"),
        **_plain("currency presentment_currency total_price abandoned_checkout_url"),
        "customer": _CUSTOMER,
        "shipping_address": _ADDRESS,
        "line_items": [_LINE],
    },
    Kind.PRODUCT: {
        **_plain("id title handle vendor status tags created_at updated_at"),
        "variants": [_plain("id sku price inventory_quantity")],
        "image": {"src": True},
    },
}

ORDER_FIELDS = ",".join(_SPECS[Kind.ORDER])
"""For lists, which are long otherwise."""


def whitelisted(kind: Kind, found: Mapping[str, Any]) -> Mapping[str, Any]:
    return kept(found, _SPECS[kind])


def facts_of(kind: Kind, payload: Mapping[str, Any], shop_url: str) -> Facts:
    """Raises `Unreadable`."""
    match kind:
        case Kind.ORDER:
            return _order(payload)
        case Kind.CUSTOMER:
            return _customer(payload)
        case Kind.PRODUCT:
            return _product(payload, shop_url)
        case Kind.CART:
            return _cart(payload)
    raise Unreadable(f"Shopify tells of no {kind}")


def _order(payload: Mapping[str, Any]) -> OrderFacts:
    id_ = required(payload, "id")
    return OrderFacts(
        id=id_,
        number=first(payload.get("name"), payload.get("order_number"), id_),
        codes=codes_of(payload),
        lines=_bought(payload),
        customer=_buyer(payload),
        currency=text(payload.get("currency")),
        total=money(first(payload.get("current_total_price"), payload.get("total_price"))),
        delivery=_delivery(payload),
        reason=text(payload.get("cancel_reason")),
        created_at=instant(payload.get("created_at")),
        changed_at=instant(payload.get("updated_at")),
    )


def _bought(payload: Mapping[str, Any]) -> tuple[LineFacts, ...]:
    """`current_quantity` is what is left after lines were taken out of the order, but also after they came back; only the
    first is another order."""
    back: Counter[str] = Counter()
    for refund in rows(payload.get("refunds")):
        for line in rows(refund.get("refund_line_items")):
            if line.get("restock_type") == "return":
                back[text(line.get("line_item_id"))] += int(number(line.get("quantity")) or 0)
    lines = [_line(row) for row in rows(payload.get("line_items"))]
    left = [
        _line(row, number(row.get("current_quantity")), back[text(row.get("id"))])
        for row in rows(payload.get("line_items"))
    ]
    # Cancelled as a whole, it is still the order that it was.
    return tuple([line for line in left if line.quantity > 0] or lines)


def _line(row: Mapping[str, Any], current: Decimal | None = None, back: int = 0) -> LineFacts:
    whole = number(row.get("quantity")) or Decimal(0)
    return LineFacts(
        id=first(row.get("id"), row.get("key"), row.get("variant_id")),
        # `name` is the title with the variant's.
        title=first(row.get("name"), row.get("title")),
        quantity=whole if current is None else current + back,
        sku=text(row.get("sku"), 100),
        price=money(row.get("price")),
        product=text(row.get("product_id")),
    )


def _delivery(payload: Mapping[str, Any]) -> Mapping[str, str]:
    to = table(payload.get("shipping_address"))
    ways = rows(payload.get("shipping_lines"))
    sent = [row for row in rows(payload.get("fulfillments")) if row.get("status") != "cancelled"]
    parcel: Mapping[str, Any] = sent[-1] if sent else {}
    parts = (text(to.get(part)) for part in ("zip", "city", "address1", "address2"))
    found = {
        "method": text(ways[0].get("title")) if ways else "",
        "address": ", ".join(filter(None, parts)),
        "carrier": text(parcel.get("tracking_company")),
        "tracking": text(parcel.get("tracking_number")),
    }
    return {name: value for name, value in found.items() if value}


def _buyer(payload: Mapping[str, Any]) -> CustomerFacts | None:
    """Of an order or a checkout; whoever has no account there is known by e-mail or phone."""
    account, to = table(payload.get("customer")), table(payload.get("shipping_address"))
    email = first(account.get("email"), payload.get("email"), payload.get("contact_email"))
    phone = first(account.get("phone"), payload.get("phone"), to.get("phone"))
    if not (account.get("id") or email or phone):
        return None
    locale = text(payload.get("customer_locale")).partition("-")[0]
    return _customer(account, email=email, phone=phone, name=text(to.get("name")), locale=locale)


def _customer(
    account: Mapping[str, Any],
    *,
    email: str = "",
    phone: str = "",
    name: str = "",
    locale: str = "",
) -> CustomerFacts:
    own = f"{text(account.get('first_name'))} {text(account.get('last_name'))}".strip()
    consents = {
        channel: state == "subscribed"
        for channel in ("email", "sms")
        # Others ("not_subscribed", "pending") are no answer.
        if (state := table(account.get(f"{channel}_marketing_consent")).get("state"))
        in ("subscribed", "unsubscribed")
    }
    return CustomerFacts(
        id=text(account.get("id")),
        name=text(own or name, 200),
        email=email or text(account.get("email")),
        phone=phone or text(account.get("phone")),
        locale=locale,
        tags=tuple(filter(None, map(str.strip, text(account.get("tags")).split(",")))),
        subscribed=consents,
        changed_at=instant(account.get("updated_at")),
        created_at=instant(account.get("created_at")),
    )


def _cart(payload: Mapping[str, Any]) -> CartFacts:
    return CartFacts(
        id=required(payload, "id"),
        customer=_buyer(payload),
        lines=tuple(map(_line, rows(payload.get("line_items")))),
        currency=first(payload.get("presentment_currency"), payload.get("currency")),
        total=money(payload.get("total_price")),
        url=text(payload.get("abandoned_checkout_url"), 2000),
        changed_at=instant(payload.get("updated_at")),
    )


def _product(payload: Mapping[str, Any], shop_url: str) -> ProductFacts:
    variants = rows(payload.get("variants"))
    leading: Mapping[str, Any] = variants[0] if variants else {}
    counts = [number(variant.get("inventory_quantity")) for variant in variants]
    handle = text(payload.get("handle"))
    return ProductFacts(
        id=required(payload, "id"),
        title=text(payload.get("title")),
        sku=text(leading.get("sku"), 100),
        price=money(leading.get("price")),
        url=f"{shop_url}/products/{handle}" if handle else "",
        image_url=text(table(payload.get("image")).get("src"), 2000),
        quantity=sum(filter(None, counts), Decimal(0)) if counts else None,
        changed_at=instant(payload.get("updated_at")),
    )
