"""What is kept of CS-Cart's orders, customers and products, and what it means."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.sources.base import Unreadable
from hub.sources.model import CustomerFacts, Kind, LineFacts, OrderFacts, ProductFacts
from hub.sources.values import first, instant, money, number, required, rows, table, text, yes
from hub.sources.whitelist import Spec, kept

# What else an order holds is not for us: `payment_method.processor_params`, `payment_info`, and
# `product_groups[].shippings[].service_params` have the account keys of payment systems and carriers.
_ORDER: Spec = {
    **dict.fromkeys(
        (
            *("order_id", "user_id", "company_id", "is_parent_order", "parent_order_id"),
            *("status", "timestamp", "updated_at", "total", "lang_code", "notes"),
            *("firstname", "lastname", "email", "phone", "s_firstname", "s_lastname", "s_phone"),
            *("s_address", "s_address_2", "s_city", "s_state_descr", "s_country_descr"),
            *("s_zipcode", "b_phone", "shipment_ids"),
        ),
        True,
    ),
    "products": [
        dict.fromkeys(
            ("item_id", "product_id", "product_code", "product", "price", "amount", "company_id"),
            True,
        )
    ],
    "product_groups": [{"name": True, "company_id": True}],
    "shipping": [
        {
            **dict.fromkeys(("shipping_id", "shipping", "module", "store_location_id"), True),
            "store_data": dict.fromkeys(
                ("name", "city", "pickup_address", "pickup_phone", "pickup_time"), True
            ),
        }
    ],
    "shipment": {"carrier": True, "tracking_number": True},
    # The shop's own profile fields, by their numbers.
    "fields": {"*": True},
}
_CUSTOMER: Spec = dict.fromkeys(
    (
        *("user_id", "user_type", "status", "firstname", "lastname", "email", "phone"),
        *("lang_code", "timestamp"),
    ),
    True,
)
_CART: Spec = {
    **dict.fromkeys(("user_id", "firstname", "lastname", "date", "total", "cart_products"), True),
    "products": _ORDER["products"],
    "user_data": _CUSTOMER,
}
_IMAGE = ("https_image_path", "http_image_path", "image_path")
_PRODUCT: Spec = {
    **dict.fromkeys(
        (
            *("product_id", "product", "product_code", "price", "amount", "company_id", "status"),
            *("timestamp", "updated_timestamp"),
        ),
        True,
    ),
    "main_pair": {"detailed": dict.fromkeys(_IMAGE, True)},
}
_SPECS: Mapping[Kind, Spec] = {
    Kind.ORDER: _ORDER,
    Kind.CUSTOMER: _CUSTOMER,
    Kind.PRODUCT: _PRODUCT,
    Kind.CART: _CART,
}


def kept_of(kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    found = kept(given, _SPECS[kind])
    if "products" in found:
        # PostgreSQL keeps the order of a list, and not that of a map.
        found["products"] = [{**row, "item_id": id_} for id_, row in by_line(found).items()]
    return found


def unfinished(kind: Kind, given: Mapping[str, Any]) -> bool:
    return kind is Kind.ORDER and text(given.get("status")) == "N"


def staff(kind: Kind, given: Mapping[str, Any]) -> bool:
    """Administrators (A) and vendors' people (V) are users, too."""
    return kind is Kind.CUSTOMER and text(given.get("user_type")) not in ("", "C")


def order(payload: Mapping[str, Any], *, currency: str, vendors: bool) -> OrderFacts:
    """When an order changed is not told (on which acts `updated_at` moves is documented nowhere), but of the full form
    when it was read."""
    id_ = required(payload, "order_id")
    return OrderFacts(
        id=id_,
        number=id_,
        codes=((required(payload, "status"),),),
        lines=lines(payload, vendors=vendors),
        customer=_buyer(payload),
        currency=currency,
        total=money(payload.get("total")),
        delivery=_delivery(payload),
        parent=yes(payload.get("is_parent_order")),
        parent_id=_number(payload.get("parent_order_id")),
        created_at=instant(payload.get("timestamp")),
        changed_at=instant(payload.get("read_at")),
    )


def customer(payload: Mapping[str, Any]) -> CustomerFacts:
    if staff(Kind.CUSTOMER, payload):
        raise Unreadable("user_type is not C: not a customer")
    return CustomerFacts(
        id=required(payload, "user_id"),
        name=_name(payload, ""),
        email=text(payload.get("email")),
        phone=text(payload.get("phone")),
        locale=text(payload.get("lang_code")),
        changed_at=instant(payload.get("read_at")),
        created_at=instant(payload.get("timestamp")),
    )


def product(payload: Mapping[str, Any], *, currency: str) -> ProductFacts:
    image = table(table(payload.get("main_pair")).get("detailed"))
    return ProductFacts(
        id=required(payload, "product_id"),
        title=text(payload.get("product")),
        sku=text(payload.get("product_code")),
        price=money(payload.get("price")),
        currency=currency,
        image_url=first(*(image.get(name) for name in _IMAGE)),
        quantity=number(payload.get("amount")),
        changed_at=instant(payload.get("updated_timestamp")),
    )


def newest_shipment(order: Mapping[str, Any]) -> str:
    """Its id; `shipment_ids` is a text with commas, or a list. Empty: nothing was handed to a carrier."""
    given = order.get("shipment_ids")
    ids = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
    found = [int(id_) for id_ in map(text, ids) if id_.isascii() and id_.isdigit()]
    return str(max(found)) if found else ""


def parcel(shipment: Mapping[str, Any]) -> dict[str, Any]:
    return kept(shipment, {"carrier": True, "tracking_number": True})


def product_id(row: Mapping[str, Any]) -> str:
    return text(row.get("product_id"))


def by_line(payload: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Lines by `item_id`, which is their key as well: a product may stand on two of them."""
    given = payload.get("products")
    pairs = given.items() if isinstance(given, Mapping) else enumerate(rows(given))
    return {first(row.get("item_id"), key): row for key, row in pairs if isinstance(row, Mapping)}


def lines(payload: Mapping[str, Any], *, vendors: bool) -> tuple[LineFacts, ...]:
    groups = rows(payload.get("product_groups"))
    names = {text(one.get("company_id")): text(one.get("name")) for one in groups}
    found = []
    for id_, row in by_line(payload).items():
        vendor = first(_number(row.get("company_id")), _number(payload.get("company_id")))
        # A vendor and a customer may have the same number.
        place = f"vendor-{vendor}" if vendors and vendor else ""
        found.append(
            LineFacts(
                id=id_,
                title=text(row.get("product")),
                quantity=number(row.get("amount")) or Decimal(0),
                sku=text(row.get("product_code")),
                price=money(row.get("price")),
                product=product_id(row),
                seller=place,
                seller_name=names.get(vendor, "") if place else "",
                # Each vendor has a shelf of his own: its storekeepers are asked, he himself where it has none.
                warehouse=place,
            )
        )
    return tuple(line for line in found if line.quantity > 0)


def _buyer(payload: Mapping[str, Any]) -> CustomerFacts:
    """A guest has the `user_id` 0."""
    return CustomerFacts(
        id=_number(payload.get("user_id")),
        name=_name(payload, "") or _name(payload, "s_"),
        email=text(payload.get("email")),
        phone=first(*(payload.get(name) for name in ("phone", "s_phone", "b_phone"))),
        locale=text(payload.get("lang_code")),
    )


def _name(payload: Mapping[str, Any], of: str) -> str:
    names = (text(payload.get(f"{of}{name}")) for name in ("firstname", "lastname"))
    return " ".join(filter(None, names))


def _delivery(payload: Mapping[str, Any]) -> dict[str, str]:
    """Only a store of the shop's own is known to be a pick-up; whether a carrier's method leads to one is not told."""
    chosen = next(iter(rows(payload.get("shipping"))), {})
    store, sent = table(chosen.get("store_data")), table(payload.get("shipment"))
    if pickup := bool(store) or bool(_number(chosen.get("store_location_id"))):
        address = _joined(store, "city", "pickup_address")
    else:
        address = _joined(payload, "s_zipcode", "s_city", "s_address", "s_address_2")
    told = {
        "method": "pickup" if pickup else "post" if "post" in text(chosen.get("module")) else "",
        "address": address,
        "carrier": first(sent.get("carrier"), chosen.get("shipping")),
        "tracking": text(sent.get("tracking_number")),
    }
    return {name: value for name, value in told.items() if value}


def _joined(given: Mapping[str, Any], *names: str) -> str:
    return ", ".join(filter(None, (text(given.get(name)) for name in names)))


def _number(value: Any) -> str:
    """An id; "0" is how the platform says that there is none."""
    found = text(value, 20)
    return "" if found == "0" else found
