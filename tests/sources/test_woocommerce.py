"""WooCommerce: the proof of its hooks and the ping, what an order says, reading back by time, what is written."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import BadHook, HookRequest
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
    Incoming,
    Kind,
    OrderFacts,
    ProductFacts,
)
from hub.sources.platforms.woocommerce import WooCommerce, WooCommerceConfig
from hub.sources.registry import platform_class
from hub.webhooks.signing import new_secret
from tests.simulators.base import Fault
from tests.simulators.shops import payload
from tests.simulators.woocommerce import WooCommerceSimulator
from tests.sources.alone import any_json, ask, no_http, objects, order_of, read_all, refused

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
SECRET = "whsec_" + b64encode(b"k" * 32).decode()
HOOK = {"events": "https://hub.example/hooks/t/events"}


@pytest.fixture
async def shop() -> AsyncIterator[WooCommerceSimulator]:
    async with WooCommerceSimulator() as shop:
        yield shop


@pytest.fixture
def woo(shop: WooCommerceSimulator, http: ShopHttp) -> WooCommerce:
    return WooCommerce(config(shop.url), http, secret=SECRET)


def config(url: str = "https://shop.example", **changes: Any) -> WooCommerceConfig:
    known = {"base_url": url, "consumer_key": "ck_1", "consumer_secret": "cs_1"}
    return WooCommerceConfig.model_validate(known | changes)


def offline(**changes: Any) -> WooCommerce:
    """For what calls nobody."""
    return WooCommerce(config(**changes), no_http(), secret=SECRET)


def call(topic: str, said: Any) -> Call:
    return WooCommerceSimulator().call(topic, said, SECRET)


def hear(topic: str, said: Any, **changes: Any) -> Incoming:
    [event] = offline(**changes).hear(call(topic, said), now=NOW).events
    return event


def order(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = payload("woocommerce", "order")
    return known | changes


def order_facts(said: dict[str, Any]) -> OrderFacts:
    event = hear("order.updated", said)
    assert event.payload is not None
    return order_of(offline(), event.payload)


def decision(
    shop_order: dict[str, Any], status: OrderStatus, *confirmed: int, code: str = ""
) -> Decision:
    lines = tuple(
        DecidedLine(str(line["id"]), "", line["quantity"], count)
        for line, count in zip(shop_order["line_items"], confirmed, strict=False)
    )
    code = code or WooCommerce.writes_as[status]
    return Decision(str(shop_order["id"]), status, code, 1, lines)


def test_it_is_known_by_its_name_and_can_do_all() -> None:
    assert platform_class("woocommerce") is WooCommerce
    for part in (Fetches, Reads, Writes, Subscribes):
        assert isinstance(offline(), part)


class TestProof:
    def test_a_hook_of_the_shop(self) -> None:
        event = hear("order.created", order())

        assert (event.kind, event.action, event.object) == (Kind.ORDER, Action.CREATED, "727")
        assert event.happened_at == datetime(2026, 11, 30, 9, 0, 5, tzinfo=UTC)

    @pytest.mark.parametrize(
        "change",
        [
            {"body": b'{"id":728}'},
            {"headers": {"x-wc-webhook-topic": "order.updated"}},
            {"headers": {"x-wc-webhook-signature": ""}},
            {"headers": {"x-wc-webhook-signature": "\udcff=="}},
        ],
    )
    def test_any_other_is_forged(self, change: dict[str, Any]) -> None:
        real = call("order.updated", {"id": 727})
        forged = Call("events", replace(real.request, **change))

        with refused(forged=True):
            offline().hear(forged, now=NOW)

    def test_a_hook_made_with_another_secret(self) -> None:
        other = WooCommerceSimulator().call("order.updated", order(), new_secret())

        with refused(forged=True):
            offline().hear(other, now=NOW)

    def test_without_a_secret_nobody_is_believed(self) -> None:
        signed_with_nothing = WooCommerceSimulator().call("order.updated", order(), "")

        with refused(forged=True):
            WooCommerce(config(), no_http()).hear(signed_with_nothing, now=NOW)

    def test_the_ping_of_a_new_hook_gets_its_200_and_leaves_nothing(self) -> None:
        heard = offline().hear(WooCommerceSimulator().ping(), now=NOW)

        assert (list(heard.events), heard.reply.status) == ([], 200)

    def test_more_than_the_ping_is_no_ping(self) -> None:
        request = HookRequest("POST", {}, {}, b"webhook_id=142&id=727")

        with pytest.raises(BadHook):
            offline().hear(Call("events", request), now=NOW)


class TestHearing:
    @pytest.mark.parametrize(
        ("topic", "kind", "action"),
        [
            ("order.updated", Kind.ORDER, Action.UPDATED),
            ("order.restored", Kind.ORDER, Action.UPDATED),
            ("customer.created", Kind.CUSTOMER, Action.CREATED),
            ("product.updated", Kind.PRODUCT, Action.UPDATED),
        ],
    )
    def test_the_header_says_what_happened(self, topic: str, kind: Kind, action: Action) -> None:
        event = hear(topic, payload("woocommerce", kind.value))

        assert (event.kind, event.action, event.ignored) == (kind, action, "")

    def test_of_what_is_deleted_only_the_id_is_told(self) -> None:
        event = hear("order.deleted", payload("woocommerce", "deleted"))

        assert (event.action, event.object) == (Action.DELETED, "727")
        assert event.payload == {"id": "727"}

    @pytest.mark.parametrize("topic", ["coupon.created", "action.woocommerce_add_to_cart", ""])
    def test_other_topics_are_kept_for_the_record_only(self, topic: str) -> None:
        event = hear(topic, {"action": "woocommerce_add_to_cart", "arg": "x"})

        assert event.ignored == "topic"

    def test_a_hook_whose_maker_lost_his_rights(self) -> None:
        event = hear("order.updated", payload("woocommerce", "no_rights"))

        assert event.ignored == "no-rights"

    def test_carts_of_the_checkout_are_no_orders_yet(self) -> None:
        assert hear("order.created", order(status="checkout-draft")).ignored == "draft"

    def test_staff_are_no_buyers(self) -> None:
        admin = payload("woocommerce", "customer") | {"role": "administrator"}

        assert hear("customer.updated", admin).ignored == "staff"

    def test_two_orders_of_one_second_are_two(self) -> None:
        # The delivery id is made of the hook and the second, so theirs are the same.
        first, second = (call("order.updated", order(id=id_)) for id_ in (727, 728))
        ids = {one.request.headers["x-wc-webhook-delivery-id"] for one in (first, second)}

        keys = {offline().hear(one, now=NOW).events[0].key for one in (first, second)}

        assert (len(ids), len(keys)) == (1, 2)

    def test_one_delivery_told_again_is_one(self) -> None:
        one = call("order.updated", order())

        keys = {offline().hear(one, now=NOW).events[0].key for _ in range(2)}

        assert len(keys) == 1

    def test_what_is_nobodys_business_is_not_kept(self) -> None:
        kept = json.dumps(hear("order.created", order()).payload, ensure_ascii=False)
        kept += json.dumps(hear("customer.updated", payload("woocommerce", "customer")).payload)

        for secret in ("wc_order_58d2", "tok_live", "tr_00000", "203.0.113.42", "Mozilla"):
            assert secret not in kept
        assert "secret-session" not in kept

    def test_free_fields_that_are_asked_for_are_kept(self) -> None:
        event = hear("order.updated", order(), meta=["delivery_slot"])

        assert event.payload is not None
        assert event.payload["meta_data"] == [{"key": "delivery_slot", "value": "10–14"}]

    @pytest.mark.parametrize("said", [[], 7, None, "x", {"number": "727"}, {"id": []}])
    def test_what_is_no_order_is_refused(self, said: Any) -> None:
        with refused(forged=False):
            offline().hear(call("order.updated", said), now=NOW)

    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(["order.updated", "customer.created", "product.deleted", "x.y"]),
        any_json(*order(), "key", "value"),
    )
    def test_whatever_comes_is_read_or_refused(self, topic: str, said: Any) -> None:
        try:
            heard = offline().hear(call(topic, said), now=NOW)
        except BadHook:
            return
        as_json([event.payload for event in heard.events])
        for event in heard.events:
            if event.kind is None or event.payload is None:
                continue
            try:
                offline().facts(event.kind, event.payload)
            except Unreadable:
                continue


class TestFacts:
    def test_an_order(self) -> None:
        found = order_facts(order())

        assert (found.id, found.number, found.codes) == ("727", "727", (("pending",),))
        assert (found.currency, found.total) == ("RUB", Decimal("4290.00"))
        # Of the times that are told, the one of the world.
        assert found.created_at == datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
        kettle, cup = found.lines
        assert (kettle.id, kettle.sku, kettle.quantity) == ("315", "A-1", Decimal(2))
        assert (kettle.price, kettle.product) == (Decimal("1500.00"), "93")
        assert kettle.image_url == "https://shop.example/i/1.jpg"
        assert (cup.price, cup.image_url) == (Decimal("990.00"), "")

    def test_its_buyer(self) -> None:
        buyer = order_facts(order()).customer

        assert buyer is not None
        assert (buyer.id, buyer.name) == ("42", "Анна Ромашкина")
        assert (buyer.email, buyer.phone) == ("anna@buyer.example", "+79160000042")
        assert buyer.subscribed == {}

    def test_customer_nought_is_a_guest(self) -> None:
        buyer = order_facts(order(customer_id=0)).customer

        assert buyer is not None
        assert (buyer.id, buyer.email) == ("", "anna@buyer.example")

    def test_a_paid_one_says_so_beside_its_status(self) -> None:
        paid = order(status="processing", date_paid_gmt="2026-11-30T09:01:00")

        assert order_facts(paid).codes == (("processing",), ("financial:paid",))

    def test_a_status_of_a_plugin_goes_by_its_name(self) -> None:
        assert order_facts(order(status="wc-assembly")).codes == (("assembly",),)

    def test_a_failed_payment_does_not_end_an_order(self) -> None:
        # The buyer may pay again: `failed` is followed by `processing` then.
        assert WooCommerce.statuses["failed"] is None

    def test_where_it_goes(self) -> None:
        assert order_facts(order()).delivery == {
            "method": "Курьер по Москве",
            "address": "101000, Москва, ул. Примерная, 5, кв. 7",
            "carrier": "Курьер по Москве",
        }

    def test_it_is_fetched(self) -> None:
        way = {"id": 317, "method_id": "local_pickup:4", "method_title": "Заберу сам"}

        found = order_facts(order(shipping_lines=[way], shipping={}))

        assert found.delivery["method"] == "pickup"
        assert found.delivery["address"] == "101000, Москва, ул. Примерная, 5"

    def test_a_parcels_number_of_the_tracking_plugin(self) -> None:
        parcel = {"tracking_provider": "СДЭК", "tracking_number": "1500000001", "date_shipped": "1"}
        meta = [{"id": 1, "key": "_wc_shipment_tracking_items", "value": [parcel]}]

        found = order_facts(order(meta_data=meta))

        assert (found.delivery["carrier"], found.delivery["tracking"]) == ("СДЭК", "1500000001")

    def test_a_customer(self) -> None:
        found = offline().facts(Kind.CUSTOMER, payload("woocommerce", "customer"))

        assert isinstance(found, CustomerFacts)
        assert (found.id, found.name, found.phone) == ("42", "Анна Ромашкина", "+79160000042")

    def test_a_product(self) -> None:
        found = offline().facts(Kind.PRODUCT, payload("woocommerce", "product"))

        assert isinstance(found, ProductFacts)
        assert (found.id, found.sku, found.price) == ("93", "A-1", Decimal("1500.00"))
        assert (found.quantity, found.url) == (Decimal(12), "https://shop.example/product/chaynik/")

    def test_what_cannot_be_read_names_its_field(self) -> None:
        with pytest.raises(Unreadable, match="id"):
            offline().facts(Kind.ORDER, {"number": "1"})
        with pytest.raises(Unreadable, match="cart"):
            offline().facts(Kind.CART, {"id": 1})


class TestReading:
    async def test_one_object(self, woo: WooCommerce, shop: WooCommerceSimulator) -> None:
        one = shop.order()

        found = await woo.fetch(Kind.ORDER, str(one["id"]))

        assert found is not None
        assert found["number"] == one["number"]
        assert "order_key" not in found

    async def test_one_that_is_not_there(self, woo: WooCommerce) -> None:
        assert await woo.fetch(Kind.ORDER, "1") is None
        assert await woo.fetch(Kind.CART, "1") is None

    async def test_all_that_changed_though_they_changed_in_one_second(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        shop.later = timedelta(hours=-30)
        shop.order()
        shop.later = timedelta(hours=-2)
        made = [str(shop.order()["id"]) for _ in range(230)]

        pages = await read_all(woo, ask())

        assert list(dict.fromkeys(objects(pages))) == made
        assert pages[0].total == 230

    async def test_a_list_that_moves_while_it_is_read_loses_nobody(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        made = []
        for second in range(150):
            shop.later = timedelta(hours=-2, seconds=second)
            made.append(str(shop.order()["id"]))
        first = await woo.read(ask())
        # Those of the first page change meanwhile, and all others move up.
        shop.later = timedelta(hours=-1)
        for id_ in made[:50]:
            shop.change(id_, status="on-hold")

        rest = await read_all(woo, ask(position=first.position))

        assert set(objects([first])) | set(objects(rest)) == set(made)

    async def test_the_next_reading_goes_on_from_the_last(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        shop.later = timedelta(hours=-3)
        first = shop.order()
        shop.later = timedelta(hours=-2)
        second = shop.order()
        kept = json.loads(json.dumps((await read_all(woo, ask()))[-1].position))
        shop.later = timedelta(hours=-1)
        shop.change(str(first["id"]), status="processing")

        pages = await read_all(woo, ask(position=kept))

        # The second from which it goes on is read again: it may not have been over.
        assert objects(pages) == [str(second["id"]), str(first["id"])]

    async def test_a_list_that_ends_now_is_read_again_a_little(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        shop.later = timedelta(seconds=-30)
        one = shop.order()
        shop.later = timedelta(0)
        other = shop.order()
        kept = (await read_all(woo, ask()))[-1].position

        pages = await read_all(woo, ask(position=kept))

        assert objects(pages) == [str(one["id"]), str(other["id"])]

    async def test_times_are_those_of_the_world_wherever_the_shop_is(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        shop.later = timedelta(minutes=-10)
        one = shop.order()

        found = objects(await read_all(woo, ask(since=datetime.now(UTC) - timedelta(minutes=11))))
        none = objects(await read_all(woo, ask(since=datetime.now(UTC) - timedelta(minutes=9))))

        assert (found, none) == ([str(one["id"])], [])

    async def test_a_slow_shop_is_asked_for_fewer_and_counted_anew(
        self, shop: WooCommerceSimulator, http: ShopHttp
    ) -> None:
        shop.later = timedelta(hours=-2)
        made = [str(shop.order()["id"]) for _ in range(30)]
        few, more = (WooCommerce(config(shop.url, per_page=n), http) for n in (10, 20))
        begun = await few.read(ask(position=(await few.read(ask())).position))

        rest = await read_all(more, ask(position=begun.position))

        assert shop.calls[0].query["per_page"] == "10"
        assert set(objects([begun])) | set(objects(rest)) == set(made)

    async def test_what_is_not_kept_is_not_asked_for(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        one = shop.order()
        [told] = woo.hear(shop.call("order.updated", one, SECRET), now=NOW).events

        [page] = await read_all(woo, ask())

        assert "line_items" in shop.calls[0].query["_fields"].split(",")
        assert "order_key" not in shop.calls[0].query["_fields"]
        # A hook brings all; what is kept of it is the same.
        assert page.items[0].payload == told.payload

    async def test_drafts_are_passed_over(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        shop.order(status="checkout-draft")

        assert objects(await read_all(woo, ask())) == []

    async def test_products(self, woo: WooCommerce, shop: WooCommerceSimulator) -> None:
        shop.products["93"] = payload("woocommerce", "product") | shop.stamps("modified")

        assert objects(await read_all(woo, ask(Kind.PRODUCT))) == ["93"]

    async def test_customers_back_from_the_newest(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        register(shop, range(1, 251), timedelta(hours=-2))
        register(shop, range(900, 950), timedelta(days=-40))

        pages = await read_all(woo, ask(Kind.CUSTOMER, purpose=Purpose.HISTORY))

        assert sorted(map(int, objects(pages))) == list(range(1, 251))

        register(shop, range(300, 302), timedelta(hours=-1))
        kept = json.loads(json.dumps(pages[-1].position))
        new = await read_all(woo, ask(Kind.CUSTOMER, position=kept))

        assert {"300", "301"} <= set(objects(new))
        assert not {str(id_) for id_ in range(900, 950)} & set(objects(new))


def register(shop: WooCommerceSimulator, range_: range, later: timedelta) -> None:
    for id_ in range_:
        shop.later = later + timedelta(seconds=id_ % 250)
        customer = payload("woocommerce", "customer") | {"id": id_} | shop.stamps("created")
        shop.customers[str(id_)] = customer | shop.stamps("modified")


class TestWriting:
    async def test_of_a_part_lines_and_sums_get_smaller(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        one = shop.order(status="processing", **shop.paid())

        await woo.write(decision(one, OrderStatus.PARTIALLY_CONFIRMED, 1, 0))

        [kettle] = one["line_items"]
        assert (kettle["quantity"], kettle["total"], kettle["subtotal"]) == (
            1,
            "1500.00",
            "1600.00",
        )
        assert (one["status"], one["total"]) == ("processing", "1800.00")

    async def test_an_order_that_nobody_paid_is_not_called_paid(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        one = shop.order(status="pending")

        await woo.write(decision(one, OrderStatus.PARTIALLY_CONFIRMED, 1, 1))

        assert (one["status"], one["date_paid_gmt"]) == ("pending", None)
        assert one["line_items"][0]["quantity"] == 1

    async def test_a_paid_one_moves_on(self, woo: WooCommerce, shop: WooCommerceSimulator) -> None:
        one = shop.order(status="on-hold", **shop.paid())

        await woo.write(decision(one, OrderStatus.CONFIRMED, 2, 1))

        assert shop.written()[0].body == {"status": "processing"}

    async def test_a_plugins_status(self, woo: WooCommerce, shop: WooCommerceSimulator) -> None:
        one = shop.order()

        await woo.write(decision(one, OrderStatus.CONFIRMED, 2, 1, code="wc-assembly"))

        assert one["status"] == "assembly"

    async def test_nothing_there_and_the_lines_stay(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        one = shop.order(status="processing")

        await woo.write(decision(one, OrderStatus.REJECTED, 0, 0))

        assert (one["status"], len(one["line_items"])) == ("cancelled", 2)

    async def test_again_writes_nothing(self, woo: WooCommerce, shop: WooCommerceSimulator) -> None:
        one = shop.order(status="processing")
        part = decision(one, OrderStatus.PARTIALLY_CONFIRMED, 1, 0)
        await woo.write(part)

        await woo.write(part)

        assert len(shop.written()) == 1

    @pytest.mark.parametrize("status", ["completed", "cancelled", "refunded", "trash"])
    async def test_an_order_that_is_over_is_left_alone(
        self, woo: WooCommerce, shop: WooCommerceSimulator, status: str
    ) -> None:
        one = shop.order(status=status)

        with pytest.raises(Impossible, match="over"):
            await woo.write(decision(one, OrderStatus.PARTIALLY_CONFIRMED, 1, 1))

        assert one["status"] == status

    async def test_what_the_shop_has_not(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        one = shop.order()

        with pytest.raises(Impossible):
            await woo.write(decision(one, OrderStatus.CONFIRMED, code="no-such"))
        with pytest.raises(Impossible, match="no such order"):
            await woo.write(decision(one | {"id": 1}, OrderStatus.CONFIRMED))


class TestHooks:
    async def test_all_are_made_once(self, woo: WooCommerce, shop: WooCommerceSimulator) -> None:
        hook = {"events": f"{shop.url}/nobody"}
        await woo.subscribe(hook)

        assert await woo.subscribe(hook) == ["events"]
        topics = [hook["topic"] for hook in shop.webhooks]
        assert {"order.created", "order.updated", "order.deleted"} <= set(topics)
        assert len(topics) == len(set(topics))
        assert {hook["secret"] for hook in shop.webhooks} == {SECRET}

    async def test_one_that_was_switched_off_is_on_again(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        url = f"{shop.url}/nobody"
        known = {"id": 1, "topic": "order.updated", "delivery_url": url, "secret": "old"}
        shop.webhooks.append(known | {"status": "disabled", "failure_count": 6})

        await woo.subscribe({"events": url})

        assert (shop.webhooks[0]["status"], shop.webhooks[0]["secret"]) == ("active", SECRET)


class TestTrouble:
    async def test_throttled(self, woo: WooCommerce, shop: WooCommerceSimulator) -> None:
        shop.fault = Fault(status=429, headers={"Retry-After": "7"})
        with pytest.raises(Later) as wait:
            await woo.read(ask())
        assert wait.value.after == timedelta(seconds=7)

        shop.fault = Fault(status=503)
        with pytest.raises(Later) as wait:
            await woo.read(ask())
        assert wait.value.after > timedelta(0)

    async def test_a_wrong_key(self, shop: WooCommerceSimulator, http: ShopHttp) -> None:
        wrong = WooCommerce(config(shop.url, consumer_secret="cs_other"), http)

        with pytest.raises(Trouble) as trouble:
            await wrong.read(ask())
        check = await wrong.check()

        assert trouble.value.code == "credentials"
        assert not check.ok
        assert "cs_other" not in check.text

    async def test_a_key_that_may_only_read(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        one = shop.order(status="processing")
        shop.may_write = False

        assert (await woo.check()).ok
        with pytest.raises(Trouble):
            await woo.write(decision(one, OrderStatus.REJECTED))
        with pytest.raises(Trouble):
            await woo.subscribe(HOOK)

    async def test_away(self, woo: WooCommerce, shop: WooCommerceSimulator) -> None:
        shop.fault = Fault(status=500)
        with pytest.raises(Later):
            await woo.read(ask())
        shop.fault = Fault(close=True)
        with pytest.raises(Later):
            await woo.write(decision(order(), OrderStatus.CONFIRMED))

    @pytest.mark.parametrize(
        "page",
        [
            Fault(status=200, body="<html>Maintenance</html>"),
            Fault(status=302, headers={"Location": "https://shop.example/"}),
            Fault(status=200, body='{"code": "x"}', content_type="application/json"),
        ],
    )
    async def test_something_else_where_a_list_was_due(
        self, woo: WooCommerce, shop: WooCommerceSimulator, page: Fault
    ) -> None:
        shop.fault = page

        with pytest.raises(Later):
            await woo.read(ask())
        assert not (await woo.check()).ok

    async def test_the_check_says_who_answers(
        self, woo: WooCommerce, shop: WooCommerceSimulator
    ) -> None:
        shop.order()

        check = await woo.check()

        assert (check.ok, check.text) == (True, "WooCommerce answers; orders in it: 1")


def test_the_config_keeps_its_secrets() -> None:
    shown = repr(config())

    assert "cs_1" not in shown
    assert config("https://shop.example/shop/").base_url == "https://shop.example/shop"
