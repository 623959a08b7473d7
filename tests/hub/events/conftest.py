"""A shop that is told of over the API, and a processor without its clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from hub.config import HubSettings, OrderSettings, Settings, Shop
from hub.events import claims
from hub.events.processing import handle
from hub.ids import new_id
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book

CUSTOMER: Mapping[str, Any] = {
    "id": "42",
    "name": "Анна",
    "email": "anna@example.com",
    "phone": "+79991234567",
}


def an_order(status: str = "shipped", id_: str = "1042", **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "number": id_,
        "status": status,
        "customer": dict(CUSTOMER),
        "currency": "RUB",
        "total": "3980.00",
        "lines": [
            {"id": "1", "sku": "A-1", "title": "Чайник", "quantity": 2, "price": "1990.00"},
        ],
        "delivery": {"method": "post", "tracking": "RA123"},
    } | more


@dataclass(frozen=True)
class Flow:
    """Tells of orders, and lets what waits be applied."""

    hub: Hub
    api: Api

    async def tell(
        self, data: Mapping[str, Any], *, kind: str = "order", action: str = "updated", **more: Any
    ) -> dict[str, Any]:
        """What `POST /v1/events` answers; nothing is applied yet."""
        body = {"kind": kind, "action": action, "data": data, **more}
        answer = await self.api.post("/v1/events", body)
        assert answer.status == 202, answer.raw
        found: dict[str, Any] = answer.json
        return found

    async def apply(self) -> int:
        """All that is due, as one worker does; how many events that were."""
        count = 0
        while claimed := await claims.claim(self.hub.db, new_id(), each=50, limit=50):
            for one in claimed:
                await handle(self.hub, one)
            count += len(claimed)
        return count

    async def told(self, data: Mapping[str, Any], **more: Any) -> asyncpg.Record:
        """As `tell`, applied: the event's row."""
        accepted = await self.tell(data, **more)
        await self.apply()
        return await self.event(accepted["id"])

    async def event(self, id_: str) -> asyncpg.Record:
        row = await self.hub.db.fetchrow("SELECT * FROM shop_event WHERE id = $1", UUID(id_))
        assert row
        return row

    async def order(self, id_: str = "1042") -> dict[str, Any]:
        answer = await self.api.get(f"/v1/orders/{id_}")
        assert answer.status == 200, answer.raw
        found: dict[str, Any] = answer.json
        return found


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    """`main` asks nobody whether it is on the shelf, `asking` does."""
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-events"),
            public_url="https://hub.example",
        ),
        shops={
            "main": Shop(name="Ромашка", order=OrderSettings(stock_confirmation=False)),
            "asking": Shop(name="Астра", order=OrderSettings(answer_within=timedelta(minutes=30))),
        },
    )


@pytest.fixture
def flow(hub: Hub, api: Api) -> Flow:
    return Flow(hub, api)


@pytest.fixture
def book(hub: Hub) -> Book:
    return Book(hub)
