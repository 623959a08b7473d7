"""InSales and a hub over real HTTP: connected by a call, orders on their whole way, what was missed, what is written."""

from datetime import timedelta
from typing import Any

import pytest

from hub.config import OrderStatus
from tests.simulators.insales import InSalesSimulator
from tests.simulators.shops import payload
from tests.sources.case import SourceCase
from tests.sources.case_insales import CASE, move, place
from tests.sources.conftest import Connected
from tests.sources.live import answer_shelf, catch_up, change, set_up_hooks, take_history


@pytest.fixture
def case() -> SourceCase:
    return CASE


async def connect(shop: Connected, url: str) -> InSalesSimulator:
    """With the hooks that the hub has set up itself."""
    assert all(await set_up_hooks(shop, url))
    simulator: InSalesSimulator = shop.simulator
    return simulator


async def test_an_order_goes_its_way(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    order = place(simulator)
    answers = await simulator.push("orders/create", order)
    # It tells of the same order again at once, for it was saved once more.
    answers += await simulator.push("orders/update", order)
    for status in (OrderStatus.SHIPPED, OrderStatus.AT_PICKUP_POINT, OrderStatus.DELIVERED):
        move(simulator, order, status)
        answers += await simulator.push("orders/update", order)

    await shop.apply()

    assert answers == [200] * 5
    assert await shop.buyer_heard() == [
        f"order.{status}" for status in ("placed", "shipped", "at_pickup_point", "delivered")
    ]


async def test_who_bought_and_what_is_known_then(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    order = place(simulator)
    await simulator.push("orders/create", order)
    await shop.apply()

    shown = (await shop.api.get(f"/v1/orders/{order}")).json
    buyer = (await shop.api.get("/v1/contacts/5120042")).json

    assert (shown["number"], shown["currency"], shown["total"]) == ("1042", "RUB", "4290.00")
    assert shown["delivery"]["tracking"] == "RA644000001RU"
    assert [line["quantity"] for line in shown["lines"]] == [2, 1]
    assert (buyer["name"], buyer["locale"]) == ("Анна Ромашкина", "ru")
    assert "anna@buyer.example" in str(buyer)
    assert "+79160000042" in str(buyer)


async def test_nothing_that_is_nobodys_business_is_in_the_database(
    shop: Connected, url: str
) -> None:
    simulator = await connect(shop, url)
    order = place(simulator)
    await simulator.push("orders/create", order)
    move(simulator, order, OrderStatus.SHIPPED)
    await shop.apply()
    await catch_up(shop)

    rows: list[Any] = []
    for table in ("shop_event", "source_object", "shop_order", "contact", "source"):
        rows += await shop.hub.db.fetch(f"SELECT t::text AS row FROM {table} AS t")

    dump = "\n".join(row["row"] for row in rows)
    assert "Чайник" in dump
    for secret in (*CASE.secrets, simulator.password):
        assert secret not in dump


async def test_what_no_hook_told_is_read_and_then_known(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    told, missed = place(simulator), place(simulator)
    await simulator.push("orders/create", told)
    await shop.apply()
    move(simulator, missed, OrderStatus.SHIPPED)

    await catch_up(shop)

    assert await shop.buyer_heard() == ["order.placed", "order.shipped"]
    # The hooks come after all.
    await simulator.push("orders/create", missed)
    await simulator.push("orders/update", missed)
    await shop.apply()
    await catch_up(shop)
    assert await shop.buyer_heard() == ["order.placed", "order.shipped"]


async def test_customers_and_products_are_read_as_well(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    at = {"updated_at": simulator.stamp()}
    simulator.customers["77"] = payload("insales", "client") | at | {"id": 77, "email": "b@b.ru"}
    simulator.products["300001"] = payload("insales", "products")[0] | at

    await catch_up(shop)

    assert (await shop.api.get("/v1/contacts/77")).json["name"] == "Анна Ромашкина"
    products = await shop.hub.db.fetch("SELECT * FROM source_object WHERE kind = 'product'")
    assert [product["object"] for product in products] == ["300001"]


async def test_what_the_shelf_lacks_is_written_and_its_echo_tells_nobody(
    asking: Connected, url: str
) -> None:
    simulator = await connect(asking, url)
    order = place(simulator)
    await simulator.push("orders/create", order)
    await asking.apply()

    await answer_shelf(asking, 1, 0)

    [kettle] = simulator.orders[order]["order_lines"]
    assert kettle["quantity"] == 1
    assert simulator.orders[order]["fulfillment_status"] == "accepted"
    heard = await asking.told()
    # It tells of what the hub wrote, by hook and when it is read.
    await simulator.push("orders/update", order)
    await asking.apply()
    await catch_up(asking)
    assert await asking.told() == heard
    shown = (await asking.api.get(f"/v1/orders/{order}")).json
    assert shown["status"] == "partially_confirmed"
    assert [line["quantity"] for line in shown["lines"]] == [2, 1]
    assert len(simulator.written()) == 1
    assert (await asking.api.get("/v1/stock-requests?status=open")).json["items"] == []


async def test_nothing_on_the_shelf_and_the_order_is_declined(asking: Connected, url: str) -> None:
    simulator = await connect(asking, url)
    order = place(simulator)
    await simulator.push("orders/create", order)
    await asking.apply()

    await answer_shelf(asking, 0, 0)

    assert simulator.orders[order]["fulfillment_status"] == "declined"
    assert len(simulator.orders[order]["order_lines"]) == 2


async def test_hooks_that_are_not_believed_are_hints(shop: Connected, url: str) -> None:
    await change(shop, config={"reread": True})
    simulator = await connect(shop, url)
    order = place(simulator)
    lie = simulator.call("orders.create", simulator.orders[order] | {"fulfillment_status": "new"})
    move(simulator, order, OrderStatus.DELIVERED)

    await shop.post(lie)
    await shop.apply()

    assert await shop.statuses() == ["delivered"]


async def test_history_is_told_to_nobody_and_what_follows_is(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    simulator.later = timedelta(days=-20)
    orders = [place(simulator) for _ in range(130)]
    for order in orders[1:]:
        move(simulator, order, OrderStatus.DELIVERED)
    simulator.customers["5120042"] = payload("insales", "client") | {
        "updated_at": simulator.stamp()
    }
    simulator.later = timedelta(0)

    run = await take_history(shop)

    assert (run["state"], run["added"], run["faulty"]) == ("done", 131, 0)
    assert await shop.told() == []
    move(simulator, orders[0], OrderStatus.SHIPPED)
    # Saved again, and nothing in it is new.
    simulator.change(orders[1])
    for order in orders[:2]:
        await simulator.push("orders/update", order)
    await shop.apply()
    await catch_up(shop)
    assert await shop.buyer_heard() == ["order.shipped"]
