"""What a platform's call has not brought is read back, once, from where the last reading ended."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from hub.accounts.limits import RateLimits
from hub.events import claims, reading
from hub.events.processing import handle
from hub.events.reading import Reader, read_once
from hub.ids import new_id
from hub.resources import Hub
from hub.sources import inbox, queries
from hub.sources.base import Ask, Impossible, Later, Page, Trouble
from hub.sources.model import Action, Incoming, Kind, Source, Via
from tests.hub.api.client import Api
from tests.hub.events.toy import World, at_hand, order

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with at_hand(monkeypatch) as world:
        yield world


class Toys:
    """One source of the platform `toy`."""

    def __init__(self, hub: Hub, limits: RateLimits, api: Api, id_: UUID) -> None:
        self._hub = hub
        self._limits = limits
        self._api = api
        self.id = id_

    async def row(self) -> Any:
        return await self._hub.db.fetchrow("SELECT * FROM source WHERE id = $1", self.id)

    async def shown(self) -> Any:
        return (await self._api.get(f"/v1/sources/{self.id}")).json

    async def source(self) -> Source:
        found = await queries.by_id(self._hub.db, self._hub.shop("main").id, self.id)
        assert found is not None
        return found

    async def read(self) -> int:
        return await read_once(self._hub, self._limits, await self.source())

    async def again(self) -> int:
        """All is read from the beginning, and what is new is applied."""
        await self._hub.db.execute("UPDATE source SET cursors = '{}'")
        added = await self.read()
        await self.work()
        return added

    async def work(self) -> None:
        while claimed := await claims.claim(self._hub.db, new_id(), each=50, limit=50):
            for one in claimed:
                await handle(self._hub, one)

    async def due(self) -> None:
        await self._hub.db.execute("UPDATE source SET read_due_at = now() WHERE id = $1", self.id)

    async def turn(self) -> None:
        """As a worker does it, when it is due."""
        await self.due()
        reader = Reader(self._hub, new_id(), self._limits)
        source = await reader._claim()
        assert source is not None
        await reader._read(source)

    async def events(self) -> list[tuple[str, str]]:
        """(kind, object), the oldest first."""
        rows = await self._hub.db.fetch(
            "SELECT kind, object FROM shop_event WHERE source_id = $1 AND via = 'poll' ORDER BY id",
            self.id,
        )
        return [(row["kind"], row["object"]) for row in rows]


@pytest.fixture
async def toys(hub: Hub, api: Api, world: World, redis_url: str) -> AsyncIterator[Toys]:
    answer = await api.post(
        "/v1/sources", {"name": "toy", "platform": "toy", "config": {}, "poll_every": 300}
    )
    assert answer.status == 201, answer.json
    redis = Redis.from_url(redis_url)
    yield Toys(hub, RateLimits(redis), api, UUID(answer.json["id"]))
    await redis.aclose()


def customer(id_: str) -> Incoming:
    return Incoming(Kind.CUSTOMER, Action.UPDATED, id_, key=id_, payload={"id": id_})


async def test_all_pages_are_read_orders_first(toys: Toys, world: World) -> None:
    world.pages = {
        Kind.CUSTOMER: [[customer("c-1")]],
        Kind.ORDER: [[order("1"), order("2")], [], [order("3")]],
    }

    assert await toys.read() == 4

    assert await toys.events() == [
        ("order", "1"),
        ("order", "2"),
        ("order", "3"),
        ("customer", "c-1"),
    ]
    assert [ask.kind for ask in world.asked] == ["order", "order", "order", "customer", "product"]
    source = await toys.source()
    assert world.asked[0].since == source.created_at - timedelta(minutes=10)
    assert source.cursors == {
        "order": {"page": 3},
        "customer": {"page": 1},
        "product": {"page": 0},
    }


async def test_the_next_reading_goes_on_from_there(toys: Toys, world: World) -> None:
    world.pages = {Kind.ORDER: [[order("1")]]}
    began = datetime.now(UTC)
    await toys.turn()
    world.pages[Kind.ORDER].append([order("2")])
    world.asked.clear()

    await toys.turn()

    assert await toys.events() == [("order", "1"), ("order", "2")]
    [first, *_] = world.asked
    assert first.position == {"page": 1}
    assert began - timedelta(minutes=2) <= first.since < datetime.now(UTC) - timedelta(minutes=2)


async def test_what_is_known_is_not_news(hub: Hub, toys: Toys, world: World) -> None:
    at = datetime(2026, 12, 1, 10, tzinfo=UTC)
    await hub.db.execute(
        "INSERT INTO source_object (source_id, kind, object, shop_id, changed_at) VALUES ($1, 'order', '1', $2, $3)",
        toys.id,
        hub.shop("main").id,
        at,
    )
    later, before = at + timedelta(seconds=1), at - timedelta(seconds=1)
    world.pages = {
        Kind.ORDER: [
            [order("1", before.isoformat()), order("2", at.isoformat())],
            [order("1", later.isoformat())],
        ]
    }

    assert await toys.read() == 2

    assert await toys.events() == [("order", "2"), ("order", "1")]


async def test_a_second_change_within_the_same_second_is_caught_up_with(
    hub: Hub, toys: Toys, world: World
) -> None:
    second = datetime.now(UTC).replace(microsecond=0).isoformat()
    await inbox.add(hub.db, await toys.source(), [order("1", second, status="new")], Via.HOOK)
    await toys.work()
    world.pages = {Kind.ORDER: [[order("1", second, status="sent")]]}

    await toys.again()

    assert await hub.db.fetchval("SELECT status FROM shop_order") == "shipped"
    assert await toys.again() == 0


@pytest.mark.parametrize(
    "at",
    [None, datetime.now(UTC).replace(microsecond=0).isoformat()],
    ids=["without a time", "with one"],
)
async def test_what_was_told_already_does_not_come_again(
    hub: Hub, toys: Toys, world: World, at: str | None
) -> None:
    told = order("1", at, status="new")
    await inbox.add(hub.db, await toys.source(), [told], Via.HOOK)
    await toys.work()
    world.pages = {Kind.ORDER: [[told]]}

    assert [await toys.again(), await toys.again()] == [0, 0]

    # Whatever of its name was forgotten since.
    await hub.db.execute("DELETE FROM shop_event_key")
    assert await toys.again() == 0
    assert await toys.events() == []


async def test_what_tells_no_time_is_news_when_it_has_changed_and_when_it_goes_back(
    hub: Hub, toys: Toys, world: World
) -> None:
    async def read(status: str) -> int:
        world.pages = {Kind.ORDER: [[order("1", status=status)]]}
        await hub.db.execute("UPDATE source SET cursors = '{}'")
        added = await toys.read()
        # As it is when the events were worked on.
        await hub.db.execute(
            """
            INSERT INTO source_object (source_id, kind, object, shop_id, digest) VALUES ($1, 'order', '1', $2, $3)
            ON CONFLICT (source_id, kind, object) DO UPDATE SET digest = excluded.digest
            """,
            toys.id,
            hub.shop("main").id,
            status.encode(),
        )
        return added

    assert await read("new") == 1
    await read("new")
    assert await read("new") == 0
    assert await read("paid") == 1
    assert await read("new") == 1


async def test_a_reading_that_breaks_off_goes_on_after_the_last_page_kept(
    toys: Toys, world: World
) -> None:
    world.pages = {Kind.ORDER: [[order("1")], [order("2")]]}

    def before(_: str) -> None:
        if len(world.asked) == 2:
            raise Later("http-503", timedelta(minutes=7))

    world.before = before
    await toys.turn()

    row = await toys.row()
    assert await toys.events() == [("order", "1")]
    assert row["cursors"] == {"order": {"page": 1}}
    assert (row["read_by"], row["read_at"], row["failures"], row["problem"]) == (
        None,
        None,
        1,
        "http-503",
    )
    assert timedelta(minutes=6) < row["read_due_at"] - datetime.now(UTC) <= timedelta(minutes=7)

    world.before = lambda _: None
    await toys.turn()

    row = await toys.row()
    assert await toys.events() == [("order", "1"), ("order", "2")]
    assert (row["failures"], row["problem"]) == (0, "")
    assert timedelta(minutes=4) < row["read_due_at"] - datetime.now(UTC) <= timedelta(minutes=5)


async def test_failures_in_a_row_make_longer_pauses(toys: Toys, world: World) -> None:
    world.faults["order"] = Later("no-answer")
    waits = []
    for _ in range(6):
        await toys.turn()
        waits.append(round(((await toys.row())["read_due_at"] - datetime.now(UTC)) / MINUTE))

    assert waits == [1, 2, 5, 15, 30, 30]


async def test_a_platform_that_refuses_us_is_paused(toys: Toys, world: World) -> None:
    world.faults["order"] = Trouble("credentials", "the platform refuses the credentials (401)")

    await toys.turn()

    shown, row = await toys.shown(), await toys.row()
    assert "credentials" in shown["problem"]
    assert row["paused_until"] > datetime.now(UTC)
    assert row["read_due_at"] >= row["paused_until"]
    await toys.due()
    assert await reading.claim(toys._hub.db, new_id()) is None


@pytest.mark.parametrize("fault", [Trouble("credentials", "refused (403)"), Impossible("gone")])
async def test_rights_that_are_missing_for_the_rest_do_not_stop_orders(
    toys: Toys, world: World, fault: Exception
) -> None:
    world.pages = {Kind.ORDER: [[order("1")]], Kind.CUSTOMER: [[customer("c-1")]]}
    world.faults["product"] = fault

    await toys.turn()

    assert await toys.events() == [("order", "1"), ("customer", "c-1")]
    shown = await toys.shown()
    assert shown["problem"] == f"product: {fault}"
    assert shown["paused_until"] is None


async def test_one_of_a_platform_that_this_version_does_not_know_waits_for_one_that_does(
    hub: Hub, toys: Toys
) -> None:
    await hub.db.execute("UPDATE source SET platform = 'of-tomorrow'")

    await toys.turn()

    row = await toys.row()
    assert "of-tomorrow" in row["problem"]
    assert row["read_due_at"] > datetime.now(UTC)


async def test_one_turn_does_not_go_on_for_ever(toys: Toys, world: World) -> None:
    world.pages = {Kind.ORDER: [[order(str(n))] for n in range(25)]}

    await toys.turn()

    row = await toys.row()
    assert len(await toys.events()) == 20
    assert row["read_due_at"] <= datetime.now(UTC)
    assert row["read_at"] is None

    await toys.turn()

    assert len(await toys.events()) == 25
    assert (await toys.row())["read_at"] is not None


async def test_a_source_is_in_one_hand_at_a_time(hub: Hub, toys: Toys) -> None:
    await toys.due()
    one, two = new_id(), new_id()

    claims = await asyncio.gather(*(reading.claim(hub.db, who) for who in (one, two)))

    assert len([found for found in claims if found]) == 1
    await reading.free(hub.db, one)
    await reading.free(hub.db, two)
    assert await reading.claim(hub.db, two) is not None


async def test_an_inactive_or_removed_source_is_not_read(hub: Hub, api: Api, toys: Toys) -> None:
    assert (await api.call("PATCH", f"/v1/sources/{toys.id}", {"active": False})).status == 200
    await toys.due()
    assert await reading.claim(hub.db, new_id()) is None

    assert (await api.call("PATCH", f"/v1/sources/{toys.id}", {"active": True})).status == 200
    assert (await api.delete(f"/v1/sources/{toys.id}")).status == 204
    assert await reading.claim(hub.db, new_id()) is None


@asynccontextmanager
async def at_work(toys: Toys) -> AsyncIterator[Reader]:
    reader = Reader(toys._hub, new_id(), toys._limits)
    task = asyncio.create_task(reader.run())
    yield reader
    task.cancel()
    await asyncio.wait([task])


async def test_asked_for_it_is_read_at_once_even_while_it_is_paused(
    hub: Hub, api: Api, toys: Toys, world: World
) -> None:
    world.pages = {Kind.ORDER: [[order("1")]]}
    await hub.db.execute(
        "UPDATE source SET read_due_at = now() + interval '1 hour', paused_until = now() + interval '1 hour'"
    )
    async with at_work(toys):
        answer = await api.post(f"/v1/sources/{toys.id}/read")
        assert answer.status == 202
        async with asyncio.timeout(10):
            while not await toys.events() or (await toys.row())["read_at"] is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert (await toys.row())["paused_until"] is None


async def test_a_worker_that_stops_leaves_its_reading_to_others(
    hub: Hub, toys: Toys, world: World
) -> None:
    world.pages = {Kind.ORDER: [[order("1")], [order("2")]]}
    reached = asyncio.Event()

    async def read(ask: Ask) -> Page:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    world.reads = read
    await toys.due()
    async with at_work(toys), asyncio.timeout(10):
        await reached.wait()
        assert (await toys.row())["read_by"] is not None

    row = await toys.row()
    assert row["read_by"] is None
    assert row["read_due_at"] <= datetime.now(UTC)


async def test_what_cannot_be_read_says_so(api: Api) -> None:
    made = await api.post("/v1/sources", {"name": "own", "platform": "generic", "config": {}})
    assert made.status == 201, made.json

    answer = await api.post(f"/v1/sources/{made.json['id']}/read")

    assert answer.status == 422
    assert "cannot be read" in answer.json["detail"]
    assert (await api.post(f"/v1/sources/{new_id()}/read")).status == 404
