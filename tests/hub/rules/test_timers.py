"""Rules that wait: what still is as it was when their time has come is told of, and nothing else."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from hub.events import telling
from hub.events.telling import Thing
from hub.events.timers import due_rules
from hub.orders.work import Work, working
from hub.resources import Hub
from hub.rules import timers
from hub.shops.registry import Shop
from hub.sources.model import Action, CartFacts, Kind, LineFacts, ProductFacts
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, line, tell
from tests.hub.rules.conftest import Put

DAY = 1440


async def go(hub: Hub, *, ahead: timedelta = timedelta(days=8)) -> int:
    """All that is due within `ahead` is due now, and goes off. How many are left."""
    await hub.db.execute("UPDATE rule_timer SET due_at = due_at - $1::interval", ahead)
    async with hub.db.acquire() as connection:
        await due_rules(hub, connection)
    left: int = await hub.db.fetchval("SELECT count(*) FROM rule_timer")
    return left


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


# Carts, products and customers.

NOW = datetime(2026, 12, 1, 10, tzinfo=UTC)


def cart(quantity: int = 2, url: str = "https://shop.example/cart/secret") -> CartFacts:
    kettle = LineFacts("1", "Чайник", Decimal(quantity), "A-1", Decimal("1990.00"))
    return CartFacts("c-1", None, (kettle,), "RUB", Decimal(1990) * quantity, url)


class Seen:
    """What a platform told, as the hub keeps it."""

    def __init__(self, hub: Hub, shop: Shop, source_id: UUID) -> None:
        self.hub, self.shop, self.source_id = hub, shop, source_id

    async def put(self, kind: Kind, data: dict[str, Any], who: UUID | None, at: datetime) -> Thing:
        """It is there, and not yet told."""
        about = telling.about(self.source_id, data["id"])
        await self.hub.db.execute(
            """
            INSERT INTO source_object (source_id, kind, object, shop_id, changed_at, contact_id, facts)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (source_id, kind, object) DO UPDATE
               SET changed_at = excluded.changed_at, facts = excluded.facts
            """,
            self.source_id,
            kind,
            data["id"],
            self.shop.id,
            at,
            who,
            data,
        )
        return Thing(kind, about, telling.state_of(at), who, data, "romashka")

    async def cart(self, who: UUID, facts: CartFacts | None = None, at: datetime = NOW) -> Work:
        data = telling.cart_data(facts or cart())
        return await self.fire(await self.put(Kind.CART, data, who, at))

    async def fire(self, thing: Thing, *, quiet: bool = False) -> Work:
        async with working(self.hub, self.shop, quiet=quiet) as work:
            await telling.fire(work, Action.UPDATED, thing)
        return work


@pytest.fixture
async def seen(hub: Hub, shop: Shop) -> Seen:
    id_ = uuid4()
    await hub.db.execute(
        """
        INSERT INTO source (id, shop_id, name, platform, secrets, seller)
        VALUES ($1, $2, 'romashka', 'generic', '', 'seller-7')
        """,
        id_,
        shop.id,
    )
    return Seen(hub, shop, id_)


@pytest.fixture
async def buyer(api: Api, book: Book) -> UUID:
    """He wants to hear of goods."""
    given = {
        "role": "buyer",
        "addresses": {"telegram": "1"},
        "consents": {"marketing": {"telegram": {"state": "subscribed", "source": "form"}}},
    }
    answer = await api.put("/v1/contacts/buyer-42", given)
    assert answer.status in (200, 201), answer.json
    return await book.id_of("buyer-42")


@pytest.fixture
async def abandoned(rule: Put) -> None:
    await rule(
        "cart-abandoned",
        event="cart.updated",
        audiences=["buyer"],
        template="cart.abandoned",
        delay=60,
        condition={"field": "cart.total", "op": ">=", "value": "1000"},
    )


@pytest.mark.usefixtures("abandoned")
async def test_a_cart_left_for_an_hour_is_told_of_once(
    hub: Hub, book: Book, seen: Seen, buyer: UUID
) -> None:
    work = await seen.cart(buyer)

    assert (work.fired, len(work.timers), work.told) == (["cart-abandoned"], 1, [])
    assert await go(hub, ahead=timedelta(minutes=59)) == 1
    assert await book.told() == []
    assert await go(hub, ahead=timedelta(minutes=1)) == 0
    [told] = await book.told()
    assert (told.contact, told.template, told.status) == ("buyer-42", "cart.abandoned", "queued")
    assert told.data["cart"] == {
        "id": "c-1",
        "currency": "RUB",
        "total": "3980",
        "url": "https://shop.example/cart/secret",
        "pieces": 2,
        "lines": [{"id": "1", "sku": "A-1", "title": "Чайник", "quantity": 2, "price": "1990.00"}],
    }


@pytest.mark.usefixtures("abandoned")
async def test_who_goes_on_buying_moves_the_hour(
    hub: Hub, book: Book, seen: Seen, buyer: UUID
) -> None:
    await seen.cart(buyer)
    await go(hub, ahead=timedelta(minutes=30))
    await seen.cart(buyer, cart(3), NOW + timedelta(minutes=30))

    assert await go(hub, ahead=timedelta(minutes=30)) == 1
    assert await book.told() == []
    assert await go(hub, ahead=timedelta(minutes=30)) == 0
    [told] = await book.told()
    assert told.data["cart"]["total"] == "5970"


@pytest.mark.usefixtures("abandoned")
@pytest.mark.parametrize("what", ["changed", "deleted", "removed", "too small"])
async def test_a_cart_that_is_not_as_it_was_is_dropped(
    hub: Hub, book: Book, seen: Seen, buyer: UUID, what: str
) -> None:
    await seen.cart(buyer)
    changes = {
        "changed": "UPDATE source_object SET changed_at = changed_at + interval '1 minute'",
        "deleted": "UPDATE source_object SET deleted_at = now()",
        "removed": "DELETE FROM source_object",
        "too small": "UPDATE source_object SET facts = jsonb_set(facts, '{total}', '\"10\"')",
    }
    await hub.db.execute(changes[what])

    assert await go(hub) == 0
    assert await book.told() == []


@pytest.mark.usefixtures("abandoned")
async def test_without_consent_nobody_hears_of_his_cart(
    hub: Hub, api: Api, book: Book, seen: Seen
) -> None:
    await api.put("/v1/contacts/buyer-43", {"role": "buyer", "addresses": {"telegram": "2"}})

    await seen.cart(await book.id_of("buyer-43"))
    await go(hub)

    assert [(one.contact, one.status) for one in await book.told()] == [
        ("buyer-43", "undeliverable")
    ]


@pytest.mark.usefixtures("abandoned")
async def test_a_cart_of_before_is_told_to_nobody(
    hub: Hub, book: Book, seen: Seen, buyer: UUID
) -> None:
    thing = await seen.put(Kind.CART, telling.cart_data(cart()), buyer, NOW)

    work = await seen.fire(thing, quiet=True)

    assert (work.fired, work.timers) == ([], [])
    assert await go(hub) == 0


@pytest.mark.usefixtures("abandoned")
async def test_what_became_an_order_is_dropped_by_its_name(
    hub: Hub, shop: Shop, seen: Seen, buyer: UUID
) -> None:
    await seen.cart(buyer)

    async with hub.db.acquire() as connection:
        about = telling.about(seen.source_id, "c-1")
        await timers.drop(connection, shop.id, Kind.CART, about)

    assert await hub.db.fetchval("SELECT count(*) FROM rule_timer") == 0


async def test_admins_hear_of_a_cart_without_the_link_that_opens_it(
    api: Api, book: Book, seen: Seen, people: Any, buyer: UUID, rule: Put
) -> None:
    text = {"subject": "Корзина", "text": "На {{ cart.total }}", "audience": "admin"}
    await api.put("/v1/templates/cart.large/email/ru", text)
    await rule("large", event="cart.updated", template="cart.large", audiences=["admin"])

    work = await seen.cart(buyer)

    [told] = await book.told()
    assert told.contact == "boss"
    assert "url" not in told.data["cart"]
    assert (work.fired, len(work.told)) == (["large"], 1)


async def test_of_a_product_that_has_run_out_the_admins_hear(
    api: Api, book: Book, seen: Seen, people: Any, rule: Put
) -> None:
    text = {"subject": "Нет", "text": "{{ product.title }}", "audience": "admin"}
    await api.put("/v1/templates/product.out/email/ru", text)
    await rule(
        "out",
        event="product.updated",
        template="product.out",
        audiences=["admin"],
        condition={"field": "product.quantity", "op": "=", "value": 0},
    )

    for left in (1, 0):
        product = ProductFacts("7", "Чайник", price=Decimal("1990.50"), quantity=Decimal(left))
        data = telling.product_data(product)
        await seen.fire(await seen.put(Kind.PRODUCT, data, None, NOW))

    [told] = await book.told()
    assert told.data["product"] == {"id": "7", "title": "Чайник", "price": "1990.50", "quantity": 0}


async def test_a_customer_is_greeted_after_a_while_if_he_still_is_one(
    hub: Hub, api: Api, book: Book, seen: Seen, buyer: UUID, rule: Put
) -> None:
    text = {"text": "Здравствуйте{% if contact.name %}, {{ contact.name }}{% endif %}", "audience": "buyer"}  # fmt: skip
    await api.put("/v1/templates/hello/telegram/ru", text)
    await rule(
        "hello",
        event="customer.updated",
        template="hello",
        audiences=["buyer"],
        delay=10,
        condition={"field": "contact.role", "op": "=", "value": "buyer"},
    )
    thing = Thing(Kind.CUSTOMER, str(buyer), contact_id=buyer, data={"id": "buyer-42"})

    await seen.fire(thing)
    assert await go(hub) == 0
    assert await book.who_heard("hello") == ["buyer-42"]

    await seen.fire(Thing(Kind.CUSTOMER, str(uuid4()), contact_id=None))
    assert await go(hub) == 0
    assert await book.who_heard("hello") == ["buyer-42"]
