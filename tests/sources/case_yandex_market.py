"""Yandex Market against the suite of sources."""

from collections.abc import Mapping
from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Call
from tests.simulators.yandex_market import BUSINESS, CAMPAIGN, TOKEN, YandexMarketSimulator
from tests.sources.case import JSON, SourceCase, posted

_CODES: Mapping[OrderStatus, str] = {
    OrderStatus.ASSEMBLED: "PROCESSING/READY_TO_SHIP",
    OrderStatus.SHIPPED: "DELIVERY/DELIVERY_SERVICE_RECEIVED",
    OrderStatus.AT_PICKUP_POINT: "PICKUP/PICKUP_SERVICE_RECEIVED",
    OrderStatus.DELIVERED: "DELIVERED/DELIVERY_SERVICE_DELIVERED",
    OrderStatus.RETURNED: "PARTIALLY_RETURNED",
}


def config(simulator: YandexMarketSimulator) -> dict[str, Any]:
    known = {"business_id": BUSINESS, "campaign_id": CAMPAIGN}
    return {"token": TOKEN, "base_url": simulator.url, **known}


def bad_config(simulator: YandexMarketSimulator) -> dict[str, Any]:
    return config(simulator) | {"token": "revoked"}


def place(simulator: YandexMarketSimulator) -> str:
    return simulator.place()


def move(simulator: YandexMarketSimulator, id_: str, status: OrderStatus) -> None:
    simulator.move(id_, _CODES[status])


def same(simulator: YandexMarketSimulator, id_: str) -> None:
    simulator.move(id_, "RETURNED")


def call(simulator: YandexMarketSimulator, id_: str, what: str, secret: str) -> Call:
    assert not secret
    return posted("notification", simulator.notification(id_, what), JSON)


def unknown(simulator: YandexMarketSimulator, secret: str) -> Call:
    assert not secret
    return posted("notification", simulator.notification("", "chat"), JSON)


def ping(simulator: YandexMarketSimulator, secret: str) -> Call:
    assert not secret
    return posted("notification", simulator.notification("", "ping"), JSON)


CASE = SourceCase(
    platform="yandex_market",
    simulator=YandexMarketSimulator,
    config=config,
    place=place,
    move=move,
    stages=tuple(_CODES),
    call=call,
    buyer=False,
    unknown=unknown,
    ping=ping,
    same=same,
    secrets=(TOKEN, "Курьеров Пётр", "Позвоните за час"),
    bad_config=bad_config,
)
