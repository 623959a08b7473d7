"""Rules about carts, products and customers, as platforms tell of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.ids import new_id
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.events.conftest import Flow, an_order
from tests.hub.orders.conftest import Book
from tests.hub.rules.conftest import Put, go

ANNA: dict[str, Any] = {
    "id": "42",
    "name": "Анна",
    "email": "anna@example.com",
    "subscribed": {"email": True},
}


def a_cart(quantity: int = 2, **more: Any) -> dict[str, Any]:
    return {
        "id": "c-1",
        "customer": ANNA,
        "currency": "RUB",
        "total": f"{1990 * quantity}.00",
        "url": "https://shop.example/cart/secret",
        "lines": [
            {"id": "1", "sku": "A-1", "title": "Чайник", "quantity": quantity, "price": "1990.00"}
        ],
    } | more


class Carts(Flow):
    async def cart(self, quantity: int = 2, *, action: str = "updated", **more: Any) -> Any:
        """The event's row."""
        return await self.told(
            a_cart(quantity, **more), kind="cart", action=action, id=f"{new_id()}"
        )


@pytest.fixture
def carts(hub: Hub, api: Api) -> Carts:
    return Carts(hub, api)


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


async def text(api: Api, name: str, audience: str, said: str) -> None:
    body = {"subject": name, "text": said, "audience": audience}
    assert (await api.put(f"/v1/templates/{name}/email/ru", body)).status == 200


@pytest.mark.usefixtures("abandoned")
@pytest.mark.parametrize("action", ["created", "updated"])
async def test_a_cart_left_for_an_hour_is_told_of_once(
    hub: Hub, book: Book, carts: Carts, action: str
) -> None:
    event = await carts.cart(action=action)

    assert event["set_off"]["rules"] == ["cart-abandoned"]
    assert event["set_off"]["timers"] == 1
    assert await go(hub, ahead=timedelta(minutes=59)) == 1
    assert await book.told() == []
    assert await go(hub, ahead=timedelta(minutes=1)) == 0
    assert await go(hub) == 0
    [told] = await book.told()
    assert (told.contact, told.template, told.status) == ("42", "cart.abandoned", "queued")
    assert told.data["cart"] == {
        "id": "c-1",
        "currency": "RUB",
        "total": "3980.00",
        "url": "https://shop.example/cart/secret",
        "pieces": 2,
        "lines": [{"id": "1", "sku": "A-1", "title": "Чайник", "quantity": 2, "price": "1990.00"}],
    }


@pytest.mark.usefixtures("abandoned")
async def test_who_goes_on_buying_moves_the_hour(hub: Hub, book: Book, carts: Carts) -> None:
    await carts.cart(2)
    await go(hub, ahead=timedelta(minutes=30))
    await carts.cart(3)

    assert await go(hub, ahead=timedelta(minutes=30)) == 1
    assert await book.told() == []
    assert await go(hub, ahead=timedelta(minutes=30)) == 0
    [told] = await book.told()
    assert told.data["cart"]["total"] == "5970.00"


@pytest.mark.usefixtures("abandoned")
async def test_the_same_cart_seen_again_moves_nothing(hub: Hub, book: Book, carts: Carts) -> None:
    await carts.cart(2)
    await go(hub, ahead=timedelta(minutes=30))
    again = await carts.cart(2)

    assert again["result"] == "repeated"
    assert await go(hub, ahead=timedelta(minutes=30)) == 0
    assert await book.who_heard("cart.abandoned") == ["42"]


@pytest.mark.usefixtures("abandoned")
async def test_a_cart_that_became_too_small_is_dropped(hub: Hub, book: Book, carts: Carts) -> None:
    await carts.cart(2)
    await carts.cart(1, total="10.00")

    assert await go(hub) == 0
    assert await book.told() == []


@pytest.mark.usefixtures("abandoned")
async def test_who_has_bought_is_not_reminded(hub: Hub, book: Book, carts: Carts) -> None:
    await carts.cart()
    await carts.told(an_order("placed", customer=ANNA))

    assert await hub.db.fetchval("SELECT count(*) FROM rule_timer") == 0
    assert await book.who_heard("cart.abandoned") == []


@pytest.mark.usefixtures("abandoned")
async def test_of_a_cart_that_is_gone_nobody_is_reminded(hub: Hub, carts: Carts) -> None:
    await carts.cart()
    await carts.told({"id": "c-1"}, kind="cart", action="deleted")

    assert await hub.db.fetchval("SELECT count(*) FROM rule_timer") == 0


@pytest.mark.usefixtures("abandoned")
async def test_without_consent_nobody_hears_of_his_cart(hub: Hub, book: Book, carts: Carts) -> None:
    await carts.cart(customer={"id": "43", "email": "boris@example.com"})
    await go(hub)

    assert [(one.contact, one.status) for one in await book.told()] == [("43", "undeliverable")]


@pytest.mark.usefixtures("abandoned")
async def test_a_cart_of_long_ago_is_told_to_nobody(hub: Hub, carts: Carts) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat()

    event = await carts.told(a_cart(), kind="cart", happened_at=long_ago)

    assert event["result"] == "applied"
    assert event["set_off"]["rules"] == []
    assert await go(hub) == 0


@pytest.mark.usefixtures("abandoned")
async def test_of_an_erased_person_nothing_waits_that_could_be_told(
    hub: Hub, api: Api, book: Book, carts: Carts
) -> None:
    await carts.cart()
    assert (await api.delete("/v1/contacts/42")).status in (202, 204)

    assert await go(hub) == 0
    assert await book.told() == []


async def test_admins_hear_of_a_cart_without_the_link_that_opens_it(
    api: Api, book: Book, carts: Carts, people: Any, rule: Put
) -> None:
    await text(api, "cart.large", "admin", "Корзина на {{ cart.total }}")
    await rule("large", event="cart.created", template="cart.large", audiences=["admin"])

    event = await carts.cart(2)
    await carts.cart(3)

    [told] = await book.told()
    assert told.contact == "boss"
    assert told.data["cart"]["total"] == "3980.00"
    assert "url" not in told.data["cart"]
    assert len(event["set_off"]["notifications"]) == 1


async def test_of_a_product_that_has_run_out_the_admins_hear(
    api: Api, book: Book, carts: Carts, people: Any, rule: Put
) -> None:
    await text(api, "product.out", "admin", "{{ product.title }}")
    await rule(
        "out",
        event="product.updated",
        template="product.out",
        audiences=["admin"],
        condition={
            "all": [
                {"field": "product.quantity", "op": "=", "value": 0},
                {"field": "product.price", "op": "=", "value": "1990.5"},
                {"field": "source", "op": "=", "value": "api"},
            ]
        },
    )

    for left in ("1", "0", "0"):
        product = {"id": "7", "title": "Чайник", "price": "1990.50", "quantity": left}
        await carts.told(product, kind="product", id=f"{new_id()}")

    [told] = await book.told()
    assert told.data["product"] == {"id": "7", "title": "Чайник", "price": "1990.50", "quantity": 0}


async def test_a_customer_is_greeted_after_a_while(
    hub: Hub, api: Api, book: Book, carts: Carts, rule: Put
) -> None:
    await text(api, "hello", "buyer", "Здравствуйте, {{ contact.name }}")
    await rule(
        "hello",
        event="customer.created",
        audiences=["buyer"],
        template="hello",
        delay=10,
        condition={"field": "contact.attributes.city", "op": "=", "value": "Москва"},
    )

    await carts.told({**ANNA, "attributes": {"city": "Москва"}}, kind="customer")
    await carts.told({**ANNA, "name": "Анна П."}, kind="customer")
    await carts.told({"id": "43", "attributes": {"city": "Тула"}}, kind="customer")

    assert await go(hub) == 0
    assert await book.who_heard("hello") == ["42"]
