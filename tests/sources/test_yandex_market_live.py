"""Yandex Market and a hub over real HTTP: it calls `…/notification`, and the shop's people hear of its orders."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from hub.orders import service
from hub.orders.model import Answerer, Via
from tests.simulators.yandex_market import YandexMarketSimulator
from tests.sources.case import SourceCase
from tests.sources.case_yandex_market import CASE
from tests.sources.conftest import Connected
from tests.sources.live import answer_shelf, catch_up, hook_address, take_over


@pytest.fixture
def case() -> SourceCase:
    return CASE


def address(shop: Connected, url: str) -> str:
    """As the page says to enter it at the Market: without its last part."""
    hook = hook_address(shop, url)
    assert hook.endswith("/notification")
    return hook.removesuffix("/notification")


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
    order, hook = simulator.place(), address(shop, url)
    await simulator.push("created", order, hook)
    await shop.apply()
    simulator.move(order, "CANCELLED/USER_CHANGED_MIND")
    await simulator.push("cancelled", order, hook)
    await shop.apply()

    told = [(one.role, one.template) for one in await shop.told()]

    assert told == [("seller", "order.placed"), ("seller", "order.cancelled")]


async def test_where_the_shelf_is_not_asked_a_prepaid_order_is_to_be_packed(
    shop: Connected, url: str
) -> None:
    simulator: YandexMarketSimulator = shop.simulator
    await simulator.push("created", simulator.place(paymentType="PREPAID"), address(shop, url))
    await shop.apply()

    told = [(one.role, one.template) for one in await shop.told()]
    assert told == [("seller", "order.assemble")]


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


@pytest.mark.parametrize(
    ("confirmed", "statuses", "written"),
    [
        ((2, 3), ["confirmed", "paid"], []),
        ((1, 0), ["partially_confirmed", "paid"], ["boxes"]),
        ((0, 0), ["rejected"], ["status"]),
    ],
)
async def test_what_the_shelf_says_is_written_and_its_echo_is_no_news(
    asking: Connected, url: str, confirmed: tuple[int, int], statuses: list[str], written: list[str]
) -> None:
    simulator: YandexMarketSimulator = asking.simulator
    order, hook = simulator.place(paymentType="PREPAID"), address(asking, url)
    await simulator.push("created", order, hook)
    await asking.apply()

    await answer_shelf(asking, *confirmed)
    told = await asking.told()
    await simulator.push("updated", order, hook)
    await asking.apply()

    assert [what for what, _ in simulator.written] == written
    shown = (await asking.api.get(f"/v1/orders/{order}")).json
    passed = [one["status"] for one in shown["history"]]
    assert passed == ["placed", "awaiting_stock", *statuses]
    assert await asking.told() == told
    assert (await asking.api.get("/v1/stock-requests?status=open")).json["items"] == []


async def test_a_prepaid_order_is_to_be_packed_and_ready_when_it_is(
    asking: Connected, url: str
) -> None:
    simulator: YandexMarketSimulator = asking.simulator
    order, hook = simulator.place(paymentType="PREPAID"), address(asking, url)
    await simulator.push("created", order, hook)
    await asking.apply()
    await answer_shelf(asking, 2, 3)

    [task] = (await asking.api.get(f"/v1/orders/{order}")).json["assemblies"]
    shop = asking.hub.shop("asking")
    by = Answerer(None, "Борис", "telegram:72")
    await service.assembled(asking.hub, shop, UUID(task["id"]), by=by, via=Via.TELEGRAM)
    await asking.apply()

    assert simulator.orders[order]["substatus"] == "READY_TO_SHIP"
    assert await asking.statuses() == ["assembled"]


async def test_what_was_missed_is_read_back(shop: Connected) -> None:
    simulator: YandexMarketSimulator = shop.simulator
    orders = [simulator.place() for _ in range(3)]

    added = await catch_up(shop)
    simulator.move(orders[0], "DELIVERY")
    again = await catch_up(shop)
    nothing = await catch_up(shop)

    assert (added, again, nothing) == (3, 1, 0)
    assert sorted(await shop.statuses()) == ["placed", "placed", "shipped"]
    templates = [one.template for one in await shop.told()]
    assert templates == ["order.placed"] * 3


async def test_history_is_taken_over_quietly_and_gone_on_from(shop: Connected, url: str) -> None:
    simulator: YandexMarketSimulator = shop.simulator
    long_ago = (datetime.now(UTC) - timedelta(days=70)).isoformat()
    old = [simulator.place(creationDate=long_ago, updateDate=long_ago) for _ in range(60)]
    simulator.orders[old[0]] |= {"status": "DELIVERED", "substatus": ""}
    new = simulator.place()

    done = await take_over(shop, "order")
    simulator.move(new, "DELIVERY")
    await simulator.push("updated", new, address(shop, url))
    await shop.apply()

    assert (done["state"], done["added"], done["faulty"]) == ("done", 61, 0)
    statuses = await shop.statuses()
    assert (statuses.count("placed"), statuses.count("delivered")) == (59, 1)
    assert "shipped" in statuses
    # Of all that was taken over nobody heard.
    assert await shop.told() == []
