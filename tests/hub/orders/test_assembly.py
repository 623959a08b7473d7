"""Paid: the parcels are made ready."""

from uuid import UUID

import pytest

from hub.orders import service, views
from hub.orders.model import Answerer, Assembled, Via
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, Reply, get_order, line, tell

pytestmark = pytest.mark.usefixtures("people", "webhook")

ANNA = Answerer(None, "Анна Кладова", "telegram:71")


async def pack(hub: Hub, assembly: str, by: Answerer = ANNA) -> Assembled:
    return await service.assembled(hub, hub.shop("main"), UUID(assembly), by=by, via=Via.TELEGRAM)


async def test_paid_the_warehouse_is_asked_to_pack_what_there_is(
    hub: Hub, api: Api, place: Place, reply: Reply, book: Book
) -> None:
    [request] = (await place(line("1"), line("2"), line("3")))["stock_requests"]
    await reply(request, ("1", 2), ("2", 1), ("3", 0))

    shown = await tell(api, "paid", labels_url="https://shop.example/l.pdf")

    [assembly] = shown["assemblies"]
    assert assembly["status"] == "open"
    asked = [told for told in await book.told() if told.kind == "assembly"]
    assert [(told.contact, told.template) for told in asked] == [
        ("wh-7-anna", "order.assemble"),
        ("wh-7-boris", "order.assemble"),
    ]
    task = await views.task(hub.db, hub.shop("main").id, UUID(assembly["id"]))
    assert task is not None
    assert [(row.id, row.asked) for row in task.lines] == [("1", 2), ("2", 1)]
    assert task.labels_url == "https://shop.example/l.pdf"
    assert "address" not in task.delivery


async def test_a_place_that_has_nothing_packs_nothing(api: Api, place: Place, reply: Reply) -> None:
    first, second = (await place(line("1"), line("2", warehouse="wh-8")))["stock_requests"]
    await reply(first, ("1", 2))
    await reply(second, ("2", 0))

    shown = await tell(api, "paid")

    assert [one["warehouse"]["external_id"] for one in shown["assemblies"]] == ["wh-7"]


async def test_after_the_last_part_the_order_is_assembled(
    hub: Hub, api: Api, place: Place, book: Book
) -> None:
    shown = await place(line("1"), line("2", warehouse="wh-8"), status="paid")
    first, second = shown["assemblies"]

    done = await pack(hub, first["id"])
    assert (done.first, (await get_order(api))["status"]) == (True, "paid")
    await pack(hub, second["id"])

    shown = await get_order(api)
    assert shown["status"] == "assembled"
    assert shown["history"][-1]["source"] == "staff"
    assert shown["assemblies"][0]["assembled_by"] == "telegram:71"
    [event] = await book.events("order.assembled")
    assert event["order"] == {"external_id": "1001", "number": "1001", "status": "assembled"}


async def test_said_twice_it_is_told_who_was_first(hub: Hub, place: Place, book: Book) -> None:
    [assembly] = (await place(line("1"), status="paid"))["assemblies"]
    await pack(hub, assembly["id"])

    again = await pack(hub, assembly["id"], Answerer(None, "Борис", "telegram:72"))

    assert (again.first, again.who) == (False, "Анна Кладова")
    assert len(await book.events("order.assembled")) == 1


async def test_cancelled_there_is_nothing_to_pack(hub: Hub, api: Api, place: Place) -> None:
    [assembly] = (await place(line("1"), status="paid"))["assemblies"]
    await tell(api, "cancelled")

    assert (await pack(hub, assembly["id"])).closed == "cancelled"


async def test_shipped_by_the_shop_it_was_packed(hub: Hub, api: Api, place: Place) -> None:
    [assembly] = (await place(line("1"), status="paid"))["assemblies"]

    shown = await tell(api, "shipped")

    assert shown["assemblies"][0]["status"] == "assembled"
    assert not (await pack(hub, assembly["id"])).first


async def test_without_staff_the_seller_packs(place: Place, book: Book) -> None:
    await place(line("1", warehouse=None), status="paid")

    assert await book.who_heard("order.assemble") == ["seller-7"]
