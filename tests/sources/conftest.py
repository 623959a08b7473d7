"""A hub with a shop that is connected to a platform's simulator, and what a platform's module calls without one."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from channels.http import ProviderHttp
from hub.config import HubSettings, OrderSettings, Settings
from hub.config import Shop as ShopSettings
from hub.events import claims
from hub.events.processing import handle
from hub.ids import new_id
from hub.queue import connect
from hub.resources import Hub
from hub.shops.keys import Scope
from hub.sources.base import Call
from hub.sources.http import ShopHttp
from tests.hub.api.client import Answer, Api
from tests.hub.conftest import api, hub, hub_database, key_for, url
from tests.hub.notifications.conftest import Drive
from tests.sources.alone import free
from tests.sources.case import SourceCase, cases

__all__ = ["api", "hub", "hub_database", "key_for", "url"]

NETWORK = "127.0.0.0/8"


@pytest.fixture
def hub_settings(hub_database: str, redis_url: str) -> Settings:
    """`main` does not ask whether it is on the shelf, `asking` does."""
    return Settings(
        hub=HubSettings.model_validate(
            {
                "database_url": SecretStr(hub_database),
                "redis_url": SecretStr(redis_url),
                "secret": SecretStr("only-for-the-tests-of-sources"),
                "public_url": "https://hub.example",
                "outgoing_allow": [NETWORK],
            }
        ),
        shops={
            "main": ShopSettings(name="Ромашка", order=OrderSettings(stock_confirmation=False)),
            "asking": ShopSettings(
                name="Астра", order=OrderSettings(answer_within=timedelta(minutes=30))
            ),
        },
    )


@pytest.fixture
def settings(hub_settings: Settings) -> Settings:
    return hub_settings


@pytest.fixture
async def http() -> AsyncIterator[ShopHttp]:
    """For a platform's module alone; no limit is near."""
    http = ProviderHttp(allow=[ip_network(NETWORK)])
    yield ShopHttp(http, free)
    await http.close()


@pytest.fixture(params=cases(), ids=str)
def case(request: pytest.FixtureRequest) -> SourceCase:
    """Each platform in turn; a module of tests has a fixture of its own where it is about some of them only."""
    found: SourceCase = request.param
    return found


async def apply_all(hub: Hub) -> None:
    """What shops have told and is due, as one worker does it."""
    while claimed := await claims.claim(hub.db, new_id(), each=50, limit=50):
        for one in claimed:
            await handle(hub, one)


@dataclass(frozen=True)
class Told:
    """One notification as it was stored."""

    contact: str | None
    role: str
    template: str | None


@dataclass(frozen=True)
class Connected:
    """One source, and all that a test does with it. `secret`: what the hub made; empty where it makes none."""

    case: SourceCase
    simulator: Any
    hub: Hub
    api: Api
    id: UUID
    source: Mapping[str, Any]
    secret: str

    def call(self, order: str, what: str = "updated") -> Call:
        return self.case.call(self.simulator, order, what, self.secret)

    async def post(self, call: Call) -> Answer:
        """As the platform does it, to the hub's hook; what it hears."""
        hook = next(one["url"] for one in self.source["hooks"] if one["topic"] == call.topic)
        path = urlsplit(hook).path
        if call.request.query:
            path += "?" + "&".join(f"{name}={value}" for name, value in call.request.query.items())
        return await self.api.call(
            call.request.method,
            path,
            raw=call.request.body,
            headers=call.request.headers,
            key=None,
        )

    async def hear(self, order: str, what: str = "updated") -> None:
        """The platform tells of the order as it stands now, and it is applied."""
        answer = await self.post(self.call(order, what))
        assert answer.status < 300, (answer.status, answer.raw)
        await self.apply()

    async def apply(self) -> None:
        await apply_all(self.hub)

    async def hurry(self) -> None:
        """What waits for another try is due, and the source is no longer left alone."""
        await self.hub.db.execute("UPDATE shop_event SET due_at = now() WHERE result = 'waiting'")
        await self.hub.db.execute("UPDATE source SET paused_until = NULL")

    async def events(self, *, via: str | None = None) -> list[asyncpg.Record]:
        return await self.hub.db.fetch(
            "SELECT * FROM shop_event WHERE $1::text IS NULL OR via = $1 ORDER BY id", via
        )

    async def told(self) -> list[Told]:
        """Every notification, the oldest first."""
        rows = await self.hub.db.fetch(
            """
            SELECT c.external_id AS contact, c.role, n.template
              FROM notification AS n JOIN contact AS c ON c.id = n.contact_id ORDER BY n.id
            """
        )
        return [Told(**row) for row in rows]

    async def buyer_heard(self) -> list[str | None]:
        """The templates of what buyers were told, in that order."""
        return [told.template for told in await self.told() if told.role == "buyer"]

    async def statuses(self) -> list[str]:
        """Where the orders stand, the oldest first."""
        rows = await self.hub.db.fetch("SELECT status FROM shop_order ORDER BY id")
        return [row["status"] for row in rows]

    async def row(self) -> asyncpg.Record:
        row = await self.hub.db.fetchrow("SELECT * FROM source WHERE id = $1", self.id)
        assert row
        return row


async def connected(case: SourceCase, simulator: Any, hub: Hub, api: Api, **more: Any) -> Connected:
    """A source made over the API, with an admin who hears of what is wrong with it."""
    admin = {"role": "admin", "addresses": {"email": "boss@example.com"}}
    assert (await api.put("/v1/contacts/boss", admin)).status in (200, 201)
    body = {
        "name": "shop",
        "platform": case.platform,
        "config": dict(case.config(simulator)),
        **({"mapping": case.mapping} if case.mapping else {}),
        **(case.more or {}),
        **more,
    }
    answer = await api.post("/v1/sources", body)
    assert answer.status == 201, answer.raw
    made = answer.json
    return Connected(case, simulator, hub, api, UUID(made["id"]), made, made["secret"] or "")


@pytest.fixture
async def shop(case: SourceCase, hub: Hub, api: Api) -> AsyncIterator[Connected]:
    async with case.simulator() as simulator:
        yield await connected(case, simulator, hub, api)


@pytest.fixture
async def asking(case: SourceCase, hub: Hub, url: str, key_for: Any) -> AsyncIterator[Connected]:
    """In the shop that asks the shelf, and writes what it answers back."""
    async with (
        Api(url, await key_for(Scope.ADMIN, shop="asking")) as api,
        case.simulator() as simulator,
    ):
        yield await connected(case, simulator, hub, api, write_back=True)


@pytest.fixture
async def drive(hub: Hub) -> AsyncIterator[Drive]:
    redis = connect(hub.settings.hub.redis_url.get_secret_value())
    await redis.flushdb()
    try:
        yield Drive(hub, redis)
    finally:
        await redis.aclose()
