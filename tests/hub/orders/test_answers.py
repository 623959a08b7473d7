"""Questions to the shelf: who is asked, whose answer counts, and what follows from it."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.base import Channel
from hub.orders import links, service, warehouses
from hub.orders.links import Asked
from hub.orders.model import Answered, Answerer, Kind, Via
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, Reply, get_order, line, tell

pytestmark = pytest.mark.usefixtures("people", "webhook")


async def answer(
    hub: Hub, request: str, lines: dict[str, int] | None, by: str, *, later: timedelta | None = None
) -> Answered:
    """As a press in Telegram `later` than now."""
    shop = hub.shop("main")
    who = await service.answerer_named(hub.db, shop.id, by)
    now = await hub.db.fetchval("SELECT now()")
    return await service.answer(
        hub,
        shop,
        UUID(request),
        lines,
        by=who,
        via=Via.TELEGRAM,
        now=now + (later or timedelta(0)),
    )


async def test_each_warehouse_of_each_seller_gets_a_question_of_its_own(
    place: Place, book: Book
) -> None:
    shown = await place(
        line("1"), line("2", warehouse="wh-8"), line("3", seller="seller-8"), line("4")
    )

    asked = [
        (request["seller"], request["warehouse"], [row["id"] for row in request["lines"]])
        for request in shown["stock_requests"]
    ]
    assert asked == [
        ("seller-7", "wh-7", ["1", "4"]),
        ("seller-7", "wh-8", ["2"]),
        ("seller-8", "wh-7", ["3"]),
    ]
    assert len(await book.events("stock_request.opened")) == 3


async def test_all_the_staff_of_a_place_is_asked(place: Place, book: Book) -> None:
    shown = await place()

    questions = [told for told in await book.told() if told.kind == "stock"]
    assert [(told.contact, told.template, told.channel) for told in questions] == [
        ("wh-7-anna", "stock.request", "telegram"),
        ("wh-7-boris", "stock.request", "telegram"),
    ]
    [opened] = await book.events("stock_request.opened")
    assert opened["stock_request"]["id"] == shown["stock_requests"][0]["id"]
    assert opened["order"] == {"external_id": "1001", "number": "1001"}


@pytest.mark.parametrize("warehouse", [None, "wh-empty"])
async def test_without_staff_the_seller_is_asked(
    place: Place, book: Book, warehouse: str | None
) -> None:
    await place(line("1", warehouse=warehouse))

    assert await book.who_heard("stock.request") == ["seller-7"]


async def test_where_no_storekeeper_can_be_reached_the_seller_is_asked(
    api: Api, place: Place, book: Book
) -> None:
    await api.put("/v1/contacts/mute", {"role": "warehouse", "warehouses": ["wh-9"]})

    await place(line("1", warehouse="wh-9"))

    assert await book.who_heard("stock.request") == ["mute", "seller-7"]


async def test_everything_there_confirms_the_order(
    api: Api, place: Place, reply: Reply, book: Book
) -> None:
    [request] = (await place())["stock_requests"]

    done = await reply(request, ("1", 2), ("2", 1))

    assert done["status"] == "answered"
    assert done["lines"][0] | {"answered_at": ""} == {
        "id": "1",
        "sku": "A-1",
        "title": "Чайник 1",
        "asked": 2,
        "confirmed": 2,
        "answered_by": "wh-7-anna",
        "answered_at": "",
        "via": "api",
    }
    assert (await get_order(api))["status"] == "confirmed"
    assert await book.who_heard("order.confirmed") == ["buyer-42"]
    [told] = await book.events("order.stock_confirmed")
    assert told == {
        "order": {"external_id": "1001", "number": "1001", "status": "confirmed"},
        "revision": 1,
        "lines": [
            {
                "id": id_,
                "sku": f"A-{id_}",
                "asked": asked,
                "confirmed": asked,
                "seller": "seller-7",
                "warehouse": "wh-7",
            }
            for id_, asked in (("1", 2), ("2", 1))
        ],
    }


async def test_some_of_it_confirms_in_part_and_the_buyer_hears_what_comes(
    api: Api, place: Place, reply: Reply, book: Book
) -> None:
    [request] = (await place())["stock_requests"]

    await reply(request, ("1", 1), ("2", 0))

    assert (await get_order(api))["status"] == "partially_confirmed"
    told = next(t for t in await book.told() if t.template == "order.partially_confirmed")
    assert told.contact == "buyer-42"
    assert [(row["id"], row["confirmed"]) for row in told.data["order"]["lines"]] == [
        ("1", 1),
        ("2", 0),
    ]


async def test_nothing_there_rejects_the_order(
    api: Api, place: Place, reply: Reply, book: Book
) -> None:
    [request] = (await place())["stock_requests"]

    await reply(request, ("1", 0), ("2", 0))

    assert (await get_order(api))["status"] == "rejected"
    assert set(await book.who_heard("order.rejected")) == {"buyer-42", "seller-7", "boss"}


async def test_the_order_waits_for_the_last_warehouse(
    api: Api, place: Place, reply: Reply, book: Book
) -> None:
    first, second = (await place(line("1"), line("2", warehouse="wh-8")))["stock_requests"]

    await reply(first, ("1", 2))
    assert (await get_order(api))["status"] == "awaiting_stock"
    assert await book.events("order.stock_confirmed") == []
    await reply(second, ("2", 2))

    assert (await get_order(api))["status"] == "confirmed"
    assert len(await book.events("stock_request.answered")) == 2


async def test_lines_left_out_stay_open(api: Api, place: Place, reply: Reply) -> None:
    [request] = (await place())["stock_requests"]

    partly = await reply(request, ("1", 2))

    assert partly["status"] == "open"
    assert [row["confirmed"] for row in partly["lines"]] == [2, None]
    assert (await reply(request, ("2", 1), by="wh-7-boris"))["status"] == "answered"


async def test_more_than_asked_is_400_and_an_unknown_line_422(
    api: Api, place: Place, reply: Reply
) -> None:
    [request] = (await place())["stock_requests"]

    more = await reply(request, ("1", 1), ("2", 2), status=400)
    unknown = await reply(request, ("9", 1), status=422)
    negative = await reply(request, ("1", -1), status=400)

    assert more["errors"][0]["pointer"] == "/lines/1/confirmed"
    assert unknown["errors"][0]["pointer"] == "/lines/0/id"
    assert negative["errors"][0]["pointer"] == "/lines/0/confirmed"
    assert (await get_order(api))["stock_requests"][0]["lines"][0]["confirmed"] is None


async def test_the_second_to_answer_is_told_who_was_first_and_what_he_said(
    hub: Hub, place: Place
) -> None:
    [request] = (await place())["stock_requests"]
    await answer(hub, request["id"], {"1": 1, "2": 0}, "wh-7-anna")

    second = await answer(hub, request["id"], None, "wh-7-boris")

    assert second.accepted == ()
    assert [(one.line_id, one.who, one.confirmed) for one in second.already] == [
        ("1", "Анна Кладова", 1),
        ("2", "Анна Кладова", 0),
    ]


async def test_over_the_api_the_second_gets_a_conflict(place: Place, reply: Reply) -> None:
    [request] = (await place())["stock_requests"]
    await reply(request, ("1", 1), ("2", 0))

    problem = await reply(request, ("1", 2), by="wh-7-boris", status=409)

    assert "Анна Кладова" in problem["detail"]


async def test_the_same_answer_twice_changes_nothing(hub: Hub, place: Place, book: Book) -> None:
    [request] = (await place())["stock_requests"]
    await answer(hub, request["id"], None, "wh-7-anna")
    heard = await book.told()

    again = await answer(hub, request["id"], {"1": 2, "2": 1}, "wh-7-anna")

    assert again.repeated == ("1", "2")
    assert await book.told() == heard
    assert len(await book.events("order.stock_confirmed")) == 1


async def test_who_answered_may_correct_it_within_five_minutes(
    hub: Hub, api: Api, place: Place, book: Book
) -> None:
    [request] = (await place())["stock_requests"]
    await answer(hub, request["id"], None, "wh-7-anna")

    corrected = await answer(hub, request["id"], {"1": 1}, "wh-7-anna", later=timedelta(minutes=4))

    assert corrected.corrected == ("1",)
    shown = await get_order(api)
    assert (shown["status"], shown["revision"]) == ("partially_confirmed", 2)
    confirmed = await book.events("order.stock_confirmed")
    assert [(e["revision"], e["lines"][0]["confirmed"]) for e in confirmed] == [(1, 2), (2, 1)]
    answered = await book.events("stock_request.answered")
    assert [e["stock_request"]["revision"] for e in answered] == [1, 2]
    assert await book.who_heard("order.partially_confirmed") == ["buyer-42", "seller-7"]


async def test_a_correction_does_not_make_the_time_longer(hub: Hub, place: Place) -> None:
    [request] = (await place())["stock_requests"]
    await answer(hub, request["id"], None, "wh-7-anna")
    await answer(hub, request["id"], {"1": 1}, "wh-7-anna", later=timedelta(minutes=4))

    late = await answer(hub, request["id"], {"1": 2}, "wh-7-anna", later=timedelta(minutes=6))

    assert late.too_late == ("1",)


@pytest.mark.parametrize("status", ["paid", "cancelled"])
async def test_nothing_is_corrected_once_the_order_is_paid_or_cancelled(
    hub: Hub, api: Api, place: Place, status: str
) -> None:
    [request] = (await place())["stock_requests"]
    await answer(hub, request["id"], None, "wh-7-anna")
    await tell(api, status)

    assert (await answer(hub, request["id"], {"1": 0}, "wh-7-anna")).too_late == ("1",)


async def test_who_is_no_contact_is_told_apart_by_his_name(place: Place, reply: Reply) -> None:
    [request] = (await place())["stock_requests"]
    await reply(request, ("1", 2), by="тётя Зина")

    corrected = await reply(request, ("1", 1), by="тётя Зина")
    other = await reply(request, ("1", 2), by="дядя Ваня", status=409)

    assert corrected["lines"][0]["answered_by"] == "тётя Зина"
    assert "тётя Зина" in other["detail"]


async def test_cancelling_the_order_closes_its_questions(
    hub: Hub, api: Api, place: Place, reply: Reply, book: Book
) -> None:
    [request] = (await place())["stock_requests"]

    shown = await tell(api, "cancelled")

    assert shown["stock_requests"][0]["status"] == "cancelled"
    assert (await answer(hub, request["id"], None, "wh-7-anna")).closed == "cancelled"
    await reply(request, ("1", 1), status=409)
    edited = await hub.db.fetchval("SELECT count(*) FROM message_edit")
    assert edited == 2
    assert set(await book.who_heard("order.cancelled")) >= {"wh-7-anna", "wh-7-boris"}


async def test_a_shop_that_goes_on_by_itself_closes_the_questions(api: Api, place: Place) -> None:
    await place()

    shown = await tell(api, "confirmed")

    [request] = shown["stock_requests"]
    assert (request["status"], request["reason"]) == ("cancelled", "decided")


async def test_only_new_and_changed_lines_are_asked_for_again(
    api: Api, place: Place, reply: Reply, book: Book
) -> None:
    [first] = (await place(line("1"), line("2")))["stock_requests"]
    await reply(first, ("1", 2), ("2", 2))

    shown = await place(line("1"), line("2", 3), line("3"))

    assert shown["status"] == "awaiting_stock"
    again = shown["stock_requests"][1]
    assert [(row["id"], row["asked"]) for row in again["lines"]] == [("2", 3), ("3", 2)]
    await reply(again, ("2", 3), ("3", 0))
    done = await get_order(api)
    assert (done["status"], done["revision"]) == ("partially_confirmed", 2)
    assert [row["confirmed"] for row in done["lines"]] == [2, 3, 0]


class TestALineOfWhichLessIsWanted:
    """The answer to more of it says what there is of less."""

    async def test_is_not_asked_for_again_where_there_was_enough(
        self, api: Api, place: Place, reply: Reply, book: Book
    ) -> None:
        [request] = (await place(line("1", 3), line("2")))["stock_requests"]
        await reply(request, ("1", 3), ("2", 2))
        asked = await book.who_heard("stock.request")

        shown = await place(line("1", 2), line("2"))

        assert shown["status"] == "confirmed"
        [same] = shown["stock_requests"]
        assert [(row["asked"], row["confirmed"]) for row in same["lines"]] == [(2, 2), (2, 2)]
        assert same["lines"][0]["answered_by"] == "wh-7-anna"
        assert await book.who_heard("stock.request") == asked
        told = (await book.events("order.stock_confirmed"))[-1]
        assert told["revision"] == shown["revision"] == 2
        assert [row["confirmed"] for row in told["lines"]] == [2, 2]

    async def test_as_much_of_it_as_there_is_makes_the_order_whole(
        self, place: Place, reply: Reply, book: Book
    ) -> None:
        [request] = (await place(line("1", 5)))["stock_requests"]
        await reply(request, ("1", 3))

        shown = await place(line("1", 3))

        assert (shown["status"], shown["lines"][0]["confirmed"]) == ("confirmed", 3)
        [told] = [one for one in await book.told() if one.template == "order.confirmed"][-1:]
        assert told.contact == "buyer-42"

    async def test_of_which_there_is_nothing_has_nothing_of_it(
        self, place: Place, reply: Reply
    ) -> None:
        [request] = (await place(line("1", 3), line("2")))["stock_requests"]
        await reply(request, ("1", 0), ("2", 2))

        shown = await place(line("1", 1), line("2"))

        assert shown["status"] == "partially_confirmed"
        assert len(shown["stock_requests"]) == 1
        assert shown["lines"][0]["confirmed"] == 0

    async def test_of_which_there_was_some_has_as_many_as_before(
        self, place: Place, reply: Reply, book: Book
    ) -> None:
        [request] = (await place(line("1", 5)))["stock_requests"]
        await reply(request, ("1", 2))

        shown = await place(line("1", 4))

        assert shown["status"] == "partially_confirmed"
        [same] = shown["stock_requests"]
        assert (same["status"], same["lines"][0]["confirmed"]) == ("answered", 2)
        told = (await book.events("order.stock_confirmed"))[-1]
        assert [(row["asked"], row["confirmed"]) for row in told["lines"]] == [(4, 2)]

    @pytest.mark.parametrize("change", [{"sku": "B-1"}, {"warehouse": {"external_id": "wh-8"}}])
    async def test_but_of_something_else_or_elsewhere_is_asked_for(
        self, place: Place, reply: Reply, change: dict[str, Any]
    ) -> None:
        [request] = (await place(line("1", 3)))["stock_requests"]
        await reply(request, ("1", 3))

        shown = await place(line("1", 2) | change)

        assert shown["status"] == "awaiting_stock"

    async def test_leaves_the_question_open_for_the_others(
        self, hub: Hub, place: Place, reply: Reply
    ) -> None:
        [request] = (await place(line("1", 3), line("2")))["stock_requests"]
        await reply(request, ("1", 3))
        before = await hub.db.fetchval("SELECT clock_from FROM stock_request")
        await hub.db.execute("DELETE FROM message_edit")

        [same] = (await place(line("1", 2), line("2")))["stock_requests"]

        assert same["status"] == "open"
        assert [(row["asked"], row["confirmed"]) for row in same["lines"]] == [(2, 2), (2, None)]
        assert await hub.db.fetchval("SELECT clock_from FROM stock_request") == before
        assert await hub.db.fetchval("SELECT count(*) FROM message_edit") == 2

    async def test_may_be_corrected_as_before(self, hub: Hub, place: Place, reply: Reply) -> None:
        [request] = (await place(line("1", 3)))["stock_requests"]
        await reply(request, ("1", 3))
        await place(line("1", 2))

        assert (await answer(hub, request["id"], {"1": 1}, "wh-7-anna")).corrected == ("1",)

    async def test_of_a_paid_order_is_told_to_the_shop_alone(
        self, api: Api, place: Place, reply: Reply, book: Book
    ) -> None:
        [request] = (await place(line("1", 3)))["stock_requests"]
        await reply(request, ("1", 3))
        await tell(api, "paid")
        heard = await book.told()

        shown = await place(line("1", 2), status="paid")

        assert shown["status"] == "paid"
        assert len(await book.events("order.stock_confirmed")) == 2
        assert await book.told() == heard


async def test_an_answer_is_not_corrected_once_the_line_was_asked_for_anew(
    hub: Hub, api: Api, place: Place, reply: Reply, book: Book
) -> None:
    [first] = (await place(line("1", 2)))["stock_requests"]
    await reply(first, ("1", 2))
    again = (await place(line("1", 3)))["stock_requests"][1]
    await reply(again, ("1", 3), by="wh-7-boris")
    before, told = await get_order(api), await book.told()

    late = await answer(hub, first["id"], {"1": 0}, "wh-7-anna")

    assert late.closed == "changed"
    assert (await get_order(api))["revision"] == before["revision"]
    assert await book.told() == told


async def test_an_answer_about_a_line_that_was_taken_out_is_not_corrected(
    hub: Hub, api: Api, place: Place, reply: Reply, book: Book
) -> None:
    [request] = (await place(line("1", 2), line("2", 1)))["stock_requests"]
    await reply(request, ("1", 2), ("2", 1))
    await place(line("1", 2))
    told = await book.told()

    late = await answer(hub, request["id"], {"2": 0}, "wh-7-anna")

    assert late.too_late == ("2",)
    assert len(await book.events("order.stock_confirmed")) == 1
    assert await book.told() == told
    # What the order still has may be corrected.
    assert (await answer(hub, request["id"], {"1": 1}, "wh-7-anna")).corrected == ("1",)


async def test_a_new_title_asks_nobody(place: Place, reply: Reply, book: Book) -> None:
    [request] = (await place(line("1")))["stock_requests"]
    await reply(request, ("1", 2))
    heard = await book.told()

    shown = await place(line("1") | {"title": "Чайник новый", "price": "1.00"})

    assert shown["status"] == "confirmed"
    assert await book.told() == heard


async def test_an_open_question_changes_in_place(
    hub: Hub, place: Place, reply: Reply, book: Book
) -> None:
    [request] = (await place(line("1"), line("2")))["stock_requests"]
    await reply(request, ("1", 2))
    heard = len(await book.told())

    shown = await place(line("1", 3), line("3"))

    [same] = shown["stock_requests"]
    assert same["id"] == request["id"]
    assert [(row["id"], row["asked"], row["confirmed"]) for row in same["lines"]] == [
        ("1", 3, None),
        ("3", 2, None),
    ]
    assert len(await book.told()) == heard
    assert await hub.db.fetchval("SELECT count(*) FROM message_edit") == 2


@pytest.mark.parametrize(
    ("addresses", "channel"),
    [
        ({"telegram": None, "phone": None, "email": "anna@example.com"}, "email"),
        ({"telegram": None}, "sms"),
    ],
)
async def test_whose_message_cannot_be_changed_is_asked_for_more_goods_anew(
    api: Api, place: Place, reply: Reply, book: Book, addresses: dict[str, Any], channel: str
) -> None:
    changed = await api.put("/v1/contacts/wh-7-anna", {"addresses": addresses})
    assert changed.status == 200
    [request] = (await place(line("1", 2), line("2"), line("3")))["stock_requests"]
    await reply(request, ("2", 2))
    heard = len(await book.told())

    await place(line("1", 20), line("2"), line("3"))

    [again] = (await book.told())[heard:]
    assert (again.contact, again.template, again.channel) == ("wh-7-anna", "stock.request", channel)
    asked = [(row["id"], row["quantity"]) for row in again.data["order"]["lines"]]
    assert asked == [("1", 20), ("3", 2)]
    await place(line("1", 20), line("2"), line("3") | {"title": "Чашка"})
    assert len(await book.told()) == heard + 1


async def test_who_left_the_place_is_not_asked_for_more_goods(
    api: Api, place: Place, book: Book
) -> None:
    await api.put("/v1/contacts/wh-7-anna", {"addresses": {"telegram": None}})
    await place(line("1", 2))
    assert (await api.put("/v1/contacts/wh-7-anna", {"warehouses": []})).status == 200
    heard = len(await book.told())

    await place(line("1", 20))

    assert len(await book.told()) == heard


async def test_taking_out_what_was_open_completes_the_answer(
    api: Api, place: Place, reply: Reply, book: Book
) -> None:
    [request] = (await place(line("1"), line("2")))["stock_requests"]
    await reply(request, ("1", 2))

    shown = await place(line("1"))

    assert shown["status"] == "confirmed"
    assert shown["stock_requests"][0]["status"] == "answered"
    assert len(await book.events("order.stock_confirmed")) == 1


async def test_a_question_without_lines_is_closed(place: Place) -> None:
    await place(line("1"), line("2", warehouse="wh-8"))

    shown = await place(line("1"))

    assert [(r["status"], r["reason"]) for r in shown["stock_requests"]] == [
        ("open", ""),
        ("cancelled", "changed"),
    ]


async def test_of_a_paid_order_only_what_comes_to_it_is_asked_for(place: Place) -> None:
    shown = await place(line("1"), line("3"), line("4", 3), status="paid")
    assert shown["stock_requests"] == []

    shown = await place(line("1", 5), line("2"), line("3"), line("4", 1), status="paid")

    [request] = shown["stock_requests"]
    assert [(row["id"], row["asked"]) for row in request["lines"]] == [("1", 5), ("2", 2)]


async def test_of_an_order_that_is_paid_when_lines_come_nothing_is_asked(place: Place) -> None:
    [request] = (await place(line("1")))["stock_requests"]

    shown = await place(line("1"), line("2"), status="paid")

    assert [one["id"] for one in shown["stock_requests"]] == [request["id"]]
    assert shown["stock_requests"][0]["status"] == "cancelled"


async def test_a_group_chat_of_the_place_is_asked_like_a_storekeeper(
    hub: Hub, api: Api, place: Place
) -> None:
    await api.put("/v1/warehouses/wh-group", {"name": "Лесная"})
    shop = hub.shop("main")
    ids = await warehouses.ids(hub.db, shop.id, ["wh-group"])
    async with hub.db.acquire() as conn, conn.transaction():
        await warehouses.bind_chat(conn, shop.id, ids["wh-group"], Channel.TELEGRAM, "-100500")

    [request] = (await place(line("1", warehouse="wh-group")))["stock_requests"]

    value = await hub.db.fetchval(
        """
        SELECT a.value FROM stock_message AS m
          JOIN delivery AS d ON d.notification_id = m.notification_id
          JOIN address AS a ON a.id = d.address_id
         WHERE m.stock_request_id = $1
        """,
        UUID(request["id"]),
    )
    assert value == "-100500"
    member = Answerer(None, "Вася", "telegram:555")
    done = await service.answer(hub, shop, UUID(request["id"]), None, by=member, via=Via.TELEGRAM)
    assert done.complete
    [shown] = (await get_order(api))["stock_requests"]
    assert shown["lines"][0]["answered_by"] == "telegram:555"


async def test_every_answer_is_kept_with_what_was_seen(hub: Hub, place: Place) -> None:
    [request] = (await place(line("1")))["stock_requests"]
    await answer(hub, request["id"], {"1": 1}, "wh-7-anna")
    await answer(hub, request["id"], {"1": 2}, "wh-7-boris")

    rows = await hub.db.fetch("SELECT name, via, lines, seen, result FROM stock_answer ORDER BY id")

    assert [tuple(row) for row in rows] == [
        (
            "Анна Кладова",
            "telegram",
            {"1": 1},
            {"1": {"asked": 2, "confirmed": None}},
            {"accepted": ["1"]},
        ),
        (
            "Борис",
            "telegram",
            {"1": 2},
            {"1": {"asked": 2, "confirmed": 1}},
            {"already": ["1"]},
        ),
    ]


async def test_of_200_answers_at_once_each_question_takes_one(
    hub: Hub, api: Api, place: Place, book: Book
) -> None:
    requests = [
        (await place(line("1", 5), line("2", 5), id_=f"o-{i}"))["stock_requests"][0]["id"]
        for i in range(10)
    ]
    shop = hub.shop("main")

    async def press(request: str, person: int) -> Answered:
        by = Answerer(None, f"Кладовщик {person}", f"telegram:{person}")
        lines = {"1": person % 6, "2": 5 - person % 6}
        return await service.answer(hub, shop, UUID(request), lines, by=by, via=Via.TELEGRAM)

    answers = await asyncio.gather(*(press(r, p) for p in range(20) for r in requests))

    first = [done for done in answers if done.accepted]
    assert len(first) == 10
    assert all(done.accepted == ("1", "2") for done in first)
    assert all(len(done.already) == 2 for done in answers if not done.accepted)
    assert len(await book.events("order.stock_confirmed")) == 10
    for i in range(10):
        [request] = (await get_order(api, f"o-{i}"))["stock_requests"]
        one, two = request["lines"]
        assert one["answered_by"] == two["answered_by"]
        assert one["confirmed"] + two["confirmed"] == 5


async def test_a_person_that_is_erased_is_lost_to_orders_and_answers(
    hub: Hub, api: Api, place: Place, reply: Reply
) -> None:
    [request] = (await place(line("1"), line("2")))["stock_requests"]
    await reply(request, ("1", 2))

    for contact in ("buyer-42", "wh-7-anna", "seller-7"):
        assert (await api.delete(f"/v1/contacts/{contact}")).status == 204

    shown = await get_order(api)
    assert shown["buyer"] is None
    assert "address" not in shown["delivery"]
    assert [row["title"] for row in shown["lines"]] == ["Чайник 1", "Чайник 2"]
    row = shown["stock_requests"][0]["lines"][0]
    assert (row["confirmed"], row["answered_by"]) == (2, None)
    assert await hub.db.fetchval("SELECT count(*) FROM stock_answer WHERE name <> ''") == 0


async def test_an_export_holds_what_a_person_bought_and_answered(
    api: Api, place: Place, reply: Reply
) -> None:
    [request] = (await place(line("1")))["stock_requests"]
    await reply(request, ("1", 2))

    bought = (await api.get("/v1/contacts/buyer-42/export")).json["orders"]
    answered = (await api.get("/v1/contacts/wh-7-anna/export")).json["stock_answers"]

    assert [one["number"] for one in bought] == ["1001"]
    assert [one["lines"] for one in answered] == [{"1": 2}]


async def test_an_export_holds_what_a_person_packed_and_where_he_could_answer(
    hub: Hub, api: Api, place: Place, book: Book
) -> None:
    [request] = (await place(line("1")))["stock_requests"]
    packer = await book.id_of("wh-7-anna")
    asked = Asked(hub.shop("main").id, Kind.STOCK, UUID(request["id"]), packer)
    await links.answer_urls(hub, hub.db, [asked])
    [assembly] = (await tell(api, "paid"))["assemblies"]
    await service.assembled(
        hub,
        hub.shop("main"),
        UUID(assembly["id"]),
        by=Answerer(packer, "Анна Кладова"),
        via=Via.VK,
    )

    held = (await api.get("/v1/contacts/wh-7-anna/export")).json

    assert [(one["order"], one["via"]) for one in held["assemblies"]] == [("1001", "vk")]
    assert [(one["kind"], one["order"]) for one in held["answer_links"]] == [("stock", "1001")]


async def test_a_question_that_was_put_anew_takes_no_answer_to_the_older_one(
    hub: Hub, api: Api, place: Place
) -> None:
    [request] = (await place(line("1")))["stock_requests"]
    id_, shop = UUID(request["id"]), hub.shop("main")
    put_at = await hub.db.fetchval("SELECT clock_from FROM stock_request WHERE id = $1", id_)
    await place(line("1", 5))

    by = Answerer(None, "Анна", "telegram:71")
    done = await service.answer(hub, shop, id_, None, by=by, via=Via.SMS, put_at=put_at)

    assert done == Answered(closed="changed")
    assert (await get_order(api))["status"] == "awaiting_stock"
