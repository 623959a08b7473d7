"""A shop with its people, in which orders are placed over the API."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from hub.config import HubSettings, OrderSettings, Settings, Shop
from hub.orders import escalation
from hub.resources import Hub
from tests.hub.api.client import Api

PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "buyer-42": {"role": "buyer", "name": "Анна", "addresses": {"telegram": "1"}},
    "seller-7": {
        "role": "seller",
        "name": "ИП Петрова",
        "addresses": {"telegram": "7", "phone": "+79990000007"},
    },
    "seller-8": {"role": "seller", "name": "ООО Чай", "addresses": {"email": "s8@example.com"}},
    "wh-7-anna": {
        "role": "warehouse",
        "name": "Анна Кладова",
        "addresses": {"telegram": "71", "phone": "+79990000071"},
        "warehouses": ["wh-7"],
    },
    "wh-7-boris": {
        "role": "warehouse",
        "name": "Борис",
        "addresses": {"telegram": "72"},
        "warehouses": ["wh-7"],
    },
    "boss": {"role": "admin", "name": "Директор", "addresses": {"email": "boss@example.com"}},
}


def line(
    id_: str, quantity: int = 2, *, seller: str = "seller-7", warehouse: str | None = "wh-7"
) -> dict[str, Any]:
    return {
        "id": id_,
        "sku": f"A-{id_}",
        "title": f"Чайник {id_}",
        "quantity": quantity,
        "price": "1990.00",
        "seller": {"external_id": seller},
        "warehouse": {"external_id": warehouse} if warehouse else None,
    }


def order(*lines: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "number": "1001",
        "status": "placed",
        "buyer": {"external_id": "buyer-42"},
        "currency": "RUB",
        "total": "4990.00",
        "lines": list(lines) or [line("1"), line("2", 1)],
        "delivery": {"method": "pickup", "address": "Лесная, 5", "carrier": "Почта"},
    } | more


@dataclass(frozen=True)
class Told:
    """One notification as it was stored."""

    contact: str | None
    template: str
    channel: str | None
    status: str
    kind: str | None
    data: Mapping[str, Any]


class Book:
    """What the database holds, in the words of the tests."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def told(self) -> list[Told]:
        """Every notification, the oldest first."""
        rows = await self._hub.db.fetch(
            """
            SELECT c.external_id AS contact, n.template, n.plan -> 0 ->> 'channel' AS channel,
                   n.status, n.interaction ->> 'kind' AS kind, n.data
              FROM notification AS n JOIN contact AS c ON c.id = n.contact_id ORDER BY n.id
            """
        )
        return [Told(**dict(row)) for row in rows]

    async def who_heard(self, template: str) -> list[str | None]:
        return [told.contact for told in await self.told() if told.template == template]

    async def events(self, *types: str) -> list[Mapping[str, Any]]:
        """`data` of what was published, the oldest first."""
        rows = await self._hub.db.fetch(
            "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM event"
            " WHERE type = ANY($1) ORDER BY id",
            list(types),
        )
        return [row["body"]["data"] for row in rows]

    async def step(self, times: int = 1) -> None:
        """The time of every open question's next step has come."""
        for _ in range(times):
            await self._hub.db.execute(
                "UPDATE stock_request SET next_step_at = now() WHERE next_step_at IS NOT NULL"
            )
            async with self._hub.db.acquire() as connection:
                await escalation.due_steps(self._hub, connection)

    async def id_of(self, contact: str) -> UUID:
        found: UUID = await self._hub.db.fetchval(
            "SELECT id FROM contact WHERE external_id = $1", contact
        )
        return found


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    """`quiet`: a shop that asks nobody."""
    asking = OrderSettings(remind_after=timedelta(minutes=10), answer_within=timedelta(minutes=30))
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-orders"),
            public_url="https://hub.example",
        ),
        shops={
            "main": Shop(name="Ромашка", order=asking),
            "quiet": Shop(order=OrderSettings(stock_confirmation=False)),
        },
    )


@pytest.fixture
def book(hub: Hub) -> Book:
    return Book(hub)


@pytest.fixture
async def people(api: Api) -> Mapping[str, Mapping[str, Any]]:
    """Everybody of `PEOPLE`, in the shop `main`."""
    for external_id, contact in PEOPLE.items():
        assert (await api.put(f"/v1/contacts/{external_id}", contact)).status == 201
    return PEOPLE


@pytest.fixture
async def webhook(api: Api) -> None:
    """Somebody listens to everything, so that events are kept."""
    answer = await api.post(
        "/v1/webhooks",
        {
            "url": "https://shop.example/hook",
            "events": [
                "stock_request.opened",
                "stock_request.answered",
                "stock_request.overdue",
                "stock_request.escalated",
                "order.stock_confirmed",
                "order.assembled",
            ],
        },
    )
    assert answer.status == 201


Place = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def place(api: Api, people: Mapping[str, Any]) -> Place:
    """`await place(line("1"), status="paid")`: PUT of order 1001; what it answers."""

    async def put(*lines: Mapping[str, Any], id_: str = "1001", **more: Any) -> dict[str, Any]:
        answer = await api.put(f"/v1/orders/{id_}", order(*lines, **more))
        assert answer.status in (200, 201), answer.json
        found: dict[str, Any] = answer.json
        return found

    return put


def said(*lines: tuple[str, int]) -> Sequence[dict[str, Any]]:
    return [{"id": id_, "confirmed": confirmed} for id_, confirmed in lines]


Reply = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def reply(api: Api) -> Reply:
    """`await reply(request, ("1", 2), by="wh-7-anna")`: an answer by phone; the request as it is then."""

    async def post(
        request: Mapping[str, Any],
        *lines: tuple[str, int],
        by: str = "wh-7-anna",
        status: int = 200,
    ) -> dict[str, Any]:
        answer = await api.post(
            f"/v1/stock-requests/{request['id']}/answer", {"lines": said(*lines), "by": by}
        )
        assert answer.status == status, answer.json
        found: dict[str, Any] = answer.json
        return found

    return post


async def get_order(api: Api, id_: str = "1001") -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"/v1/orders/{id_}")).json
    return found


async def tell(api: Api, status: str, id_: str = "1001", **more: Any) -> dict[str, Any]:
    answer = await api.post(f"/v1/orders/{id_}/status", {"status": status, **more})
    assert answer.status == 200, answer.json
    found: dict[str, Any] = answer.json
    return found
