"""A hub over an empty database of its own, and its API on a free port."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from pydantic import SecretStr

from hub.api.app import make_app
from hub.api.server import bind, serve
from hub.config import HubSettings, Settings, Shop
from hub.resources import Hub, open_hub
from hub.shops import keys
from hub.shops.keys import Scope
from tests.databases import migrated
from tests.emptying import empty
from tests.hub.api.client import Api

_DATABASE = "vestnik_hub"


@pytest.fixture(scope="session")
def hub_database(database_url: str) -> str:
    """Migrated once for all tests of the hub."""
    return migrated(database_url, _DATABASE)


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-the-hub"),
            public_url="https://hub.example",
        ),
        shops={"main": Shop(), "other": Shop()},
    )


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    async with open_hub(settings) as hub:
        await empty(hub.db)
        yield hub


@pytest.fixture
async def key_for(hub: Hub) -> Callable[..., Awaitable[str]]:
    """`await key_for(Scope.READ)`: a new key as text."""

    async def make(*scopes: Scope, shop: str = "main") -> str:
        _, text = await keys.create(hub.db, shop, scopes)
        return text

    return make


@pytest.fixture
async def url(hub: Hub) -> AsyncIterator[str]:
    """Where the API of `hub` listens."""
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    async with serve(make_app(hub), listening):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def api(url: str, key_for: Callable[..., Awaitable[str]]) -> AsyncIterator[Api]:
    """With a key that may do everything."""
    async with Api(url, await key_for(Scope.ADMIN)) as api:
        yield api
