"""A shop in the sandbox in which three people have left everything that people can leave."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from channels.base import Channel
from hub.config import ChannelOrder, HubSettings, Settings, Shop
from hub.queue import connect
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.conftest import api, hub, hub_database, key_for, url
from tests.hub.notifications.conftest import Drive
from tests.hub.privacy.life import Life

__all__ = ["api", "hub", "hub_database", "key_for", "url"]


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-privacy"),
            public_url="https://hub.example",
        ),
        shops={
            "main": Shop(name="Ромашка", channels=ChannelOrder(transactional=tuple(Channel))),
            "other": Shop(),
        },
    )


@pytest.fixture
async def drive(hub: Hub) -> AsyncIterator[Drive]:
    redis = connect(hub.settings.hub.redis_url.get_secret_value())
    await redis.flushdb()
    try:
        yield Drive(hub, redis)
    finally:
        await redis.aclose()


@pytest.fixture
async def life(hub: Hub, api: Api, drive: Drive) -> Life:
    life = Life(hub, api, drive)
    await life.live()
    return life
