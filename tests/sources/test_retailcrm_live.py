"""retailCRM and a hub over real HTTP: a trigger calls, managers change orders, the buyer hears of it."""

import pytest

from tests.simulators.retailcrm import RetailCrmSimulator, now
from tests.sources.case import SourceCase
from tests.sources.case_retailcrm import CASE
from tests.sources.conftest import Connected
from tests.sources.live import answer_shelf, catch_up, hook_address, take_over


@pytest.fixture
def case() -> SourceCase:
    return CASE


def address(shop: Connected, url: str) -> str:
    """Where triggers call, now that the account knows the hub's secret."""
    shop.simulator.secret = shop.secret
    return hook_address(shop, url)


async def test_a_trigger_makes_the_buyer_hear(shop: Connected, url: str) -> None:
    simulator: RetailCrmSimulator = shop.simulator
    order, hook = simulator.place(), address(shop, url)
    answers = [await simulator.push("order", order, hook)]
    await shop.apply()
    simulator.move(order, "delivering")
    answers.append(await simulator.push("order", order, hook))
    await shop.apply()

    assert answers == [200, 200]
    assert await shop.buyer_heard() == ["order.placed", "order.shipped"]
    shown = (await shop.api.get(f"/v1/orders/{order}")).json
    assert (shown["number"], shown["delivery"]["method"]) == (f"{order}A", "pickup")


async def test_the_secret_may_stand_in_the_address(shop: Connected, url: str) -> None:
    simulator: RetailCrmSimulator = shop.simulator
    order, hook = simulator.place(), address(shop, url)
    simulator.secret = ""

    refused = await simulator.push("order", order, hook)
    taken = await simulator.push("order", order, f"{hook}?key={shop.secret}")

    assert (refused, taken) == (401, 200)


async def test_a_called_off_line_is_taken_out_and_nothing_told(shop: Connected, url: str) -> None:
    simulator: RetailCrmSimulator = shop.simulator
    order, hook = simulator.place(), address(shop, url)
    await simulator.push("order", order, hook)
    await shop.apply()
    simulator.orders[order]["items"][1]["isCanceled"] = True
    await simulator.push("order", order, hook)
    await shop.apply()

    shown = (await shop.api.get(f"/v1/orders/{order}")).json
    assert [line["sku"] for line in shown["lines"]] == ["KETTLE-1"]
    assert await shop.buyer_heard() == ["order.placed"]


async def test_a_customer_of_the_account_is_a_contact(shop: Connected, url: str) -> None:
    simulator: RetailCrmSimulator = shop.simulator
    customer = {
        "id": 31,
        "firstName": "Анна",
        "email": "anna@example.com",
        "createdAt": "2026-01-01 10:00:00",
    }
    simulator.customers["31"] = customer | {"emailMarketingUnsubscribedAt": "2026-02-01 10:00:00"}
    await simulator.push("customer", "31", address(shop, url))
    await shop.apply()

    shown = (await shop.api.get("/v1/contacts/31")).json
    assert (shown["name"], shown["addresses"]["email"]) == ("Анна", "anna@example.com")
    assert shown["consents"] == {"marketing": {"email": "unsubscribed"}}


async def test_without_a_trigger_changes_are_found_in_the_history(shop: Connected) -> None:
    simulator: RetailCrmSimulator = shop.simulator
    orders = [simulator.place() for _ in range(3)]

    added = [await catch_up(shop)]
    simulator.move(orders[0], "delivering")
    simulator.move(orders[0], "complete")
    added += [await catch_up(shop), await catch_up(shop)]

    assert added == [3, 1, 0]
    assert sorted(await shop.statuses()) == ["delivered", "placed", "placed"]
    # Who was not told that it is on its way need not be, once it is there.
    assert (await shop.buyer_heard())[3:] == ["order.delivered"]


async def test_what_the_shelf_says_is_written_and_its_echo_is_no_news(
    asking: Connected, url: str
) -> None:
    simulator: RetailCrmSimulator = asking.simulator
    order, hook = simulator.place(), address(asking, url)
    await simulator.push("order", order, hook)
    await asking.apply()
    await answer_shelf(asking)
    told = await asking.told()

    await simulator.push("order", order, hook)
    await asking.apply()
    await catch_up(asking)

    assert simulator.written == [{"status": "availability-confirmed"}]
    assert await asking.statuses() == ["confirmed"]
    assert await asking.told() == told


async def test_history_is_taken_over_quietly_and_gone_on_from(shop: Connected, url: str) -> None:
    simulator: RetailCrmSimulator = shop.simulator
    orders = [simulator.place() for _ in range(130)]
    simulator.orders[orders[0]]["status"] = "complete"
    simulator.customers["31"] = {"id": 31, "firstName": "Анна", "createdAt": now()}

    done = await take_over(shop, "customer", "order")
    simulator.move(orders[1], "delivering")
    await simulator.push("order", orders[1], address(shop, url))
    await shop.apply()

    assert (done["state"], done["total"], done["added"]) == ("done", 131, 131)
    assert await shop.buyer_heard() == ["order.shipped"]
