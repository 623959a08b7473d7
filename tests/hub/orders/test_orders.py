"""Orders as a shop puts, moves on and reads them."""

import asyncio
from typing import Any

import pytest

from hub.shops.keys import Scope
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, get_order, line, order, tell

pytestmark = pytest.mark.usefixtures("people")


def statuses(shown: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(change["status"], change["late"]) for change in shown["history"]]


async def test_a_placed_order_waits_for_the_shelf_at_once(api: Api) -> None:
    answer = await api.put("/v1/orders/1001", order())

    assert answer.status == 201
    shown = answer.json
    assert shown == await get_order(api)
    assert shown["status"] == "awaiting_stock"
    assert statuses(shown) == [("placed", False), ("awaiting_stock", False)]
    assert shown["total"] == "4990.00"
    assert shown["lines"][0] == line("1") | {"image_url": None, "confirmed": None}
    [request] = shown["stock_requests"]
    assert request["status"] == "open"
    assert [(row["id"], row["asked"], row["confirmed"]) for row in request["lines"]] == [
        ("1", 2, None),
        ("2", 1, None),
    ]


async def test_the_same_order_again_is_200_and_changes_nothing(api: Api, book: Book) -> None:
    first = (await api.put("/v1/orders/1001", order())).json
    heard = await book.told()

    answer = await api.put("/v1/orders/1001", order())

    assert answer.status == 200
    assert answer.json | {"updated_at": ""} == first | {"updated_at": ""}
    assert await book.told() == heard


async def test_a_warehouse_that_is_not_known_is_made(api: Api) -> None:
    await api.put("/v1/orders/1001", order(line("1", warehouse="wh-new")))

    assert (await api.get("/v1/warehouses/wh-new")).status == 200


async def test_unknown_people_are_422_with_every_place(api: Api) -> None:
    body = order(
        line("1", seller="nobody"), line("2", seller="buyer-42"), buyer={"external_id": "ghost"}
    )

    answer = await api.put("/v1/orders/1001", body)

    assert answer.status == 422
    assert answer.pointers == [
        "/lines/0/seller/external_id",
        "/lines/1/seller/external_id",
        "/buyer/external_id",
    ]
    assert (await api.get("/v1/orders/1001")).status == 404


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"status": "lost"}, "/status"),
        ({"currency": "RUR1"}, "/currency"),
        ({"currency": "XYZ"}, "/currency"),
        ({"total": 4990.0}, "/total"),
        ({"total": "-1"}, "/total"),
        ({"total": "1e3"}, "/total"),
        ({"lines": []}, "/lines"),
        ({"lines": [line("1"), line("1")]}, "/lines"),
        ({"lines": [line("1") | {"quantity": 0}]}, "/lines/0/quantity"),
        ({"lines": [line("1") | {"price": "1.23456"}]}, "/lines/0/price"),
        ({"lines": [line("1") | {"image_url": "ftp://x"}]}, "/lines/0/image_url"),
        ({"lines": [line("1") | {"image_url": "http://10.0.0.1/a.jpg"}]}, "/lines/0/image_url"),
        ({"labels_url": "http://localhost/labels"}, "/labels_url"),
        ({"colour": "red"}, "/colour"),
        ({"number": ""}, "/number"),
    ],
)
async def test_what_the_request_shows_to_be_wrong_is_400(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    answer = await api.put("/v1/orders/1001", order() | change)

    assert answer.status == 400
    assert answer.pointers == [pointer]


async def test_a_late_status_is_kept_changes_nothing_and_tells_nobody(
    api: Api, place: Place, book: Book
) -> None:
    await place(status="paid")
    heard = await book.told()

    late = await tell(api, "placed")

    assert late["status"] == "paid"
    assert late["ignored"] == "late"
    assert late["history"][-1] | {"at": ""} == {
        "status": "placed",
        "at": "",
        "source": "api",
        "late": True,
        "reason": "the order is paid already",
    }
    assert await book.told() == heard


async def test_a_late_status_repeated_leaves_no_trace(api: Api, place: Place) -> None:
    await place(status="paid")
    await tell(api, "placed")

    again = await tell(api, "placed")

    assert again["ignored"] == "repeated"
    assert statuses(again) == [("paid", False), ("placed", True)]


async def test_after_a_late_status_the_shop_still_has_decided(
    api: Api, place: Place, book: Book
) -> None:
    await place(line("1"))
    await tell(api, "confirmed")
    heard = await book.told()

    shown = await place(line("1"), line("2"), status="placed")

    assert shown["status"] == "confirmed"
    assert [one["status"] for one in shown["stock_requests"]] == ["cancelled"]
    assert (await tell(api, "confirmed"))["ignored"] == "repeated"
    assert await book.told() == heard


async def test_a_repeated_status_leaves_no_trace(api: Api, place: Place) -> None:
    await place(status="paid")

    again = await tell(api, "paid")

    assert again["ignored"] == "repeated"
    assert statuses(again) == [("paid", False)]


async def test_placed_again_while_the_shelf_is_asked_is_a_repeat(api: Api, place: Place) -> None:
    await place()

    again = await tell(api, "placed")

    assert again["ignored"] == "repeated"
    assert again["status"] == "awaiting_stock"


async def test_each_status_may_be_skipped_to(api: Api, place: Place) -> None:
    await place(status="confirmed")

    shown = await tell(api, "delivered")

    assert shown["status"] == "delivered"
    assert (await tell(api, "shipped"))["ignored"] == "late"
    assert (await tell(api, "cancelled"))["status"] == "cancelled"


async def test_a_status_brings_delivery_and_labels_along(api: Api, place: Place) -> None:
    await place(status="paid")

    shown = await tell(
        api,
        "shipped",
        delivery={"tracking": "RA123", "carrier": None},
        labels_url="https://shop.example/l.pdf",
    )

    assert shown["delivery"] == {"method": "pickup", "address": "Лесная, 5", "tracking": "RA123"}
    assert shown["labels_url"] == "https://shop.example/l.pdf"


async def test_the_buyer_hears_the_new_status_with_what_is_known(
    api: Api, place: Place, book: Book
) -> None:
    await place(status="paid")

    await tell(api, "shipped", delivery={"tracking": "RA123"})

    told = (await book.told())[-1]
    assert (told.contact, told.template, told.kind) == ("buyer-42", "order.shipped", None)
    assert told.data["order"]["tracking"] == "RA123"
    assert told.data["order"]["total"] == "4990.00"


async def test_only_the_buyer_is_told_where_he_gets_it_and_what_it_costs(
    api: Api, place: Place, book: Book
) -> None:
    await place(line("1"), line("2", seller="seller-8", warehouse=None), status="confirmed")

    await tell(api, "cancelled", reason="передумал")

    told = [one for one in await book.told() if one.template == "order.cancelled"]
    by = {one.contact: one.data["order"] for one in told}
    assert set(by) == {"buyer-42", "seller-7", "seller-8", "wh-7-anna", "wh-7-boris"}
    assert by["buyer-42"]["delivery"]["address"] == "Лесная, 5"
    assert all("address" not in by[who]["delivery"] for who in by if who != "buyer-42")
    assert [row["id"] for row in by["seller-8"]["lines"]] == ["2"]
    assert "total" not in by["seller-8"]
    assert by["wh-7-anna"]["reason"] == "передумал"


async def test_a_shop_that_asks_nobody_leaves_the_order_placed(
    hub: Any, url: str, key_for: Any
) -> None:
    async with Api(url, await key_for(Scope.ADMIN, shop="quiet")) as api:
        await api.put("/v1/contacts/s", {"role": "seller", "addresses": {"telegram": "5"}})

        shown = (
            await api.put("/v1/orders/1", order(line("1", seller="s", warehouse=None), buyer=None))
        ).json

        assert (shown["status"], shown["stock_requests"]) == ("placed", [])
        assert (await tell(api, "awaiting_stock", "1"))["stock_requests"]


async def test_what_a_put_leaves_out_stays_and_null_clears(api: Api, place: Place) -> None:
    await place(labels_url="https://shop.example/l.pdf")

    await api.put(
        "/v1/orders/1001",
        {"number": "1001-b", "lines": [line("1"), line("2", 1)], "buyer": None},
    )

    shown = await get_order(api)
    assert (shown["number"], shown["buyer"]) == ("1001-b", None)
    assert shown["labels_url"] == "https://shop.example/l.pdf"
    assert shown["delivery"]["method"] == "pickup"
    assert shown["status"] == "awaiting_stock"


@pytest.mark.parametrize("by_status", [False, True])
async def test_a_delivery_of_null_is_cleared_like_everything_else(
    api: Api, place: Place, *, by_status: bool
) -> None:
    await place()

    if by_status:
        await api.post("/v1/orders/1001/status", {"status": "confirmed", "delivery": None})
    else:
        await api.put("/v1/orders/1001", order() | {"delivery": None})

    assert (await get_order(api))["delivery"] == {}


async def test_of_two_that_place_the_same_order_one_makes_it(api: Api, book: Book) -> None:
    answers = await asyncio.gather(*(api.put("/v1/orders/1001", order()) for _ in range(8)))

    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len((await get_order(api))["stock_requests"]) == 1
    assert await book.who_heard("stock.request") == ["wh-7-anna", "wh-7-boris"]


async def test_orders_are_listed_newest_first_by_status_and_buyer(api: Api, place: Place) -> None:
    await place(id_="a")
    await place(id_="b", status="paid")
    await place(id_="c", status="paid", buyer=None)

    async def ids(query: str) -> list[str]:
        return [item["external_id"] for item in (await api.get(f"/v1/orders{query}")).json["items"]]

    assert await ids("") == ["c", "b", "a"]
    assert await ids("?status=paid") == ["c", "b"]
    assert await ids("?buyer=buyer-42") == ["b", "a"]
    first = (await api.get("/v1/orders?limit=2")).json
    assert await ids(f"?limit=2&cursor={first['next_cursor']}") == ["a"]


async def test_another_shop_sees_nothing_of_it(place: Place, url: str, key_for: Any) -> None:
    shown = await place()
    request = shown["stock_requests"][0]["id"]

    async with Api(url, await key_for(Scope.ADMIN, shop="quiet")) as other:
        for path in ("/v1/orders/1001", f"/v1/stock-requests/{request}", "/v1/warehouses/wh-7"):
            assert (await other.get(path)).status == 404
        assert (await other.get("/v1/stock-requests")).json["items"] == []
        answer = await other.post(
            f"/v1/stock-requests/{request}/answer",
            {"lines": [{"id": "1", "confirmed": 1}], "by": "x"},
        )
        assert answer.status == 404


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("PUT", "/v1/orders/1", Scope.SEND),
        ("POST", "/v1/orders/1/status", Scope.READ),
        ("GET", "/v1/stock-requests", Scope.READ),
        ("PUT", "/v1/warehouses/w", Scope.ORDERS),
    ],
)
async def test_without_the_scope_it_is_403(
    api: Api, key_for: Any, method: str, path: str, scope: Scope
) -> None:
    body: dict[str, Any] | None = None if method == "GET" else {}
    answer = await api.call(method, path, body, key=await key_for(scope))

    assert answer.status == 403


async def test_a_value_of_the_wrong_kind_is_told_in_plain_words(api: Api) -> None:
    lines = [{"id": 1, "title": "Чайник", "quantity": "2", "seller": {"external_id": "seller-7"}}]
    answer = await api.put("/v1/orders/1001", {"number": None, "lines": lines})
    no_list = await api.put("/v1/orders/1001", {"number": "1001", "lines": {}})

    assert answer.status == no_list.status == 400
    assert {one["pointer"]: one["detail"] for one in answer.json["errors"]} == {
        "/number": "must be text in quotes",
        "/lines/0/id": "must be text in quotes",
        "/lines/0/quantity": "must be a whole number, without quotes",
    }
    assert no_list.json["errors"] == [{"pointer": "/lines", "detail": "must be a list"}]


async def test_labels_on_ones_own_network_are_refused_with_the_setting_that_lets_them(
    api: Api, place: Place
) -> None:
    await place()

    answer = await api.post(
        "/v1/orders/1001/status", {"status": "paid", "labels_url": "http://10.0.0.1/l.pdf"}
    )

    assert answer.status == 400
    assert "setting outgoing_allow" in answer.json["detail"]
