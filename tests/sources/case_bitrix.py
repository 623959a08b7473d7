"""1C-Bitrix against the suite of sources."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Call
from tests.simulators.bitrix import Bitrix
from tests.sources.case import SourceCase, posted, with_body

# "A", "G" and "R" are the site's own; the others a new site has.
_FIELDS: Mapping[OrderStatus, Mapping[str, Any]] = {
    OrderStatus.PAID: {"payed": "Y"},
    OrderStatus.ASSEMBLED: {"status_id": "A"},
    OrderStatus.SHIPPED: {
        "shipments": [{"id": "611", "status_id": "DF", "deducted": "N", "store_id": "0"}]
    },
    OrderStatus.AT_PICKUP_POINT: {"status_id": "G"},
    OrderStatus.DELIVERED: {"status_id": "F"},
    OrderStatus.RETURNED: {"status_id": "R"},
    OrderStatus.CANCELLED: {"canceled": "Y"},
}
_OWN = {"A": "assembled", "G": "at_pickup_point", "R": "returned", "D": "cancelled"}

_numbers = count(512)
_posts = count(1)


def place(simulator: Bitrix) -> str:
    id_ = next(_numbers)
    return simulator.add_order(id_, account_number=f"2026-{id_}", password="secret-of-the-site")


def move(simulator: Bitrix, id_: str, status: OrderStatus) -> None:
    simulator.orders[id_] |= _FIELDS[status]


def same(simulator: Bitrix, id_: str) -> None:
    simulator.orders[id_]["status_id"] = "D"


def call(simulator: Bitrix, id_: str, what: str, secret: str) -> Call:
    return _posted(simulator, simulator.event(f"order.{what}", id_), secret)


def forged(given: Call) -> Call:
    """Of another order than was signed."""
    raw = given.request.body.replace(b'"id": "', b'"id": "9')
    assert raw != given.request.body
    return with_body(given, raw)


def unknown(simulator: Bitrix, secret: str) -> Call:
    return _posted(simulator, {"event": "basket.created", "basket": {"id": "1"}}, secret)


def ping(simulator: Bitrix, secret: str) -> Call:
    return _posted(simulator, {"event": "ping"}, secret)


def _posted(simulator: Bitrix, body: Mapping[str, Any], secret: str) -> Call:
    headers, raw = simulator.signed(body, secret=secret, key=f"{next(_posts):032x}")
    return posted("events", raw, headers)


CASE = SourceCase(
    platform="bitrix",
    simulator=Bitrix,
    config=lambda _: {},
    place=place,
    move=move,
    stages=tuple(_FIELDS),
    call=call,
    forged=forged,
    unknown=unknown,
    ping=ping,
    same=same,
    secrets=("secret-of-the-site",),
    mapping={"statuses": _OWN},
)
