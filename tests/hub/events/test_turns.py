"""Who is slow holds up nobody else: events of other sources are worked on meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from channels.base import Limits
from hub.accounts.limits import RateLimits
from hub.events.processing import Processor
from hub.events.reading import Reader
from hub.ids import new_id
from hub.resources import Hub
from hub.sources import inbox, queries
from hub.sources.base import Later
from hub.sources.model import Action, Incoming, Kind, Via
from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow, an_order
from tests.hub.events.toy import Toy, World, at_hand


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


async def test_a_reading_that_waits_for_its_turn_has_not_failed(
    hub: Hub, flow: Flow, world: World, limits: RateLimits
) -> None:
    await thin(hub, flow.api, 0)
    world.faults["order"] = Later("rate-limit", timedelta(seconds=2), counts=False)
    await hub.db.execute("UPDATE source SET read_due_at = now() WHERE name = 'toy'")
    reader = Reader(hub, new_id(), limits)
    source = await reader._claim()
    assert source
    await reader._read(source)

    row = await hub.db.fetchrow("SELECT failures, problem, read_by, read_due_at FROM source")
    assert row
    assert (row["failures"], row["problem"], row["read_by"]) == (0, "", None)
    assert row["read_due_at"] < datetime.now(UTC) + timedelta(seconds=3)


async def test_what_a_platform_grants_is_used_by_all_that_wait(
    hub: Hub, flow: Flow, world: World, limits: RateLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two calls for each of 30 things at 20 a second: three seconds, and not a minute for want of luck."""
    monkeypatch.setattr(Toy, "limits", Limits(per_second=20))
    await thin(hub, flow.api, 30)
    asked: list[str] = []

    async def twice(kind: Kind, object_: str) -> Mapping[str, Any] | None:
        asked.append(object_)
        return None

    world.fetches = twice
    world.calls = 2
    processor = Processor(hub, new_id(), limits)
    task = asyncio.create_task(processor.run())
    async with asyncio.timeout(20):
        while await hub.db.fetchval(  # noqa: ASYNC110
            "SELECT count(*) FROM shop_event WHERE result = 'waiting'"
        ):
            await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    assert len(asked) == 30
    assert await hub.db.fetchval("SELECT max(tries) FROM shop_event") == 1


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
