"""The shop of the orders, to which people write by SMS."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from hub.config import AutoReply, HubSettings, Settings, Shop
from hub.inbound import service as inbound
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.orders.conftest import book, people, place, reply

__all__ = ["book", "people", "place", "reply"]

Write = Callable[..., Awaitable[str | None]]


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    replies = (
        AutoReply(words=("Часы", "hours"), text={"ru": "Мы работаем с 9 до 18.", "en": "9 to 18."}),
        AutoReply(words=("ДА 7",), text="Скидка 7 % ваша."),
    )
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-inbound"),
            public_url="https://hub.example",
        ),
        shops={"main": Shop(name="Ромашка", replies=replies), "other": Shop()},
    )


async def handle(hub: Hub) -> None:
    """As the tick does."""
    async with hub.db.acquire() as connection:
        await inbound.handle_waiting(hub, connection)


async def replies(hub: Hub, channel: str = "sms") -> Sequence[str]:
    """What was said back on that channel, the oldest first."""
    rows = await hub.db.fetch(
        """
        SELECT n.content ->> 'text' AS text FROM notification AS n
         WHERE n.content IS NOT NULL AND n.plan -> 0 ->> 'channel' = $1 ORDER BY n.id
        """,
        channel,
    )
    return [row["text"] for row in rows]


@pytest.fixture
def write(api: Api, hub: Hub) -> Write:
    """`await write("ДА 1001")`: Anna of the warehouse writes an SMS; what she is answered."""

    async def say(text: str, *, by: str = "+79990000071", channel: str = "sms") -> str | None:
        before = len(await replies(hub, channel))
        body: dict[str, Any] = {"channel": channel, "address": by, "text": text}
        answer = await api.post("/v1/sandbox/messages", body)
        assert answer.status == 202, answer.json
        await handle(hub)
        said = (await replies(hub, channel))[before:]
        assert len(said) < 2
        return said[0] if said else None

    return say
