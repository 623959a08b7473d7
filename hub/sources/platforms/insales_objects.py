"""Orders, clients and products of InSales: which of their fields are kept, and what they say in our words."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.sources.base import Unreadable
from hub.sources.model import CustomerFacts, Facts, Kind, LineFacts, OrderFacts, ProductFacts
from hub.sources.values import first, instant, money, number, required, rows, table, text, yes
from hub.sources.whitelist import Spec

PAID = "financial:paid"

_EXTRA: Spec = {"handle": True, "name": True, "value": True}

_CLIENT: Spec = {
    **dict.fromkeys(("id", "name", "surname", "middlename", "email", "phone", "registered"), True),
    **dict.fromkeys(("subscribe", "client_group_id", "bonus_points"), True),
    **dict.fromkeys(("created_at", "updated_at"), True),
    "fields_values": [_EXTRA],
}
_ADDRESS: Spec = dict.fromkeys(
    (
        *("name", "phone", "formatted_phone", "address", "city", "state", "country", "zip"),
        *("full_name", "full_locality_name", "full_delivery_address"),
    ),
    True,
)
_LINE: Spec = dict.fromkeys(
    (
        *("id", "product_id", "variant_id", "sku", "barcode", "title", "quantity", "unit"),
        *(
            "reserved_quantity",
            "sale_price",
            "full_sale_price",
            "total_price",
            "comment",
            "bundle_id",
        ),
    ),
    True,
)
_DELIVERY: Spec = {
    **dict.fromkeys(
        ("tracking_number", "title", "shipping_company", "shipping_company_handle"), True
    ),
    "outlet": dict.fromkeys(("external_id", "title", "address", "description", "type"), True),
}
# Left out on purpose: `key` opens the order's page to whoever has it; `cookies`, `ip_addr`, referers and the
# managers' notes are nobody's business here.
_ORDER: Spec = {
    **dict.fromkeys(("id", "number", "fulfillment_status", "financial_status", "archived"), True),
    **dict.fromkeys(("total_price", "items_price", "delivery_price", "full_delivery_price"), True),
    **dict.fromkeys(("currency_code", "delivery_title", "delivery_description", "locale"), True),
    **dict.fromkeys(("delivery_date", "delivery_from_hour", "delivery_to_hour"), True),
    **dict.fromkeys(("payment_title", "paid_at", "comment", "warehouse_id"), True),
    **dict.fromkeys(("created_at", "updated_at", "accepted_at", "delivered_at"), True),
    "custom_status": {"permalink": True, "title": True},
    "client": _CLIENT,
    "shipping_address": _ADDRESS,
    "order_lines": [_LINE],
    "delivery_info": _DELIVERY,
    "fields_values": [_EXTRA],
}
_PRODUCT: Spec = {
    **dict.fromkeys(("id", "title", "permalink", "archived", "created_at", "updated_at"), True),
    "variants": [
        dict.fromkeys(("id", "title", "sku", "barcode", "price", "old_price", "quantity"), True)
    ],
    "images": [{"original_url": True, "large_url": True, "medium_url": True}],
}
FIELDS: Mapping[Kind, Spec] = {Kind.ORDER: _ORDER, Kind.CUSTOMER: _CLIENT, Kind.PRODUCT: _PRODUCT}

# An old name of the same money, which no list of currencies knows any more.
_CURRENCIES: Mapping[str, str] = {"RUR": "RUB"}

# The ways of delivery have no kinds in the API, only the names that the shop gave them.
_METHODS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pickup", ("самовывоз", "пункт", "пвз", "постамат", "почтомат", "pickup")),
    ("courier", ("курьер", "courier")),
    ("post", ("почт", "post")),
)
# Where shops and carriers' apps put the number of a parcel: the API has no field of its own for it.
_TRACKS = ("track", "tracking", "track_number", "tracking_number", "trek", "nomer-otpravleniya")


def _customer(payload: Mapping[str, Any]) -> CustomerFacts:
    return CustomerFacts(
        id=required(payload, "id"),
        name=_name(payload),
        email=text(payload.get("email")),
        phone=text(payload.get("phone")),
        # "No" is where everybody begins there; only "yes" was ever said by somebody.
        subscribed={"email": True} if yes(payload.get("subscribe")) else {},
        changed_at=instant(payload.get("updated_at")),
        created_at=instant(payload.get("created_at")),
    )


def _product(payload: Mapping[str, Any]) -> ProductFacts:
    variants = rows(payload.get("variants"))
    head = variants[0] if variants else {}
    picture = next(iter(rows(payload.get("images"))), {})
    return ProductFacts(
        id=required(payload, "id"),
        title=text(payload.get("title")),
        sku=text(head.get("sku"), 100),
        price=money(head.get("price")),
        image_url=first(*(picture.get(f"{size}_url") for size in ("large", "original", "medium"))),
        quantity=_in_all(variants),
        changed_at=instant(payload.get("updated_at")),
    )


def _order(payload: Mapping[str, Any]) -> OrderFacts:
    currency = text(payload.get("currency_code")).upper()
    return OrderFacts(
        id=required(payload, "id"),
        number=first(payload.get("number"), payload.get("id")),
        codes=_codes(payload),
        lines=tuple(
            _line(line, text(payload.get("warehouse_id")))
            for line in rows(payload.get("order_lines"))
        ),
        customer=_buyer(payload),
        currency=_CURRENCIES.get(currency, currency),
        total=money(payload.get("total_price")),
        delivery=_delivery(payload),
        created_at=instant(payload.get("created_at")),
        changed_at=instant(payload.get("updated_at")),
    )


def _codes(payload: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """The shop's own status stands on a system one, so that one without a place in the map still says something."""
    own = text(table(payload.get("custom_status")).get("permalink"))
    chain = (f"custom:{own}" if own else "", text(payload.get("fulfillment_status")))
    codes = [tuple(filter(None, chain))]
    if text(payload.get("financial_status")) == "paid":
        codes.append((PAID,))
    return tuple(filter(None, codes))


def _line(line: Mapping[str, Any], warehouse: str) -> LineFacts:
    return LineFacts(
        id=required(line, "id"),
        title=text(line.get("title")),
        quantity=number(line.get("quantity")) or Decimal(0),
        sku=first(line.get("sku"), line.get("barcode"))[:100],
        price=money(line.get("sale_price")),
        product=text(line.get("product_id")),
        warehouse=warehouse,
    )


def _buyer(payload: Mapping[str, Any]) -> CustomerFacts | None:
    client, address = table(payload.get("client")), table(payload.get("shipping_address"))
    locale = text(payload.get("locale"))
    if not client and not address:
        return None
    return CustomerFacts(
        id=text(client.get("id")),
        name=_name(client) or first(address.get("full_name"), address.get("name")),
        email=text(client.get("email")),
        phone=first(client.get("phone"), address.get("phone"), address.get("formatted_phone")),
        locale=locale if len(locale) == 2 and locale.isalpha() else "",
        subscribed={"email": True} if yes(client.get("subscribe")) else {},
        changed_at=instant(client.get("updated_at")),
        created_at=instant(client.get("created_at")),
    )


def _delivery(payload: Mapping[str, Any]) -> dict[str, str]:
    info, address = table(payload.get("delivery_info")), table(payload.get("shipping_address"))
    outlet = table(info.get("outlet"))
    extra = {
        text(field.get("handle")): text(field.get("value"))
        for field in rows(payload.get("fields_values"))
    }
    said = {
        "method": "pickup" if outlet else _method(text(payload.get("delivery_title"))),
        "address": first(
            *(outlet.get("address"), address.get("full_delivery_address")),
            ", ".join(filter(None, (text(address.get("city")), text(address.get("address"))))),
        ),
        "carrier": first(info.get("shipping_company"), payload.get("delivery_title")),
        "tracking": first(info.get("tracking_number"), *(extra.get(name) for name in _TRACKS)),
        "date": _date(payload),
    }
    return {name: value for name, value in said.items() if value}


def _method(title: str) -> str:
    """The shop's own word where it is none that we know."""
    low = title.lower()
    return next((kind for kind, words in _METHODS if any(word in low for word in words)), title)


def _date(payload: Mapping[str, Any]) -> str:
    day = text(payload.get("delivery_date"))
    begin, end = (number(payload.get(f"delivery_{side}_hour")) for side in ("from", "to"))
    if not day or begin is None or end is None:
        return day
    return f"{day}, {begin:.0f}:00–{end:.0f}:00"


def _name(client: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (text(client.get("name")), text(client.get("surname")))))


def _in_all(variants: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """None: of one of them the shop does not count how many there are."""
    counts = [number(variant.get("quantity")) for variant in variants]
    known = [count for count in counts if count is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(counts) else None


_FACTS: Mapping[Kind, Callable[[Mapping[str, Any]], Facts]] = {
    Kind.ORDER: _order,
    Kind.CUSTOMER: _customer,
    Kind.PRODUCT: _product,
}


def facts_of(kind: Kind, payload: Mapping[str, Any]) -> Facts:
    """Raises `Unreadable`."""
    if kind not in _FACTS:
        raise Unreadable(f"InSales tells nothing of a {kind}")
    return _FACTS[kind](payload)
