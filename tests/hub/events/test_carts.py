"""Carts and products of a shop: what is kept of them, and when a cart is over."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
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
        """
        SELECT object, facts, contact_id FROM source_object
         WHERE kind = $1 AND deleted_at IS NULL ORDER BY object
        """,
        kind,
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


def ago(seconds: int) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


async def with_a_rule(flow: Flow, event: str = "cart.updated") -> None:
    rule = {"audiences": ["buyer"], "template": "cart.abandoned", "delay": 60}
    made = await flow.api.put("/v1/rules/later", {"event": event, **rule})
    assert made.status == 201, made.json


async def end(flow: Flow, how: str, at: str) -> None:
    match how:
        case "deleted":
            gone = {"id": "c-1", "changed_at": at}
            await flow.told(gone, kind="cart", action="deleted", id="gone")
        case "emptied":
            await cart(flow, lines=[], changed_at=at)
        case _:
            await flow.told(an_order("placed", changed_at=at, created_at=at))


ENDS = ("deleted", "emptied", "bought")


@pytest.mark.parametrize("before", [60, 0])
@pytest.mark.parametrize("how", ENDS)
async def test_a_late_word_of_a_cart_that_is_over_is_no_news(
    flow: Flow, how: str, before: int
) -> None:
    """Platforms do not send their hooks in order, and their times are of whole seconds."""
    await with_a_rule(flow)
    await cart(flow, changed_at=ago(300))
    assert await waiting(flow) == ["c-1"]
    over = datetime.now(UTC) - timedelta(seconds=60)
    await end(flow, how, over.isoformat())

    late = (over - timedelta(seconds=before)).isoformat()
    event = await cart(flow, lines=CART["lines"][:1], changed_at=late)

    assert event["result"] == "stale"
    assert await waiting(flow) == []
    assert await kept(flow, "cart") == []


@pytest.mark.parametrize("how", ENDS)
async def test_a_cart_that_is_first_heard_of_when_it_is_over_is_no_news(
    flow: Flow, how: str
) -> None:
    await with_a_rule(flow)
    await end(flow, how, ago(60))

    event = await cart(flow, changed_at=ago(120))

    assert event["result"] == "stale"
    assert await waiting(flow) == []
    assert await kept(flow, "cart") == []


async def test_a_cart_that_is_told_after_an_order_is_another_one(flow: Flow) -> None:
    """Also where neither says when it was, and both are applied later."""
    await with_a_rule(flow)
    await flow.tell(an_order("placed"))
    await flow.tell(CART, kind="cart")

    await flow.apply()

    assert await waiting(flow) == ["c-1"]


@pytest.mark.parametrize("how", ENDS)
async def test_a_cart_that_is_filled_anew_is_a_new_one(flow: Flow, how: str) -> None:
    await with_a_rule(flow, "cart.created")
    await cart(flow, changed_at=ago(300))
    await end(flow, how, ago(60))

    event = await cart(flow, changed_at=ago(30))

    assert event["result"] == "applied"
    assert await waiting(flow) == ["c-1"]
    assert [one["object"] for one in await kept(flow, "cart")] == ["c-1"]


@pytest.mark.parametrize("how", ENDS)
async def test_of_a_cart_that_is_over_only_that_is_kept_and_goes_with_the_person(
    flow: Flow, how: str
) -> None:
    await cart(flow)
    await end(flow, how, ago(0))

    [held] = await flow.hub.db.fetch("SELECT * FROM source_object WHERE kind = 'cart'")
    assert (held["facts"], held["digest"], held["codes"]) == (None, None, [])
    assert held["deleted_at"] is not None

    assert (await flow.api.delete("/v1/contacts/42")).status == 204

    assert await flow.hub.db.fetchval("SELECT count(*) FROM source_object WHERE kind = 'cart'") == 0


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
