"""MoySklad against the suite of sources."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from hub.config import OrderStatus
from hub.sources.base import Call
from tests.simulators.moysklad import TOKEN, MoySkladSimulator
from tests.sources.case import JSON, SourceCase, posted

_STATES: Mapping[OrderStatus, str] = {
    OrderStatus.CONFIRMED: "Подтвержден",
    OrderStatus.ASSEMBLED: "Собран",
    OrderStatus.SHIPPED: "Отгружен",
    OrderStatus.DELIVERED: "Доставлен",
    OrderStatus.RETURNED: "Возврат",
    OrderStatus.CANCELLED: "Отменен",
}


def config(simulator: MoySkladSimulator) -> dict[str, Any]:
    return {"token": TOKEN, "base_url": simulator.base_url}


def bad_config(simulator: MoySkladSimulator) -> dict[str, Any]:
    return config(simulator) | {"token": "revoked"}


def place(simulator: MoySkladSimulator) -> str:
    return simulator.place(description="Код домофона 42К")


def move(simulator: MoySkladSimulator, id_: str, status: OrderStatus) -> None:
    simulator.move(id_, _STATES[status])


def same(simulator: MoySkladSimulator, id_: str) -> None:
    """With the letter that many leave out."""
    simulator.move(id_, "Отменён")


def call(simulator: MoySkladSimulator, id_: str, what: str, secret: str) -> Call:
    assert not secret
    action = {"created": "CREATE", "updated": "UPDATE"}[what]
    return told(simulator.body("customerorder", id_, action))


def unknown(simulator: MoySkladSimulator, secret: str) -> Call:
    assert not secret
    return told(simulator.body("demand", str(uuid4()), "CREATE"))


def told(body: Mapping[str, Any]) -> Call:
    return posted("events", body, JSON, {"requestId": str(uuid4())})


CASE = SourceCase(
    platform="moysklad",
    simulator=MoySkladSimulator,
    config=config,
    place=place,
    move=move,
    stages=(
        OrderStatus.CONFIRMED,
        OrderStatus.ASSEMBLED,
        OrderStatus.SHIPPED,
        OrderStatus.DELIVERED,
        OrderStatus.RETURNED,
        OrderStatus.CANCELLED,
    ),
    call=call,
    unknown=unknown,
    same=same,
    secrets=(TOKEN, "Код домофона"),
    bad_config=bad_config,
)
