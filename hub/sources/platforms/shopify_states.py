"""The states of Shopify's orders, and what they mean to the hub. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub.config import OrderStatus
from hub.sources.values import rows, text

STATUSES: Mapping[str, OrderStatus | None] = {
    "open": OrderStatus.PLACED,
    "financial:pending": None,
    "financial:authorized": None,
    "financial:expired": None,
    "financial:partially_paid": None,
    "financial:paid": OrderStatus.PAID,
    "financial:partially_refunded": None,
    "financial:refunded/unfulfilled": None,
    "financial:refunded": OrderStatus.RETURNED,
    "financial:voided": None,
    "fulfillment:partial": OrderStatus.SHIPPED,
    "fulfillment:fulfilled": OrderStatus.SHIPPED,
    "fulfillment:restocked": None,
    "shipment:label_purchased": None,
    "shipment:label_printed": None,
    "shipment:label_voided": None,
    "shipment:confirmed": None,
    "shipment:submitted": None,
    "shipment:carrier_picked_up": OrderStatus.SHIPPED,
    "shipment:in_transit": OrderStatus.SHIPPED,
    "shipment:out_for_delivery": OrderStatus.SHIPPED,
    "shipment:delayed": None,
    "shipment:attempted_delivery": None,
    "shipment:ready_for_pickup": OrderStatus.AT_PICKUP_POINT,
    "shipment:delivered": OrderStatus.DELIVERED,
    "shipment:picked_up": OrderStatus.DELIVERED,
    "shipment:not_delivered": None,
    "shipment:failure": None,
    "cancelled": OrderStatus.CANCELLED,
}


def codes_of(payload: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """An order has three states at once, and none of its own: of the money, of the parcels, and whether it was
    cancelled."""
    codes: list[tuple[str, ...]] = [("open",)]
    money_is, fulfilled = (
        text(payload.get("financial_status")),
        text(payload.get("fulfillment_status")),
    )
    if money_is == "refunded":
        # Money may go back before anything was sent.
        codes.append((f"financial:refunded/{fulfilled or 'unfulfilled'}", "financial:refunded"))
    elif money_is:
        codes.append((f"financial:{money_is}",))
    if fulfilled:
        codes.append((f"fulfillment:{fulfilled}",))
    codes += [(f"shipment:{status}",) for status in _shipments(payload, fulfilled)]
    if payload.get("cancelled_at"):
        codes.append(("cancelled",))
    return tuple(codes)


def _shipments(payload: Mapping[str, Any], fulfilled: str) -> Sequence[str]:
    """Handed over is an order when its last parcel is."""
    found = [
        text(parcel.get("shipment_status"))
        for parcel in rows(payload.get("fulfillments"))
        if parcel.get("status") != "cancelled"
    ]
    over = {"delivered", "picked_up"}
    whole = fulfilled == "fulfilled" and all(status in over for status in found)
    return [status for status in dict.fromkeys(found) if status and (whole or status not in over)]
