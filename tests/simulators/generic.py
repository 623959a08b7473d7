"""A shop of one's own: it tells of its orders in the hub's shape, as CloudEvents of each mode, or in its own."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from aiohttp import ClientSession, web

from channels.base import HookRequest
from hub.webhooks import signing
from tests.simulators.base import Simulator


class GenericSimulator(Simulator):
    """`orders` by id, in the hub's own shape. It has no API: it only tells."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[str, dict[str, Any]] = {}

    def routes(self, app: web.Application) -> None:
        """Nobody asks it."""

    def place(self, id_: str = "", **changes: Any) -> str:
        id_ = id_ or str(1042 + len(self.orders))
        self.orders[id_] = order(id_) | changes
        return id_

    def move(self, id_: str, status: str, **changes: Any) -> None:
        self.orders[id_] |= {"status": status, "changed_at": now()} | changes

    def event(self, id_: str, what: str = "updated") -> dict[str, Any]:
        """One event in the hub's shape."""
        return {
            "id": str(uuid4()),
            "kind": "order",
            "action": what,
            "happened_at": now(),
            "data": self.orders[id_],
        }

    def cloud(self, id_: str, what: str = "updated") -> dict[str, Any]:
        """The same as a CloudEvent."""
        return {
            "specversion": "1.0",
            "id": str(uuid4()),
            "source": "https://shop.example/orders",
            "type": f"example.shop.order.{what}",
            "time": now(),
            "datacontenttype": "application/json",
            "data": self.orders[id_],
        }

    async def push(self, what: str, id_: str, url: str, secret: str = "") -> int:
        """Posts a CloudEvent, structured, signed with `secret`; the status of the answer."""
        request = structured(self.cloud(id_, what), secret)
        async with (
            ClientSession() as session,
            session.post(url, data=request.body, headers=dict(request.headers)) as answer,
        ):
            return answer.status


def plain(said: Any, secret: str = "") -> HookRequest:
    return signed("application/json", said, secret)


def structured(event: dict[str, Any], secret: str = "") -> HookRequest:
    return signed("application/cloudevents+json; charset=utf-8", event, secret)


def batched(events: list[dict[str, Any]], secret: str = "") -> HookRequest:
    return signed("application/cloudevents-batch+json", events, secret)


def binary(event: dict[str, Any], secret: str = "") -> HookRequest:
    """Attributes as headers, with the signs that may not stand there written as percents."""
    media = event.get("datacontenttype", "application/json")
    attributes = {
        f"ce-{name}": quote(value, safe="!#$&'()*+,/:;=?@[]^`{|}~")
        for name, value in event.items()
        if name not in ("data", "datacontenttype")
    }
    return signed(media, event.get("data"), secret, attributes)


def signed(media: str, said: Any, secret: str, more: dict[str, str] | None = None) -> HookRequest:
    """`said` as the body, with a Standard Webhooks signature where there is a secret."""
    body = said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False).encode()
    proof = signing.headers([secret], str(uuid4()), datetime.now(UTC), body) if secret else {}
    return HookRequest("POST", {"content-type": media, **proof, **(more or {})}, {}, body)


def order(id_: str) -> dict[str, Any]:
    return {
        "id": id_,
        "number": f"R-{id_}",
        "status": "placed",
        "customer": {
            "id": "42",
            "name": "Анна",
            "email": "anna@example.com",
            "phone": "+79990000031",
            "locale": "ru",
        },
        "currency": "RUB",
        "total": "4880.00",
        "delivery": {"method": "pickup", "address": "Москва, Примерная улица, 5"},
        "created_at": now(),
        "changed_at": now(),
        "lines": [
            {"id": "1", "sku": "KETTLE-1", "title": "Чайник", "quantity": 2, "price": "1990.00"},
            {"id": "2", "sku": "CUP-7", "title": "Чашка", "quantity": 3, "price": "300.00"},
        ],
    }


def now() -> str:
    return datetime.now(UTC).isoformat()
