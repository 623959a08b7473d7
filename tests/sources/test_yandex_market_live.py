"""Yandex Market and a hub over real HTTP: it calls `…/notification`, and the shop's people hear of its orders."""

from urllib.parse import urlsplit

import pytest

from tests.simulators.yandex_market import YandexMarketSimulator
from tests.sources.case import SourceCase
from tests.sources.case_yandex_market import CASE
from tests.sources.conftest import Connected


@pytest.fixture
def case() -> SourceCase:
    return CASE


def address(shop: Connected, url: str) -> str:
    """As the page says to enter it at the Market: without its last part."""
    [hook] = shop.source["hooks"]
    path = urlsplit(str(hook["url"])).path
    assert path.endswith("/notification")
    return url + path.removesuffix("/notification")


async def test_it_takes_every_answer_for_good(shop: Connected, url: str) -> None:
    simulator: YandexMarketSimulator = shop.simulator
    order, hook = simulator.place(), address(shop, url)

    answers = [
        await simulator.push(what, order, hook)
        for what in ("ping", "created", "updated", "chat", "strange")
    ]
    await shop.apply()

    assert answers == [200] * 5
    assert await shop.statuses() == ["placed"]


async def test_the_seller_hears_of_a_new_order_and_of_its_end(shop: Connected, url: str) -> None:
    simulator: YandexMarketSimulator = shop.simulator
    order, hook = simulator.place(paymentType="PREPAID"), address(shop, url)
    await simulator.push("created", order, hook)
    await shop.apply()
    simulator.move(order, "CANCELLED/USER_CHANGED_MIND")
    await simulator.push("cancelled", order, hook)
    await shop.apply()

    told = [(one.role, one.template) for one in await shop.told()]

    assert told == [("seller", "order.placed"), ("seller", "order.cancelled")]


async def test_a_basket_that_nobody_paid_for_is_nobodys_business(shop: Connected, url: str) -> None:
    simulator: YandexMarketSimulator = shop.simulator
    order, hook = simulator.place(status="UNPAID", paymentType="PREPAID"), address(shop, url)
    await simulator.push("created", order, hook)
    await shop.apply()
    simulator.move(order, "CANCELLED/USER_NOT_PAID")
    await simulator.push("cancelled", order, hook)
    await shop.apply()

    assert await shop.statuses() == []
    assert await shop.told() == []
    assert {event["result"] for event in await shop.events()} == {"ignored"}


async def test_another_shop_of_the_account_is_somebody_elses(shop: Connected, url: str) -> None:
    simulator: YandexMarketSimulator = shop.simulator
    simulator.campaign = 1002
    await simulator.push("created", simulator.place(), address(shop, url))
    await shop.apply()

    [event] = await shop.events()
    assert (event["result"], event["reason"]) == ("ignored", "another-shop")


async def test_a_refused_token_pauses_the_source_and_admins_hear_it_once(
    shop: Connected, url: str
) -> None:
    simulator: YandexMarketSimulator = shop.simulator
    simulator.token = "exchanged"
    hook = address(shop, url)
    for _ in range(2):
        await simulator.push("created", simulator.place(), hook)
        await shop.apply()
        await shop.hurry()

    source = (await shop.api.get(f"/v1/sources/{shop.id}")).json
    assert "401" in source["problem"]
    assert [one.contact for one in await shop.told()] == ["boss"]
    assert await shop.statuses() == []
