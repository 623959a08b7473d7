"""Shopify and a hub over real HTTP: several topics of one act, and retries that bring an old body."""

from dataclasses import replace

import pytest

from tests.simulators.shopify import ShopifySimulator
from tests.simulators.shopify_hooks import Delivery, deliver
from tests.sources.case import SourceCase
from tests.sources.case_shopify import CASE
from tests.sources.conftest import Connected
from tests.sources.live import hook_address

TOPICS = ("orders/create", "orders/updated", "orders/paid", "orders/fulfilled")


@pytest.fixture
def case() -> SourceCase:
    return CASE


def follow(shop: Connected, url: str) -> ShopifySimulator:
    """The simulator with webhooks that lead to this hub."""
    simulator: ShopifySimulator = shop.simulator
    simulator.hooks = [{"topic": topic, "address": hook_address(shop, url)} for topic in TOPICS]
    return simulator


async def test_one_act_under_several_topics_is_told_once(shop: Connected, url: str) -> None:
    simulator = follow(shop, url)
    order = simulator.place()
    told = await simulator.push("orders/create", order)
    simulator.pay(order)
    for topic in ("orders/updated", "orders/paid"):
        told += await simulator.push(topic, order)
    simulator.ship(order)
    for topic in ("orders/fulfilled", "orders/updated"):
        told += await simulator.push(topic, order)

    await shop.apply()

    assert [delivery.answers for delivery in told] == [[200]] * 5
    assert await shop.buyer_heard() == ["order.placed", "order.paid", "order.shipped"]


async def test_a_retry_hours_later_moves_nothing_back(shop: Connected, url: str) -> None:
    simulator = follow(shop, url)
    order = simulator.place()
    await simulator.push("orders/create", order)
    simulator.pay(order)
    # Made, and on its way for long.
    [late] = [
        replace(simulator.call("orders/paid", simulator.orders[order]), url=hook_address(shop, url))
    ]
    simulator.ship(order)
    await simulator.push("orders/updated", order)
    await shop.apply()

    await deliver(late)
    await shop.apply()

    assert late.taken
    assert await shop.statuses() == ["shipped"]
    assert await shop.buyer_heard() == ["order.placed", "order.shipped"]
    assert [row["result"] for row in await shop.events()] == ["applied", "applied", "stale"]


async def test_a_parcel_s_news_is_its_order_s(shop: Connected, url: str) -> None:
    simulator = follow(shop, url)
    order = simulator.place()
    await simulator.push("orders/create", order)
    simulator.ship(order)
    await simulator.push("orders/fulfilled", order)
    await shop.apply()

    simulator.track(order, "delivered")
    [parcel] = simulator.orders[order]["fulfillments"]
    told: Delivery = simulator.call("fulfillments/update", parcel)
    await deliver(replace(told, url=hook_address(shop, url)))
    await shop.apply()

    assert await shop.statuses() == ["delivered"]
    assert await shop.buyer_heard() == ["order.placed", "order.shipped", "order.delivered"]


async def test_a_checkout_is_a_cart_until_it_is_an_order(shop: Connected, url: str) -> None:
    simulator = follow(shop, url)
    line = {"key": "k-1", "quantity": 1, "title": "Чайник", "price": "1990.00"}
    checkout = {
        "id": 37123456789012,
        "email": "anna@example.ru",
        "updated_at": simulator.now(),
        "abandoned_checkout_url": "https://romashka.myshopify.com/recover",
        "line_items": [line],
    }
    carts = "SELECT count(*) FROM source_object WHERE kind = 'cart' AND deleted_at IS NULL"

    for body in (checkout, checkout | {"completed_at": simulator.now()}):
        told = simulator.call("checkouts/update", body)
        await deliver(replace(told, url=hook_address(shop, url)))
        await shop.apply()
        left = await shop.hub.db.fetchval(carts)
        assert left == (0 if "completed_at" in body else 1)

    assert await shop.told() == []


async def test_an_order_of_a_shop_whose_plan_hides_its_buyers_is_told_to_the_seller_alone(
    shop: Connected, url: str
) -> None:
    simulator = follow(shop, url)
    hidden = {"email": None, "phone": None, "customer": None, "shipping_address": None}
    order = simulator.place(**hidden)

    await simulator.push("orders/create", order)
    await shop.apply()

    assert await shop.statuses() == ["placed"]
    assert {told.role for told in await shop.told()} == {"seller"}
