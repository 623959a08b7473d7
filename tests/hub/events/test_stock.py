"""A platform that calls an order confirmed or paid at once does not answer for the shelf."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.resources import Hub
from hub.shops.keys import Scope
from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow, an_order
from tests.hub.orders.conftest import Book


@pytest.fixture
async def asking(hub: Hub, url: str, key_for: Any) -> AsyncIterator[Flow]:
    async with Api(url, await key_for(Scope.ADMIN, shop="asking")) as api:
        yield Flow(hub, api)


async def test_the_shelf_is_asked_before_it_counts_as_paid(asking: Flow, book: Book) -> None:
    await asking.told(an_order("paid"))

    order = await asking.order()
    assert order["status"] == "awaiting_stock"
    assert len(order["stock_requests"]) == 1
    assert await book.who_heard("order.paid") == []
    held = await asking.hub.db.fetchval("SELECT held_status FROM source_object")
    assert held == "paid"


async def test_paid_while_the_shelf_is_asked_waits_for_the_answer(asking: Flow) -> None:
    await asking.told(an_order("placed"))

    event = await asking.told(an_order("paid"))

    assert event["result"] == "applied"
    assert (await asking.order())["status"] == "awaiting_stock"
    assert await asking.hub.db.fetchval("SELECT held_status FROM source_object") == "paid"


async def test_the_answer_waits_for_the_platform(asking: Flow) -> None:
    await asking.told(an_order("paid"))
    [request] = (await asking.order())["stock_requests"]

    answer = {"lines": [{"id": "1", "confirmed": 1}], "by": "phone"}
    answered = await asking.api.post(f"/v1/stock-requests/{request['id']}/answer", answer)

    assert answered.status == 200
    row = await asking.hub.db.fetchrow("SELECT * FROM shop_event WHERE via = 'write'")
    assert row
    assert (row["kind"], row["object"], row["result"]) == ("order", "1042", "waiting")
    assert row["payload"] == {
        "status": "partially_confirmed",
        "revision": 1,
        "lines": [{"id": "1", "sku": "A-1", "asked": 2, "confirmed": 1}],
    }


async def test_what_the_shop_decides_by_itself_counts(asking: Flow) -> None:
    await asking.told(an_order("placed"))

    await asking.told(an_order("shipped"))

    order = await asking.order()
    assert order["status"] == "shipped"
    assert [request["status"] for request in order["stock_requests"]] == ["cancelled"]


async def test_where_the_shop_says_so_it_is_as_told(asking: Flow) -> None:
    await asking.tell({"id": "1"}, kind="product")
    [source] = (await asking.api.get("/v1/sources")).json["items"]
    changed = await asking.api.call(
        "PATCH", f"/v1/sources/{source['id']}", {"mapping": {"stock": "as_told"}}
    )
    assert changed.status == 200

    await asking.told(an_order("paid"))

    assert (await asking.order())["status"] == "paid"


async def test_nobody_is_asked_about_old_news(asking: Flow, book: Book) -> None:
    await asking.told(an_order("paid"), happened_at="2026-01-01T00:00:00Z")

    order = await asking.order()
    assert order["status"] == "paid"
    assert order["stock_requests"] == []
    assert await book.told() == []


async def test_a_line_stays_with_whom_the_shop_gave_it_to(asking: Flow) -> None:
    for external_id, role in (("seller-7", "seller"), ("42", "buyer")):
        await asking.api.put(f"/v1/contacts/{external_id}", {"role": role})
    line = {
        "id": "1",
        "sku": "A-1",
        "title": "Чайник",
        "quantity": 2,
        "price": "1990.00",
        "seller": {"external_id": "seller-7"},
        "warehouse": {"external_id": "wh-7"},
    }
    await asking.api.put(
        "/v1/orders/1042", {"number": "1042", "buyer": {"external_id": "42"}, "lines": [line]}
    )

    await asking.told(an_order("placed", reason="x"))

    [held] = (await asking.order())["lines"]
    assert held["seller"] == {"external_id": "seller-7"}
    assert held["warehouse"] == {"external_id": "wh-7"}
    assert len((await asking.order())["stock_requests"]) == 1


async def test_old_news_stands_as_it_was_told(asking: Flow) -> None:
    await asking.told(an_order("confirmed"), happened_at="2026-01-01T00:00:00Z")

    assert (await asking.order())["status"] == "confirmed"
