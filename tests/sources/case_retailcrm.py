"""retailCRM against the suite of sources."""

from collections.abc import Mapping
from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Call
from tests.simulators.retailcrm import API_KEY, RetailCrmSimulator
from tests.sources.case import JSON, SourceCase, posted, with_header

_CODES: Mapping[OrderStatus, str] = {
    OrderStatus.CONFIRMED: "availability-confirmed",
    OrderStatus.ASSEMBLED: "assembling-complete",
    OrderStatus.SHIPPED: "send-to-delivery",
    OrderStatus.DELIVERED: "complete",
    OrderStatus.CANCELLED: "no-product",
}


def config(simulator: RetailCrmSimulator) -> dict[str, Any]:
    return {"base_url": simulator.url, "api_key": API_KEY}


def bad_config(simulator: RetailCrmSimulator) -> dict[str, Any]:
    return config(simulator) | {"api_key": "revoked"}


def place(simulator: RetailCrmSimulator) -> str:
    return simulator.place()


def move(simulator: RetailCrmSimulator, id_: str, status: OrderStatus) -> None:
    simulator.move(id_, _CODES[status])


def same(simulator: RetailCrmSimulator, id_: str) -> None:
    simulator.move(id_, "cancel-other")


def call(simulator: RetailCrmSimulator, id_: str, what: str, secret: str) -> Call:
    assert what in ("created", "updated")
    return posted("events", simulator.said(id_), JSON | {"x-vestnik-key": secret})


def forged(call: Call) -> Call:
    return with_header(call, "x-vestnik-key", "whsec_" + "A" * 43 + "=")


CASE = SourceCase(
    platform="retailcrm",
    simulator=RetailCrmSimulator,
    config=config,
    place=place,
    move=move,
    stages=tuple(_CODES),
    call=call,
    forged=forged,
    same=same,
    secrets=(API_KEY, "Скидку больше не давать", "Домофон 12к"),
    bad_config=bad_config,
)
