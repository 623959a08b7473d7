"""Ozon against the suite of sources."""

from collections.abc import Mapping
from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Call
from tests.simulators.ozon import API_KEY, CLIENT_ID, OzonSimulator
from tests.sources.case import JSON, SourceCase, posted

_CODES: Mapping[OrderStatus, str] = {
    OrderStatus.CONFIRMED: "posting_awaiting_registration",
    OrderStatus.ASSEMBLED: "posting_transferring_to_delivery",
    OrderStatus.SHIPPED: "posting_on_way_to_city",
    OrderStatus.IN_CITY: "posting_on_way_to_pickup_point",
    OrderStatus.AT_PICKUP_POINT: "posting_in_pickup_point",
    OrderStatus.DELIVERED: "posting_delivered",
    OrderStatus.RETURNED: "posting_not_in_sort_center",
}


def config(simulator: OzonSimulator) -> dict[str, Any]:
    return {"client_id": CLIENT_ID, "api_key": API_KEY, "base_url": simulator.url}


def bad_config(simulator: OzonSimulator) -> dict[str, Any]:
    return config(simulator) | {"api_key": "revoked"}


def place(simulator: OzonSimulator) -> str:
    return simulator.place()


def move(simulator: OzonSimulator, id_: str, status: OrderStatus) -> None:
    simulator.move(id_, _CODES[status])


def same(simulator: OzonSimulator, id_: str) -> None:
    simulator.move(id_, "posting_returned_to_warehouse")


def call(simulator: OzonSimulator, id_: str, what: str, secret: str) -> Call:
    assert not secret
    return posted("push", simulator.said(id_, what), JSON)


def unknown(simulator: OzonSimulator, secret: str) -> Call:
    assert not secret
    return posted("push", simulator.said("", "stocks"), JSON)


def ping(simulator: OzonSimulator, secret: str) -> Call:
    assert not secret
    return posted("push", simulator.said("", "ping"), JSON)


CASE = SourceCase(
    platform="ozon",
    simulator=OzonSimulator,
    config=config,
    place=place,
    move=move,
    stages=tuple(_CODES),
    call=call,
    buyer=False,
    unknown=unknown,
    ping=ping,
    same=same,
    secrets=(API_KEY, "Курьеров Пётр", "%101%806044518"),
    bad_config=bad_config,
)
