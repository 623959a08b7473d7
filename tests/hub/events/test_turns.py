"""Who is slow holds up nobody else: events of other sources are worked on meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from redis.asyncio import Redis

from hub.accounts.limits import RateLimits
from hub.events.processing import Processor
from hub.ids import new_id
from hub.resources import Hub
from hub.sources import inbox, queries
from hub.sources.model import Action, Incoming, Kind, Via
from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow, an_order
from tests.hub.events.toy import World, at_hand


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with at_hand(monkeypatch) as world:
        yield world


@pytest.fixture
async def limits(redis_url: str) -> AsyncIterator[RateLimits]:
    redis = Redis.from_url(redis_url)
    yield RateLimits(redis)
    await redis.aclose()


async def thin(hub: Hub, api: Api, count: int) -> None:
    """So many things of a platform that have to be read."""
    made = await api.post("/v1/sources", {"name": "toy", "platform": "toy", "config": {}})
    assert made.status == 201, made.json
    source = await queries.by_name(hub.db, hub.shop("main").id, "toy")
    assert source
    events = [
        Incoming(Kind.ORDER, Action.UPDATED, str(n), f"key-{n}", None, None) for n in range(count)
    ]
    await inbox.add(hub.db, source, events, Via.HOOK)


async def test_a_platform_that_does_not_answer_holds_up_nobody_else(
    hub: Hub, flow: Flow, world: World, limits: RateLimits
) -> None:
    await thin(hub, flow.api, 40)
    asked: list[str] = []

    async def hang(kind: Kind, object_: str) -> Mapping[str, Any] | None:
        asked.append(object_)
        await asyncio.Event().wait()
        return None

    world.fetches = hang
    processor = Processor(hub, new_id(), limits)
    task = asyncio.create_task(processor.run())
    async with asyncio.timeout(20):
        while len(asked) < 8:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        told = await flow.tell(an_order("shipped"))
        while (await flow.event(told["id"]))["result"] == "waiting":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait([task])

    # Its own wait for each other.
    assert len(asked) == 8
    assert (await flow.order())["status"] == "shipped"
