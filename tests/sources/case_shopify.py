"""Shopify against the suite of sources."""

from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Call
from tests.simulators.shopify import CLIENT_ID, CLIENT_SECRET, ShopifySimulator
from tests.simulators.shopify_hooks import Delivery
from tests.sources.case import SourceCase, posted, with_header


def config(simulator: ShopifySimulator) -> dict[str, Any]:
    return {
        "base_url": simulator.url,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }


def bad_config(simulator: ShopifySimulator) -> dict[str, Any]:
    return config(simulator) | {"client_id": "of-an-app-that-is-gone"}


def place(simulator: ShopifySimulator) -> str:
    return str(simulator.place())


def move(simulator: ShopifySimulator, id_: str, status: OrderStatus) -> None:
    order = int(id_)
    match status:
        case OrderStatus.PAID:
            simulator.pay(order)
        case OrderStatus.SHIPPED:
            simulator.ship(order)
        case OrderStatus.AT_PICKUP_POINT:
            simulator.track(order, "ready_for_pickup")
        case OrderStatus.DELIVERED:
            simulator.track(order, "delivered")
        case OrderStatus.RETURNED:
            simulator.change(order, financial_status="refunded")
        case OrderStatus.CANCELLED:
            simulator.cancel(order)
        case _:
            raise AssertionError(f"Shopify knows no {status}")


def call(simulator: ShopifySimulator, id_: str, what: str, secret: str) -> Call:
    assert not secret
    topic = {"created": "orders/create", "updated": "orders/updated"}[what]
    return told(simulator.call(topic, simulator.orders[int(id_)]))


def forged(call: Call) -> Call:
    return with_header(call, "x-shopify-hmac-sha256", "A" * 43 + "=")


def unknown(simulator: ShopifySimulator, secret: str) -> Call:
    assert not secret
    return told(simulator.call("app/uninstalled", {"id": 1, "name": "Ромашка"}))


def told(delivery: Delivery) -> Call:
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    return posted("events", delivery.body, headers)


CASE = SourceCase(
    platform="shopify",
    simulator=ShopifySimulator,
    config=config,
    place=place,
    move=move,
    stages=(
        OrderStatus.PAID,
        OrderStatus.SHIPPED,
        OrderStatus.AT_PICKUP_POINT,
        OrderStatus.DELIVERED,
        OrderStatus.RETURNED,
        OrderStatus.CANCELLED,
    ),
    call=call,
    forged=forged,
    unknown=unknown,
    secrets=(CLIENT_SECRET, "secret-of-", "203.0.113.7"),
    bad_config=bad_config,
)
