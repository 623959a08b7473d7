"""History and live events of the same orders: old facts set nothing off, new ones do, and neither waits for the other
for good."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.history import way
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow
from tests.hub.history.conftest import Begin, Bring, counted, order
from tests.hub.orders.conftest import Book


@pytest.fixture
def flow(hub: Hub, api: Api) -> Flow:
    return Flow(hub, api)


@pytest.fixture
def book(hub: Hub) -> Book:
    return Book(hub)


def now() -> str:
    return datetime.now(UTC).isoformat()


async def test_what_was_taken_over_is_no_news(bring: Bring, flow: Flow, hub: Hub) -> None:
    """The digest is the one that events are compared by."""
    await bring(order("1"))

    event = await flow.told(order("1", changed_at=now()))

    assert event["result"] == "repeated"
    assert await counted(hub, ("notification", "stock_request", "assembly")) == {}


async def test_its_next_status_is_told_once(bring: Bring, flow: Flow, book: Book) -> None:
    await bring(order("1"))

    first = await flow.told(order("1", status="shipped", changed_at=now()))
    again = await flow.told(order("1", status="shipped", changed_at=now()))

    assert (first["result"], again["result"]) == ("applied", "repeated")
    assert await book.who_heard("order.shipped") == ["42"]
    assert len(await book.told()) == 1


async def test_old_news_about_it_is_stale(bring: Bring, flow: Flow, book: Book) -> None:
    await bring(order("1", status="delivered"))

    event = await flow.told(order("1", status="shipped", changed_at="2026-03-03T10:00:00Z"))

    assert event["result"] == "stale"
    assert (await flow.order("1"))["status"] == "delivered"
    assert await book.told() == []


async def test_an_order_that_came_live_first_stays_as_it_is(
    begin: Begin, bring: Bring, flow: Flow, book: Book
) -> None:
    # The shop's own source is there.
    await begin()
    await flow.told(order("1", status="shipped", changed_at=now(), created_at=now()))

    run = await bring(order("1", status="paid"))

    assert run["known"] == 1
    assert (await flow.order("1"))["status"] == "shipped"
    assert await book.who_heard("order.shipped") == ["42"]


async def test_an_import_live_events_and_erasures_of_the_same_people_wait_for_each_other_one_way(
    api: Api, begin: Begin, flow: Flow, hub: Hub
) -> None:
    """Each locks contacts, then orders, then what was seen of them; whoever did it another way would stand in a ring."""

    def of(buyer: int, n: int, **more: Any) -> dict[str, Any]:
        customer = {"id": f"c{buyer}", "name": f"N {n}", "email": f"c{buyer}@example.com"}
        lines = [{"title": "x", "seller": f"s{n % 3}"}]
        return order(f"o{n}", customer=customer, lines=lines, **more)

    async def history() -> None:
        run = await begin()
        for start in range(0, 400, 100):
            rows = [of((n * 7) % 10, n) for n in range(start, start + 100)]
            path = f"/v1/imports/{run['id']}/rows"
            assert (await api.post(path, {"from": start, "rows": rows})).status == 200

    async def live() -> None:
        for n in range(0, 400, 10):
            await flow.told(of(n % 10, n, status="shipped", changed_at=now()))

    async def erasures() -> None:
        for n in range(20):
            await api.delete(f"/v1/contacts/c{n % 10}")
            await asyncio.sleep(0.02)

    async with asyncio.timeout(60):
        await asyncio.gather(history(), live(), live(), erasures())

    assert await hub.db.fetchval("SELECT count(*) FROM shop_order") == 400
    results = await hub.db.fetch("SELECT DISTINCT result FROM shop_event")
    assert "failed" not in {row["result"] for row in results}
    assert await hub.db.fetchval("SELECT sum(faulty) FROM import_run") == 0


async def test_live_events_that_are_late_go_first(flow: Flow, begin: Begin, hub: Hub) -> None:
    """Nobody has time for them; those that wait for something else are no reason to wait."""
    await begin()
    event = await flow.tell(order("1", status="shipped"))
    found = []

    for due in ("0 s", "2 s", "2 hours"):
        await hub.db.execute("UPDATE shop_event SET due_at = now() - $1::text::interval", due)
        found.append(await way.events_are_late(hub.db, hub.shops))

    assert event["duplicate"] is False
    assert found == [False, True, False]


async def test_an_import_waits_for_them_between_its_portions(
    api: Api, flow: Flow, begin: Begin, hub: Hub
) -> None:
    run = await begin()
    await flow.tell(order("1", status="shipped"))
    await hub.db.execute("UPDATE shop_event SET due_at = now() - interval '2 s'")
    path = f"/v1/imports/{run['id']}/rows"

    bringing = asyncio.create_task(api.post(path, {"from": 0, "rows": [order("2")]}))
    async with asyncio.timeout(10):
        while not (await api.get(f"/v1/imports/{run['id']}")).json["done"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    # Taken, and yet the next portion is not asked for.
    waits = not bringing.done()
    await flow.apply()

    assert waits
    assert (await bringing).status == 200
