"""A hub whose shop `main` has every provider, simulated, and ways to let time pass in the data."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from hub.accounts.limits import RateLimits
from hub.config import Settings
from hub.ids import new_id
from hub.notifications import recovery
from hub.notifications.delivery import Deliverer
from hub.queue import Lane, connect
from hub.resources import Hub
from hub.settings_file import load
from hub.worker.main import work
from tests.hub.api.client import Answer, Api
from tests.hub.notifications.providers import Providers, providers_running, settings_file

PEOPLE: dict[str, dict[str, Any]] = {
    "anna": {
        "name": "Анна",
        "addresses": {
            "email": "anna@example.com",
            "phone": "+79990000001",
            "telegram": "101",
            "vk": "201",
        },
    },
    "boris": {"addresses": {"email": "boris@example.com", "phone": "+79990000002"}},
}


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    """Anna and Boris are known to both messengers."""
    async with providers_running() as providers:
        for number in (101, 102):
            providers.telegram.add_person(number)
        for number in (201, 202, 203):
            providers.vk.add_person(number)
        yield providers


@pytest.fixture
async def settings(
    hub_database: str, redis_url: str, tmp_path: Path, providers: Providers
) -> Settings:
    async with Redis.from_url(redis_url) as redis:
        # Limits and jobs of the test before.
        await redis.flushdb()
    environ = {
        "VESTNIK_DATABASE_URL": hub_database,
        "VESTNIK_REDIS_URL": redis_url,
        "VESTNIK_SECRET": "only-for-the-tests-of-notifications",
    }
    return load(settings_file(tmp_path, providers), data=tmp_path, environ=environ)


_TIMES = {
    "delivery": ("due_at", "handout_at", "give_up_at", "leased_until", "sent_at"),
    "notification": ("step_at", "expires_at", "send_at", "held_until"),
    "attempt": ("started_at", "finished_at"),
    "account_state": ("paused_until",),
}


class Drive:
    """One worker without its clock: delivers what is due now, and makes due what would be due later."""

    def __init__(self, hub: Hub, redis: Redis) -> None:
        self.hub = hub
        self.redis = redis
        self.worker = new_id()
        self.deliverer = Deliverer(hub, self.worker, RateLimits(redis))

    async def once(self) -> int:
        """One job of all that is due; how many there were."""
        rows = await self.hub.db.fetch(
            "SELECT id FROM delivery WHERE status = 'queued' AND due_at <= now() ORDER BY id"
        )
        await self.deliverer.deliver([r["id"] for r in rows])
        return len(rows)

    async def all(self) -> None:
        """Until nothing is due any more."""
        for _ in range(20):
            if not await self.once():
                return
        raise AssertionError("something is due for ever")

    async def pass_time(self, by: timedelta) -> None:
        """Everything that has a time gets it earlier by that."""
        for table, columns in _TIMES.items():
            changes = ", ".join(f"{name} = {name} - $1::interval" for name in columns)
            await self.hub.db.execute(f"UPDATE {table} SET {changes}", by)
        await self.hub.accounts.refresh(self.hub.db)
        # Pauses and limits are of seconds; whatever time passes is longer.
        await self.redis.flushdb()

    async def hurry(self) -> None:
        """Whatever waits for its time need not wait, and nothing else changes."""
        await self.hub.db.execute(
            "UPDATE delivery SET due_at = now(), handout_at = now() WHERE status = 'queued'"
        )
        await self.redis.flushdb()

    async def take_back(self) -> None:
        """As the tick does with what dead workers held."""
        async with self.hub.db.acquire() as connection:
            await recovery.expired_leases(self.hub, connection)

    async def rows(self, notification: str) -> list[dict[str, Any]]:
        rows = await self.hub.db.fetch(
            "SELECT * FROM delivery WHERE notification_id = $1 ORDER BY id", UUID(notification)
        )
        return [dict(r) for r in rows]


@pytest.fixture
async def drive(hub: Hub) -> AsyncIterator[Drive]:
    redis = connect(hub.settings.hub.redis_url.get_secret_value())
    try:
        yield Drive(hub, redis)
    finally:
        await redis.aclose()


@pytest.fixture
async def working(hub: Hub) -> AsyncIterator[None]:
    """A whole worker with all lanes and the tick."""
    stopping = asyncio.Event()
    task = asyncio.create_task(work(hub, list(Lane), stopping, worker=new_id()))
    yield
    stopping.set()
    await task


class Shop:
    """What a shop's backend does, with the answers it relies on."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def contact(self, external_id: str, **more: Any) -> str:
        body = PEOPLE.get(external_id, {}) | more
        answer = await self.api.put(f"/v1/contacts/{external_id}", body)
        assert answer.status in (200, 201), answer.raw
        return external_id

    async def send(self, to: Any = "anna", **more: Any) -> dict[str, Any]:
        """An order status to Anna, unless said otherwise; the answer of the API."""
        answer = await self.ask(to, **more)
        assert answer.status == 202, answer.raw
        return dict(answer.json)

    async def ask(self, to: Any = "anna", path: str = "/v1/notifications", **more: Any) -> Answer:
        return await self.api.post(path, notification(to, **more))

    async def story(self, id_: str) -> dict[str, Any]:
        answer = await self.api.get(f"/v1/notifications/{id_}")
        assert answer.status == 200, answer.raw
        return dict(answer.json)

    async def status(self, id_: str) -> str:
        return str((await self.story(id_))["status"])

    async def becomes(self, id_: str, status: str, within: float = 10) -> dict[str, Any]:
        """The story once the notification has that status."""
        story = await self.story(id_)
        async with asyncio.timeout(within):
            while story["status"] != status:
                await asyncio.sleep(0.03)
                story = await self.story(id_)
        return story


def notification(to: Any = "anna", **more: Any) -> dict[str, Any]:
    content = {} if "content" in more else {"template": "order.shipped"}
    data = {"data": {"order": {"number": "1001"}}} if content else {}
    recipient = {"external_id": to} if isinstance(to, str) else to
    return content | data | {"recipient": recipient} | more


@pytest.fixture
async def shop(api: Api, providers: Providers) -> Shop:
    """Anna and Boris are its contacts."""
    shop = Shop(api)
    for name in PEOPLE:
        await shop.contact(name)
    return shop
