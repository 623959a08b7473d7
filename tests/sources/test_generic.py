"""A shop of one's own: the hub's shape, CloudEvents in all their modes, a shape of its own read by JMESPath."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import BadHook, HookRequest
from hub.sources.base import Call, Fetches, Reads, Unreadable, Writes
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Incoming, Kind, OrderFacts
from hub.sources.platforms.generic import Generic, GenericConfig
from hub.webhooks import signing
from tests.simulators import shops
from tests.simulators.generic import batched, binary, plain, signed, structured
from tests.sources.alone import refused

payload = partial(shops.payload, "generic")
SECRET = signing.new_secret()
SEVEN = datetime(2024, 12, 1, 7, 0, tzinfo=UTC)

OWN = {
    "type": "event_name",
    "types": {"order_sent": "order.updated", "order_gone": "order.deleted"},
    "id": "uid",
    "time": "at",
    "timezone": "Europe/Moscow",
    "data": {
        "order": """{
            id: order.no, number: to_string(order.no), status: order.state, total: order.sum,
            changed_at: order.modified,
            customer: order.client.{id: login, name: fio, email: mail, phone: join('', ['+', to_string(tel)])},
            delivery: order.ship.{method: how, tracking: track, address: comment},
            lines: order.items[].{id: pos, sku: article, title: name, quantity: qty, price: price}
        }""",
    },
}


@pytest.fixture
def shop(http: ShopHttp) -> Generic:
    return Generic(GenericConfig(), http, secret=SECRET)


@pytest.fixture
def own(http: ShopHttp) -> Generic:
    return Generic(config(events=OWN), http, secret=SECRET)


def config(**given: Any) -> GenericConfig:
    return GenericConfig.model_validate(given)


def heard(shop: Generic, request: HookRequest) -> list[Incoming]:
    return list(shop.hear(Call("events", request), now=datetime.now(UTC)).events)


def facts(shop: Generic, event: Incoming) -> OrderFacts:
    assert event.kind
    assert event.payload
    found = shop.facts(event.kind, event.payload)
    assert isinstance(found, OrderFacts)
    return found


class TestProof:
    def test_what_is_signed_is_heard(self, shop: Generic) -> None:
        reply = shop.hear(
            Call("events", plain(payload("canonical"), SECRET)), now=datetime.now(UTC)
        ).reply

        assert (reply.status, json.loads(reply.body)) == (202, {"accepted": 1})

    @pytest.mark.parametrize("secret", ["", signing.new_secret()], ids=["none", "another"])
    def test_what_is_not_is_refused(self, shop: Generic, secret: str) -> None:
        with refused(forged=True):
            heard(shop, plain(payload("canonical"), secret))

    def test_an_old_signature_counts_no_more(self, shop: Generic) -> None:
        call = Call("events", plain(payload("canonical"), SECRET))

        with pytest.raises(BadHook):
            shop.hear(call, now=datetime.now(UTC) + timedelta(hours=1))

    def test_a_shop_may_do_without(self, http: ShopHttp) -> None:
        shop = Generic(config(unsigned=True), http, secret=SECRET)

        assert heard(shop, plain(payload("canonical")))


class TestOurShape:
    def test_an_event(self, shop: Generic) -> None:
        [event] = heard(shop, plain(payload("canonical"), SECRET))

        assert (event.kind, event.action, event.object) == (Kind.ORDER, Action.UPDATED, "1042")
        assert event.happened_at == SEVEN
        order = facts(shop, event)
        assert (order.codes, order.total) == ((("shipped",),), Decimal("4880.00"))

    def test_many_at_once(self, shop: Generic) -> None:
        both = [payload("canonical"), payload("canonical") | {"id": "ev-2"}]

        first, second = heard(shop, plain(both, SECRET))

        assert first.key != second.key

    def test_its_id_is_what_makes_it_the_same(self, shop: Generic) -> None:
        [first] = heard(shop, plain(payload("canonical"), SECRET))
        [again] = heard(shop, plain(payload("canonical") | {"action": "created"}, SECRET))

        assert first.key == again.key

    def test_without_one_the_message_is(self, http: ShopHttp) -> None:
        shop = Generic(config(unsigned=True), http)
        said = {name: value for name, value in payload("canonical").items() if name != "id"}
        named = signed("application/json", said, "", {"webhook-id": "msg-1"})
        [by_message] = heard(shop, named)
        [by_body] = heard(shop, plain(said))
        [again] = heard(shop, plain(said))

        assert by_message.key != by_body.key == again.key

    @pytest.mark.parametrize(
        ("change", "place"),
        [
            ({"kind": "parcel"}, "kind must be"),
            ({"action": "moved"}, "kind must be"),
            ({"data": None}, "data is missing"),
            ({"data": {"id": "1", "lines": []}}, "data.lines"),
            ({"data": {"lines": [{"title": "x"}]}}, "data.id"),
            ({"data": {"id": "1", "lines": [{"titel": "x"}]}}, "data.lines.0.titel"),
            ({"happened_at": "yesterday"}, "happened_at"),
            ({"data": {"id": "1", "total": 10**30, "lines": [{}]}}, "64 bits"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, shop: Generic, change: dict[str, Any], place: str
    ) -> None:
        with refused(forged=False, match=place):
            heard(shop, plain(payload("canonical") | change, SECRET))

    def test_of_many_the_place_is_named(self, shop: Generic) -> None:
        both = [payload("canonical"), payload("canonical") | {"data": {}}]

        with pytest.raises(BadHook, match=r"\[1\]\.data\.id"):
            heard(shop, plain(both, SECRET))

    def test_no_value_stands_in_an_error(self, shop: Generic) -> None:
        data = payload("canonical")["data"] | {"customer": {"email": ["anna@example.com"]}}

        with pytest.raises(BadHook) as refusal:
            heard(shop, plain(payload("canonical") | {"data": data}, SECRET))

        assert "anna" not in str(refusal.value)

    def test_of_what_was_deleted_the_id_is_enough(self, shop: Generic) -> None:
        said = {"kind": "cart", "action": "deleted", "id": "e", "data": {"id": "7", "lines": "?"}}

        [event] = heard(shop, plain(said, SECRET))

        assert (event.kind, event.action, event.payload) == (Kind.CART, Action.DELETED, {"id": "7"})

    def test_what_no_column_takes_is_replaced(self, shop: Generic) -> None:
        said = payload("canonical")
        said["data"]["customer"] |= {"name": "Ан\x00на", "attributes": {"\ud800": "x\x00"}}
        body = json.dumps(said).encode()

        [event] = heard(shop, signed("application/json", body, SECRET))

        assert event.payload
        customer = event.payload["customer"]
        assert (customer["name"], customer["attributes"]) == ("Ан\ufffdна", {"\ufffd": "x\ufffd"})

    @pytest.mark.parametrize(
        "body", [b"", b"\xff{", b"1", b'"order"', b"[1]", b"{}", b"[" * 100_000, b"[{}]" * 2]
    )
    def test_rubbish_is_refused(self, shop: Generic, body: bytes) -> None:
        with refused(forged=False):
            heard(shop, signed("application/json", body, SECRET))

    def test_what_is_too_deep_is_refused(self, shop: Generic) -> None:
        deep: Any = "x"
        for _ in range(200):
            deep = {"a": deep}
        data = payload("canonical")["data"] | {"customer": {"id": "1", "attributes": deep}}

        with pytest.raises(BadHook, match="deep"):
            heard(shop, plain(payload("canonical") | {"data": data}, SECRET))

    @pytest.mark.parametrize("where", ["event", "data"])
    def test_an_event_of_tomorrow_is_refused(self, shop: Generic, where: str) -> None:
        """All that is told today would seem older than it."""
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        said = payload("canonical") | ({"happened_at": tomorrow} if where == "event" else {})
        said["data"] |= {"changed_at": tomorrow} if where == "data" else {}

        with pytest.raises(BadHook, match="clock"):
            heard(shop, plain(said, SECRET))

    def test_too_many_are_refused(self, shop: Generic) -> None:
        with pytest.raises(BadHook, match="1000"):
            heard(shop, plain([{}] * 1001, SECRET))


class TestCloudEvents:
    def test_structured(self, shop: Generic) -> None:
        [event] = heard(shop, structured(payload("cloudevent"), SECRET))

        assert (event.kind, event.action, event.object) == (Kind.ORDER, Action.UPDATED, "1042")
        assert event.happened_at == SEVEN
        assert facts(shop, event).codes == (("shipped",),)

    def test_binary_says_the_same(self, shop: Generic) -> None:
        [event] = heard(shop, binary(payload("cloudevent"), SECRET))

        assert [event] == heard(shop, structured(payload("cloudevent"), SECRET))

    def test_batched(self, shop: Generic) -> None:
        both = [payload("cloudevent"), payload("cloudevent") | {"id": "7d2d"}]

        first, second = heard(shop, batched(both, SECRET))

        assert first.key != second.key
        assert first.object == second.object

    def test_source_and_id_together_are_its_name(self, shop: Generic) -> None:
        [one] = heard(shop, structured(payload("cloudevent"), SECRET))
        other = payload("cloudevent") | {"source": "https://other.example"}
        [two] = heard(shop, structured(other, SECRET))

        assert one.key != two.key

    @pytest.mark.parametrize("subject", ['заказ "№ 1042" 100%', "a b", "plain", "😀"])
    def test_headers_are_unescaped(self, shop: Generic, subject: str) -> None:
        event = payload("cloudevent") | {
            "type": "a.order.deleted",
            "subject": subject,
            "data": None,
        }

        [by_header] = heard(shop, binary(event | {"data": {}}, SECRET))
        [by_body] = heard(shop, structured(event, SECRET))

        assert by_header.object == by_body.object == subject

    def test_headers_of_older_senders_come_in_quotes(self, shop: Generic) -> None:
        request = binary(payload("cloudevent") | {"type": "a.order.deleted"}, SECRET)
        headers = {**request.headers, "ce-subject": r'"say \"1042\""'}
        quoted = HookRequest("POST", headers, {}, request.body)

        [event] = heard(shop, quoted)

        # The data's own id counts before the subject.
        assert event.object == "1042"
        without = signed(
            "application/json",
            {},
            SECRET,
            {name: value for name, value in headers.items() if name.startswith("ce-")},
        )
        [event] = heard(shop, without)
        assert event.object == 'say "1042"'

    @pytest.mark.parametrize("value", ["%C0%A0", "%ff", "\udcff"])
    def test_headers_that_are_no_utf8_are_refused(self, shop: Generic, value: str) -> None:
        request = binary(payload("cloudevent"), SECRET)

        with pytest.raises(BadHook, match="UTF-8"):
            heard(
                shop,
                HookRequest("POST", {**request.headers, "ce-subject": value}, {}, request.body),
            )

    def test_data_may_come_in_base64(self, shop: Generic) -> None:
        event = payload("cloudevent")
        data = b64encode(json.dumps(event.pop("data")).encode()).decode()

        [found] = heard(shop, structured(event | {"data_base64": data}, SECRET))

        assert facts(shop, found).lines[0].sku == "KETTLE-1"

    def test_a_type_that_is_not_ours_is_kept_as_such(self, shop: Generic) -> None:
        said = payload("cloudevent") | {"type": "example.shop.stock.counted", "data": None}

        [event] = heard(shop, structured(said, SECRET))

        assert (event.kind, event.ignored, event.payload) == (None, "unknown-type", None)

    def test_a_shop_may_name_its_types(self, http: ShopHttp) -> None:
        types = {"types": {"ru.shop.basket-left": "cart.updated"}}
        shop = Generic(config(events=types), http, secret=SECRET)
        said = payload("cloudevent") | {"type": "ru.shop.basket-left", "data": {"id": "c1"}}

        [event] = heard(shop, structured(said, SECRET))

        assert (event.kind, event.object) == (Kind.CART, "c1")

    def test_data_of_the_shops_own_shape(self, own: Generic) -> None:
        said = payload("cloudevent") | {"type": "order_sent", "data": payload("own")}

        [event] = heard(own, structured(said, SECRET))

        assert facts(own, event).lines[0].title == "Чайник"

    @pytest.mark.parametrize(
        ("change", "place"),
        [
            ({"specversion": "0.3"}, "specversion"),
            ({"id": ""}, "id is missing"),
            ({"source": None}, "source is missing"),
            ({"type": 5}, "type is missing"),
            ({"datacontenttype": "text/xml"}, "datacontenttype"),
            ({"data_base64": "%%%"}, "data_base64"),
            ({"time": "soon"}, "time"),
            ({"data": [1]}, "data"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, shop: Generic, change: dict[str, Any], place: str
    ) -> None:
        with pytest.raises(BadHook, match=place):
            heard(shop, structured(payload("cloudevent") | change, SECRET))

    @pytest.mark.parametrize(
        "media", ["application/cloudevents+avro", "application/cloudevents-batch+json"]
    )
    def test_other_formats_are_refused(self, shop: Generic, media: str) -> None:
        with pytest.raises(BadHook):
            heard(shop, signed(media, payload("cloudevent"), SECRET))

    def test_in_binary_mode_the_body_must_be_json(self, shop: Generic) -> None:
        request = binary(payload("cloudevent") | {"datacontenttype": "text/xml"}, SECRET)

        with pytest.raises(BadHook, match="Content-Type"):
            heard(shop, request)


class TestOwnShape:
    def test_a_body_is_read_by_its_paths(self, own: Generic) -> None:
        [event] = heard(own, plain(payload("own"), SECRET))

        assert (event.kind, event.action, event.object) == (Kind.ORDER, Action.UPDATED, "1042")
        assert event.happened_at == datetime.fromtimestamp(1733036400, UTC)
        order = facts(own, event)
        assert (order.number, order.codes, order.total) == ("1042", (("SENT",),), Decimal(4880))
        assert order.customer
        assert (order.customer.id, order.customer.phone) == ("42", "+79990000031")
        # A number may be an article; what is null was not said.
        assert [line.sku for line in order.lines] == ["4711", "CUP-7"]
        assert order.delivery == {"method": "post", "tracking": "TRACK-1"}
        # Without an offset it is the shop's own time.
        assert order.changed_at == SEVEN

    def test_only_what_the_paths_name_is_kept(self, own: Generic) -> None:
        [event] = heard(own, plain(payload("own"), SECRET))

        assert "Кличка" not in json.dumps(event.payload, ensure_ascii=False)

    def test_its_id_makes_it_the_same(self, own: Generic) -> None:
        [first] = heard(own, plain(payload("own"), SECRET))
        [again] = heard(own, plain(payload("own"), SECRET))
        [other] = heard(own, plain(payload("own") | {"uid": "e-78"}, SECRET))

        assert first.key == again.key != other.key

    def test_a_word_may_mean_that_it_is_gone(self, own: Generic) -> None:
        [event] = heard(own, plain(payload("own") | {"event_name": "order_gone"}, SECRET))

        assert (event.action, event.object) == (Action.DELETED, "1042")

    @pytest.mark.parametrize("word", ["stock_counted", None, 5, {"a": 1}])
    def test_an_unknown_word_is_kept_as_such(self, own: Generic, word: Any) -> None:
        [event] = heard(own, plain(payload("own") | {"event_name": word}, SECRET))

        assert event.ignored == "unknown-type"

    def test_what_the_paths_do_not_find_is_named(self, own: Generic) -> None:
        with pytest.raises(BadHook, match=r"data\.order\.id"):
            heard(own, plain({"event_name": "order_sent"}, SECRET))

    def test_a_literal_will_do_where_a_shop_tells_one_thing_only(self, http: ShopHttp) -> None:
        shape = {"type": "'order.updated'", "data": {"order": "@"}}
        shop = Generic(config(events=shape), http, secret=SECRET)

        [event] = heard(shop, plain({"id": 7, "lines": [{"title": "Чайник"}]}, SECRET))

        assert (event.kind, event.object) == (Kind.ORDER, "7")

    @pytest.mark.parametrize(
        ("shape", "place"),
        [
            ({"type": "order["}, "type"),
            ({"data": {"order": "{id: no,"}}, "data"),
            ({"data": {"parcel": "no"}}, "data"),
            ({"types": {"sent": "parcel.sent"}}, "types"),
            ({"timezone": "Mars/Base"}, "timezone"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_a_config_that_cannot_be_read_is_refused(
        self, shape: dict[str, Any], place: str
    ) -> None:
        with pytest.raises(ValidationError, match=place):
            config(events=shape)


def test_facts_of_what_was_told_over_the_api(shop: Generic) -> None:
    with pytest.raises(Unreadable, match="lines"):
        shop.facts(Kind.ORDER, {"id": "1"})


def test_it_only_tells(shop: Generic) -> None:
    assert not isinstance(shop, Fetches)
    assert not isinstance(shop, Reads)
    assert not isinstance(shop, Writes)
