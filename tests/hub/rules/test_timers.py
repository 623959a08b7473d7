"""Rules that wait: what still is as it was when their time has come is told of, and nothing else."""

import asyncio
from datetime import timedelta

import pytest

from hub.events.timers import due_rules
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, line, tell
from tests.hub.rules.conftest import Put, go

DAY = 1440


@pytest.fixture
async def reminder(rule: Put) -> None:
    """A day after an order came to the pick-up point its buyer is told again."""
    await rule(
        "pickup-reminder",
        event="order.at_pickup_point",
        audiences=["buyer"],
        delay=DAY,
        condition={"field": "order.delivery.method", "op": "=", "value": "pickup"},
    )


async def reminded(book: Book) -> int:
    """How often beyond the one message of the status itself."""
    return len(await book.who_heard("order.at_pickup_point")) - 1


@pytest.mark.usefixtures("reminder")
async def test_a_buyer_is_reminded_a_day_later_and_once(
    hub: Hub, api: Api, book: Book, place: Place
) -> None:
    await place(line("1"))
    await tell(api, "at_pickup_point")

    assert await go(hub, ahead=timedelta(hours=23)) == 1
    assert await reminded(book) == 0
    assert await go(hub, ahead=timedelta(hours=1)) == 0
    assert await reminded(book) == 1
    assert await go(hub) == 0
    assert await reminded(book) == 1


@pytest.mark.usefixtures("reminder")
async def test_whoever_has_fetched_it_is_left_alone(
    hub: Hub, api: Api, book: Book, place: Place
) -> None:
    await place(line("1"))
    await tell(api, "at_pickup_point")
    await tell(api, "delivered")

    assert await go(hub) == 0
    assert await reminded(book) == 0


@pytest.mark.usefixtures("reminder")
async def test_the_condition_is_asked_again_when_the_time_has_come(
    hub: Hub, api: Api, book: Book, place: Place
) -> None:
    await place(line("1"))
    await tell(api, "at_pickup_point")
    await place(line("1"), status=None, delivery={"method": "courier"})

    assert await go(hub) == 0
    assert await reminded(book) == 0


@pytest.mark.usefixtures("reminder")
async def test_what_is_switched_off_or_removed_meanwhile_is_dropped(
    hub: Hub, api: Api, book: Book, place: Place, rule: Put
) -> None:
    await place(line("1"), id_="1001")
    await place(line("1"), id_="1002")
    await tell(api, "at_pickup_point", "1001")
    await rule("pickup-reminder", event="order.at_pickup_point", audiences=["buyer"], active=False)
    assert await go(hub) == 0
    await rule("pickup-reminder", event="order.at_pickup_point", audiences=["buyer"], delay=DAY)
    await tell(api, "at_pickup_point", "1002")
    await api.delete("/v1/rules/pickup-reminder")

    assert await go(hub) == 0
    assert len(await book.who_heard("order.at_pickup_point")) == 2


async def test_a_built_in_rule_may_wait_too(
    hub: Hub, api: Api, book: Book, place: Place, rule: Put
) -> None:
    await rule("order.delivered", audiences=["buyer", "admin"], delay=30)
    await place(line("1"))
    await tell(api, "delivered")
    assert await book.who_heard("order.delivered") == []

    await go(hub)

    assert await book.who_heard("order.delivered") == ["buyer-42", "boss"]


@pytest.mark.usefixtures("reminder")
async def test_two_workers_at_once_tell_it_once(
    hub: Hub, api: Api, book: Book, place: Place
) -> None:
    await place(line("1"))
    await tell(api, "at_pickup_point")
    await hub.db.execute("UPDATE rule_timer SET due_at = now()")

    async def work() -> None:
        async with hub.db.acquire() as connection:
            await due_rules(hub, connection)

    await asyncio.gather(*(work() for _ in range(4)))

    assert await reminded(book) == 1


@pytest.mark.usefixtures("reminder")
async def test_one_that_fails_holds_up_no_other(
    hub: Hub, api: Api, book: Book, place: Place
) -> None:
    await place(line("1"))
    await tell(api, "at_pickup_point")
    await hub.db.execute(
        """
        INSERT INTO rule_timer (id, shop_id, rule, event, kind, about, due_at)
        SELECT gen_random_uuid(), shop_id, rule, event, kind, 'no id', due_at - interval '1 hour'
          FROM rule_timer
        """
    )

    assert await go(hub, ahead=timedelta(hours=24)) == 1
    assert await reminded(book) == 1
    postponed = await hub.db.fetchval("SELECT due_at - now() FROM rule_timer")
    assert timedelta(seconds=50) < postponed <= timedelta(minutes=1)

    # For a day; then it goes.
    for hours, left in ((23, 1), (2, 0)):
        await hub.db.execute(
            "UPDATE rule_timer SET failing_since = failing_since - $1::interval",
            timedelta(hours=hours),
        )
        assert await go(hub, ahead=timedelta(minutes=2)) == left


@pytest.mark.usefixtures("reminder")
async def test_of_a_shop_that_is_not_in_the_settings_it_waits(hub: Hub) -> None:
    await hub.db.execute("INSERT INTO shop (slug) VALUES ('gone') ON CONFLICT DO NOTHING")
    await hub.db.execute(
        """
        INSERT INTO rule_timer (id, shop_id, rule, event, kind, about, due_at)
        SELECT gen_random_uuid(), id, 'x', 'order.paid', 'order', '1', now() FROM shop
         WHERE slug = 'gone'
        """
    )

    assert await go(hub) == 1
    await hub.db.execute("DELETE FROM rule_timer")
    await hub.db.execute("DELETE FROM shop WHERE slug = 'gone'")
