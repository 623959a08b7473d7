"""InSales against the suite of sources."""

from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Call
from tests.simulators.insales import InSalesSimulator
from tests.sources.case import SourceCase

# The shop's own statuses, and the system one that each stands on.
OWN = {"v-gorode": "dispatched", "v-punkte": "dispatched", "otkaz": "declined"}


def simulator() -> InSalesSimulator:
    made = InSalesSimulator()
    made.custom |= OWN
    return made


def config(simulator: InSalesSimulator) -> dict[str, Any]:
    return {
        "base_url": simulator.url,
        "login": simulator.login,
        "password": simulator.password,
    }


def bad_config(simulator: InSalesSimulator) -> dict[str, Any]:
    return config(simulator) | {"password": "of-a-key-that-is-gone"}


def place(simulator: InSalesSimulator) -> str:
    return str(simulator.order()["id"])


def move(simulator: InSalesSimulator, id_: str, status: OrderStatus) -> None:
    match status:
        case OrderStatus.CONFIRMED:
            stand(simulator, id_, "accepted")
        case OrderStatus.PAID:
            simulator.change(id_, financial_status="paid")
        case OrderStatus.SHIPPED:
            stand(simulator, id_, "dispatched")
        case OrderStatus.IN_CITY:
            stand(simulator, id_, "dispatched", "v-gorode")
        case OrderStatus.AT_PICKUP_POINT:
            stand(simulator, id_, "dispatched", "v-punkte")
        case OrderStatus.DELIVERED:
            stand(simulator, id_, "delivered")
        case OrderStatus.RETURNED:
            stand(simulator, id_, "returned")
        case OrderStatus.CANCELLED:
            stand(simulator, id_, "declined")
        case _:
            raise AssertionError(f"InSales knows no {status}")


def stand(simulator: InSalesSimulator, id_: str, system: str, own: str = "") -> None:
    custom = {"permalink": own, "title": own} if own else None
    simulator.change(id_, fulfillment_status=system, custom_status=custom)


def same(simulator: InSalesSimulator, id_: str) -> None:
    stand(simulator, id_, "declined", "otkaz")


def call(simulator: InSalesSimulator, id_: str, what: str, secret: str) -> Call:
    assert not secret
    topic = {"created": "orders.create", "updated": "orders.update"}[what]
    return simulator.call(topic, simulator.orders[id_])


CASE = SourceCase(
    platform="insales",
    simulator=simulator,
    config=config,
    place=place,
    move=move,
    stages=(
        OrderStatus.CONFIRMED,
        OrderStatus.PAID,
        OrderStatus.SHIPPED,
        OrderStatus.IN_CITY,
        OrderStatus.AT_PICKUP_POINT,
        OrderStatus.DELIVERED,
        OrderStatus.RETURNED,
        OrderStatus.CANCELLED,
    ),
    call=call,
    same=same,
    secrets=("0c5f1fe2a2c54c7b9f3b5d6e7a8b9c0d", "203.0.113.42", "_ym_uid", "торгуется"),
    bad_config=bad_config,
    mapping={
        "statuses": {
            "custom:v-gorode": "in_city",
            "custom:v-punkte": "at_pickup_point",
            "custom:otkaz": "cancelled",
        }
    },
)
