"""WooCommerce and a hub over real HTTP: connected by a call, its pings, orders on their way, what is written."""

import asyncio
from datetime import timedelta

import pytest

from hub.config import OrderStatus
from tests.simulators.shops import payload
from tests.simulators.woocommerce import WooCommerceSimulator
from tests.sources.case import SourceCase
from tests.sources.case_woocommerce import CASE, move, place
from tests.sources.conftest import Connected
from tests.sources.live import answer_shelf, catch_up, change, set_up_hooks, take_history


@pytest.fixture
def case() -> SourceCase:
    return CASE


async def connect(shop: Connected, url: str) -> WooCommerceSimulator:
    """With the hooks that the hub has set up itself."""
    assert await set_up_hooks(shop, url) == [True]
    simulator: WooCommerceSimulator = shop.simulator
    return simulator


async def test_the_pings_of_new_hooks_are_answered_while_they_are_made(
    shop: Connected, url: str
) -> None:
    simulator = await connect(shop, url)

    assert {hook["pinged"] for hook in simulator.webhooks} == {200}
    assert await shop.events() == []


async def test_an_order_goes_its_way(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    order = place(simulator)
    answers = await simulator.push("order.created", order)
    answers += await simulator.push("order.updated", order)
    move(simulator, order, OrderStatus.SHIPPED)
    answers += await simulator.push("order.updated", order)
    # Any save tells of it again: here, a note.
    simulator.change(order, customer_note="Спасибо")
    answers += await simulator.push("order.updated", order)
    move(simulator, order, OrderStatus.DELIVERED)
    answers += await simulator.push("order.updated", order)

    await shop.apply()

    assert answers == [200] * 5
    assert await shop.buyer_heard() == ["order.placed", "order.shipped", "order.delivered"]


async def test_orders_of_one_second_are_all_heard_of(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    orders = [place(simulator) for _ in range(3)]
    for order in orders:
        await simulator.push("order.created", order)

    await shop.apply()

    assert await shop.statuses() == ["placed"] * 3
    assert await shop.buyer_heard() == ["order.placed"] * 3


async def test_a_guest_who_buys_twice_is_one_person(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    for _ in range(2):
        order = str(simulator.order(customer_id=0)["id"])
        await simulator.push("order.created", order)
    await shop.apply()

    buyers = {told.contact for told in await shop.told() if told.role == "buyer"}

    assert len(buyers) == 1


async def test_a_failed_payment_is_no_end(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    order = place(simulator)
    await simulator.push("order.created", order)
    simulator.change(order, status="failed")
    await simulator.push("order.updated", order)
    simulator.change(order, status="processing", **simulator.paid())
    await simulator.push("order.updated", order)

    await shop.apply()

    assert await shop.statuses() == ["paid"]
    assert await shop.buyer_heard() == ["order.placed", "order.paid"]


async def test_what_is_deleted_stays_bought(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    order = place(simulator)
    await simulator.push("order.created", order)
    # What is deleted has no time; the order's lies ahead of us by up to a second.
    await asyncio.sleep(1.1)
    await simulator.push("order.deleted", order)

    await shop.apply()

    assert await shop.statuses() == ["placed"]
    assert [event["reason"] for event in await shop.events()] == ["", "deleted"]


async def test_what_no_hook_told_is_read_and_then_known(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    told, missed = place(simulator), place(simulator)
    await simulator.push("order.created", told)
    await shop.apply()
    move(simulator, missed, OrderStatus.SHIPPED)
    stamps = simulator.stamps("created", "modified")
    simulator.customers["77"] = payload("woocommerce", "customer") | {"id": 77} | stamps
    simulator.products["93"] = payload("woocommerce", "product") | stamps

    await catch_up(shop)

    assert await shop.buyer_heard() == ["order.placed", "order.shipped"]
    assert (await shop.api.get("/v1/contacts/77")).status == 200
    # The hooks come after all.
    await simulator.push("order.created", missed)
    await simulator.push("order.updated", missed)
    await shop.apply()
    await catch_up(shop)
    assert await shop.buyer_heard() == ["order.placed", "order.shipped"]


async def test_a_paid_order_waits_for_the_shelf_and_its_echo_tells_nobody(
    asking: Connected, url: str
) -> None:
    simulator = await connect(asking, url)
    order = str(simulator.order(status="processing", **simulator.paid())["id"])
    await simulator.push("order.created", order)
    await asking.apply()
    assert await asking.statuses() == ["awaiting_stock"]

    await answer_shelf(asking, 1, 1)

    kettle, cup = simulator.orders[order]["line_items"]
    assert (kettle["quantity"], kettle["total"], cup["quantity"]) == (1, "1500.00", 1)
    assert simulator.orders[order]["total"] == "2790.00"
    heard = await asking.told()
    await simulator.push("order.updated", order)
    await asking.apply()
    await catch_up(asking)
    assert await asking.told() == heard
    assert await asking.statuses() == ["paid"]
    assert (await asking.api.get("/v1/stock-requests?status=open")).json["items"] == []


async def test_a_hook_that_was_switched_off_is_on_again_after_connecting(
    shop: Connected, url: str
) -> None:
    simulator = await connect(shop, url)
    for hook in simulator.webhooks:
        hook["status"] = "disabled"
    order = place(simulator)
    assert await simulator.push("order.created", order) == []

    await connect(shop, url)

    assert await simulator.push("order.created", order) == [200]


async def test_after_the_secret_was_exchanged_the_old_one_is_refused(
    shop: Connected, url: str
) -> None:
    simulator = await connect(shop, url)
    old = shop.call(place(simulator), "created")
    answer = await shop.api.post(f"/v1/sources/{shop.id}/rotate", {"what": "secret"})
    assert answer.status == 200, answer.json

    assert (await shop.post(old)).status == 401
    await connect(shop, url)
    order = place(simulator)
    assert await simulator.push("order.created", order) == [200]


async def test_history_is_told_to_nobody_and_what_follows_is(shop: Connected, url: str) -> None:
    simulator = await connect(shop, url)
    simulator.later = timedelta(days=-20)
    orders = [place(simulator) for _ in range(130)]
    for order in orders[1:]:
        move(simulator, order, OrderStatus.DELIVERED)
    stamps = simulator.stamps("created", "modified")
    simulator.customers["42"] = payload("woocommerce", "customer") | stamps
    simulator.later = timedelta(0)

    run = await take_history(shop)

    assert (run["state"], run["added"], run["faulty"]) == ("done", 131, 0)
    assert await shop.told() == []
    move(simulator, orders[0], OrderStatus.SHIPPED)
    # Saved again, and nothing in it is new.
    simulator.change(orders[1])
    for order in orders[:2]:
        await simulator.push("order.updated", order)
    await shop.apply()
    await catch_up(shop)
    assert await shop.buyer_heard() == ["order.shipped"]


async def test_a_free_field_is_taken_over_and_can_be_tried_out_before(
    shop: Connected, url: str
) -> None:
    path = "meta_data[?key=='delivery_slot'].value | [0]"
    mapping = {"fields": {"order.delivery.date": path}}
    order = place(shop.simulator)
    body = {"kind": "order", "payload": shop.simulator.orders[order], "mapping": mapping}

    tried = await shop.api.post(f"/v1/sources/{shop.id}/preview", body)
    await change(shop, config={"meta": ["delivery_slot"]}, mapping=mapping)
    simulator = await connect(shop, url)
    await simulator.push("order.created", order)
    await shop.apply()

    assert tried.json["order"]["delivery"]["date"] == "10–14"
    shown = (await shop.api.get(f"/v1/orders/{order}")).json
    assert shown["delivery"]["date"] == "10–14"
