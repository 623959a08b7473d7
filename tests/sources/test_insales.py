"""InSales: what its hooks come to, what an order says, reading back by the pair of time and id, what is written."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import BadHook
from hub.config import OrderStatus
from hub.db.pool import as_json
from hub.sources.base import (
    Call,
    Fetches,
    Impossible,
    Later,
    Purpose,
    Reads,
    Subscribes,
    Trouble,
    Unreadable,
    Writes,
)
from hub.sources.http import ShopHttp
from hub.sources.model import (
    Action,
    CustomerFacts,
    DecidedLine,
    Decision,
    Kind,
    OrderFacts,
    ProductFacts,
)
from hub.sources.platforms.insales import InSales, InSalesConfig
from hub.sources.registry import platform_class
from tests.simulators.base import Fault
from tests.simulators.insales import InSalesSimulator
from tests.simulators.shops import payload
from tests.sources.alone import any_json, ask, no_http, objects, order_of, read_all, refused
from tests.sources.case import posted

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
HOOKS = {topic: f"https://hub.example/hooks/t/{topic}" for topic in InSales.topics}


@pytest.fixture
async def shop() -> AsyncIterator[InSalesSimulator]:
    async with InSalesSimulator() as shop:
        yield shop


@pytest.fixture
def insales(shop: InSalesSimulator, http: ShopHttp) -> InSales:
    return InSales(config(shop.url), http)


def config(url: str = "https://romashka.example", **changes: Any) -> InSalesConfig:
    known = {"base_url": url, "login": "login-1", "password": "password-1"}
    return InSalesConfig.model_validate(known | changes)


def offline(**changes: Any) -> InSales:
    """For what calls nobody."""
    return InSales(config(**changes), no_http())


def call(topic: str, said: Any) -> Call:
    return posted(topic, said)


def order(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = payload("insales", "order")
    return known | changes


def order_facts(said: dict[str, Any]) -> OrderFacts:
    [event] = offline().hear(call("orders.update", said), now=NOW).events
    assert event.payload is not None
    return order_of(offline(), event.payload)


def decision(
    shop_order: dict[str, Any], status: OrderStatus, *confirmed: int, code: str = ""
) -> Decision:
    lines = tuple(
        DecidedLine(str(line["id"]), "", line["quantity"], count)
        for line, count in zip(shop_order["order_lines"], confirmed, strict=False)
    )
    code = code or InSales.writes_as[status]
    return Decision(str(shop_order["id"]), status, code, 1, lines)


def test_it_is_known_by_its_name_and_can_do_all() -> None:
    assert platform_class("insales") is InSales
    for part in (Fetches, Reads, Writes, Subscribes):
        assert isinstance(offline(), part)


class TestHearing:
    def test_an_order_comes_bare_and_its_address_says_what_happened(self) -> None:
        [event] = offline().hear(call("orders.create", order()), now=NOW).events

        assert (event.kind, event.action, event.object) == (Kind.ORDER, Action.CREATED, "7340001")
        assert event.happened_at == datetime(2026, 11, 30, 9, 0, 5, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("topic", "kind", "action"),
        [
            ("orders.update", Kind.ORDER, Action.UPDATED),
            ("orders.destroy", Kind.ORDER, Action.DELETED),
            ("client.create", Kind.CUSTOMER, Action.CREATED),
            ("client.update", Kind.CUSTOMER, Action.UPDATED),
        ],
    )
    def test_each_topic_is_something_that_happened(
        self, topic: str, kind: Kind, action: Action
    ) -> None:
        [event] = offline().hear(call(topic, payload("insales", "client")), now=NOW).events

        assert (event.kind, event.action) == (kind, action)

    def test_products_come_as_a_list_even_of_one(self) -> None:
        one = payload("insales", "products")
        two = [*one, one[0] | {"id": 300002}]

        heard = offline().hear(call("products.update", two), now=NOW)

        assert [event.object for event in heard.events] == ["300001", "300002"]

    def test_the_same_told_again_has_the_same_key(self) -> None:
        first, again, other = (
            offline().hear(call("orders.update", said), now=NOW).events[0].key
            for said in (order(), order(), order(financial_status="paid"))
        )

        # `other` was changed within the same second, so that its time is the same.
        assert first == again != other

    def test_what_is_nobodys_business_is_not_kept(self) -> None:
        [event] = offline().hear(call("orders.create", order()), now=NOW).events

        kept = json.dumps(event.payload, ensure_ascii=False)
        for secret in (
            "0c5f1fe2a2c54c7b",
            "203.0.113.42",
            "_ym_uid",
            "search.example",
            "торгуется",
        ):
            assert secret not in kept
        assert "RA644000001RU" in kept

    def test_where_hooks_are_not_believed_they_only_say_what_to_read(self) -> None:
        careful = offline(reread=True)

        [event] = careful.hear(call("orders.update", order()), now=NOW).events
        [gone] = careful.hear(call("orders.destroy", order()), now=NOW).events

        assert event.payload is None
        # There is nothing left to be read of it.
        assert gone.payload is not None

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"[]", b"7", b'{"number": 1}', b'{"order": {"id": 7}}', b"\xff", b"null"],
    )
    def test_what_is_no_order_is_refused(self, body: bytes) -> None:
        with refused(forged=False):
            offline().hear(call("orders.update", body), now=NOW)

    def test_xml_is_refused_with_what_to_change(self) -> None:
        with pytest.raises(BadHook, match="format_type"):
            offline().hear(call("orders.update", b"<?xml version='1.0'?><order/>"), now=NOW)

    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(sorted(InSales.topics)),
        any_json(*order(), "x"),
    )
    def test_whatever_comes_is_read_or_refused(self, topic: str, said: Any) -> None:
        try:
            heard = offline().hear(call(topic, said), now=NOW)
        except BadHook:
            return
        as_json([event.payload for event in heard.events])
        for event in heard.events:
            assert event.kind is not None
            try:
                offline().facts(event.kind, event.payload or {})
            except Unreadable:
                continue


class TestFacts:
    def test_an_order(self) -> None:
        found = order_facts(order())

        assert (found.id, found.number) == ("7340001", "1042")
        assert (found.currency, found.total) == ("RUB", Decimal("4290.00"))
        assert found.codes == (("custom:novyy", "new"),)
        assert found.created_at == datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
        kettle, cup = found.lines
        assert (kettle.id, kettle.sku, kettle.quantity) == ("9900001", "A-1", Decimal(2))
        assert (kettle.price, kettle.product) == (Decimal("1500.00"), "300001")
        # Without an article, what stands on the box.
        assert (cup.sku, cup.warehouse) == ("4600000000024", "")

    def test_the_shops_warehouse_is_that_of_all_lines(self) -> None:
        found = order_facts(order(warehouse_id=12))

        assert {line.warehouse for line in found.lines} == {"12"}

    def test_its_buyer(self) -> None:
        buyer = order_facts(order()).customer

        assert buyer is not None
        assert (buyer.id, buyer.name) == ("5120042", "Анна Ромашкина")
        assert (buyer.email, buyer.phone) == ("anna@buyer.example", "+79160000042")
        assert (buyer.locale, buyer.subscribed) == ("ru", {"email": True})

    def test_a_buyer_without_a_phone_gets_that_of_the_parcel(self) -> None:
        client = order()["client"] | {"phone": None, "email": "", "surname": None}

        buyer = order_facts(order(client=client)).customer

        assert buyer is not None
        assert (buyer.phone, buyer.email, buyer.name) == ("+79160000042", "", "Анна")

    def test_where_it_goes(self) -> None:
        assert order_facts(order()).delivery == {
            "method": "courier",
            "address": "101000, Россия, г Москва, ул. Примерная, 5",
            "carrier": "Курьер по Москве",
            "tracking": "RA644000001RU",
            "date": "2026-12-02, 10:00–14:00",
        }

    @pytest.mark.parametrize(
        ("title", "info", "method"),
        [
            ("Самовывоз из магазина", {}, "pickup"),
            ("ПВЗ Боксберри", {}, "pickup"),
            ("Почта России", {}, "post"),
            ("Дрон", {}, "Дрон"),
            ("СДЭК", {"outlet": {"address": "Москва, Ленина, 1"}}, "pickup"),
        ],
    )
    def test_the_way_by_its_name(self, title: str, info: dict[str, Any], method: str) -> None:
        found = order_facts(order(delivery_title=title, delivery_info=info))

        assert found.delivery["method"] == method

    def test_the_shops_own_status_comes_before_the_one_it_stands_on(self) -> None:
        own = {"permalink": "v-punkte", "title": "В пункте выдачи"}

        found = order_facts(
            order(custom_status=own, fulfillment_status="dispatched", financial_status="paid")
        )

        assert found.codes == (("custom:v-punkte", "dispatched"), ("financial:paid",))

    def test_without_an_own_status_the_systems_one(self) -> None:
        assert order_facts(order(custom_status=None)).codes == (("new",),)

    def test_a_customer_who_never_said_yes_said_nothing(self) -> None:
        found = offline().facts(Kind.CUSTOMER, payload("insales", "client"))

        assert isinstance(found, CustomerFacts)
        assert found.subscribed == {}

    def test_a_product(self) -> None:
        [given] = payload("insales", "products")

        found = offline().facts(Kind.PRODUCT, given)

        assert isinstance(found, ProductFacts)
        assert (found.id, found.title, found.sku) == ("300001", "Чайник эмалированный", "A-1")
        assert (found.price, found.quantity) == (Decimal("1500.00"), Decimal(15))
        assert found.image_url == "https://img.shop.example/1/l.jpg"

    def test_of_a_product_that_is_not_counted_there_is_no_number(self) -> None:
        [given] = payload("insales", "products")
        given["variants"][1]["quantity"] = None

        found = offline().facts(Kind.PRODUCT, given)

        assert isinstance(found, ProductFacts)
        assert found.quantity is None

    def test_what_cannot_be_read_names_its_field(self) -> None:
        with pytest.raises(Unreadable, match="id"):
            offline().facts(Kind.ORDER, {"number": 1})
        with pytest.raises(Unreadable, match="cart"):
            offline().facts(Kind.CART, {"id": 1})


class TestReading:
    async def test_one_object(self, insales: InSales, shop: InSalesSimulator) -> None:
        one = shop.order()

        found = await insales.fetch(Kind.ORDER, str(one["id"]))

        assert found is not None
        assert found["number"] == one["number"]
        assert "key" not in found

    async def test_one_that_is_not_there(self, insales: InSales) -> None:
        # The answer is a page for people, not JSON.
        assert await insales.fetch(Kind.ORDER, "1") is None
        assert await insales.fetch(Kind.ORDER, "../webhooks") is None

    async def test_all_that_changed_and_nothing_twice(
        self, insales: InSales, shop: InSalesSimulator
    ) -> None:
        made = [str(shop.order()["id"]) for _ in range(230)]
        old = shop.order(updated_at="2026-01-01T00:00:00.000+03:00")

        pages = await read_all(insales, ask())

        # All of one second, so that only the id tells them apart.
        assert objects(pages) == made
        assert str(old["id"]) not in objects(pages)

    async def test_the_next_reading_goes_on_from_the_last(
        self, insales: InSales, shop: InSalesSimulator
    ) -> None:
        shop.later = timedelta(hours=-2)
        first, second = shop.order(), shop.order()
        kept = (await read_all(insales, ask()))[-1].position
        shop.later = timedelta(hours=-1)
        shop.change(str(first["id"]), fulfillment_status="accepted")

        pages = await read_all(insales, ask(position=kept))

        assert objects(pages) == [str(first["id"])]
        assert str(second["id"]) in kept.values()

    async def test_a_list_that_ends_now_is_read_again_a_little(
        self, insales: InSales, shop: InSalesSimulator
    ) -> None:
        first, second = shop.order(), shop.order()
        kept = (await read_all(insales, ask()))[-1].position
        # Within the second in which it was read, and behind the pair that was reached.
        first["fulfillment_status"] = "accepted"

        pages = await read_all(insales, ask(position=kept))

        assert set(objects(pages)) == {str(first["id"]), str(second["id"])}

    async def test_the_position_is_json_and_stays_where_nothing_came(
        self, insales: InSales
    ) -> None:
        kept = {"at": "2026-11-30T12:00:05.000+03:00", "id": "7340001"}

        page = await insales.read(ask(position=kept))

        assert (list(page.items), page.more) == ([], False)
        assert json.loads(json.dumps(page.position)) == kept

    async def test_orders_in_the_archive_are_read_products_in_the_bin_are_not(
        self, insales: InSales, shop: InSalesSimulator
    ) -> None:
        one = shop.order(archived=True)
        [product] = payload("insales", "products")
        shop.products["1"] = product | {"archived": True, "updated_at": shop.stamp()}

        assert objects(await read_all(insales, ask())) == [str(one["id"])]
        assert objects(await read_all(insales, ask(Kind.PRODUCT))) == []

    async def test_customers_and_products(self, insales: InSales, shop: InSalesSimulator) -> None:
        at = {"updated_at": shop.stamp()}
        shop.customers["5120042"] = payload("insales", "client") | at
        shop.products["300001"] = payload("insales", "products")[0] | at

        assert objects(await read_all(insales, ask(Kind.CUSTOMER))) == ["5120042"]
        assert objects(await read_all(insales, ask(Kind.PRODUCT, purpose=Purpose.HISTORY))) == [
            "300001"
        ]

    async def test_what_a_hook_told_is_the_same_content_when_it_is_read(
        self, insales: InSales, shop: InSalesSimulator
    ) -> None:
        one = shop.order()
        [told] = insales.hear(shop.call("orders.update", one), now=NOW).events

        [page, _] = await read_all(insales, ask())

        assert page.items[0].payload == told.payload
        assert page.items[0].happened_at == told.happened_at


class TestWriting:
    async def test_a_status(self, insales: InSales, shop: InSalesSimulator) -> None:
        one = shop.order()

        await insales.write(decision(one, OrderStatus.CONFIRMED, 2, 1))

        assert shop.written()[0].body == {"order": {"fulfillment_status": "accepted"}}
        assert one["fulfillment_status"] == "accepted"

    async def test_of_a_part_the_lines_get_smaller(
        self, insales: InSales, shop: InSalesSimulator
    ) -> None:
        one = shop.order()

        await insales.write(decision(one, OrderStatus.PARTIALLY_CONFIRMED, 1, 0))

        [kettle] = one["order_lines"]
        assert (kettle["quantity"], one["total_price"]) == (1, 1800.0)
        assert one["fulfillment_status"] == "accepted"

    async def test_nothing_there_and_the_lines_stay(
        self, insales: InSales, shop: InSalesSimulator
    ) -> None:
        one = shop.order()

        await insales.write(decision(one, OrderStatus.REJECTED, 0, 0))

        assert (one["fulfillment_status"], len(one["order_lines"])) == ("declined", 2)

    @pytest.mark.parametrize(
        ("code", "written"),
        [
            ("custom:v-obrabotke", {"custom_status_permalink": "v-obrabotke"}),
            ("financial:paid", {"financial_status": "paid"}),
        ],
    )
    async def test_the_shops_own_status_and_the_payment(
        self, insales: InSales, shop: InSalesSimulator, code: str, written: dict[str, str]
    ) -> None:
        one = shop.order()

        await insales.write(decision(one, OrderStatus.CONFIRMED, code=code))

        assert shop.written()[0].body == {"order": written}

    async def test_again_writes_nothing(self, insales: InSales, shop: InSalesSimulator) -> None:
        one = shop.order()
        part = decision(one, OrderStatus.PARTIALLY_CONFIRMED, 1, 0)
        await insales.write(part)

        await insales.write(part)

        assert len(shop.written()) == 1

    @pytest.mark.parametrize("status", ["dispatched", "delivered", "declined", "returned"])
    async def test_an_order_that_is_over_is_left_alone(
        self, insales: InSales, shop: InSalesSimulator, status: str
    ) -> None:
        one = shop.order(fulfillment_status=status)

        with pytest.raises(Impossible, match="over"):
            await insales.write(decision(one, OrderStatus.CONFIRMED))

        assert one["fulfillment_status"] == status

    async def test_what_the_shop_has_not(self, insales: InSales, shop: InSalesSimulator) -> None:
        one = shop.order()

        with pytest.raises(Impossible):
            await insales.write(decision(one, OrderStatus.CONFIRMED, code="custom:no-such"))
        with pytest.raises(Impossible, match="no such order"):
            await insales.write(decision(one | {"id": 1}, OrderStatus.CONFIRMED))


class TestHooks:
    async def test_all_are_made_once(self, insales: InSales, shop: InSalesSimulator) -> None:
        await insales.subscribe(HOOKS)

        there = await insales.subscribe(HOOKS)

        assert set(there) == set(InSales.topics)
        assert len(shop.webhooks) == len(InSales.topics)
        assert {hook["format_type"] for hook in shop.webhooks} == {"json"}
        assert "client/update" in {hook["topic"] for hook in shop.webhooks}

    async def test_one_in_xml_is_changed(self, insales: InSales, shop: InSalesSimulator) -> None:
        hook = {"id": 1, "topic": "orders/create", "address": HOOKS["orders.create"]}
        shop.webhooks.append(hook | {"format_type": "xml"})

        await insales.subscribe({"orders.create": HOOKS["orders.create"]})

        assert [hook["format_type"] for hook in shop.webhooks] == ["json"]


class TestTrouble:
    async def test_over_its_limit_it_says_how_long(
        self, insales: InSales, shop: InSalesSimulator
    ) -> None:
        shop.allowed = 0

        with pytest.raises(Later) as wait:
            await insales.read(ask())

        assert wait.value.after == timedelta(seconds=137)

    async def test_throttled_by_what_stands_before_it(
        self, insales: InSales, shop: InSalesSimulator
    ) -> None:
        shop.fault = Fault(status=429, headers={"Retry-After": "7"})

        with pytest.raises(Later) as wait:
            await insales.fetch(Kind.ORDER, "1")

        assert wait.value.after == timedelta(seconds=7)

    async def test_a_wrong_key(self, shop: InSalesSimulator, http: ShopHttp) -> None:
        wrong = InSales(config(shop.url, password="other"), http)

        with pytest.raises(Trouble) as trouble:
            await wrong.read(ask())
        check = await wrong.check()

        assert trouble.value.code == "credentials"
        assert not check.ok
        assert "other" not in check.text

    async def test_away(self, insales: InSales, shop: InSalesSimulator) -> None:
        shop.fault = Fault(status=504)
        with pytest.raises(Later):
            await insales.read(ask())
        shop.fault = Fault(close=True)
        with pytest.raises(Later):
            await insales.write(decision(order(), OrderStatus.CONFIRMED))

    async def test_a_page_instead_of_json(self, insales: InSales, shop: InSalesSimulator) -> None:
        shop.fault = Fault(status=200, body="<html>Технические работы</html>")

        with pytest.raises(Later):
            await insales.read(ask())

    async def test_the_check_says_who_answers_and_which_statuses_wait_for_a_meaning(
        self, insales: InSales
    ) -> None:
        check = await insales.check()

        assert check.ok
        assert check.text.startswith("InSales answers as Ромашка; ")
        assert "custom:v-punkte (V-Punkte)" in check.text


def test_the_config_keeps_its_secret() -> None:
    shown = repr(config())

    assert "password-1" not in shown
    assert config("https://romashka.example/").base_url == "https://romashka.example"
    with pytest.raises(ValueError, match="login"):
        config(login="")
