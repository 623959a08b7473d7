"""A posting of Ozon: what of it may be kept, and what it says in the hub's words."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Unreadable
from hub.sources.model import CustomerFacts, LineFacts, OrderFacts
from hub.sources.values import first, instant, money, number, required, rows, table, text
from hub.sources.whitelist import Spec

# Left out: couriers, whom it is addressed to, firms' details, bar codes, marking codes, what the shop earns.
SPEC: Spec = {
    **dict.fromkeys(("posting_number", "order_id", "order_number", "parent_posting_number"), True),
    **dict.fromkeys(("status", "substatus", "tracking_number", "tpl_integration_type"), True),
    **dict.fromkeys(("in_process_at", "shipment_date", "delivering_date"), True),
    "delivery_method": dict.fromkeys(("name", "tpl_provider", "warehouse", "warehouse_id"), True),
    "products": [
        dict.fromkeys(("sku", "offer_id", "name", "price", "currency_code", "quantity"), True)
    ],
    "analytics_data": dict.fromkeys(("city", "delivery_type", "delivery_date_end"), True),
    "cancellation": {"cancel_reason": True},
    "customer": {"customer_id": True, "name": True, "address": {"address_tail": True}},
}

_DIVIDED = "cancelled_from_split_pending"

# Pushes say sub-statuses, the API says both; the sub-status counts where it is known.
STATUSES: Mapping[str, OrderStatus | None] = {
    "posting_created": OrderStatus.PLACED,
    "posting_acceptance_in_progress": OrderStatus.PLACED,
    "posting_awaiting_passport_data": OrderStatus.PLACED,
    "posting_registered": OrderStatus.CONFIRMED,
    "posting_awaiting_registration": OrderStatus.CONFIRMED,
    "posting_packing": OrderStatus.CONFIRMED,
    "posting_registration_error": None,
    "posting_split_pending": None,
    "posting_transferring_to_delivery": OrderStatus.ASSEMBLED,
    "posting_in_carriage": OrderStatus.ASSEMBLED,
    "posting_not_in_carriage": OrderStatus.ASSEMBLED,
    "posting_driver_pick_up": OrderStatus.SHIPPED,
    "posting_on_way_to_city": OrderStatus.SHIPPED,
    "posting_transferred_to_courier_service": OrderStatus.SHIPPED,
    "posting_in_courier_service": OrderStatus.SHIPPED,
    "posting_on_way_to_pickup_point": OrderStatus.IN_CITY,
    "posting_in_pickup_point": OrderStatus.AT_PICKUP_POINT,
    "posting_delivered": OrderStatus.DELIVERED,
    "posting_received": OrderStatus.DELIVERED,
    "posting_conditionally_delivered": OrderStatus.DELIVERED,
    "posting_not_in_sort_center": OrderStatus.RETURNED,
    "posting_returned_to_warehouse": OrderStatus.RETURNED,
    "posting_canceled": OrderStatus.CANCELLED,
    "posting_in_arbitration": None,
    "posting_in_client_arbitration": None,
    "awaiting_approve": OrderStatus.PLACED,
    "awaiting_packaging": OrderStatus.PLACED,
    "awaiting_verification": OrderStatus.PLACED,
    "acceptance_in_progress": OrderStatus.PLACED,
    "awaiting_registration": OrderStatus.CONFIRMED,
    "awaiting_deliver": OrderStatus.ASSEMBLED,
    "driver_pickup": OrderStatus.SHIPPED,
    "sent_by_seller": OrderStatus.SHIPPED,
    "delivering": OrderStatus.SHIPPED,
    "delivered": OrderStatus.DELIVERED,
    "not_accepted": OrderStatus.RETURNED,
    "cancelled": OrderStatus.CANCELLED,
    # The parts into which it was divided go on as postings of their own.
    _DIVIDED: None,
    "arbitration": None,
    "client_arbitration": None,
}

# Ways of delivery, as far as their names are known.
_METHODS: Mapping[str, str] = {"pvz": "pickup", "postamat": "pickup", "courier": "courier"}


def posting_facts(payload: Mapping[str, Any]) -> OrderFacts:
    """Raises `Unreadable`. A posting is an order of its own: an order of the buyer's may be several of them."""
    posting, status = required(payload, "posting_number"), required(payload, "status")
    products = rows(payload.get("products"))
    warehouse = text(table(payload.get("delivery_method")).get("warehouse_id"))
    lines = tuple(_line(product, warehouse) for product in products)
    cancelled = table(payload.get("cancellation"))
    return OrderFacts(
        id=posting,
        number=posting,
        codes=(_chain(status, text(payload.get("substatus"))),),
        lines=lines,
        customer=_buyer(table(payload.get("customer"))),
        currency=first(*(product.get("currency_code") for product in products)),
        total=sum((line.price * line.quantity for line in lines if line.price), Decimal(0)),
        delivery=_delivery(payload),
        reason=text(cancelled.get("cancel_reason")) if status == "cancelled" else "",
        parent_id=text(payload.get("order_number")),
        created_at=instant(payload.get("in_process_at")),
    )


def _chain(status: str, substatus: str) -> tuple[str, ...]:
    """One that was divided is cancelled by its sub-status: nobody should hear that of goods which are on their way."""
    alone = not substatus or status == _DIVIDED
    return (status,) if alone else (substatus, status)


def _line(product: Mapping[str, Any], warehouse: str) -> LineFacts:
    quantity = number(product.get("quantity"))
    if quantity is None:
        raise Unreadable("products[].quantity is missing")
    sku = required(product, "sku")
    return LineFacts(
        id=sku,
        title=text(product.get("name")),
        quantity=quantity,
        sku=text(product.get("offer_id")),
        price=money(product.get("price")),
        product=sku,
        warehouse=warehouse,
    )


def _delivery(payload: Mapping[str, Any]) -> dict[str, str]:
    method, shown = table(payload.get("delivery_method")), table(payload.get("analytics_data"))
    address = table(table(payload.get("customer")).get("address"))
    found = {
        "method": _METHODS.get(text(shown.get("delivery_type")).casefold(), ""),
        "carrier": text(method.get("tpl_provider")),
        "tracking": text(payload.get("tracking_number")),
        "address": first(address.get("address_tail"), shown.get("city")),
        "date": text(shown.get("delivery_date_end"))[:10],
    }
    return {name: value for name, value in found.items() if value}


def _buyer(customer: Mapping[str, Any]) -> CustomerFacts | None:
    """For rFBS only, and without an address of any kind."""
    id_ = text(customer.get("customer_id"))
    return CustomerFacts(id=id_, name=text(customer.get("name"))) if id_ not in ("", "0") else None
