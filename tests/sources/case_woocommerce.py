"""WooCommerce against the suite of sources."""

from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Call
from tests.simulators.woocommerce import WooCommerceSimulator
from tests.sources.case import SourceCase, with_header

# Statuses that a plugin brought.
OWN = ("assembly", "shipped", "ready-for-pickup", "no-show")


def simulator() -> WooCommerceSimulator:
    made = WooCommerceSimulator()
    made.own = list(OWN)
    return made


def config(simulator: WooCommerceSimulator) -> dict[str, Any]:
    return {
        "base_url": simulator.url,
        "consumer_key": simulator.login,
        "consumer_secret": simulator.password,
    }


def bad_config(simulator: WooCommerceSimulator) -> dict[str, Any]:
    return config(simulator) | {"consumer_secret": "cs_of_a_key_that_is_gone"}


def place(simulator: WooCommerceSimulator) -> str:
    return str(simulator.order()["id"])


def move(simulator: WooCommerceSimulator, id_: str, status: OrderStatus) -> None:
    match status:
        case OrderStatus.CONFIRMED:
            # To be paid when it is handed over.
            simulator.change(id_, status="processing")
        case OrderStatus.PAID:
            simulator.change(id_, **simulator.paid())
        case OrderStatus.SHIPPED:
            simulator.change(id_, status="shipped")
        case OrderStatus.AT_PICKUP_POINT:
            simulator.change(id_, status="ready-for-pickup")
        case OrderStatus.DELIVERED:
            simulator.change(id_, status="completed")
        case OrderStatus.RETURNED:
            simulator.change(id_, status="refunded")
        case OrderStatus.CANCELLED:
            simulator.change(id_, status="cancelled")
        case _:
            raise AssertionError(f"WooCommerce knows no {status}")


def same(simulator: WooCommerceSimulator, id_: str) -> None:
    simulator.change(id_, status="no-show")


def call(simulator: WooCommerceSimulator, id_: str, what: str, secret: str) -> Call:
    return simulator.call(f"order.{what}", simulator.orders[id_], secret)


def forged(call: Call) -> Call:
    return with_header(call, "x-wc-webhook-signature", "A" * 43 + "=")


def unknown(simulator: WooCommerceSimulator, secret: str) -> Call:
    return simulator.call("coupon.created", {"id": 719, "code": "10off"}, secret)


def ping(simulator: WooCommerceSimulator, secret: str) -> Call:
    assert secret
    return simulator.ping()


CASE = SourceCase(
    platform="woocommerce",
    simulator=simulator,
    config=config,
    place=place,
    move=move,
    stages=(
        OrderStatus.CONFIRMED,
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
    ping=ping,
    same=same,
    secrets=("wc_order_58d2d042d1d", "tok_live_0000001", "tr_0000000001", "203.0.113.42"),
    bad_config=bad_config,
    mapping={
        "statuses": {
            "shipped": "shipped",
            "ready-for-pickup": "at_pickup_point",
            "no-show": "cancelled",
        }
    },
)
