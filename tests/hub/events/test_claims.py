"""Which events a worker takes: the oldest of each object, each by one worker, none of the dead for long."""

import asyncio
from datetime import timedelta
from uuid import UUID

from hub.events import claims
from hub.events.processing import handle
from hub.ids import new_id
from tests.hub.events.conftest import Flow, an_order
from tests.hub.orders.conftest import Book


async def _claimed(flow: Flow, worker: UUID | None = None, limit: int = 50) -> list[UUID]:
    taken = await claims.claim(flow.hub.db, worker or new_id(), each=50, limit=limit)
    return [one.id for one in taken]


async def test_of_an_object_only_the_oldest_is_taken(flow: Flow) -> None:
    first = await flow.tell(an_order("placed"))
    await flow.tell(an_order("shipped"))
    other = await flow.tell(an_order("placed", "1043"))

    assert await _claimed(flow) == [UUID(first["id"]), UUID(other["id"])]
    # In somebody's hand: the next one waits for it.
    assert await _claimed(flow) == []


async def test_of_many_workers_one_takes_it(flow: Flow) -> None:
    for number in range(20):
        await flow.tell(an_order("placed", str(number)))

    taken = await asyncio.gather(*(_claimed(flow) for _ in range(4)))

    ids = [id_ for some in taken for id_ in some]
    assert len(ids) == len(set(ids)) == 20


async def test_one_that_waits_for_another_try_does_not_stop_newer_ones(flow: Flow) -> None:
    first = await flow.tell(an_order("placed"))
    second = await flow.tell(an_order("shipped"))
    worker = new_id()
    [claimed] = await claims.claim(flow.hub.db, worker, each=50, limit=50)
    assert str(claimed.id) == first["id"]

    await claims.later(flow.hub.db, claimed, timedelta(hours=1), "away")

    assert await _claimed(flow) == [UUID(second["id"])]


async def test_what_the_dead_held_is_due(flow: Flow) -> None:
    told = await flow.tell(an_order("placed"))
    worker = new_id()
    await _claimed(flow, worker)
    assert await _claimed(flow) == []

    await claims.free(flow.hub.db, worker)

    assert await _claimed(flow) == [UUID(told["id"])]


async def test_who_lost_his_lease_writes_nothing(flow: Flow, book: Book) -> None:
    await flow.tell(an_order("shipped"))
    [late] = await claims.claim(flow.hub.db, new_id(), each=1, limit=1)
    await claims.take_back(flow.hub.db)
    await flow.apply()

    await handle(flow.hub, late)

    assert await book.who_heard("order.shipped") == ["42"]


async def test_a_removed_source_tells_nothing_any_more(flow: Flow, book: Book) -> None:
    told = await flow.tell(an_order("shipped"))
    [source] = (await flow.api.get("/v1/sources")).json["items"]

    assert (await flow.api.delete(f"/v1/sources/{source['id']}")).status == 204
    await flow.apply()

    row = await flow.event(told["id"])
    assert (row["result"], row["reason"]) == ("ignored", "source-removed")
    assert await book.told() == []
    # The next event over the API makes it anew.
    await flow.told(an_order("shipped"))
    assert await book.who_heard("order.shipped") == ["42"]


async def test_after_a_restoration_nobody_is_told_what_was_in_hand(flow: Flow, book: Book) -> None:
    told = await flow.tell(an_order("shipped"))

    async with flow.hub.db.acquire() as conn, conn.transaction():
        await claims.calm(conn)
    await flow.apply()

    assert (await flow.event(told["id"]))["result"] == "applied"
    assert (await flow.order())["status"] == "shipped"
    assert await book.told() == []


async def test_the_same_order_by_many_at_once_is_one(flow: Flow, book: Book) -> None:
    for number in range(6):
        await flow.tell(an_order("shipped", reason=str(number)), id=f"n{number}")
    await flow.hub.db.execute("UPDATE shop_event SET object = id::text")
    taken = await claims.claim(flow.hub.db, new_id(), each=50, limit=50)
    assert len(taken) == 6

    # Under other names even one object's events may meet.
    await asyncio.gather(*(handle(flow.hub, one) for one in taken))
    await flow.hub.db.execute("UPDATE shop_event SET due_at = now() WHERE result = 'waiting'")
    await flow.apply()

    assert await book.who_heard("order.shipped") == ["42"]
    assert {row["result"] for row in await flow.hub.db.fetch("SELECT result FROM shop_event")} <= {
        "applied",
        "repeated",
    }
