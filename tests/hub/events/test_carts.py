"""Carts and products of a shop: what is kept of them, and when a cart is over."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.hub.events.conftest import CUSTOMER, Flow, an_order
from tests.hub.orders.conftest import Book

CART: Mapping[str, Any] = {
    "id": "c-1",
    "customer": CUSTOMER,
    "lines": [
        {"id": "1", "sku": "A-1", "title": "Чайник", "quantity": 2, "price": "1990.00"},
        {"id": "2", "title": "Чай", "quantity": 1, "price": "10.50"},
    ],
    "currency": "RUB",
    "url": "https://shop.example/cart/c-1",
}


async def cart(flow: Flow, **changes: Any) -> Any:
    return await flow.told({**CART, **changes}, kind="cart")


async def waiting(flow: Flow) -> list[str]:
    """Objects for which a rule waits."""
    rows = await flow.hub.db.fetch("SELECT about FROM rule_timer ORDER BY about")
    return [row["about"].partition("/")[2] for row in rows]


async def kept(flow: Flow, kind: str) -> list[Any]:
    rows = await flow.hub.db.fetch(
        "SELECT object, facts, contact_id FROM source_object WHERE kind = $1 ORDER BY object", kind
    )
    return [dict(row) for row in rows]


async def test_a_cart_is_kept_as_it_was_seen_last(flow: Flow) -> None:
    await cart(flow)
    event = await cart(flow, lines=CART["lines"][:1])

    [held] = await kept(flow, "cart")
    assert event["result"] == "applied"
    assert [line["title"] for line in held["facts"]["lines"]] == ["Чайник"]
    assert held["contact_id"] == event["contact_id"]
    assert (await flow.api.get("/v1/contacts/42")).json["name"] == "Анна"


async def test_without_a_rule_nobody_is_told_of_a_cart(flow: Flow, book: Book) -> None:
    await cart(flow)

    assert await book.told() == []
    assert await waiting(flow) == []


@pytest.mark.parametrize("end", ["deleted", "emptied", "bought"])
async def test_a_cart_that_is_over_is_forgotten_with_what_waited_for_it(
    flow: Flow, end: str
) -> None:
    rule = {"audiences": ["buyer"], "template": "cart.abandoned", "delay": 60}
    made = await flow.api.put("/v1/rules/later", {"event": "cart.created", **rule})
    assert made.status == 201, made.json
    await cart(flow)
    await cart(flow, id="c-9", customer={"id": "99"})
    assert await waiting(flow) == ["c-1", "c-9"]

    match end:
        case "deleted":
            await flow.told({"id": "c-1"}, kind="cart", action="deleted")
        case "emptied":
            await cart(flow, lines=[])
        case _:
            await flow.told(an_order("placed"))

    assert await waiting(flow) == ["c-9"]
    assert [one["object"] for one in await kept(flow, "cart")] == ["c-9"]


async def test_of_whom_nobody_knows_who_it_is_nothing_is_kept(flow: Flow) -> None:
    await cart(flow, customer={"name": "Анна Безадресная"})

    [held] = await kept(flow, "cart")
    assert held["contact_id"] is None
    assert "customer" not in held["facts"]


async def test_a_product_is_kept(flow: Flow) -> None:
    product = {"id": "p-1", "title": "Чайник", "price": "1990.00", "quantity": 3}
    first = await flow.told(product, kind="product")
    second = await flow.told(product, kind="product", id="again")

    [held] = await kept(flow, "product")
    assert (held["facts"]["title"], held["facts"]["quantity"]) == ("Чайник", "3")
    assert (first["result"], second["result"]) == ("applied", "repeated")
