"""A hub whose shop has a bot on Telegram and on MAX and a VK community, all at simulators."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from bots.main import serve
from hub.resources import Hub
from tests.hub.contacts.conftest import (
    api,
    hub,
    hub_database,
    key_for,
    max_,
    settings,
    telegram,
    url,
    vk,
)

__all__ = ["api", "hub", "hub_database", "key_for", "max_", "settings", "telegram", "url", "vk"]

Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """`await until(lambda: …)`: looks again until it is true, 10 s at most."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while True:
                found = condition()
                if isinstance(found, Awaitable):
                    found = await found
                if found:
                    return
                await asyncio.sleep(0.02)

    return wait


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[None]:
    """The role `bots`, beside the test."""
    stop = asyncio.Event()
    role = asyncio.create_task(serve(hub, stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await role


@pytest.fixture
async def bots(hub: Hub) -> AsyncIterator[None]:
    async with running(hub):
        yield
