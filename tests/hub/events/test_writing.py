"""What the shelf has answered is told to the platform, once; what comes back as its echo is no news."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.events import claims, reading
from hub.events.model import PAUSES
from hub.events.processing import handle
from hub.events.reading import Reading
from hub.ids import new_id
from hub.orders.model import OrderStatus
from hub.resources import Hub
from hub.shops.keys import Scope
from hub.sources import inbox, queries
from hub.sources.base import Impossible, Later, Trouble
from hub.sources.model import Via
from tests.hub.api.client import Api
from tests.hub.events.toy import World, at_hand, order
from tests.hub.orders.conftest import Book

CUSTOMER = {"id": "42", "name": "Анна", "email": "anna@example.com"}
LINES = [{"id": "1", "quantity": 2}, {"id": "2", "quantity": 1}]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with at_hand(monkeypatch) as world:
        yield world


class Toys:
    """A source of the platform `toy`, of a shop that asks the shelf, and what comes of its orders."""

    def __init__(self, hub: Hub, api: Api, id_: UUID) -> None:
        self.hub = hub
        self.api = api
        self.id = id_

    async def tells(self, status: str, at: int, **more: Any) -> None:
        """Of order 7, `at` so many seconds after ten o'clock."""
        source = await queries.by_id(self.hub.db, self.hub.shop("asking").id, self.id)
        assert source is not None
        told = {"status": status, "customer": CUSTOMER, "lines": LINES} | more
        event = order("7", told.pop("changed_at", None), **told)
        event = type(event)(
            event.kind, event.action, "7", f"{status}/{at}", event.happened_at, event.payload
        )
        await inbox.add(self.hub.db, source, [event], Via.HOOK)
        await self.work()

    async def work(self) -> None:
        while claimed := await claims.claim(self.hub.db, new_id(), each=50, limit=50):
            for one in claimed:
                await handle(self.hub, one)

    async def due(self) -> None:
        """The time of the next try has come."""
        await self.hub.db.execute("UPDATE shop_event SET due_at = now() WHERE result = 'waiting'")
        await self.hub.db.execute("UPDATE source SET paused_until = NULL")
        await self.work()

    async def is_read(self) -> None:
        """As a worker does it, and there is nothing new."""
        source = await queries.by_id(self.hub.db, self.hub.shop("asking").id, self.id)
        assert source is not None
        began = datetime.now(UTC)
        await reading._done(self.hub.db, source, Reading(0, more=False), began)

    async def answer(self, *confirmed: int) -> None:
        """The shelf has so many of each line."""
        [request] = (await self.api.get("/v1/stock-requests?status=open")).json["items"]
        lines = [{"id": str(i), "confirmed": count} for i, count in enumerate(confirmed, 1)]
        answer = await self.api.post(
            f"/v1/stock-requests/{request['id']}/answer", {"lines": lines, "by": "keeper"}
        )
        assert answer.status == 200, answer.json
        await self.work()

    async def correct(self, confirmed: int) -> None:
        """Of the first line there are so many, after all."""
        [request] = (await self.api.get("/v1/stock-requests?status=answered")).json["items"]
        correction = {"lines": [{"id": "1", "confirmed": confirmed}], "by": "keeper"}
        answer = await self.api.post(f"/v1/stock-requests/{request['id']}/answer", correction)
        assert answer.status == 200, answer.json
        await self.work()

    async def change(self, **changes: Any) -> None:
        answer = await self.api.call("PATCH", f"/v1/sources/{self.id}", changes)
        assert answer.status == 200, answer.json

    async def status(self) -> str:
        found: str = (await self.api.get("/v1/orders/7")).json["status"]
        return found

    async def events(self, via: str = "write") -> list[tuple[str, str]]:
        """(result, reason), the oldest first."""
        rows = await self.hub.db.fetch(
            "SELECT result, reason FROM shop_event WHERE via = $1 ORDER BY id", via
        )
        return [(row["result"], row["reason"]) for row in rows]


@pytest.fixture
async def toys(
    hub: Hub, url: str, key_for: Callable[..., Awaitable[str]], world: World
) -> AsyncIterator[Toys]:
    async with Api(url, await key_for(Scope.ADMIN, shop="asking")) as api:
        answer = await api.post(
            "/v1/sources",
            {"name": "toy", "platform": "toy", "config": {}, "write_back": True},
        )
        assert answer.status == 201, answer.json
        yield Toys(hub, api, UUID(answer.json["id"]))


async def test_what_the_shelf_has_is_told_to_the_platform(toys: Toys, world: World) -> None:
    await toys.tells("new", 0)
    await toys.answer(2, 0)

    [decision] = world.written
    assert (decision.object, decision.status, decision.code) == (
        "7",
        OrderStatus.PARTIALLY_CONFIRMED,
        "accepted",
    )
    assert [(line.id, line.asked, line.confirmed) for line in decision.lines] == [
        ("1", 2, 2),
        ("2", 1, 0),
    ]
    assert await toys.events() == [("written", "")]


async def test_it_is_said_where_the_platform_calls_us(toys: Toys, world: World) -> None:
    await toys.tells("new", 0)
    await toys.answer(2, 1)

    [hook] = (await toys.api.get(f"/v1/sources/{toys.id}")).json["hooks"]
    assert world.written[0].hooks == {"events": hook["url"]}


async def test_its_echo_changes_nothing_and_tells_nobody(
    toys: Toys, world: World, book: Book
) -> None:
    await toys.tells("new", 0)
    await toys.answer(1, 0)
    before, told = (await toys.api.get("/v1/orders/7")).json, await book.told()

    # The platform took out what is not there, and calls it accepted.
    await toys.tells("accepted", 1, lines=[{"id": "1", "quantity": 1}])

    after = (await toys.api.get("/v1/orders/7")).json
    assert after["status"] == "partially_confirmed"
    assert after["lines"] == before["lines"]
    assert after["history"] == before["history"]
    assert await book.told() == told
    assert len(world.written) == 1


async def test_to_wait_for_its_turn_is_no_try(toys: Toys, hub: Hub, world: World) -> None:
    await toys.tells("new", 0)
    world.faults["write"] = Later("http-429", timedelta(seconds=7), counts=False)
    await toys.answer(2, 1)
    for _ in range(len(PAUSES) + 2):
        await toys.due()

    assert await toys.events() == [("waiting", "http-429")]
    waits = await hub.db.fetchval("SELECT due_at - now() FROM shop_event WHERE via = 'write'")
    assert timedelta(seconds=5) < waits <= timedelta(seconds=7)
    world.faults.clear()
    await toys.due()
    assert await toys.events() == [("written", "")]


async def test_nothing_waits_for_its_turn_for_ever(toys: Toys, world: World, hub: Hub) -> None:
    await toys.tells("new", 0)
    world.faults["write"] = Later("http-429", counts=False)
    await toys.answer(2, 1)
    for _ in range(len(PAUSES)):
        await hub.db.execute("UPDATE shop_event SET due_at = now() WHERE result = 'waiting'")
        [claimed] = await claims.claim(hub.db, new_id(), each=50, limit=50)
        await handle(hub, replace(claimed, received_at=datetime.now(UTC) - timedelta(days=4)))
    assert await toys.events() == [("waiting", "http-429")]

    await hub.db.execute("UPDATE shop_event SET due_at = now() WHERE result = 'waiting'")
    [claimed] = await claims.claim(hub.db, new_id(), each=50, limit=50)
    await handle(hub, replace(claimed, received_at=datetime.now(UTC) - timedelta(days=4)))

    assert await toys.events() == [("failed", "http-429")]


async def test_its_echo_may_be_here_before_its_answer(toys: Toys, world: World, book: Book) -> None:
    await toys.tells("new", 0)
    # It was taken, and the answer was lost.
    world.faults["write"] = Later("no-answer")
    await toys.answer(2, 1)
    told = await book.told()
    assert await toys.events() == [("waiting", "no-answer")]

    await toys.tells("accepted", 1)
    assert await book.told() == told

    del world.faults["write"]
    await toys.due()
    assert await toys.events() == [("written", "")]
    assert await book.told() == told


async def test_what_comes_after_is_news(toys: Toys, book: Book) -> None:
    await toys.tells("new", 0)
    await toys.answer(2, 1)
    await toys.tells("accepted", 1)

    await toys.tells("sent", 2)

    assert await toys.status() == "shipped"
    assert await book.who_heard("order.shipped") == ["42"]


async def test_a_prepaid_order_waits_for_the_shelf_and_is_paid_then(
    toys: Toys, world: World, book: Book
) -> None:
    await toys.tells("paid", 0)
    assert await toys.status() == "awaiting_stock"
    assert await book.who_heard("order.paid") == []

    await toys.answer(2, 1)

    assert await toys.status() == "paid"
    assert "42" in await book.who_heard("order.paid")
    assert [d.status for d in world.written] == [OrderStatus.CONFIRMED]
    [event] = await toys.hub.db.fetch("SELECT set_off FROM shop_event WHERE via = 'write'")
    assert (event["set_off"]["order"], event["set_off"]["status"]) == ("7", "paid")
    assert event["set_off"]["notifications"]


async def test_a_prepaid_order_goes_on_although_nothing_is_written_to_its_platform(
    toys: Toys, world: World
) -> None:
    await toys.change(write_back=False)
    await toys.tells("paid", 0)
    await toys.answer(2, 1)

    assert await toys.status() == "paid"
    assert world.written == []
    assert await toys.events() == [("ignored", "write-back-off")]


async def test_people_at_the_shelf_do_not_wait_for_a_platform_that_is_away(
    toys: Toys, world: World, book: Book
) -> None:
    world.faults["write"] = Later("no-connection")
    await toys.tells("paid", 0)
    await toys.answer(2, 1)

    assert await toys.status() == "paid"
    told = await book.told()
    del world.faults["write"]
    await toys.due()

    assert len(world.written) == 1
    assert await book.told() == told


async def test_nor_for_one_that_refuses_us(toys: Toys, world: World) -> None:
    await toys.tells("paid", 0)
    await toys.hub.db.execute("UPDATE source SET paused_until = now() + interval '1 hour'")
    await toys.answer(2, 1)

    assert await toys.status() == "paid"
    assert world.written == []
    assert await toys.events() == [("waiting", "paused")]
    await toys.hub.db.execute("UPDATE shop_event SET due_at = now() WHERE result = 'waiting'")
    await toys.work()
    assert world.written == []

    await toys.due()
    assert len(world.written) == 1


async def test_what_the_shelf_lacks_is_not_paid(toys: Toys, world: World) -> None:
    await toys.tells("paid", 0)
    await toys.answer(0, 0)

    assert await toys.status() == "rejected"
    assert await toys.hub.db.fetchval("SELECT held_status FROM source_object") is None
    # It has no word for it, and the money is the shop's affair.
    assert world.written == []
    assert await toys.events() == [("ignored", "no-code")]


async def test_without_write_back_nothing_is_kept_for_it(toys: Toys) -> None:
    await toys.change(write_back=False)
    await toys.tells("new", 0)
    await toys.answer(2, 1)

    assert await toys.status() == "confirmed"
    assert await toys.events() == []


async def test_the_shops_own_word_goes_before_the_platforms(toys: Toys, world: World) -> None:
    await toys.change(mapping={"write_back": {"confirmed": "ours", "rejected": "none-left"}})
    await toys.tells("new", 0)
    await toys.answer(2, 1)

    assert [decision.code for decision in world.written] == ["ours"]


async def test_what_the_platform_refuses_is_shown_and_can_be_tried_again(
    toys: Toys, world: World
) -> None:
    world.faults["write"] = Impossible("the order is closed there")
    await toys.tells("new", 0)
    await toys.answer(2, 1)
    assert await toys.events() == [("failed", "the order is closed there")]

    del world.faults["write"]
    [event] = (await toys.api.get("/v1/events?via=write")).json["items"]
    assert (await toys.api.post(f"/v1/events/{event['id']}/replay")).status == 202
    await toys.work()

    assert await toys.events() == [("written", "")]
    assert len(world.written) == 1


@pytest.mark.parametrize("later", ["corrected", "shipped"])
async def test_a_decision_that_comes_too_late_does_not_set_the_platform_back(
    toys: Toys, world: World, later: str
) -> None:
    world.faults["write"] = Impossible("the order is locked there")
    await toys.tells("new", 0)
    await toys.answer(2, 1)
    del world.faults["write"]
    if later == "corrected":
        await toys.correct(1)
        assert len(world.written) == 1
    else:
        await toys.tells("sent", 2)
    [event] = (await toys.api.get("/v1/events?via=write&result=failed")).json["items"]

    assert (await toys.api.post(f"/v1/events/{event['id']}/replay")).status == 202
    await toys.work()

    shown = (await toys.api.get(f"/v1/events/{event['id']}")).json
    assert shown["result"] == "stale"
    assert len(world.written) == (1 if later == "corrected" else 0)


async def test_that_it_can_be_read_does_not_make_what_it_refuses_to_be_told_news(
    toys: Toys, world: World
) -> None:
    """A key that may only read: admins hear of it once, and it is shown until something was taken."""
    admin = {"role": "admin", "addresses": {"email": "boss@example.com"}}
    assert (await toys.api.put("/v1/contacts/boss", admin)).status == 201
    world.faults["write"] = Trouble("credentials", "the platform refuses the rights (403)")
    await toys.tells("new", 0)
    await toys.answer(2, 1)

    for _ in range(3):
        await toys.is_read()
        await toys.due()

    alarms = "SELECT count(*) FROM notification WHERE content::text LIKE '%(403)%'"
    assert await toys.hub.db.fetchval(alarms) == 1
    await toys.is_read()
    assert "(403)" in (await toys.api.get(f"/v1/sources/{toys.id}")).json["problem"]

    del world.faults["write"]
    await toys.due()

    assert await toys.events() == [("written", "")]
    assert (await toys.api.get(f"/v1/sources/{toys.id}")).json["problem"] == ""


async def test_wrong_credentials_pause_the_source_and_the_decision_waits(
    toys: Toys, world: World
) -> None:
    world.faults["write"] = Trouble("credentials", "the platform refuses the credentials (401)")
    await toys.tells("new", 0)
    await toys.answer(2, 1)

    assert await toys.events() == [("waiting", "credentials")]
    shown = (await toys.api.get(f"/v1/sources/{toys.id}")).json
    assert "credentials" in shown["problem"]

    del world.faults["write"]
    await toys.due()
    assert await toys.events() == [("written", "")]
    assert (await toys.api.get(f"/v1/sources/{toys.id}")).json["problem"] == ""


async def test_a_newer_decision_takes_the_place_of_one_that_waits(toys: Toys, world: World) -> None:
    world.faults["write"] = Later("no-connection")
    await toys.tells("new", 0)
    await toys.answer(2, 1)
    await toys.correct(1)
    del world.faults["write"]
    await toys.due()

    assert await toys.events() == [("ignored", "replaced"), ("written", "")]
    [decision] = world.written
    assert (decision.revision, decision.lines[0].confirmed) == (2, 1)


async def test_an_order_of_the_future_does_not_silence_what_is_told_after_it(
    toys: Toys, hub: Hub
) -> None:
    ahead = datetime.now(UTC) + timedelta(days=365)
    await toys.tells("new", 0, changed_at=ahead.isoformat())

    await toys.tells("sent", 1, changed_at=(datetime.now(UTC) + timedelta(minutes=1)).isoformat())

    assert await toys.status() == "shipped"
