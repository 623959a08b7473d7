"""A shop of one's own against the suite of sources."""

from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Call
from tests.simulators.generic import GenericSimulator, structured
from tests.sources.case import SourceCase, with_header

_STAGES = (
    OrderStatus.CONFIRMED,
    OrderStatus.PAID,
    OrderStatus.ASSEMBLED,
    OrderStatus.SHIPPED,
    OrderStatus.IN_CITY,
    OrderStatus.AT_PICKUP_POINT,
    OrderStatus.DELIVERED,
    OrderStatus.RETURNED,
)


def config(simulator: GenericSimulator) -> dict[str, Any]:
    assert simulator.url
    return {}


def place(simulator: GenericSimulator) -> str:
    return simulator.place()


def move(simulator: GenericSimulator, id_: str, status: OrderStatus) -> None:
    simulator.move(id_, status)


def same(simulator: GenericSimulator, id_: str) -> None:
    """By the shop's own word for it."""
    simulator.move(id_, "came-back")


def call(simulator: GenericSimulator, id_: str, what: str, secret: str) -> Call:
    return Call("events", structured(simulator.cloud(id_, what), secret))


def forged(call: Call) -> Call:
    return with_header(call, "webhook-signature", "v1," + "A" * 43 + "=")


def unknown(simulator: GenericSimulator, secret: str) -> Call:
    event = simulator.cloud(simulator.place(), "updated") | {"type": "example.shop.stock.counted"}
    return Call("events", structured(event, secret))


CASE = SourceCase(
    platform="generic",
    simulator=GenericSimulator,
    config=config,
    place=place,
    move=move,
    stages=_STAGES,
    call=call,
    forged=forged,
    unknown=unknown,
    same=same,
    mapping={"statuses": {"came-back": "returned"}},
)
