"""A shop that takes history over, as a program brings it over the API."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import SecretStr

from hub.config import HubSettings, OrderSettings, Settings, Shop
from hub.resources import Hub
from tests.hub.api.client import Api

Row = dict[str, Any]


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    """Platforms are played on this machine."""
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-history"),
            public_url="https://hub.example",
            outgoing_allow=(ip_network("127.0.0.0/8"),),
        ),
        shops={"main": Shop(name="Ромашка"), "other": Shop(order=OrderSettings())},
    )


ABOUT = (
    "notification",
    "event",
    "callback",
    "stock_request",
    "assembly",
    "shop_event",
    "rule_timer",
)
"""Where something would stand if anybody had been told or asked."""


def order(id_: str = "1", **more: Any) -> Row:
    return {
        "id": id_,
        "number": f"A-{id_}",
        "status": "paid",
        "created_at": "2026-03-01T10:00:00+03:00",
        "changed_at": "2026-03-04T10:00:00+03:00",
        "currency": "RUB",
        "total": "1990.50",
        "customer": {"id": "42", "name": "Анна", "email": "anna@example.com"},
        "delivery": {"method": "pickup", "tracking": "RA1"},
        "lines": [
            {"id": "1", "sku": "K-1", "title": "Чайник", "quantity": 2, "price": "995.25"},
            {"id": "2", "sku": "K-2", "title": "Кружка", "quantity": 1, "seller": "v-3"},
        ],
    } | more


Begin = Callable[..., Awaitable[Row]]


@pytest.fixture
def begin(api: Api) -> Begin:
    """`await begin(kind="order", fingerprint="…")`: the import, new or gone on with."""

    async def post(status: int = 201, **body: Any) -> Row:
        answer = await api.post("/v1/imports", {"kind": "order", **body})
        assert answer.status == status, answer.json
        found: Row = answer.json
        return found

    return post


Bring = Callable[..., Awaitable[Row]]


@pytest.fixture
def bring(api: Api, begin: Begin) -> Bring:
    """`await bring(order("1"), order("2"))`: an import of these rows alone; as it is then."""

    async def post(*rows: Any, **about: Any) -> Row:
        run = await begin(**about)
        answer = await api.post(f"/v1/imports/{run['id']}/rows", {"from": 0, "rows": list(rows)})
        assert answer.status == 200, answer.json
        found: Row = answer.json
        return found

    return post


async def counted(hub: Hub, tables: Sequence[str] = ABOUT) -> Mapping[str, int]:
    """Rows by table, those that have any."""
    found = {t: await hub.db.fetchval(f"SELECT count(*) FROM {t}") for t in tables}
    return {table: count for table, count in found.items() if count}
