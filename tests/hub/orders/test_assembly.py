"""Paid: the parcels are made ready."""

from typing import Any
from uuid import UUID

import pytest

from hub.orders import service, views
from hub.orders.buttons import parcel_tag
from hub.orders.model import Answerer, Assembled, Task, Via
from hub.resources import Hub
from hub.shops.keys import Scope
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, Reply, get_order, line, order, tell

pytestmark = pytest.mark.usefixtures("people", "webhook")

ANNA = Answerer(None, "Анна Кладова", "telegram:71")


async def pack(
    hub: Hub, assembly: str, by: Answerer = ANNA, *, seen: bytes | None = None
) -> Assembled:
    shop = hub.shop("main")
    return await service.assembled(hub, shop, UUID(assembly), by=by, via=Via.TELEGRAM, seen=seen)


async def task_of(hub: Hub, assembly: str) -> Task:
    task = await views.task(hub.db, hub.shop("main").id, UUID(assembly))
    assert task is not None
    return task


async def all_there(api: Api, reply: Reply, *, by: str = "wh-7-anna") -> dict[str, Any]:
    """The order after each open question was answered."""
    for request in (await get_order(api))["stock_requests"]:
        if request["status"] == "open":
            await reply(request, *((row["id"], row["asked"]) for row in request["lines"]), by=by)
    return await get_order(api)


async def edits(hub: Hub, assembly: str) -> int:
    """How many messages that ask for it are to be changed."""
    count: int = await hub.db.fetchval(
        """
        SELECT count(*) FROM message_edit AS e
          JOIN delivery AS d ON d.id = e.delivery_id
          JOIN notification AS n ON n.id = d.notification_id
         WHERE n.interaction ->> 'id' = $1
        """,
        assembly,
    )
    return count


async def packed(hub: Hub, assembly: str) -> list[tuple[str, int]]:
    """The lines of the parcel and how many of each."""
    task = await views.task(hub.db, hub.shop("main").id, UUID(assembly))
    assert task is not None
    return [(row.id, row.asked) for row in task.lines]


def statuses(shown: dict[str, Any]) -> list[str]:
    return [one["status"] for one in shown["assemblies"]]


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


async def test_labels_that_come_after_it_was_packed_reach_those_who_packed(
    hub: Hub, api: Api, place: Place
) -> None:
    [assembly] = (await place(line("1"), status="paid"))["assemblies"]
    await pack(hub, assembly["id"])
    await hub.db.execute("DELETE FROM message_edit")

    again = await tell(api, "assembled", labels_url="https://shop.example/l.pdf")

    assert again["ignored"] == "repeated"
    assert await edits(hub, assembly["id"]) == 2


async def test_labels_of_an_order_that_is_put_again_reach_them_too(hub: Hub, place: Place) -> None:
    [assembly] = (await place(line("1"), status="paid"))["assemblies"]
    await pack(hub, assembly["id"])
    await hub.db.execute("DELETE FROM message_edit")

    await place(line("1"), status="assembled", delivery={"tracking": "RA123"})
    assert await edits(hub, assembly["id"]) == 0
    await place(line("1"), status="assembled", labels_url="https://shop.example/l.pdf")
    assert await edits(hub, assembly["id"]) == 2


async def test_another_way_of_delivery_is_shown_to_those_who_pack(
    hub: Hub, api: Api, place: Place
) -> None:
    [assembly] = (await place(line("1"), status="paid"))["assemblies"]

    await tell(api, "paid", delivery={"carrier": "СДЭК"})

    assert await edits(hub, assembly["id"]) == 2


async def test_without_staff_the_seller_packs(place: Place, book: Book) -> None:
    await place(line("1", warehouse=None), status="paid")

    assert await book.who_heard("order.assemble") == ["seller-7"]


class TestAPaidOrderThatChanges:
    async def test_the_message_shows_what_is_packed_now(self, hub: Hub, place: Place) -> None:
        [assembly] = (await place(line("1", 5), status="paid"))["assemblies"]

        shown = await place(line("1", 2), status="paid")

        assert statuses(shown) == ["open"]
        assert await packed(hub, assembly["id"]) == [("1", 2)]
        assert await edits(hub, assembly["id"]) == 2

    async def test_the_same_once_more_changes_no_message(
        self, hub: Hub, place: Place, book: Book
    ) -> None:
        [assembly] = (await place(line("1"), status="paid"))["assemblies"]
        heard = await book.told()

        await place(line("1"), status="paid")

        assert await edits(hub, assembly["id"]) == 0
        assert await book.told() == heard

    async def test_paid_and_changed_at_once_there_is_nothing_to_correct(
        self, hub: Hub, place: Place
    ) -> None:
        await place(line("1", 2))

        [assembly] = (await place(line("1", 5), status="paid"))["assemblies"]

        assert await edits(hub, assembly["id"]) == 0

    async def test_what_comes_for_a_place_that_has_packed_is_packed_too(
        self, hub: Hub, api: Api, place: Place, reply: Reply
    ) -> None:
        elsewhere = line("9", warehouse="wh-8")
        first, second = (await place(line("1"), elsewhere, status="paid"))["assemblies"]
        await pack(hub, first["id"])

        await place(line("1"), line("2"), elsewhere, status="paid")
        shown = await all_there(api, reply)

        assert statuses(shown) == ["assembled", "open", "open"]
        new = shown["assemblies"][2]
        assert new["warehouse"] == {"external_id": "wh-7"}
        await pack(hub, second["id"])
        assert (await get_order(api))["status"] == "paid"
        await pack(hub, new["id"])
        assert (await get_order(api))["status"] == "assembled"

    @pytest.mark.parametrize(
        ("change", "asked"),
        [
            ({"quantity": 3}, True),
            ({"sku": "B-1"}, True),
            ({"quantity": 1}, True),
            ({"title": "Чайник новый", "price": "1.00"}, False),
        ],
    )
    async def test_whoever_has_packed_is_asked_only_where_the_goods_are_others(
        self,
        hub: Hub,
        api: Api,
        place: Place,
        reply: Reply,
        change: dict[str, Any],
        asked: bool,
    ) -> None:
        elsewhere = line("9", warehouse="wh-8")
        first, _ = (await place(line("1"), elsewhere, status="paid"))["assemblies"]
        await pack(hub, first["id"])

        await place(line("1") | change, elsewhere, status="paid")
        shown = await all_there(api, reply)

        assert (statuses(shown) == ["assembled", "open", "open"]) is asked

    async def test_a_place_that_has_nothing_left_holds_up_no_other(
        self, hub: Hub, api: Api, place: Place
    ) -> None:
        elsewhere = line("9", warehouse="wh-8")
        first, second = (await place(line("1"), elsewhere, status="paid"))["assemblies"]

        shown = await place(line("1"), status="paid")

        assert statuses(shown) == ["open", "cancelled"]
        assert await edits(hub, second["id"]) == 1
        await pack(hub, first["id"])
        assert (await get_order(api))["status"] == "assembled"

    async def test_where_the_others_have_packed_it_is_assembled_with_that(
        self, hub: Hub, place: Place, book: Book
    ) -> None:
        elsewhere = line("9", warehouse="wh-8")
        first, _ = (await place(line("1"), elsewhere, status="paid"))["assemblies"]
        await pack(hub, first["id"])

        shown = await place(line("1"), status="paid")

        assert shown["status"] == "assembled"
        assert len(await book.events("order.assembled")) == 1

    async def test_goods_that_come_back_are_asked_for_anew(
        self, api: Api, place: Place, reply: Reply
    ) -> None:
        elsewhere = line("9", warehouse="wh-8")
        await place(line("1"), elsewhere, status="paid")
        await place(line("1"), status="paid")

        await place(line("1"), elsewhere, status="paid")
        shown = await all_there(api, reply, by="seller-7")

        assert statuses(shown) == ["open", "cancelled", "open"]

    async def test_asked_by_letter_one_hears_of_it_by_another(
        self, api: Api, place: Place, reply: Reply, book: Book
    ) -> None:
        def mine(quantity: int) -> dict[str, Any]:
            return line("9", quantity, seller="seller-8", warehouse=None)

        await place(line("1"), mine(2), status="paid")

        await place(line("1"), mine(3), status="paid")
        await all_there(api, reply, by="seller-8")
        assert await heard_of(book, "seller-8") == [2, 3]
        await place(line("1"), mine(3) | {"title": "Чайник новый"}, status="paid")
        assert await heard_of(book, "seller-8") == [2, 3]
        await place(line("1"), mine(1) | {"title": "Чайник новый"}, status="paid")
        assert await heard_of(book, "seller-8") == [2, 3, 1]
        await place(line("1"), status="paid")
        assert await heard_of(book, "seller-8") == [2, 3, 1]
        assert await book.who_heard("stock.put_back") == ["seller-8"]


class TestGoodsThatComeToAPaidOrder:
    ELSEWHERE = line("9", warehouse="wh-8")

    @pytest.fixture
    async def paid(self, api: Api, webhook: None, place: Place, reply: Reply) -> dict[str, Any]:
        """Asked for, answered and paid; nobody has packed yet."""
        [request] = (await place(line("1")))["stock_requests"]
        await reply(request, ("1", 2))
        return await tell(api, "paid")

    async def test_are_asked_for_and_packed_as_many_as_there_are(
        self,
        hub: Hub,
        api: Api,
        place: Place,
        reply: Reply,
        book: Book,
        paid: dict[str, Any],
    ) -> None:
        [assembly] = paid["assemblies"]

        shown = await place(line("1"), line("2", 3), status="paid")

        asked = shown["stock_requests"][-1]
        assert [(row["id"], row["asked"]) for row in asked["lines"]] == [("2", 3)]
        assert (shown["status"], statuses(shown)) == ("paid", ["open"])
        assert await packed(hub, assembly["id"]) == [("1", 2)]
        assert (await task_of(hub, assembly["id"])).asks
        # It says that more is asked for.
        assert await edits(hub, assembly["id"]) == 2
        await hub.db.execute("DELETE FROM message_edit")

        await reply(asked, ("2", 1))

        assert statuses(await get_order(api)) == ["open"]
        assert await packed(hub, assembly["id"]) == [("1", 2), ("2", 1)]
        assert not (await task_of(hub, assembly["id"])).asks
        assert await edits(hub, assembly["id"]) == 2
        told = (await book.events("order.stock_confirmed"))[-1]
        assert [(row["id"], row["confirmed"]) for row in told["lines"]] == [("1", 2), ("2", 1)]

    async def test_all_of_which_wait_are_not_packed_before_the_answer(
        self, hub: Hub, api: Api, place: Place, reply: Reply, paid: dict[str, Any]
    ) -> None:
        [assembly] = paid["assemblies"]

        shown = await place(line("1", 5), status="paid")

        assert statuses(shown) == ["open"]
        assert (await task_of(hub, assembly["id"])).waits
        assert (await pack(hub, assembly["id"])).closed == "changed"
        await reply(shown["stock_requests"][-1], ("1", 4))
        assert await packed(hub, assembly["id"]) == [("1", 4)]
        assert (await pack(hub, assembly["id"])).first
        assert (await get_order(api))["status"] == "assembled"

    async def test_that_are_not_there_at_all_leave_nothing_to_pack(
        self, hub: Hub, api: Api, place: Place, reply: Reply, book: Book, paid: dict[str, Any]
    ) -> None:
        [assembly] = paid["assemblies"]
        shown = await place(line("1", 5), status="paid")

        await reply(shown["stock_requests"][-1], ("1", 0))

        assert statuses(await get_order(api)) == ["cancelled"]
        assert await book.who_heard("stock.put_back") == ["wh-7-anna", "wh-7-boris"]
        assert (await task_of(hub, assembly["id"])).reason == "changed"

    async def test_hold_up_the_order_until_they_are_answered(
        self, hub: Hub, api: Api, place: Place, reply: Reply, book: Book, paid: dict[str, Any]
    ) -> None:
        shown = await place(line("1"), self.ELSEWHERE, status="paid")
        await pack(hub, paid["assemblies"][0]["id"])
        assert (await get_order(api))["status"] == "paid"

        await reply(shown["stock_requests"][-1], ("9", 0), by="seller-7")

        assert (await get_order(api))["status"] == "assembled"
        assert len(await book.events("order.assembled")) == 1

    async def test_for_a_place_that_has_packed_are_put_into_the_parcel(
        self, hub: Hub, api: Api, place: Place, reply: Reply, paid: dict[str, Any]
    ) -> None:
        shown = await place(line("1"), line("2"), status="paid")
        await pack(hub, paid["assemblies"][0]["id"])
        assert (await get_order(api))["status"] == "paid"

        await reply(shown["stock_requests"][-1], ("2", 2))

        shown = await get_order(api)
        assert (shown["status"], statuses(shown)) == ("paid", ["assembled", "open"])
        task = await task_of(hub, shown["assemblies"][1]["id"])
        assert [(one.line_id, one.was, one.now) for one in task.changes] == [("2", 0, 2)]
        await pack(hub, shown["assemblies"][1]["id"])
        assert (await get_order(api))["status"] == "assembled"

    @pytest.mark.usefixtures("paid")
    async def test_that_go_again_are_asked_for_no_more(self, place: Place) -> None:
        await place(line("1"), line("2"), status="paid")

        shown = await place(line("1"), status="paid")

        assert shown["stock_requests"][-1]["status"] == "cancelled"
        assert statuses(shown) == ["open"]

    @pytest.mark.usefixtures("paid")
    async def test_are_not_asked_for_any_more_once_the_shop_has_sent_it(
        self, api: Api, place: Place
    ) -> None:
        await place(line("1"), line("2"), status="paid")

        shown = await tell(api, "shipped")

        assert shown["stock_requests"][-1]["status"] == "cancelled"
        assert statuses(shown) == ["assembled"]

    async def test_less_of_them_is_asked_of_nobody(
        self, hub: Hub, place: Place, paid: dict[str, Any]
    ) -> None:
        shown = await place(line("1", 1), status="paid")

        assert len(shown["stock_requests"]) == 1
        assert await packed(hub, paid["assemblies"][0]["id"]) == [("1", 1)]


class TestAPlaceFromWhichNothingComesAnyMore:
    ELSEWHERE = line("9", warehouse="wh-8")

    async def test_that_was_to_pack_is_told_not_to(self, place: Place, book: Book) -> None:
        await place(line("1", 3), self.ELSEWHERE, status="paid")

        await place(self.ELSEWHERE, status="paid")

        assert await book.who_heard("stock.put_back") == ["wh-7-anna", "wh-7-boris"]
        told = (await book.told())[-1]
        assert [(row["title"], row["quantity"]) for row in told.data["order"]["lines"]] == [
            ("Чайник 1", 3)
        ]

    async def test_that_has_packed_is_told_to_put_it_back(
        self, hub: Hub, place: Place, book: Book
    ) -> None:
        shown = await place(line("1", 3), self.ELSEWHERE, status="paid")
        first = shown["assemblies"][0]
        await pack(hub, first["id"])
        await hub.db.execute("DELETE FROM message_edit")

        shown = await place(self.ELSEWHERE, status="paid")

        assert statuses(shown) == ["cancelled", "open"]
        assert await book.who_heard("stock.put_back") == ["wh-7-anna", "wh-7-boris"]
        assert await edits(hub, first["id"]) == 2
        assert (await task_of(hub, first["id"])).reason == "changed"
        # Once is enough.
        await place(self.ELSEWHERE | {"title": "Чашка"}, status="paid")
        assert len(await book.who_heard("stock.put_back")) == 2

    async def test_is_told_also_of_an_order_that_is_packed(
        self, hub: Hub, api: Api, place: Place, book: Book
    ) -> None:
        for one in (await place(line("1"), self.ELSEWHERE, status="paid"))["assemblies"]:
            await pack(hub, one["id"])
        assert (await get_order(api))["status"] == "assembled"

        shown = await place(self.ELSEWHERE, status="assembled")

        assert (shown["status"], statuses(shown)) == ("assembled", ["cancelled", "assembled"])
        assert await book.who_heard("stock.put_back") == ["wh-7-anna", "wh-7-boris"]

    async def test_packs_from_the_beginning_what_comes_back(
        self, hub: Hub, api: Api, place: Place, reply: Reply
    ) -> None:
        shown = await place(line("1"), self.ELSEWHERE, status="paid")
        await pack(hub, shown["assemblies"][0]["id"])
        await place(self.ELSEWHERE, status="paid")

        await place(line("1"), self.ELSEWHERE, status="paid")
        shown = await all_there(api, reply)

        assert statuses(shown) == ["cancelled", "open", "open"]
        assert not (await task_of(hub, shown["assemblies"][2]["id"])).again

    async def test_whose_new_goods_are_not_there_puts_the_old_ones_back(
        self, hub: Hub, api: Api, place: Place, reply: Reply, book: Book
    ) -> None:
        shown = await place(line("1"), self.ELSEWHERE, status="paid")
        await pack(hub, shown["assemblies"][0]["id"])

        shown = await place(line("2"), self.ELSEWHERE, status="paid")
        assert await book.who_heard("stock.put_back") == []
        await reply(shown["stock_requests"][-1], ("2", 0))

        assert await book.who_heard("stock.put_back") == ["wh-7-anna", "wh-7-boris"]
        told = (await book.told())[-1]
        assert [row["title"] for row in told.data["order"]["lines"]] == ["Чайник 1"]

    async def test_tells_nobody_who_has_left_it(self, api: Api, place: Place, book: Book) -> None:
        await place(line("1"), self.ELSEWHERE, status="paid")
        await api.put("/v1/contacts/wh-7-anna", {"warehouses": []})

        await place(self.ELSEWHERE, status="paid")

        assert await book.who_heard("stock.put_back") == ["wh-7-boris"]


class TestWhatWasPackedIsWhatWasShown:
    async def test_of_an_order_that_changed_since_it_is_not_taken(
        self, hub: Hub, api: Api, place: Place
    ) -> None:
        [assembly] = (await place(line("1", 3), status="paid"))["assemblies"]
        seen = parcel_tag((await task_of(hub, assembly["id"])).lines)
        await place(line("1", 1), status="paid")

        late = await pack(hub, assembly["id"], seen=seen)

        assert (late.first, late.closed) == (False, "changed")
        assert (await get_order(api))["status"] == "paid"
        seen = parcel_tag((await task_of(hub, assembly["id"])).lines)
        assert (await pack(hub, assembly["id"], seen=seen)).first

    async def test_another_title_is_no_other_parcel(self, hub: Hub, place: Place) -> None:
        [assembly] = (await place(line("1", 3), status="paid"))["assemblies"]
        seen = parcel_tag((await task_of(hub, assembly["id"])).lines)
        await place(line("1", 3) | {"title": "Чайник новый"}, status="paid")

        assert (await pack(hub, assembly["id"], seen=seen)).first


class TestAPlaceThatHasPackedAndIsToSendLess:
    ELSEWHERE = line("9", warehouse="wh-8")

    async def test_is_told_what_to_take_out_and_asked_once_more(
        self, hub: Hub, place: Place, book: Book
    ) -> None:
        shown = await place(line("1", 3), line("2"), self.ELSEWHERE, status="paid")
        await pack(hub, shown["assemblies"][0]["id"])

        shown = await place(line("1", 1), self.ELSEWHERE, status="paid")

        assert statuses(shown) == ["assembled", "open", "open"]
        anew = shown["assemblies"][2]
        assert anew["warehouse"] == {"external_id": "wh-7"}
        assert await book.who_heard("order.reassemble") == ["wh-7-anna", "wh-7-boris"]
        task = await views.task(hub.db, hub.shop("main").id, UUID(anew["id"]))
        assert task is not None
        assert task.again
        assert [(one.title, one.was, one.now) for one in task.changes] == [
            ("Чайник 2", 2, 0),
            ("Чайник 1", 3, 1),
        ]

    async def test_counts_as_not_packed_until_it_says_so(
        self, hub: Hub, api: Api, place: Place, book: Book
    ) -> None:
        shown = await place(line("1", 3), self.ELSEWHERE, status="paid")
        first, second = shown["assemblies"]
        await pack(hub, first["id"])
        anew = (await place(line("1", 1), self.ELSEWHERE, status="paid"))["assemblies"][2]

        await pack(hub, second["id"])
        assert (await get_order(api))["status"] == "paid"
        assert (await pack(hub, anew["id"])).first

        assert (await get_order(api))["status"] == "assembled"
        assert len(await book.events("order.assembled")) == 1

    async def test_an_assembled_order_keeps_its_status_and_is_ready_once_more(
        self, hub: Hub, api: Api, place: Place, book: Book
    ) -> None:
        [first] = (await place(line("1", 3), line("2"), status="paid"))["assemblies"]
        await pack(hub, first["id"])
        heard = await book.who_heard("order.assembled")

        shown = await place(line("1", 3), status="assembled")

        assert (shown["status"], statuses(shown)) == ("assembled", ["assembled", "open"])
        assert shown["stock_requests"] == []
        await pack(hub, shown["assemblies"][1]["id"])
        shown = await get_order(api)
        assert (shown["status"], statuses(shown)) == ("assembled", ["assembled", "assembled"])
        assert [change["status"] for change in shown["history"]] == ["paid", "assembled"]
        assert len(await book.events("order.assembled")) == 2
        assert await book.who_heard("order.assembled") == heard

    async def test_what_changes_meanwhile_is_measured_by_what_was_packed(
        self, hub: Hub, place: Place
    ) -> None:
        [first] = (await place(line("1", 5), status="paid"))["assemblies"]
        await pack(hub, first["id"])
        anew = (await place(line("1", 4), status="assembled"))["assemblies"][1]

        shown = await place(line("1", 3), status="assembled")

        assert statuses(shown) == ["assembled", "open"]
        assert await edits(hub, anew["id"]) == 2
        task = await views.task(hub.db, hub.shop("main").id, UUID(anew["id"]))
        assert task is not None
        assert [(one.was, one.now) for one in task.changes] == [(5, 3)]

    async def test_is_left_alone_once_the_order_is_as_it_was(self, hub: Hub, place: Place) -> None:
        [first] = (await place(line("1", 5), status="paid"))["assemblies"]
        await pack(hub, first["id"])
        await place(line("1", 4), status="assembled")

        shown = await place(line("1", 5), status="assembled")

        assert statuses(shown) == ["assembled", "cancelled"]

    async def test_hears_of_it_by_letter_too(self, hub: Hub, place: Place, book: Book) -> None:
        def mine(quantity: int) -> dict[str, Any]:
            return line("9", quantity, seller="seller-8", warehouse=None)

        [first] = (await place(mine(3), status="paid"))["assemblies"]
        await pack(hub, first["id"])

        await place(mine(2), status="assembled")
        await place(mine(1), status="assembled")

        assert await book.who_heard("order.reassemble") == ["seller-8", "seller-8"]
        assert await heard_of(book, "seller-8") == [3, 2, 1]

    async def test_is_asked_nothing_once_the_parcel_has_left(
        self, hub: Hub, api: Api, place: Place
    ) -> None:
        [first] = (await place(line("1", 3), status="paid"))["assemblies"]
        await pack(hub, first["id"])
        await tell(api, "shipped")

        assert statuses(await place(line("1", 1), status="shipped")) == ["assembled"]

    async def test_is_asked_nothing_by_the_word_that_it_is_packed(
        self, hub: Hub, place: Place
    ) -> None:
        await place(line("1", 3), status="paid")

        shown = await place(line("1", 1), status="assembled")

        assert statuses(shown) == ["assembled"]
        assert await packed(hub, shown["assemblies"][0]["id"]) == [("1", 1)]

    async def test_that_packed_before_this_was_written_down_is_asked_too(
        self, hub: Hub, place: Place
    ) -> None:
        [first] = (await place(line("1", 3), status="paid"))["assemblies"]
        await pack(hub, first["id"])
        await hub.db.execute("UPDATE assembly SET packed = NULL")

        shown = await place(line("1", 3), status="assembled")
        assert statuses(shown) == ["assembled"]
        shown = await place(line("1", 2), status="assembled")

        assert statuses(shown) == ["assembled", "open"]

    async def test_is_not_asked_of_an_order_that_came_packed(self, place: Place) -> None:
        await place(line("1", 3), status="assembled")

        assert statuses(await place(line("1", 2), status="assembled")) == []


class TestGoodsThatComeToAnAssembledOrder:
    @pytest.fixture
    async def assembled(
        self, hub: Hub, api: Api, webhook: None, place: Place, reply: Reply
    ) -> dict[str, Any]:
        """Asked for, paid and packed."""
        [request] = (await place(line("1")))["stock_requests"]
        await reply(request, ("1", 2))
        [assembly] = (await tell(api, "paid"))["assemblies"]
        await pack(hub, assembly["id"])
        shown = await get_order(api)
        assert shown["status"] == "assembled"
        return shown

    async def test_are_asked_for_at_the_shelf(
        self, assembled: dict[str, Any], place: Place, book: Book
    ) -> None:
        heard = await book.told()

        shown = await place(line("1"), line("2", 3), status="assembled")

        asked = shown["stock_requests"][-1]
        assert [(row["id"], row["asked"]) for row in asked["lines"]] == [("2", 3)]
        assert asked["status"] == "open"
        assert shown["status"] == "assembled"
        assert shown["history"] == assembled["history"]
        assert statuses(shown) == ["assembled"]
        new = (await book.told())[len(heard) :]
        assert [(one.contact, one.template) for one in new] == [
            ("wh-7-anna", "stock.request"),
            ("wh-7-boris", "stock.request"),
        ]

    @pytest.mark.usefixtures("assembled")
    async def test_are_packed_as_many_as_there_are(
        self, hub: Hub, api: Api, place: Place, reply: Reply, book: Book
    ) -> None:
        shown = await place(line("1"), line("2", 3), status="assembled")

        await reply(shown["stock_requests"][-1], ("2", 1))

        shown = await get_order(api)
        assert (shown["status"], statuses(shown)) == ("assembled", ["assembled", "open"])
        anew = shown["assemblies"][-1]
        assert await packed(hub, anew["id"]) == [("1", 2), ("2", 1)]
        told = (await book.events("order.stock_confirmed"))[-1]
        assert told["revision"] == 2
        assert [(row["id"], row["confirmed"]) for row in told["lines"]] == [("1", 2), ("2", 1)]
        await pack(hub, anew["id"])
        assert len(await book.events("order.assembled")) == 2

    @pytest.mark.usefixtures("assembled")
    async def test_that_are_not_there_change_no_parcel(
        self, api: Api, place: Place, reply: Reply
    ) -> None:
        shown = await place(line("1"), line("2"), status="assembled")

        await reply(shown["stock_requests"][-1], ("2", 0))

        assert statuses(await get_order(api)) == ["assembled"]

    @pytest.mark.usefixtures("assembled")
    async def test_more_of_a_line_is_asked_for_and_what_is_packed_stays_until_then(
        self, hub: Hub, api: Api, place: Place, reply: Reply
    ) -> None:
        shown = await place(line("1", 5), status="assembled")

        assert statuses(shown) == ["assembled"]
        asked = shown["stock_requests"][-1]
        assert [(row["id"], row["asked"]) for row in asked["lines"]] == [("1", 5)]
        await reply(asked, ("1", 4))
        shown = await get_order(api)
        assert statuses(shown) == ["assembled", "open"]
        assert await packed(hub, shown["assemblies"][-1]["id"]) == [("1", 4)]

    async def test_do_not_hold_up_what_is_to_be_taken_out(
        self, hub: Hub, api: Api, place: Place, reply: Reply
    ) -> None:
        [request] = (await place(line("1", 3), line("2")))["stock_requests"]
        await reply(request, ("1", 3), ("2", 2))
        [first] = (await tell(api, "paid"))["assemblies"]
        await pack(hub, first["id"])

        shown = await place(line("1", 1), line("2", 4), line("3"), status="assembled")

        asked, anew = shown["stock_requests"][-1], shown["assemblies"][-1]
        assert [(row["id"], row["asked"]) for row in asked["lines"]] == [("2", 4), ("3", 2)]
        assert statuses(shown) == ["assembled", "open"]
        assert await packed(hub, anew["id"]) == [("1", 1), ("2", 2)]
        await hub.db.execute("DELETE FROM message_edit")
        await reply(asked, ("2", 4), ("3", 2))
        assert statuses(await get_order(api)) == ["assembled", "open"]
        assert await packed(hub, anew["id"]) == [("1", 1), ("2", 4), ("3", 2)]
        assert await edits(hub, anew["id"]) == 2

    @pytest.mark.usefixtures("assembled")
    async def test_that_go_again_are_asked_for_no_more(self, place: Place) -> None:
        await place(line("1"), line("2"), status="assembled")

        shown = await place(line("1"), status="assembled")

        asked = shown["stock_requests"][-1]
        assert (asked["status"], asked["reason"]) == ("cancelled", "changed")
        assert statuses(shown) == ["assembled"]

    @pytest.mark.usefixtures("assembled")
    async def test_some_of_which_go_again_leave_what_was_answered(
        self, hub: Hub, api: Api, place: Place, reply: Reply, book: Book
    ) -> None:
        shown = await place(line("1"), line("2"), line("3"), status="assembled")
        await reply(shown["stock_requests"][-1], ("2", 2))
        assert statuses(await get_order(api)) == ["assembled"]

        shown = await place(line("1"), line("2"), status="assembled")

        assert shown["stock_requests"][-1]["status"] == "answered"
        assert statuses(shown) == ["assembled", "open"]
        assert await packed(hub, shown["assemblies"][-1]["id"]) == [("1", 2), ("2", 2)]
        assert len(await book.events("order.stock_confirmed")) == 2

    @pytest.mark.usefixtures("assembled")
    async def test_of_another_place_are_asked_for_there(
        self, api: Api, place: Place, reply: Reply
    ) -> None:
        shown = await place(line("1"), line("2", warehouse="wh-8"), status="assembled")

        asked = shown["stock_requests"][-1]
        assert asked["warehouse"] == "wh-8"
        await reply(asked, ("2", 2), by="seller-7")
        shown = await get_order(api)
        assert statuses(shown) == ["assembled", "open"]
        assert shown["assemblies"][-1]["warehouse"] == {"external_id": "wh-8"}

    @pytest.mark.usefixtures("assembled")
    @pytest.mark.parametrize("status", ["shipped", "in_city", "delivered"])
    async def test_after_the_parcel_has_left_are_asked_for_no_more(
        self, api: Api, place: Place, status: str
    ) -> None:
        shown = await place(line("1"), line("2"), status="assembled")
        assert shown["stock_requests"][-1]["status"] == "open"
        shown = await tell(api, status)
        assert shown["stock_requests"][-1]["status"] == "cancelled"

        later = await place(line("1"), line("2"), line("3"), status=status)

        assert len(later["stock_requests"]) == len(shown["stock_requests"])
        assert statuses(later) == ["assembled"]

    async def test_are_asked_for_although_it_was_paid_at_once(self, hub: Hub, place: Place) -> None:
        [first] = (await place(line("1"), status="paid"))["assemblies"]
        await pack(hub, first["id"])

        [asked] = (await place(line("1"), line("2"), status="paid"))["stock_requests"]

        assert [row["id"] for row in asked["lines"]] == ["2"]

    async def test_are_asked_for_once_although_it_came_packed(self, place: Place) -> None:
        await place(line("1"), status="assembled")

        await place(line("1"), line("2"), status="assembled")
        shown = await place(line("1"), line("2"), status="assembled")

        assert [[row["id"] for row in r["lines"]] for r in shown["stock_requests"]] == [["2"]]

    async def test_are_packed_at_once_in_a_shop_that_asks_nobody(
        self, hub: Hub, url: str, key_for: Any
    ) -> None:
        async with Api(url, await key_for(Scope.ADMIN, shop="quiet")) as api:
            await api.put("/v1/contacts/s", {"role": "seller", "addresses": {"telegram": "5"}})

            async def put(*ids: str, status: str) -> dict[str, Any]:
                lines = [line(id_, seller="s", warehouse=None) for id_ in ids]
                body = order(*lines, buyer=None, status=status)
                found: dict[str, Any] = (await api.put("/v1/orders/1", body)).json
                return found

            [first] = (await put("1", status="paid"))["assemblies"]
            by = Answerer(None, "Анна", "telegram:71")
            await service.assembled(
                hub, hub.shop("quiet"), UUID(first["id"]), by=by, via=Via.TELEGRAM
            )

            shown = await put("1", "2", status="assembled")

        assert (statuses(shown), shown["stock_requests"]) == (["assembled", "open"], [])


async def heard_of(book: Book, contact: str) -> list[int | None]:
    """How many pieces of the first line, by each message that asked to pack; None: there was no line."""
    asked = [one for one in await book.told() if (one.contact, one.kind) == (contact, "assembly")]
    lines = [one.data["order"]["lines"] for one in asked]
    return [one[0]["quantity"] if one else None for one in lines]
