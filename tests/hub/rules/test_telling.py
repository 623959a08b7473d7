"""Who hears of an order's status by the shop's rules: each what concerns him, and once."""

from collections import Counter
from typing import Any

import pytest

from hub.resources import Hub
from hub.shops.registry import Shop
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book, Place, line, tell
from tests.hub.rules.conftest import Put

CHAIN = ["placed", "confirmed", "shipped", "in_city", "at_pickup_point", "delivered"]
ROLES = ["buyer", "seller", "warehouse", "admin"]


async def test_all_switched_on_each_of_the_24_messages_is_sent_once(
    api: Api, book: Book, place: Place, rule: Put
) -> None:
    for status in CHAIN:
        await rule(f"order.{status}", audiences=ROLES)

    await place(line("1"))
    for status in CHAIN[1:]:
        await tell(api, status)
        # A platform says everything twice.
        await tell(api, status)

    told = await book.told()
    heard = Counter((one.template, one.contact) for one in told)
    # Two people work at that warehouse.
    hearers = ["buyer-42", "seller-7", "wh-7-anna", "wh-7-boris", "boss"]
    assert heard == Counter((f"order.{status}", who) for status in CHAIN for who in hearers)
    assert {one.status for one in told} == {"queued"}


async def test_untouched_the_settings_say_who_hears(api: Api, book: Book, place: Place) -> None:
    await place(line("1"))
    await tell(api, "shipped")

    assert await book.who_heard("order.placed") == ["buyer-42", "seller-7"]
    assert await book.who_heard("order.shipped") == ["buyer-42"]


async def test_one_request_tells_the_warehouse_too_and_another_nobody(
    api: Api, book: Book, place: Place, rule: Put
) -> None:
    await rule("order.shipped", audiences=["buyer", "warehouse"])
    await rule("order.delivered", audiences=["buyer"], active=False)

    await place(line("1"))
    await tell(api, "shipped")
    await tell(api, "delivered")

    assert await book.who_heard("order.shipped") == ["buyer-42", "wh-7-anna", "wh-7-boris"]
    assert await book.who_heard("order.delivered") == []


async def test_what_concerns_others_is_not_told(
    api: Api, book: Book, place: Place, rule: Put
) -> None:
    await rule("order.shipped", audiences=ROLES)
    await place(line("1"), line("2", seller="seller-8", warehouse=None))
    await tell(api, "shipped")

    told = {
        one.contact: one.data["order"] for one in await book.told() if "shipped" in one.template
    }

    assert [row["id"] for row in told["seller-7"]["lines"]] == ["1"]
    assert [row["id"] for row in told["seller-8"]["lines"]] == ["2"]
    assert [row["id"] for row in told["wh-7-anna"]["lines"]] == ["1"]
    assert [row["id"] for row in told["boss"]["lines"]] == ["1", "2"]
    assert [who for who, order in told.items() if "address" in order["delivery"]] == ["buyer-42"]
    assert sorted(str(who) for who, order in told.items() if "total" in order) == ["boss", "buyer-42"]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"field": "order.delivery.method", "op": "=", "value": "pickup"}, True),
        ({"field": "order.delivery.address", "op": "contains", "value": "Лесная"}, True),
        ({"field": "order.total", "op": ">=", "value": "4990"}, True),
        ({"field": "order.total", "op": ">", "value": "4990.00"}, False),
        ({"field": "order.lines.price", "op": "<", "value": 2000}, True),
        ({"field": "order.lines.sku", "op": "=", "value": "A-2"}, True),
        ({"field": "order.pieces", "op": "=", "value": 3}, True),
        ({"field": "order.tracking", "op": "exists"}, False),
        ({"field": "contact.attributes.city", "op": "=", "value": "Москва"}, True),
        ({"field": "contact.role", "op": "=", "value": "buyer"}, True),
        ({"field": "contact.locale", "op": "=", "value": "en"}, False),
        ({"field": "source", "op": "exists"}, False),
    ],
)
async def test_a_condition_decides_of_the_order_and_its_buyer(
    api: Api, book: Book, place: Place, rule: Put, condition: dict[str, Any], holds: bool
) -> None:
    await rule("order.shipped", audiences=["admin"], condition=condition)

    await place(line("1"), line("2", 1))
    await api.put("/v1/contacts/buyer-42", {"attributes": {"city": "Москва"}})
    await tell(api, "shipped")

    assert await book.who_heard("order.shipped") == (["boss"] if holds else [])


async def test_where_an_order_came_from_is_known_by_what_told_of_it(
    hub: Hub, api: Api, book: Book, place: Place, rule: Put, shop: Shop
) -> None:
    await rule(
        "order.shipped",
        audiences=["admin"],
        condition={"field": "source", "op": "=", "value": "romashka"},
    )
    await place(line("1"), id_="1001")
    await place(line("1"), id_="1002")
    await hub.db.execute(
        """
        WITH s AS (
            INSERT INTO source (id, shop_id, name, platform, secrets, seller)
            VALUES (gen_random_uuid(), $1, 'romashka', 'generic', '', 'seller-7') RETURNING id
        )
        INSERT INTO source_object (source_id, kind, object, shop_id, order_id)
        SELECT s.id, 'order', '1001', $1, o.id FROM s, shop_order AS o WHERE o.external_id = '1001'
        """,
        shop.id,
    )

    await tell(api, "shipped", "1001")
    await tell(api, "shipped", "1002")

    [told] = [one for one in await book.told() if one.template == "order.shipped"]
    assert told.data["order"]["external_id"] == "1001"


async def test_a_rule_beside_the_default_tells_whom_it_names_its_own_text(
    api: Api, book: Book, place: Place, rule: Put
) -> None:
    text = {"text": "Подарок к заказу {{ order.number }}", "audience": "buyer"}
    await api.put("/v1/templates/gift.wrapped/telegram/ru", text)
    await rule("gift", event="order.paid", template="gift.wrapped", audiences=["buyer"])

    await place(line("1"))
    await tell(api, "paid")

    assert await book.who_heard("order.paid") == ["buyer-42"]
    assert await book.who_heard("gift.wrapped") == ["buyer-42"]


async def test_two_rules_do_not_tell_the_same_person_the_same_twice(
    api: Api, book: Book, place: Place, rule: Put
) -> None:
    await rule("also", event="order.shipped", audiences=["buyer", "admin"])

    await place(line("1"))
    await tell(api, "shipped")

    assert await book.who_heard("order.shipped") == ["buyer-42", "boss"]


async def test_a_rules_channels_are_the_only_ones(
    api: Api, book: Book, place: Place, rule: Put
) -> None:
    await rule("order.shipped", audiences=["buyer", "seller"], channels=["sms"])

    await place(line("1"))
    await tell(api, "shipped")

    told = [one for one in await book.told() if one.template == "order.shipped"]
    assert [(one.contact, one.channel, one.status) for one in told] == [
        ("buyer-42", None, "undeliverable"),
        ("seller-7", "sms", "queued"),
    ]


async def test_marketing_by_a_rule_needs_consent_as_any_other(
    api: Api, book: Book, place: Place, rule: Put
) -> None:
    text = {"text": "Купите ещё", "audience": "buyer", "category": "marketing"}
    await api.put("/v1/templates/more.goods/telegram/ru", text)
    await rule("more", event="order.delivered", template="more.goods", audiences=["buyer"])

    await place(line("1"))
    await tell(api, "delivered")

    [told] = [one for one in await book.told() if one.template == "more.goods"]
    assert told.status == "undeliverable"


async def test_a_text_that_asks_for_what_is_not_there_stops_nobody_else(
    api: Api, book: Book, place: Place, rule: Put
) -> None:
    text = {"text": "{{ order.tracking }}", "audience": "buyer"}
    await api.put("/v1/templates/by.number/telegram/ru", text)
    await rule("by-number", event="order.shipped", template="by.number", audiences=["buyer"])

    await place(line("1"))
    await tell(api, "shipped")

    assert await book.who_heard("by.number") == []
    assert await book.who_heard("order.shipped") == ["buyer-42"]


async def test_a_template_that_is_gone_since_is_not_told(
    api: Api, book: Book, place: Place, rule: Put
) -> None:
    text = {"text": "x {{ order.number }}", "audience": "buyer"}
    await api.put("/v1/templates/gone.soon/telegram/ru", text)
    await rule("gone", event="order.shipped", template="gone.soon", audiences=["buyer"])
    await api.delete("/v1/templates/gone.soon/telegram/ru")

    await place(line("1"))
    await tell(api, "shipped")

    assert [one.template for one in await book.told()] == ["order.placed"] * 2 + ["order.shipped"]
    assert (await api.get("/v1/rules/gone")).json["possible"] == []
