"""The shop and the people of the orders' tests, and rules on top."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from hub.events.timers import due_rules
from hub.resources import Hub
from hub.shops.keys import Scope
from hub.shops.registry import Shop
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Place, book, people, place, settings

__all__ = ["Place", "book", "people", "place", "settings"]

Put = Callable[..., Awaitable[dict[str, Any]]]


async def go(hub: Hub, *, ahead: timedelta = timedelta(days=8)) -> int:
    """All that is due within `ahead` is due now, and goes off. How many are left."""
    await hub.db.execute("UPDATE rule_timer SET due_at = due_at - $1::interval", ahead)
    async with hub.db.acquire() as connection:
        await due_rules(hub, connection)
    left: int = await hub.db.fetchval("SELECT count(*) FROM rule_timer")
    return left


@pytest.fixture
async def api(url: str, key_for: Callable[..., Awaitable[str]]) -> Any:
    """Of a shop that asks nobody whether it is on the shelf: a status is what it is told to be."""
    async with Api(url, await key_for(Scope.ADMIN, shop="quiet")) as api:
        yield api


@pytest.fixture
def shop(hub: Hub) -> Shop:
    return next(shop for shop in hub.shops.values() if shop.slug == "quiet")


@pytest.fixture
def rule(api: Api) -> Put:
    """`await rule("order.shipped", audiences=["admin"])`: put; what it answers."""

    async def put(name: str, **given: Any) -> dict[str, Any]:
        answer = await api.put(f"/v1/rules/{name}", given)
        assert answer.status in (200, 201), answer.json
        found: dict[str, Any] = answer.json
        return found

    return put
