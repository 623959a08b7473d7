"""1C-Bitrix: what our script tells of orders and users, and what it means."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub.config import OrderStatus
from hub.sources.base import Fetches, Reads, Unreadable, Writes
from hub.sources.model import Action, CustomerFacts, Heard, Kind, OrderFacts
from hub.sources.platforms.bitrix import Bitrix, BitrixConfig
from tests.simulators.bitrix import SECRET, payload
from tests.simulators.bitrix import Bitrix as Site
from tests.sources.alone import no_http, order_of, refused
from tests.sources.case import posted

NOW = datetime(2026, 12, 1, 9, 1, tzinfo=UTC)


@pytest.fixture
def platform() -> Bitrix:
    return Bitrix(BitrixConfig(), no_http(), secret=SECRET)


def _heard(platform: Bitrix, body: Any, **signed: Any) -> Heard:
    headers, raw = Site().signed(body, **{"at": NOW, **signed})
    return platform.hear(posted("events", raw, headers), now=NOW)


def _order(platform: Bitrix, **fields: Any) -> OrderFacts:
    return order_of(platform, payload("order")["order"] | fields)


def test_an_order_comes_whole(platform: Bitrix) -> None:
    [event] = _heard(platform, payload("order"), key="msg-1").events

    assert (event.kind, event.action, event.object) == (Kind.ORDER, Action.CREATED, "512")
    assert (event.key, event.ignored) == ("msg-1", "")
    assert event.happened_at == datetime(2026, 12, 1, 9, 0, 0, 123000, UTC)
    assert event.payload == payload("order")["order"] | {"read_at": NOW.isoformat()}


def test_what_it_means(platform: Bitrix) -> None:
    facts = _order(platform)

    assert (facts.id, facts.number, facts.total) == ("512", "2026-512", Decimal("4990.00"))
    assert facts.created_at == datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
    assert facts.codes == (("N",), ("shipment:DN",))
    assert facts.customer is not None
    assert (facts.customer.id, facts.customer.email) == ("42", "anna@example.com")
    assert facts.delivery == {"address": "Москва, ул. Примерная, 5", "carrier": "СДЭК"}
    assert [(line.id, line.sku, line.quantity, line.price) for line in facts.lines] == [
        ("901", "TEA-RED", Decimal(2), Decimal("1990.00")),
        ("902", "0f3d", Decimal("1.0000"), Decimal("1010.00")),
    ]


def _parcel(**fields: str) -> dict[str, str]:
    return {"id": "611", "status_id": "DN", "deducted": "N", "store_id": "0"} | fields


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"payed": "Y"}, {"N", "paid", "shipment:DN"}),
        ({"canceled": "Y"}, {"N", "canceled", "shipment:DN"}),
        ({"status_id": "P", "shipments": []}, {"P"}),
        ({"shipments": [_parcel(deducted="Y")]}, {"N", "shipment:DN", "deducted"}),
        (
            {"shipments": [_parcel(deducted="Y"), _parcel(status_id="DF")]},
            {"N", "shipment:DN", "shipment:DF"},
        ),
    ],
    ids=["paid", "cancelled", "nothing to send", "sent", "half of it sent"],
)
def test_flags_and_parcels_speak_beside_the_status(
    platform: Bitrix, fields: dict[str, Any], codes: set[str]
) -> None:
    assert {code for (code,) in _order(platform, **fields).codes} == codes


def test_each_word_of_a_new_site_is_known(platform: Bitrix) -> None:
    facts = _order(
        platform, payed="Y", canceled="Y", shipments=[_parcel(deducted="Y", status_id="DF")]
    )

    assert {code for (code,) in facts.codes} <= set(platform.statuses)
    assert platform.statuses["F"] is OrderStatus.DELIVERED


def test_a_parcel_with_a_store_is_picked_up_there(platform: Bitrix) -> None:
    parcels = [_parcel(), _parcel(store_id="3", tracking_number="RA1")]

    delivery = _order(platform, shipments=parcels).delivery

    assert (delivery["method"], delivery["tracking"]) == ("pickup", "RA1")


@pytest.mark.parametrize("name", ["items", "shipments", "properties"])
@pytest.mark.parametrize("empty", [[], {}, None, ""])
def test_an_empty_list_may_be_anything(platform: Bitrix, name: str, empty: Any) -> None:
    assert _order(platform, **{name: empty}).id == "512"


def test_a_user_is_a_customer(platform: Bitrix) -> None:
    [event] = _heard(platform, payload("customer")).events
    assert event.payload

    facts = platform.facts(Kind.CUSTOMER, event.payload)

    assert facts == CustomerFacts(
        id="42",
        name="Анна Петрова",
        email="anna@example.com",
        phone="+79991234567",
        locale="ru",
        changed_at=NOW,
    )


def test_only_what_is_named_is_kept(platform: Bitrix) -> None:
    body = payload("order")
    body["order"] |= {"password": "secret-1", "user": {"checkword": "secret-2"}}
    body["order"]["items"][0]["purchasing_price"] = "secret-3"
    body["order"]["properties"]["NESTED"] = {"a": "secret-4"}

    [event] = _heard(platform, body).events

    assert "secret-" not in str(event.payload)


def test_a_ping_is_answered_and_nothing_else(platform: Bitrix) -> None:
    heard = _heard(platform, {"event": "ping"})

    assert not heard.events
    assert heard.reply.status == 200


@pytest.mark.parametrize("name", ["order.exploded", "cart.updated", "order"])
def test_an_event_of_a_later_script_is_kept_for_the_record(platform: Bitrix, name: str) -> None:
    [event] = _heard(platform, {"event": name, "order": {"id": "1"}}).events

    assert (event.kind, event.ignored) == (None, "unknown-event")


@pytest.mark.parametrize(
    "forged",
    [{"secret": "whsec_" + "b3RoZXI="}, {"at": NOW - timedelta(minutes=6)}],
    ids=["another secret", "too old"],
)
def test_what_the_script_did_not_sign_is_forged(platform: Bitrix, forged: dict[str, Any]) -> None:
    with refused(forged=True):
        _heard(platform, payload("order"), **forged)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        {"order": {}},
        {"event": "order.created"},
        {"event": "order.created", "order": []},
    ],
)
def test_what_cannot_be_read_is_refused(platform: Bitrix, body: Any) -> None:
    with refused(forged=False):
        _heard(platform, body)


@pytest.mark.parametrize("missing", ["id", "status_id"])
def test_what_cannot_be_an_order_says_what_is_missing(platform: Bitrix, missing: str) -> None:
    with pytest.raises(Unreadable, match=missing):
        _order(platform, **{missing: ""})


def test_of_products_nothing_is_told(platform: Bitrix) -> None:
    with pytest.raises(Unreadable):
        platform.facts(Kind.PRODUCT, {})


async def test_the_site_is_asked_nothing(platform: Bitrix) -> None:
    assert not isinstance(platform, Fetches | Reads | Writes)
    assert (await platform.check()).ok
