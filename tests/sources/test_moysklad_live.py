"""MoySklad and a hub over real HTTP: its hooks come in by themselves, and are patient for a second and a half only."""

from typing import Any

import pytest

from hub.resources import Hub
from hub.shops.keys import Scope
from tests.hub.api.client import Api
from tests.simulators.moysklad import MoySkladSimulator
from tests.simulators.moysklad_hooks import deliver
from tests.sources.case import SourceCase
from tests.sources.case_moysklad import CASE
from tests.sources.conftest import Connected, connected
from tests.sources.live import answer_shelf, change, hook_address, take_over


@pytest.fixture
def case() -> SourceCase:
    return CASE


def follow(shop: Connected, url: str, *actions: str) -> MoySkladSimulator:
    """The simulator with hooks of orders that lead to this hub."""
    simulator: MoySkladSimulator = shop.simulator
    for action in actions or ("CREATE", "UPDATE", "DELETE"):
        simulator.hooks[action] = {
            "id": action,
            "url": hook_address(shop, url),
            "entityType": "customerorder",
            "action": action,
            "enabled": True,
        }
    return simulator


async def test_its_hooks_are_taken_at_the_first_try(shop: Connected, url: str) -> None:
    simulator = follow(shop, url)
    order = simulator.place()

    [created] = await simulator.push("customerorder", order, "CREATE")
    await shop.apply()
    simulator.move(order, "Отгружен")
    [updated] = await simulator.push("customerorder", order)
    await shop.apply()

    assert (created.answers, updated.answers) == ([200], [200])
    assert await shop.statuses() == ["shipped"]
    assert await shop.buyer_heard() == ["order.placed", "order.shipped"]


async def test_a_try_that_it_took_for_lost_is_one_event(shop: Connected, url: str) -> None:
    simulator = follow(shop, url)
    [told] = await simulator.push("customerorder", simulator.place(), "CREATE")

    # It had not heard the answer.
    await deliver(told)
    await shop.apply()

    assert told.answers == [200, 200]
    assert len(await shop.events()) == 1
    assert await shop.buyer_heard() == ["order.placed"]


async def test_an_order_in_the_bin_stays_as_it_was(shop: Connected, url: str) -> None:
    simulator = follow(shop, url)
    order = simulator.place()
    await simulator.push("customerorder", order, "CREATE")
    await shop.apply()

    simulator.change("customerorder", order, deleted=simulator.now())
    await simulator.push("customerorder", order, "DELETE")
    # One that was under way says nothing of it any more.
    await simulator.push("customerorder", order)
    await shop.apply()

    assert await shop.statuses() == ["placed"]
    assert [(row["result"], row["reason"]) for row in await shop.events()][1:] == [
        ("ignored", "deleted"),
        ("ignored", "gone"),
    ]


async def test_a_status_of_the_shops_own_says_nothing_until_it_is_mapped(
    shop: Connected, url: str
) -> None:
    simulator = follow(shop, url)
    simulator.states["own"] = "В пункте выдачи"
    order = simulator.place()
    await simulator.push("customerorder", order, "CREATE")
    simulator.move(order, "В пункте выдачи")
    await simulator.push("customerorder", order)
    await shop.apply()
    unknown = (await shop.row())["unknown_codes"]

    mapping = {"statuses": {"В пункте выдачи": "at_pickup_point"}}
    await change(shop, mapping=mapping)
    simulator.change("customerorder", order)
    await simulator.push("customerorder", order)
    await shop.apply()

    assert unknown == ["В пункте выдачи"]
    assert await shop.statuses() == ["at_pickup_point"]
    assert "order.at_pickup_point" in await shop.buyer_heard()


async def test_an_order_that_is_filled_in_bit_by_bit_is_told_once(
    shop: Connected, url: str
) -> None:
    """Somebody at a telephone: first the document, then the goods."""
    simulator = follow(shop, url)
    order = simulator.place(positions=[], sum=0)
    await simulator.push("customerorder", order, "CREATE")
    await shop.apply()
    nothing = await shop.statuses()

    goods = simulator.add("product", name="Чайник", article="A-1")
    for count in (1.0, 2.0):
        position = {"id": "p-1", "quantity": count, "price": 199000.0, "goods": goods}
        simulator.change("customerorder", order, positions=[position], sum=count * 199000)
        await simulator.push("customerorder", order)
        await shop.apply()

    assert nothing == []
    assert await shop.buyer_heard() == ["order.placed"]
    [shown] = (await shop.api.get("/v1/orders")).json["items"]
    assert [line["quantity"] for line in shown["lines"]] == [2]
    assert shown["total"] == "3980.00"


async def test_own_fields_are_taken_over_by_their_names(shop: Connected, url: str) -> None:
    """As the page of MoySklad has it."""
    simulator = follow(shop, url)
    mapping = {
        "fields": {
            "order.delivery.tracking": "attributes[?name=='Трек-номер'].value | [0]",
            "order.delivery.carrier": "attributes[?name=='Служба доставки'].value | [0]",
        }
    }
    await change(shop, mapping=mapping)
    order = simulator.place(
        attributes=[
            {"id": "1", "name": "Трек-номер", "type": "string", "value": "RA42RU"},
            {
                "id": "2",
                "name": "Служба доставки",
                "type": "customentity",
                "value": {"name": "СДЭК"},
            },
        ]
    )

    await simulator.push("customerorder", order, "CREATE")
    await shop.apply()

    delivery = (await shop.api.get(f"/v1/orders/{order}")).json["delivery"]
    assert (delivery["tracking"], delivery["carrier"]) == ("RA42RU", "СДЭК")


@pytest.mark.parametrize(("muted", "echoes"), [(True, 0), (False, 1)])
async def test_what_the_hub_writes_comes_back_as_nothing_new(
    case: SourceCase, hub: Hub, url: str, key_for: Any, muted: bool, echoes: int
) -> None:
    async with (
        Api(url, await key_for(Scope.ADMIN, shop="asking")) as api,
        MoySkladSimulator() as simulator,
    ):
        config = dict(case.config(simulator)) | ({"hub_url": url} if muted else {})
        shop = await connected(case, simulator, hub, api, config=config, write_back=True)
        follow(shop, url)
        order = simulator.place()
        await simulator.push("customerorder", order, "CREATE")
        await shop.apply()

        await answer_shelf(shop)
        await simulator.quiet()
        heard = await shop.buyer_heard()
        await shop.apply()

        assert simulator.orders[order]["state"] == "Подтвержден"
        assert heard[-1] == "order.confirmed"
        assert await shop.buyer_heard() == heard
        assert len(simulator.notifications) == 1 + echoes


async def test_history_is_taken_over_quietly_and_hooks_go_on_from_it(
    shop: Connected, url: str
) -> None:
    simulator = follow(shop, url)
    orders = [simulator.place() for _ in range(60)]
    simulator.move(orders[7], "Отгружен")

    done = await take_over(shop, "customer", "product", "order")

    assert (done["state"], done["done"], done["added"]) == ("done", 60 * 4, 60 * 4)
    assert sorted(await shop.statuses()) == ["placed"] * 59 + ["shipped"]
    assert await shop.told() == []

    await simulator.push("customerorder", orders[7])
    simulator.move(orders[7], "Доставлен")
    await simulator.push("customerorder", orders[7])
    await shop.apply()

    assert await shop.buyer_heard() == ["order.delivered"]
