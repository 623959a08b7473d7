"""CS-Cart Multi-Vendor against the suite of sources."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from hub.config import OrderStatus
from hub.sources.base import Call
from tests.simulators.cscart import CsCart
from tests.sources.case import SourceCase, posted, with_body

# What a shop adds to CS-Cart's own for the way of a parcel, as docs/sources/cscart.md shows it; "K" is a second pick-up.
_CODES: Mapping[OrderStatus, str] = {
    OrderStatus.CONFIRMED: "P",
    OrderStatus.ASSEMBLED: "A",
    OrderStatus.SHIPPED: "S",
    OrderStatus.IN_CITY: "E",
    OrderStatus.AT_PICKUP_POINT: "G",
    OrderStatus.DELIVERED: "C",
    OrderStatus.RETURNED: "R",
    OrderStatus.CANCELLED: "I",
}
_OWN = {"A": "assembled", "S": "shipped", "E": "in_city", "G": "at_pickup_point", "R": "returned"}

_numbers = count(1042)
_posts = count(1)


def config(simulator: CsCart) -> dict[str, Any]:
    return {"base_url": simulator.url, "login": simulator.login, "api_key": simulator.api_key}


def bad_config(simulator: CsCart) -> dict[str, Any]:
    return config(simulator) | {"api_key": "revoked"}


def place(simulator: CsCart) -> str:
    simulator.codes |= {*_CODES.values(), "K"}
    return simulator.add_order(next(_numbers))


def move(simulator: CsCart, id_: str, status: OrderStatus) -> None:
    simulator.move(id_, _CODES[status])


def same(simulator: CsCart, id_: str) -> None:
    """Declined, where it was cancelled."""
    simulator.move(id_, "D")


def call(simulator: CsCart, id_: str, what: str, secret: str) -> Call:
    return _posted(simulator, simulator.event(f"order.{what}", id_), secret)


def forged(given: Call) -> Call:
    """Of another order than was signed."""
    raw = given.request.body.replace(b'"order_id": "', b'"order_id": "9')
    assert raw != given.request.body
    return with_body(given, raw)


def unknown(simulator: CsCart, secret: str) -> Call:
    return _posted(simulator, {"event": "vendor.created", "company_id": "7"}, secret)


def ping(simulator: CsCart, secret: str) -> Call:
    return _posted(simulator, {"event": "ping"}, secret)


def _posted(simulator: CsCart, body: Mapping[str, Any], secret: str) -> Call:
    headers, raw = simulator.signed(body, secret=secret, key=f"{next(_posts):032x}")
    return posted("events", raw, headers)


CASE = SourceCase(
    platform="cscart",
    simulator=CsCart,
    config=config,
    place=place,
    move=move,
    stages=tuple(_CODES),
    call=call,
    forged=forged,
    unknown=unknown,
    ping=ping,
    same=same,
    secrets=("secret-", "k3y-of-the-admin", "203.0.113.9"),
    bad_config=bad_config,
    mapping={"statuses": _OWN},
)
