"""The API's fixtures, with a shop that has bots at simulators."""

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from pydantic import SecretStr

from channels.base import Channel
from channels.max.client import BotApiConfig as MaxConfig
from channels.telegram.bot_api import BotApiConfig
from channels.vk.community import CommunityConfig
from hub.config import Account, HubSettings, Settings, Shop
from tests.hub.conftest import api, hub, hub_database, key_for, url
from tests.simulators.max import Max
from tests.simulators.telegram import Telegram
from tests.simulators.vk import Vk

__all__ = ["api", "hub", "hub_database", "key_for", "url"]


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as simulator:
        yield simulator


@pytest.fixture
async def vk() -> AsyncIterator[Vk]:
    async with Vk() as simulator:
        yield simulator


@pytest.fixture
async def max_() -> AsyncIterator[Max]:
    async with Max() as simulator:
        yield simulator


@pytest.fixture
def settings(hub_database: str, redis_url: str, telegram: Telegram, vk: Vk, max_: Max) -> Settings:
    """`main` has bots; `other` has no account, so that the sandbox carries all; `letters` only writes letters."""
    bot = BotApiConfig(token=SecretStr(telegram.token), base_url=telegram.url)
    community = CommunityConfig(
        token=SecretStr(vk.token), group_id=vk.group_id, base_url=vk.api_url
    )
    max_bot = MaxConfig(token=SecretStr(max_.token), base_url=max_.url)
    accounts = (
        Account(name="mail", channel=Channel.EMAIL, provider="sandbox"),
        Account(name="tg", channel=Channel.TELEGRAM, provider="bot_api", config=bot),
        Account(name="vk", channel=Channel.VK, provider="community", config=community),
        Account(name="max", channel=Channel.MAX, provider="bot_api", config=max_bot),
    )
    shops = {
        "main": Shop(name="Ромашка", accounts=accounts),
        "other": Shop(locale="en"),
        "letters": Shop(accounts=accounts[:1]),
    }
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-contacts"),
            public_url="https://hub.example",
            outgoing_allow=(ip_network("127.0.0.0/8"),),
        ),
        shops=shops,
    )
