"""Shopify: signatures over raw bytes, old bodies of repeats, three states of an order at once, pages by a mark."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import BadHook
from hub.config import OrderStatus
from hub.sources.base import (
    Ask,
    Fetches,
    Later,
    Platform,
    Purpose,
    Subscribes,
    Trouble,
    Writes,
)
from hub.sources.http import ShopHttp
from hub.sources.model import (
    Action,
    CartFacts,
    CustomerFacts,
    Incoming,
    Kind,
    OrderFacts,
    ProductFacts,
)
from hub.sources.platforms.shopify import Shopify, ShopifyConfig
from hub.sources.platforms.shopify_facts import whitelisted
from hub.sources.registry import platform_class
from tests.simulators import shops
from tests.simulators.base import Fault
from tests.simulators.shopify import CLIENT_ID, CLIENT_SECRET, TOKEN, ShopifySimulator
from tests.sources.alone import all_of, no_http, order_of, refused
from tests.sources.case_shopify import told

payload = partial(shops.payload, "shopify")
NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://hub.example.ru/hooks/abc/events"


@pytest.fixture
async def simulator() -> AsyncIterator[ShopifySimulator]:
    async with ShopifySimulator() as simulator:
        yield simulator


def built(url: str, http: ShopHttp | None = None, **more: Any) -> Shopify:
    config = {"base_url": url, "client_secret": CLIENT_SECRET, **more}
    if "client_id" not in config:
        config["token"] = TOKEN
    return Shopify(ShopifyConfig.model_validate(config), http or no_http())


@pytest.fixture
def shopify(simulator: ShopifySimulator, http: ShopHttp) -> Shopify:
    return built(simulator.url, http)


def hear(topic: str, body: Any, *, event: str = "", **headers: str) -> Incoming:
    delivery = ShopifySimulator().call(topic, body, event=event)
    delivery = replace(delivery, headers={**delivery.headers, **headers})
    [heard] = built("https://romashka.myshopify.com").hear(told(delivery), now=NOW).events
    return heard


def meant(raw: Any) -> OrderFacts:
    """What is understood of an order as it comes."""
    return order_of(built("https://x.example"), whitelisted(Kind.ORDER, raw))


def codes_of(**fields: Any) -> list[str]:
    return [chain[0] for chain in meant({"id": 1, **fields}).codes]


# --- webhooks ---------------------------------------------------------------------------------------------------------


def test_the_registry_knows_it() -> None:
    platform: type[Platform] = Shopify

    assert platform_class("shopify") is platform
    assert all(issubclass(Shopify, part) for part in (Fetches, Subscribes))
    assert not issubclass(Shopify, Writes)
    assert not Shopify.writes_as


def test_what_is_signed_is_heard() -> None:
    heard = hear("orders/updated", payload("order"))

    assert (heard.kind, heard.action, heard.object) == (
        Kind.ORDER,
        Action.UPDATED,
        "5123456789012345678",
    )
    assert heard.payload
    assert heard.payload["name"] == "#1042"


@pytest.mark.parametrize("proof", ["", "AAAA", "\udcff", "é"])
def test_what_is_not_signed_is_refused(proof: str) -> None:
    with refused(forged=True):
        hear("orders/updated", payload("order"), **{"X-Shopify-Hmac-Sha256": proof})


def test_the_signature_is_over_the_raw_bytes() -> None:
    delivery = ShopifySimulator().call("orders/updated", {"id": 1, "name": "Чай"})
    same_json = json.dumps(json.loads(delivery.body)).encode()

    assert same_json != delivery.body
    with pytest.raises(BadHook):
        built("https://x.example").hear(told(replace(delivery, body=same_json)), now=NOW)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"{}", b'{"id": []}', b"\xff", b"[" * 9999]
)
def test_signed_rubbish_is_unreadable(body: bytes) -> None:
    with refused(forged=False):
        hear("orders/updated", body)


def test_without_a_topic_it_is_unreadable() -> None:
    with pytest.raises(BadHook):
        hear("orders/updated", {"id": 1}, **{"X-Shopify-Topic": ""})


def test_when_it_happened_is_when_it_was_first_told() -> None:
    at = {"X-Shopify-Triggered-At": "2026-11-28T11:05:09.877041743Z"}

    assert hear("orders/updated", {"id": 1}, **at).happened_at == datetime(
        2026, 11, 28, 11, 5, 9, 877041, tzinfo=UTC
    )


def test_a_repeat_has_the_event_s_id_and_another_delivery_s() -> None:
    first, again = (hear("orders/updated", {"id": 1}, event="e-1") for _ in range(2))
    paid = hear("orders/paid", {"id": 1}, event="e-1")
    other = hear("orders/updated", {"id": 2}, event="e-1")

    assert first.key == again.key
    assert len({first.key, paid.key, other.key}) == 3


def test_without_an_event_s_id_the_delivery_s_is_the_key() -> None:
    names = {"X-Shopify-Event-Id": "", "X-Shopify-Webhook-Id": "w-1"}

    assert (
        hear("orders/paid", {"id": 1}, **names).key == hear("orders/paid", {"id": 1}, **names).key
    )


@pytest.mark.parametrize(
    "topic",
    [
        "app/uninstalled",
        "customers/redact",
        "shop/redact",
        "refunds/create",
        "inventory_levels/update",
    ],
)
def test_other_topics_are_kept_for_the_record_without_their_body(topic: str) -> None:
    heard = hear(topic, {"shop_id": 1, "customer": {"email": "anna@example.ru"}})

    assert (heard.ignored, heard.kind, heard.payload) == ("unknown-type", None, None)


def test_of_a_parcel_its_order_is_read() -> None:
    heard = hear("fulfillments/update", payload("fulfillment"))

    assert (heard.kind, heard.object, heard.payload) == (Kind.ORDER, "5123456789012345678", None)


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("orders/delete", Kind.ORDER),
        ("customers/delete", Kind.CUSTOMER),
        ("products/delete", Kind.PRODUCT),
        ("checkouts/delete", Kind.CART),
    ],
)
def test_what_is_deleted_is_its_id(topic: str, kind: Kind) -> None:
    heard = hear(topic, {"id": 7})

    assert (heard.kind, heard.action, heard.payload) == (kind, Action.DELETED, {"id": "7"})


def test_a_checkout_that_became_an_order_is_no_cart_any_more() -> None:
    done = payload("checkout") | {"completed_at": "2026-11-28T13:57:12+03:00"}

    assert hear("checkouts/update", payload("checkout")).action is Action.UPDATED
    assert hear("checkouts/update", done).action is Action.DELETED


# --- what it means ----------------------------------------------------------------------------------------------------


def test_an_order() -> None:
    order = meant(payload("order"))

    assert (order.id, order.number) == ("5123456789012345678", "#1042")
    assert (order.total, order.currency) == (Decimal("6461.00"), "RUB")
    assert order.created_at == datetime(2026, 11, 28, 10, 57, 12, tzinfo=UTC)
    assert order.changed_at == datetime(2026, 11, 30, 7, 5, 9, tzinfo=UTC)
    assert order.delivery == {
        "method": "Курьер",
        "address": "125009, Москва, Тверская, 1, кв. 42",
        "carrier": "СДЭК",
        "tracking": "1234567890",
    }


def test_a_line_that_was_taken_out_is_gone_and_one_that_came_back_is_not() -> None:
    kettle, spoon = meant(payload("order")).lines

    assert (kettle.title, kettle.quantity, kettle.price) == (
        "Чайник «Заря» - Синий",
        Decimal(3),
        Decimal("1990.00"),
    )
    assert (spoon.title, spoon.sku, spoon.product) == ("Ложка", "", "")


def test_an_order_that_was_cancelled_as_a_whole_keeps_its_lines() -> None:
    order = payload("order") | {"refunds": []}
    order["line_items"] = [line | {"current_quantity": 0} for line in order["line_items"]]

    assert [line.quantity for line in meant(order).lines] == [3, 1, 1]


def test_its_buyer() -> None:
    buyer = meant(payload("order")).customer

    assert buyer is not None
    assert (buyer.id, buyer.name, buyer.locale) == ("7123456789012", "Анна Смирнова", "ru")
    assert (buyer.email, buyer.phone) == ("anna@example.ru", "+79160000042")
    assert buyer.tags == ("vip", "опт")
    assert buyer.subscribed == {"email": True}


def test_a_guest_is_known_by_what_was_typed() -> None:
    guest = meant(payload("order") | {"customer": None, "phone": "+79160000043"}).customer

    assert guest is not None
    assert (guest.id, guest.email, guest.phone) == ("", "anna@example.ru", "+79160000043")
    assert guest.name == "Анна Смирнова"


def test_a_shop_whose_tariff_hides_its_buyers_has_none() -> None:
    hidden = {
        "email": None,
        "contact_email": None,
        "customer": {"id": None},
        "shipping_address": None,
    }

    assert meant(payload("order") | hidden).customer is None


def test_a_customer_a_product_and_a_checkout() -> None:
    shop = built("https://romashka.myshopify.com")
    customer, product, cart = (
        shop.facts(kind, whitelisted(kind, payload(name)))
        for kind, name in (
            (Kind.CUSTOMER, "customer"),
            (Kind.PRODUCT, "product"),
            (Kind.CART, "checkout"),
        )
    )

    assert isinstance(customer, CustomerFacts)
    assert isinstance(product, ProductFacts)
    assert isinstance(cart, CartFacts)
    assert customer.subscribed == {"email": False, "sms": True}
    assert (product.sku, product.price, product.quantity) == (
        "A-1",
        Decimal("1990.00"),
        Decimal(10),
    )
    assert product.url == "https://romashka.myshopify.com/products/chaynik-zarya"
    assert cart.url.endswith("recover?key=recovery-key")
    assert cart.customer is not None
    assert [(line.id, line.quantity) for line in cart.lines] == [("line-key-1", Decimal(2))]


def test_keys_tokens_cards_and_notes_are_not_kept() -> None:
    kept = json.dumps(
        [
            hear(topic, payload(name)).payload
            for topic, name in (
                ("orders/create", "order"),
                ("checkouts/create", "checkout"),
                ("customers/create", "customer"),
                ("products/create", "product"),
            )
        ],
        ensure_ascii=False,
    )

    given = json.dumps([payload("order"), payload("checkout")], ensure_ascii=False)
    for secret in ("status-key", "order-token", "checkout-token", "203.0.113", "4242", "домофона"):
        assert secret in given
        assert secret not in kept
    assert "постоянный" not in kept


# --- states -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({}, ["open"]),
        ({"financial_status": "pending"}, ["open", "financial:pending"]),
        ({"financial_status": "paid"}, ["open", "financial:paid"]),
        ({"fulfillment_status": "partial"}, ["open", "fulfillment:partial"]),
        ({"fulfillment_status": "fulfilled"}, ["open", "fulfillment:fulfilled"]),
        ({"financial_status": "refunded"}, ["open", "financial:refunded/unfulfilled"]),
        ({"cancelled_at": "2026-11-28T13:57:12+03:00"}, ["open", "cancelled"]),
    ],
)
def test_an_order_has_three_states_at_once(fields: Any, codes: list[str]) -> None:
    assert codes_of(**fields) == codes


def test_money_that_goes_back_after_the_parcel_is_a_return() -> None:
    chains = meant(
        {"id": 1, "financial_status": "refunded", "fulfillment_status": "fulfilled"}
    ).codes

    assert ("financial:refunded/fulfilled", "financial:refunded") in chains
    assert "financial:refunded/fulfilled" not in Shopify.statuses
    assert Shopify.statuses["financial:refunded"] is OrderStatus.RETURNED
    assert Shopify.statuses["financial:refunded/unfulfilled"] is None


@pytest.mark.parametrize(
    ("whole", "parcels", "codes"),
    [
        (True, ["delivered"], ["shipment:delivered"]),
        (True, ["delivered", "in_transit"], ["shipment:in_transit"]),
        (True, ["delivered", None], []),
        (True, ["delivered", "picked_up"], ["shipment:delivered", "shipment:picked_up"]),
        (False, ["delivered"], []),
        (True, ["ready_for_pickup"], ["shipment:ready_for_pickup"]),
    ],
)
def test_an_order_is_handed_over_with_its_last_parcel(
    whole: bool, parcels: list[str | None], codes: list[str]
) -> None:
    sent = [{"status": "success", "shipment_status": status} for status in parcels]
    status = "fulfilled" if whole else "partial"

    found = codes_of(fulfillment_status=status, fulfillments=sent)

    assert [code for code in found if code.startswith("shipment:")] == codes


def test_a_parcel_that_was_cancelled_holds_nothing_up() -> None:
    sent = [
        {"status": "success", "shipment_status": "delivered"},
        {"status": "cancelled", "shipment_status": None},
    ]

    assert "shipment:delivered" in codes_of(fulfillment_status="fulfilled", fulfillments=sent)


# --- credentials ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"client_id": CLIENT_ID, "token": TOKEN},
        {"client_id": CLIENT_ID, "client_secret": ""},
        {"client_id": CLIENT_ID, "base_url": "romashka"},
        {"client_id": CLIENT_ID, "api_version": "2026/../../x"},
    ],
)
def test_one_way_to_prove_who_we_are(config: Any) -> None:
    whole = {"base_url": "https://romashka.myshopify.com", "client_secret": CLIENT_SECRET, **config}

    with pytest.raises(ValidationError) as error:
        ShopifyConfig.model_validate(whole)

    assert TOKEN not in str(error.value)
    assert CLIENT_SECRET not in str(error.value)


async def test_an_app_gets_a_token_for_a_day_and_asks_once(
    simulator: ShopifySimulator, http: ShopHttp
) -> None:
    shopify = built(simulator.url, http, client_id=CLIENT_ID)
    id_ = str(simulator.place())

    for _ in range(3):
        assert await shopify.fetch(Kind.ORDER, id_)

    assert len([call for call in simulator.calls if call[0] == "POST"]) == 1


async def test_a_token_that_is_about_to_end_is_asked_for_anew(
    simulator: ShopifySimulator, http: ShopHttp
) -> None:
    simulator.lifetime = 60
    shopify = built(simulator.url, http, client_id=CLIENT_ID)

    for _ in range(2):
        await shopify.fetch(Kind.ORDER, str(simulator.place()))

    assert len(simulator.granted) == 2


async def test_a_secret_that_was_exchanged(simulator: ShopifySimulator, http: ShopHttp) -> None:
    simulator.secret = "another"
    shopify = built(simulator.url, http, client_id=CLIENT_ID)

    with pytest.raises(Trouble) as trouble:
        await shopify.fetch(Kind.ORDER, "1")
    check = await shopify.check()

    assert trouble.value.code == "credentials"
    assert not check.ok
    assert CLIENT_SECRET not in f"{check.text} {trouble.value}"


async def test_a_revoked_token(simulator: ShopifySimulator, shopify: Shopify) -> None:
    simulator.token = "another"

    with pytest.raises(Trouble):
        await shopify.read(Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))


async def test_it_says_which_rights_the_app_lacks(
    simulator: ShopifySimulator, shopify: Shopify
) -> None:
    whole = await shopify.check()
    simulator.scopes = ["write_orders", "read_fulfillments", "read_products", "read_customers"]
    young = await shopify.check()
    simulator.scopes = ["read_orders", "read_fulfillments"]
    little = await shopify.check()

    assert (whole.ok, young.ok, little.ok) == (True, True, False)
    assert "60 days" in young.text
    assert "60 days" not in whole.text
    assert "read_customers, read_products" in little.text


# --- reading ----------------------------------------------------------------------------------------------------------


def fill(simulator: ShopifySimulator, count: int) -> list[str]:
    """All within two seconds, which is how exactly Shopify tells times."""
    ids = []
    for number in range(count):
        id_ = simulator.place()
        at = f"2026-11-20T10:00:{number * 2 // count:02}+03:00"
        simulator.orders[id_] |= {"created_at": at, "updated_at": at}
        ids.append(str(id_))
    return ids


@pytest.mark.parametrize("purpose", Purpose)
async def test_pages_bring_each_order_once(
    simulator: ShopifySimulator, shopify: Shopify, purpose: Purpose
) -> None:
    ids = fill(simulator, 130)

    first = await shopify.read(Ask(Kind.ORDER, LONG_AGO, purpose))
    items, _ = await all_of(shopify, Ask(Kind.ORDER, LONG_AGO, purpose))

    assert (len(first.items), first.more) == (50, True)
    assert first.total == (130 if purpose is Purpose.HISTORY else None)
    assert [item.object for item in items] == ids
    assert len({item.key for item in items}) == 130


async def test_what_changes_while_pages_are_read_hides_nothing(
    simulator: ShopifySimulator, shopify: Shopify
) -> None:
    ids = fill(simulator, 130)
    page = await shopify.read(Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))
    for id_ in ids[:50]:
        simulator.pay(int(id_))

    items, _ = await all_of(shopify, Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP, page.position))

    assert {item.object for item in items} == set(ids)


async def test_a_mark_that_went_stale_is_begun_anew_from_its_time(
    simulator: ShopifySimulator, shopify: Shopify
) -> None:
    ids = fill(simulator, 130)
    page = await shopify.read(Ask(Kind.ORDER, LONG_AGO, Purpose.HISTORY))
    simulator.marks.clear()

    items, _ = await all_of(shopify, Ask(Kind.ORDER, LONG_AGO, Purpose.HISTORY, page.position))

    assert {item.object for item in [*page.items, *items]} == set(ids)


async def test_closed_and_cancelled_orders_are_read_too(
    simulator: ShopifySimulator, shopify: Shopify
) -> None:
    id_ = simulator.place()
    simulator.cancel(id_)

    [item] = (await shopify.read(Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))).items

    assert item.payload
    assert meant(item.payload).reason == "customer"


async def test_reading_goes_on_where_it_ended_and_looks_two_minutes_back(
    simulator: ShopifySimulator, shopify: Shopify
) -> None:
    old, known = fill(simulator, 2)
    simulator.orders[int(known)]["updated_at"] = "2026-11-20T11:00:00+03:00"
    _, then = await all_of(shopify, Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))
    late = simulator.place(
        created_at="2026-11-20T10:59:00+03:00", updated_at="2026-11-20T10:59:00+03:00"
    )

    items, again = await all_of(shopify, then)

    assert [item.object for item in items] == [str(late), known]
    assert again.position == then.position
    assert old not in {item.object for item in items}


async def test_what_is_read_and_what_is_told_are_the_same_order(
    simulator: ShopifySimulator, shopify: Shopify
) -> None:
    id_ = simulator.place()
    heard = hear("orders/create", simulator.orders[id_])

    [item] = (await shopify.read(Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))).items
    fetched = await shopify.fetch(Kind.ORDER, str(id_))

    assert heard.payload
    assert item.payload
    assert fetched
    assert meant(item.payload) == meant(heard.payload) == meant(fetched)


@pytest.mark.parametrize("kind", [Kind.CUSTOMER, Kind.PRODUCT])
async def test_customers_and_goods_are_read(
    simulator: ShopifySimulator, shopify: Shopify, kind: Kind
) -> None:
    simulator.place()
    simulator.add("products", title="Чайник", variants=[])

    page = await shopify.read(Ask(kind, LONG_AGO, Purpose.HISTORY))
    items, _ = await all_of(shopify, Ask(kind, LONG_AGO, Purpose.HISTORY))

    assert page.total == len(items) == 1
    assert all(item.payload and shopify.facts(kind, item.payload) for item in items)


async def test_what_is_not_there(simulator: ShopifySimulator, shopify: Shopify) -> None:
    assert await shopify.fetch(Kind.ORDER, "404") is None
    assert await shopify.fetch(Kind.ORDER, "../customers/1") is None
    assert await shopify.fetch(Kind.CART, "37123456789012") is None


# --- setting up hooks, trouble ----------------------------------------------------------------------------------------


async def test_hooks_are_set_up_once(simulator: ShopifySimulator, shopify: Shopify) -> None:
    for _ in range(2):
        assert list(await shopify.subscribe({"events": URL})) == ["events"]

    topics = [hook["topic"] for hook in simulator.hooks]
    assert len(set(topics)) == len(topics)
    assert {"orders/create", "orders/updated", "fulfillments/update"} <= set(topics)
    assert {(hook["address"], hook["format"]) for hook in simulator.hooks} == {(URL, "json")}


async def test_a_full_bucket_is_waited_for(simulator: ShopifySimulator, shopify: Shopify) -> None:
    simulator.full = 40

    with pytest.raises(Later) as later:
        await shopify.fetch(Kind.ORDER, "1")

    assert later.value.after > timedelta(0)


@pytest.mark.parametrize(
    "fault",
    [Fault(status=502), Fault(status=503), Fault(close=True), Fault(status=200, body="<html>")],
    ids=["502", "503", "closed", "a page"],
)
async def test_an_outage_is_waited_for(
    simulator: ShopifySimulator, shopify: Shopify, fault: Fault
) -> None:
    simulator.fault = fault

    with pytest.raises(Later):
        await shopify.fetch(Kind.ORDER, "1")
    with pytest.raises(Later):
        await shopify.read(Ask(Kind.ORDER, LONG_AGO, Purpose.CATCH_UP))
