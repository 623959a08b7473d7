"""A hub that may call loopback, a backend there, and the loop that calls it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from channels.guard import Network
from hub.config import HubSettings, Settings, Shop
from hub.ids import new_id
from hub.notifications import admins
from hub.resources import Hub
from hub.webhooks import service
from hub.webhooks.delivery import Callbacks
from tests.hub.api.client import Api
from tests.hub.conftest import api, hub, hub_database, key_for, url
from tests.hub.webhooks.backend import Backend

__all__ = ["api", "hub", "hub_database", "key_for", "url"]

Subscribe = Callable[..., Awaitable[dict[str, Any]]]
Publish = Callable[..., Awaitable[None]]


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-webhooks"),
            outgoing_allow=(ip_network("127.0.0.0/8"),),
        ),
        shops={"main": Shop(), "other": Shop()},
    )


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    async with Backend() as backend:
        yield backend


@pytest.fixture
def subscribe(api: Api, backend: Backend) -> Subscribe:
    """The answer to the POST, for those events at the backend."""

    async def make(*events: str, url: str = "") -> dict[str, Any]:
        body = {"url": url or f"{backend.url}/hook", "events": list(events or ["order.assembled"])}
        answer = await api.post("/v1/webhooks", body)
        assert answer.status == 201, answer.raw
        made: dict[str, Any] = answer.json
        return made

    return make


@pytest.fixture
def publish(hub: Hub) -> Publish:
    async def write(type_: str = "order.assembled", *, shop: str = "main", **data: Any) -> None:
        await service.publish(hub.db, hub.shop(shop).id, type_, data or {"n": 1})

    return write


class Loop:
    """The callbacks of one worker, run while something is waited for; time passes in the data."""

    def __init__(self, hub: Hub, allow: tuple[Network, ...] | None = None) -> None:
        """`allow`: other networks than the settings have."""
        self.hub = hub
        self.worker = new_id()
        self.callbacks = Callbacks(
            hub.db,
            hub.signer,
            hub.settings.hub.outgoing_allow if allow is None else allow,
            self.worker,
            partial(admins.webhook_disabled, hub),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.callbacks.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def until(self, attempts: int) -> list[dict[str, Any]]:
        """Runs until there are so many attempts in all; the attempts, the oldest first."""
        async with self.running(), asyncio.timeout(20):
            while True:
                rows = await self.hub.db.fetch("SELECT * FROM callback_attempt ORDER BY id")
                if len(rows) >= attempts:
                    return [dict(row) for row in rows]
                await asyncio.sleep(0.02)

    async def pass_time(self, by: timedelta) -> None:
        await self.hub.db.execute(
            "UPDATE callback SET due_at = due_at - $1::interval, begun_at = begun_at - $1::interval",
            by,
        )
        await self.hub.db.execute(
            "UPDATE webhook SET paused_until = paused_until - $1::interval, failing_since = failing_since - $1::interval,"
            " previous_until = previous_until - $1::interval",
            by,
        )

    async def statuses(self) -> Sequence[str]:
        rows = await self.hub.db.fetch("SELECT status FROM callback ORDER BY event_id")
        return [row["status"] for row in rows]

    async def webhook(self, id_: str) -> dict[str, Any]:
        row = await self.hub.db.fetchrow("SELECT * FROM webhook WHERE id = $1", UUID(id_))
        assert row
        return dict(row)


@pytest.fixture
def loop(hub: Hub) -> Loop:
    return Loop(hub)
