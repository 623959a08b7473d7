"""CS-Cart: what its API does to whoever reads it, and what of an order may be kept."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub.config import OrderStatus
from hub.sources.base import (
    Ask,
    Fetches,
    Impossible,
    Later,
    Purpose,
    Reads,
    Trouble,
    Unreadable,
    Writes,
)
from hub.sources.http import ShopHttp
from hub.sources.model import (
    Action,
    CartFacts,
    DecidedLine,
    Decision,
    Heard,
    Incoming,
    Kind,
)
from hub.sources.platforms import cscart_carts, cscart_lists
from hub.sources.platforms.cscart import CsCart
from tests.simulators.base import Fault
from tests.simulators.cscart import SECRET, payload
from tests.simulators.cscart import CsCart as Shop
from tests.sources.alone import kept, order_of, read_all, refused
from tests.sources.case import posted

NOW = datetime(2026, 12, 1, 9, 6, tzinfo=UTC)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop() as shop:
        yield shop


@pytest.fixture
def platform(shop: Shop, http: ShopHttp) -> CsCart:
    return _platform(shop, http)


def _platform(shop: Shop, http: ShopHttp, **config: Any) -> CsCart:
    given = {"base_url": shop.url, "login": shop.login, "api_key": shop.api_key} | config
    return CsCart(
        CsCart.Config.model_validate(given),  # type: ignore[arg-type]
        http,
        secret=SECRET,
    )


def _heard(platform: CsCart, shop: Shop, body: Any, *, now: datetime = NOW, **signed: Any) -> Heard:
    headers, raw = shop.signed(body, at=signed.pop("at", now), **signed)
    return platform.hear(posted("events", raw, headers), now=now)


# --- What is heard.


def test_the_thin_form_names_an_order_that_is_read_later(platform: CsCart, shop: Shop) -> None:
    [event] = _heard(platform, shop, payload("thin"), key="msg-1").events

    assert (event.kind, event.action, event.object) == (Kind.ORDER, Action.CREATED, "1042")
    assert (event.key, event.payload, event.ignored) == ("msg-1", None, "")
    assert event.happened_at == datetime(2026, 12, 1, 9, 0, 0, 123456, UTC)


def test_the_full_form_brings_the_order_with_it(platform: CsCart, shop: Shop) -> None:
    [event] = _heard(platform, shop, payload("full")).events
    assert event.payload is not None

    facts = order_of(platform, event.payload)

    assert facts.codes == (("P",),)
    assert facts.customer is not None
    assert (facts.customer.id, facts.customer.name) == ("", "Пётр")
    assert facts.delivery == {
        "method": "pickup",
        "address": "Казань, ул. Баумана, 1",
        "carrier": "Самовывоз",
    }
    assert event.payload["fields"] == {"36": "подъезд 2"}


@pytest.mark.parametrize("fast", [-4, 4], ids=["slow", "fast"])
def test_a_shops_clock_does_not_say_what_is_newer(platform: CsCart, shop: Shop, fast: int) -> None:
    """The order was read as it was posted; when it happened is another thing."""
    shops = NOW + timedelta(minutes=fast)
    body = payload("full") | {"occurred_at": shops.isoformat()}

    [event] = _heard(platform, shop, body, at=shops).events

    assert event.payload
    assert event.happened_at == shops
    assert order_of(platform, event.payload).changed_at == NOW


def test_a_ping_is_answered_and_nothing_else(platform: CsCart, shop: Shop) -> None:
    heard = _heard(platform, shop, {"event": "ping"})

    assert not heard.events
    assert heard.reply.status == 200


@pytest.mark.parametrize("name", ["order.exploded", "vendor.created", "order", "PING"])
def test_an_event_of_a_later_add_on_is_kept_for_the_record(
    platform: CsCart, shop: Shop, name: str
) -> None:
    [event] = _heard(platform, shop, {"event": name, "order_id": "1"}).events

    assert (event.kind, event.ignored) == (None, "unknown-event")


def test_an_unfinished_order_is_none_yet(platform: CsCart, shop: Shop) -> None:
    body = payload("full")
    body["order"]["status"] = "N"

    [event] = _heard(platform, shop, body).events

    assert event.ignored == "unfinished"


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": "whsec_" + "b3RoZXI="},
        {"at": NOW - timedelta(minutes=6)},
        {"at": NOW + timedelta(minutes=6)},
    ],
    ids=["another secret", "too old", "from the future"],
)
def test_what_the_add_on_did_not_sign_is_forged(
    platform: CsCart, shop: Shop, forged: dict[str, Any]
) -> None:
    with refused(forged=True):
        _heard(platform, shop, payload("thin"), **forged)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"null",
        {"order_id": "1"},
        {"event": "order.created"},
        {"event": "order.created", "order_id": "../users/1"},
        {"event": "order.created", "order_id": "1", "order": {"order_id": "2", "status": "O"}},
        {"event": ["order.created"], "order_id": "1"},
        {"event": "order.created", "order_id": {"a": 1}},
    ],
)
def test_what_cannot_be_read_is_refused(platform: CsCart, shop: Shop, body: Any) -> None:
    with refused(forged=False):
        _heard(platform, shop, body)


# --- What it means.


def test_numbers_may_be_texts_and_texts_numbers(platform: CsCart) -> None:
    facts = order_of(platform, payload("order"))

    assert (facts.id, facts.number, facts.total) == ("1042", "1042", Decimal("5980.00"))
    assert facts.created_at == datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
    assert facts.changed_at is None
    assert (facts.parent, facts.parent_id, facts.currency) == (False, "1041", "RUB")
    assert [(line.id, line.quantity, line.price) for line in facts.lines] == [
        ("2790217341", Decimal(2), Decimal("1990.00")),
        ("318842067", Decimal(1), Decimal("1700.00")),
    ]
    assert [(line.sku, line.product, line.title) for line in facts.lines] == [
        ("TEA-RED", "241", "Чайник, красный"),
        ("", "260", "Чашка"),
    ]
    assert {(line.seller, line.seller_name, line.warehouse) for line in facts.lines} == {
        ("vendor-7", "ИП Петров", "vendor-7")
    }


async def test_lines_stay_in_their_order_whatever_their_numbers_are(
    platform: CsCart, shop: Shop
) -> None:
    shop.add_order(1042)

    found = await platform.fetch(Kind.ORDER, "1042")

    assert found
    assert [row["item_id"] for row in found["products"]] == ["2790217341", "318842067"]


def test_the_buyer_is_known_by_his_number_and_reached_at_the_address_of_the_order(
    platform: CsCart,
) -> None:
    buyer = order_of(platform, payload("order")).customer

    assert buyer is not None
    assert (buyer.id, buyer.name, buyer.locale) == ("42", "Анна Петрова", "ru")
    assert (buyer.email, buyer.phone) == ("anna@example.com", "+7 999 123-45-67")


def test_one_product_may_stand_on_two_lines(platform: CsCart) -> None:
    order = payload("order")
    order["products"]["318842067"]["product_id"] = "241"

    assert [line.id for line in order_of(platform, order).lines] == ["2790217341", "318842067"]


@pytest.mark.parametrize("empty", [[], {}, None, "", "0"])
def test_an_empty_map_may_be_anything(platform: CsCart, empty: Any) -> None:
    order = payload("order") | dict.fromkeys(
        ("products", "shipping", "product_groups", "fields", "shipment", "shipment_ids"), empty
    )

    facts = order_of(platform, order)

    assert facts.lines == ()
    assert facts.delivery == {"address": "101000, Москва, ул. Примерная, 5, кв. 12"}


def test_without_vendors_a_company_is_a_storefront(shop: Shop, http: ShopHttp) -> None:
    facts = order_of(_platform(shop, http, vendors=False), payload("order"))

    assert {(line.seller, line.seller_name, line.warehouse) for line in facts.lines} == {
        ("", "", "")
    }


def test_a_parent_only_holds_others_together(platform: CsCart) -> None:
    assert order_of(platform, payload("order") | {"is_parent_order": "Y"}).parent


@pytest.mark.parametrize("missing", ["order_id", "status"])
def test_what_cannot_be_an_order_says_what_is_missing(platform: CsCart, missing: str) -> None:
    order = payload("order")
    del order[missing]

    with pytest.raises(Unreadable, match=missing):
        platform.facts(Kind.ORDER, order)


# --- What may be kept.


async def test_no_secret_is_in_a_cart(platform: CsCart, shop: Shop) -> None:
    shop.add_cart(42)

    found = await platform.fetch(Kind.CART, "42")

    assert found
    assert not re.search(r"secret-|203\.0\.113", json.dumps(found))


@pytest.mark.parametrize("kind", [Kind.ORDER, Kind.CUSTOMER, Kind.PRODUCT])
async def test_no_secret_of_the_shop_comes_through(
    platform: CsCart, shop: Shop, kind: Kind
) -> None:
    ids = {
        Kind.ORDER: shop.add_order(1042),
        Kind.CUSTOMER: shop.add_user(42),
        Kind.PRODUCT: shop.add_product(241),
    }
    names = {Kind.ORDER: "order", Kind.CUSTOMER: "customer", Kind.PRODUCT: "product"}
    assert "secret-" in json.dumps(payload("user" if kind is Kind.CUSTOMER else kind.value))

    read = await platform.fetch(kind, ids[kind])
    [told] = _heard(
        platform, shop, shop.event(f"{names[kind]}.updated", ids[kind], whole=True)
    ).events

    assert read
    assert told.payload == {**read, "read_at": NOW.isoformat()}
    assert not re.search(r"secret-|203\.0\.113", json.dumps(read))


# --- What is read.


async def test_an_order_is_read_by_its_number(platform: CsCart, shop: Shop) -> None:
    shop.add_order(1042)

    found = await platform.fetch(Kind.ORDER, "1042")

    assert found
    assert order_of(platform, found).codes == (("O",),)
    assert shop.calls == [("GET", "orders/1042")]


async def test_the_tracking_number_is_the_newest_shipments(platform: CsCart, shop: Shop) -> None:
    shop.add_order(1042)
    shop.ship("1042", "RA1")
    shop.ship("1042", "RA2")

    found = await platform.fetch(Kind.ORDER, "1042")

    assert found
    assert order_of(platform, found).delivery["tracking"] == "RA2"


async def test_a_login_that_may_not_see_shipments_still_brings_orders(
    platform: CsCart, shop: Shop
) -> None:
    shop.add_order(1042)
    shop.ship("1042", "RA1")
    shop.forbidden.add("shipments")

    found = await platform.fetch(Kind.ORDER, "1042")

    assert found
    assert "tracking" not in order_of(platform, found).delivery


@pytest.mark.parametrize(
    ("kind", "object_"),
    [
        (Kind.ORDER, "404"),
        (Kind.ORDER, "7"),
        (Kind.CUSTOMER, "1"),
        (Kind.ORDER, "1042/../../users/1"),
    ],
    ids=["gone", "unfinished", "an administrator", "no number"],
)
async def test_what_is_not_there_for_us_is_not_there(
    platform: CsCart, shop: Shop, kind: Kind, object_: str
) -> None:
    shop.add_order(7, status="N")
    shop.add_user(1, user_type="A")

    assert await platform.fetch(kind, object_) is None


async def test_a_shop_without_pretty_addresses_is_read_all_the_same(
    shop: Shop, http: ShopHttp
) -> None:
    shop.rewrites = False
    shop.add_order(1042)

    assert await _platform(shop, http, rewrites=False).fetch(Kind.ORDER, "1042")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(401), Trouble),
        (Fault(403), Trouble),
        (Fault(429), Later),
        (Fault(500), Later),
        (Fault(200), Later),
        (Fault(close=True), Later),
    ],
    ids=["401", "403", "429", "500", "a page", "no answer"],
)
async def test_trouble_is_told_from_patience(
    platform: CsCart, shop: Shop, fault: Fault, error: type[Exception]
) -> None:
    shop.fault = fault

    with pytest.raises(error):
        await platform.fetch(Kind.ORDER, "1042")


async def test_the_check_says_what_to_look_at(shop: Shop, http: ShopHttp) -> None:
    shop.add_order(1042)

    good = await _platform(shop, http).check()
    bad = await _platform(shop, http, api_key="wrong").check()

    assert (good.ok, bad.ok) == (True, False)
    assert "1 orders" in good.text
    assert "administrator" in bad.text
    assert "wrong" not in bad.text


# --- Reading back.


async def _all(platform: CsCart, ask: Ask) -> tuple[list[Incoming], dict[str, Any], int]:
    """All pages from `ask`, where the next reading goes on, and how many pages there were."""
    pages = await read_all(platform, ask)
    items = [item for page in pages for item in page.items]
    return items, kept(pages[-1]), len(pages)


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cscart_lists, "_ROWS", 10)
    monkeypatch.setattr(cscart_lists, "_AT_A_TIME", 10)


@pytest.mark.usefixtures("short_pages")
async def test_the_newest_are_read_until_what_was_there_before(
    platform: CsCart, shop: Shop
) -> None:
    begin = NOW.timestamp()
    for id_ in range(1, 101):
        shop.add_order(id_, at=begin + id_ * 3600)
    ask = Ask(Kind.ORDER, NOW + timedelta(hours=75.5), Purpose.CATCH_UP)

    items, position, _ = await _all(platform, ask)

    assert {item.object for item in items} == {str(id_) for id_ in range(76, 101)}
    assert all(item.payload and item.payload["products"] for item in items)

    shop.add_order(101, at=begin + 101 * 3600)
    shop.calls.clear()
    again, _, pages = await _all(
        platform, Ask(Kind.ORDER, ask.since, ask.purpose, position=position)
    )

    assert [item.object for item in again] == ["101"]
    assert (pages, len(shop.calls)) == (1, 2)


async def test_an_order_that_is_finished_late_is_read(platform: CsCart, shop: Shop) -> None:
    """The buyer paid for an hour, while others placed theirs."""
    shop.add_order(1, at=NOW.timestamp(), status="N")
    shop.add_order(2, at=NOW.timestamp() + 3600)
    ask = Ask(Kind.ORDER, NOW - timedelta(hours=1), Purpose.CATCH_UP)
    before, position, _ = await _all(platform, ask)

    shop.move("1", "P")
    after, *_ = await _all(platform, Ask(ask.kind, ask.since, ask.purpose, position))

    assert [item.object for item in before] == ["2"]
    assert [item.object for item in after] == ["1"]


@pytest.mark.usefixtures("short_pages")
async def test_orders_that_are_not_over_are_looked_at_in_the_list(
    platform: CsCart, shop: Shop
) -> None:
    for id_ in range(1, 51):
        shop.add_order(id_, at=NOW.timestamp() + id_ * 3600)
    since, open_ = NOW + timedelta(hours=49), ["23", "48"]
    first = Ask(Kind.ORDER, since, Purpose.CATCH_UP, open=open_)
    before, position, _ = await _all(platform, first)
    shop.move("23", "C")
    shop.move("24", "C")
    shop.calls.clear()

    after, *_ = await _all(platform, Ask(Kind.ORDER, since, first.purpose, position, open_))

    assert {item.object for item in before} == {"23", "48", "49", "50"}
    # Of what was over, or never ours, nothing is read.
    assert [item.object for item in after] == ["23"]
    assert [path for _, path in shop.calls] == ["orders"] * 3 + ["orders/23"]


async def test_many_changes_are_read_in_portions(
    platform: CsCart, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cscart_lists, "_AT_A_TIME", 4)
    for id_ in range(1, 11):
        shop.add_order(id_, at=NOW.timestamp() + id_)
    ask = Ask(Kind.ORDER, NOW, Purpose.CATCH_UP)

    first = await platform.read(ask)
    shop.fault = Fault(503)
    with pytest.raises(Later):
        await platform.read(Ask(ask.kind, ask.since, ask.purpose, first.position))
    shop.fault = None
    rest, _, pages = await _all(platform, Ask(ask.kind, ask.since, ask.purpose, first.position))

    assert [item.object for item in first.items] == ["10", "9", "8", "7"]
    assert [item.object for item in rest] == ["6", "5", "4", "3", "2", "1"]
    assert pages == 2


async def test_only_so_much_is_remembered_of_what_rows_told(
    platform: CsCart, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cscart_lists, "_SEEN", 3)
    for id_ in range(1, 11):
        shop.add_order(id_, at=NOW.timestamp() + id_)

    _, position, _ = await _all(platform, Ask(Kind.ORDER, NOW, Purpose.CATCH_UP))

    assert set(position["seen"]) == {"8", "9", "10"}


@pytest.mark.usefixtures("short_pages")
async def test_very_old_orders_that_are_not_over_are_read_one_by_one_in_turn(
    platform: CsCart, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cscart_lists, "_DEEPEST", 1)
    monkeypatch.setattr(cscart_lists, "_BY_HAND", 2)
    for id_ in range(1, 51):
        shop.add_order(id_, at=NOW.timestamp() + id_)
    open_ = ["3", "5", "11", "999"]
    position: dict[str, Any] | None = None

    read = []
    for _ in range(2):
        items, position, _ = await _all(
            platform, Ask(Kind.ORDER, NOW + timedelta(hours=1), Purpose.CATCH_UP, position, open_)
        )
        read.append([item.object for item in items if item.payload])

    assert read == [["3", "5"], ["11"]]


@pytest.mark.usefixtures("short_pages")
async def test_an_order_that_was_deleted_in_the_shop_is_not_looked_for_down_to_the_first(
    platform: CsCart, shop: Shop
) -> None:
    for id_ in range(1, 51):
        shop.add_order(id_, at=NOW.timestamp() + id_)
    del shop.orders["45"]

    *_, pages = await _all(
        platform, Ask(Kind.ORDER, NOW + timedelta(hours=1), Purpose.CATCH_UP, open=["45"])
    )

    assert pages == 1


@pytest.mark.usefixtures("short_pages")
async def test_history_begins_where_it_was_asked_for(platform: CsCart, shop: Shop) -> None:
    for id_ in range(1, 96):
        shop.add_order(id_, at=NOW.timestamp() + id_ * 3600)
    ask = Ask(Kind.ORDER, NOW + timedelta(hours=63), Purpose.HISTORY)

    first = await platform.read(ask)
    items, *_ = await _all(platform, ask)

    assert first.total == 35
    assert [item.object for item in items] == [str(id_) for id_ in range(63, 96)]
    assert all(item.payload and item.payload["products"] for item in items)


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_a_shop_may_give_fewer_rows_than_it_was_asked_for(
    platform: CsCart, shop: Shop, purpose: Purpose
) -> None:
    shop.most_rows = 7
    for id_ in range(1, 96):
        shop.add_order(id_, at=NOW.timestamp() + id_ * 3600)

    items, *_ = await _all(platform, Ask(Kind.ORDER, NOW + timedelta(hours=63), purpose))

    read = {int(item.object) for item in items}
    assert read >= set(range(63, 96))
    assert min(read) > 50


@pytest.mark.usefixtures("short_pages")
async def test_what_comes_while_history_is_read_loses_nothing(platform: CsCart, shop: Shop) -> None:
    for id_ in range(1, 31):
        shop.add_order(id_, at=NOW.timestamp() + id_)
    ask = Ask(Kind.ORDER, NOW, Purpose.HISTORY)

    first = await platform.read(ask)
    shop.add_order(31, at=NOW.timestamp() + 31)
    rest, *_ = await _all(platform, Ask(ask.kind, ask.since, ask.purpose, first.position))

    read = [item.object for item in [*first.items, *rest]]
    assert read == [str(id_) for id_ in range(1, 32)]


@pytest.mark.usefixtures("short_pages")
@pytest.mark.parametrize("purpose", list(Purpose))
async def test_customers_and_products_are_read_from_the_lists(
    platform: CsCart, shop: Shop, purpose: Purpose
) -> None:
    shop.add_user(1, user_type="A", timestamp=str(int(NOW.timestamp())))
    for id_ in range(2, 16):
        shop.add_user(id_, timestamp=str(int(NOW.timestamp()) + id_))
        shop.add_product(id_, timestamp=str(int(NOW.timestamp()) + id_))

    users, *_ = await _all(platform, Ask(Kind.CUSTOMER, NOW, purpose))
    products, *_ = await _all(platform, Ask(Kind.PRODUCT, NOW, purpose))

    wanted = {str(id_) for id_ in range(2, 16)}
    assert {item.object for item in users} == wanted
    assert {item.object for item in products} == wanted
    assert {path for _, path in shop.calls} == {"users", "products"}
    for item in [*users, *products]:
        assert item.payload
        assert item.kind
        assert platform.facts(item.kind, item.payload).id == item.object


# --- Carts.


async def _carts(
    platform: CsCart, position: dict[str, Any] | None = None
) -> tuple[list[Incoming], dict[str, Any]]:
    items, kept, _ = await _all(platform, Ask(Kind.CART, NOW, Purpose.CATCH_UP, position))
    return items, kept


async def test_a_cart_is_whose_it_is_and_what_is_in_it(platform: CsCart, shop: Shop) -> None:
    begun = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    shop.add_cart(42, at=begun.timestamp())

    [item], _ = await _carts(platform)

    assert (item.kind, item.action, item.object) == (Kind.CART, Action.UPDATED, "42")
    assert item.happened_at == begun
    assert item.payload
    cart = platform.facts(Kind.CART, item.payload)
    assert isinstance(cart, CartFacts)
    assert cart.customer is not None
    assert (cart.customer.id, cart.customer.email) == ("42", "anna@example.com")
    assert [(line.sku, line.quantity) for line in cart.lines] == [
        ("TEA-RED", Decimal(2)),
        ("", Decimal(1)),
    ]
    assert (cart.total, cart.url) == (
        Decimal("5680.00"),
        f"{shop.url}/index.php?dispatch=checkout.cart",
    )


async def test_only_a_cart_that_changed_is_read_again(platform: CsCart, shop: Shop) -> None:
    for user in (42, 43):
        shop.add_cart(user)
    _, position = await _carts(platform)
    shop.kept["carts"]["43"]["total"] = "100.00"
    shop.calls.clear()

    [item], position = await _carts(platform, position)
    assert shop.calls == [("GET", "carts"), ("GET", "carts/43")]
    nothing, _ = await _carts(platform, position)

    assert item.object == "43"
    # It was seen to change now, whatever its date says.
    assert item.happened_at
    assert abs(item.happened_at - datetime.now(UTC)) < timedelta(seconds=30)
    assert nothing == []


async def test_a_shop_whose_clock_is_ahead_says_nothing_of_the_future(
    platform: CsCart, shop: Shop
) -> None:
    shop.add_cart(42, at=datetime.now(UTC).timestamp() + 600)

    [item], _ = await _carts(platform)

    assert item.happened_at
    assert item.happened_at <= datetime.now(UTC)


async def test_a_cart_that_is_gone_is_gone(platform: CsCart, shop: Shop) -> None:
    shop.add_cart(42)
    _, position = await _carts(platform)
    del shop.kept["carts"]["42"]

    [item], position = await _carts(platform, position)

    assert (item.action, item.object) == (Action.DELETED, "42")
    assert (await _carts(platform, position))[0] == []


async def test_many_carts_are_read_in_portions(
    platform: CsCart, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cscart_lists, "_ROWS", 5)
    monkeypatch.setattr(cscart_carts, "_AT_A_TIME", 2)
    for user in range(1, 13):
        shop.add_cart(user)

    items, position = await _carts(platform)

    assert sorted(int(item.object) for item in items) == list(range(1, 13))
    assert len([path for _, path in shop.calls if path != "carts"]) == 12
    assert set(position["seen"]) == {str(user) for user in range(1, 13)}


async def test_carts_are_no_history(platform: CsCart, shop: Shop) -> None:
    shop.add_cart(42)

    page = await platform.read(Ask(Kind.CART, NOW, Purpose.HISTORY))

    assert (page.items, page.more, shop.calls) == ((), False, [])


# --- Writing back.


def _decided(status: OrderStatus, code: str, **confirmed: int) -> Decision:
    lines = (
        DecidedLine("2790217341", "TEA-RED", 2, confirmed.get("tea", 2)),
        DecidedLine("318842067", "", 1, confirmed.get("cup", 1)),
    )
    return Decision("1042", status, code, 1, lines)


async def test_a_status_is_written_without_making_the_shop_write_letters(
    platform: CsCart, shop: Shop
) -> None:
    shop.add_order(1042)

    await platform.write(_decided(OrderStatus.CONFIRMED, "P"))

    assert shop.orders["1042"]["status"] == "P"
    assert shop.calls == [("PUT", "orders/1042")]


async def test_what_is_missing_is_taken_out_and_everything_else_stays(
    platform: CsCart, shop: Shop
) -> None:
    shop.add_order(1042)

    for _ in range(2):
        await platform.write(_decided(OrderStatus.PARTIALLY_CONFIRMED, "P", tea=1))

    lines = shop.orders["1042"]["products"]
    assert {id_: str(row["amount"]) for id_, row in lines.items()} == {
        "2790217341": "1",
        "318842067": "1",
    }
    assert lines["2790217341"]["extra"]["product_options"] == {"12": "44"}
    # The second time there is nothing to take out any more.
    assert [method for method, _ in shop.calls] == ["GET", "PUT", "PUT", "GET", "PUT"]


async def test_a_line_that_is_not_there_at_all_goes(platform: CsCart, shop: Shop) -> None:
    shop.add_order(1042)

    await platform.write(_decided(OrderStatus.PARTIALLY_CONFIRMED, "P", cup=0))

    assert list(shop.orders["1042"]["products"]) == ["2790217341"]


async def test_two_lines_of_one_product_are_told_apart(platform: CsCart, shop: Shop) -> None:
    shop.add_order(1042)
    shop.orders["1042"]["products"]["318842067"]["product_id"] = "241"

    await platform.write(_decided(OrderStatus.PARTIALLY_CONFIRMED, "P", tea=1))

    amounts = {id_: str(row["amount"]) for id_, row in shop.orders["1042"]["products"].items()}
    assert amounts == {"2790217341": "1", "318842067": "1"}


async def test_of_nothing_there_only_the_status_is_written(platform: CsCart, shop: Shop) -> None:
    shop.add_order(1042)

    await platform.write(_decided(OrderStatus.REJECTED, "I", tea=0, cup=0))

    assert shop.orders["1042"]["status"] == "I"
    assert len(shop.orders["1042"]["products"]) == 2


@pytest.mark.parametrize("code", ["P", "?"], ids=["no such order", "no such status"])
async def test_what_the_shop_refuses_is_impossible(platform: CsCart, shop: Shop, code: str) -> None:
    if code == "?":
        shop.add_order(1042)

    with pytest.raises(Impossible):
        await platform.write(_decided(OrderStatus.PARTIALLY_CONFIRMED, code, tea=1))


def test_it_is_all_that_a_platform_can_be(platform: CsCart) -> None:
    assert isinstance(platform, Fetches)
    assert isinstance(platform, Reads)
    assert isinstance(platform, Writes)
