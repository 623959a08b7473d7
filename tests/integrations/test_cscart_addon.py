"""The CS-Cart add-on's own code under php: what it posts, when, and what it does when nobody is there."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.base import HookRequest
from channels.http import ProviderHttp
from hub.sources.base import Call
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Incoming, Kind, OrderFacts
from hub.sources.platforms.cscart import CsCart
from hub.webhooks import signing
from tests.integrations.cscart_shop import ADDON, Shop, checkout, queries
from tests.integrations.php import Receiver, missing
from tests.simulators.cscart import payload

SECRET = signing.new_secret()

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "php is here")


def _bodies(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in receiver.posts]


def _heard(receiver: Receiver, platform: CsCart) -> list[Incoming]:
    """What the hub makes of all that came."""
    return [
        event
        for headers, body in receiver.posts
        for event in platform.hear(
            Call("events", HookRequest("POST", headers, {}, body)), now=datetime.now(UTC)
        ).events
    ]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def platform() -> AsyncIterator[CsCart]:
    async def take() -> None:
        return None

    http = ProviderHttp()
    config = CsCart.Config.model_validate(
        {"base_url": "https://shop.example", "login": "admin@shop.example", "api_key": "key"}
    )
    yield CsCart(config, ShopHttp(http, take), secret=SECRET)  # type: ignore[arg-type]
    await http.close()


@pytest.fixture
async def shop(tmp_path: Path, receiver: Receiver) -> Shop:
    shop = Shop(
        tmp_path / "shop.sqlite",
        {
            "url": f"{receiver.url}/hooks/token/events",
            "secret": SECRET,
            "form": "thin",
            "customers": "Y",
            "products": "N",
            "cron_key": "cron-key",
        },
    )
    await shop.install()
    return shop


async def test_a_checkout_comes_to_one_event(
    shop: Shop, receiver: Receiver, platform: CsCart
) -> None:
    shop.order("1042")

    page, logged = await shop.request(*checkout("1042"), page="Thank you")

    assert (page, logged) == ("Thank you", "")
    [event] = _heard(receiver, platform)
    assert (event.kind, event.action, event.object) == (Kind.ORDER, Action.CREATED, "1042")
    assert event.payload is None
    assert event.happened_at
    assert abs(datetime.now(UTC) - event.happened_at) < timedelta(seconds=30)
    [body] = _bodies(receiver)
    assert (body["status_from"], body["status_to"]) == ("N", "O")


async def test_a_change_of_status_names_both(
    shop: Shop, receiver: Receiver, platform: CsCart
) -> None:
    shop.order("1042", status="P")

    await shop.request(["change_order_status_post", 1042, "P", "O"])

    [event] = _heard(receiver, platform)
    assert event.action is Action.UPDATED
    assert (_bodies(receiver)[0]["status_from"], _bodies(receiver)[0]["status_to"]) == ("O", "P")


async def test_each_vendors_part_has_an_event_and_the_parent_none(
    shop: Shop, receiver: Receiver, platform: CsCart
) -> None:
    shop.order("1041", is_parent_order="Y", status="T")
    shop.order("1042", parent_order_id="1041")
    shop.order("1043", parent_order_id="1041")

    await shop.request(*checkout("1041", "T"), *checkout("1042"), *checkout("1043"))

    assert [event.object for event in _heard(receiver, platform)] == ["1042", "1043"]


async def test_an_order_whose_buyer_is_at_the_payment_page_is_told_of_when_he_is_back(
    shop: Shop, receiver: Receiver, platform: CsCart
) -> None:
    shop.order("1042", status="N")
    await shop.request(["place_order", "1042", "", "N", {}, {}])
    assert not receiver.posts

    shop.order("1042", status="P")
    await shop.request(["change_order_status_post", "1042", "P", "N"])

    assert [event.object for event in _heard(receiver, platform)] == ["1042"]
    assert (await shop.cron())["left"] == 0


async def test_a_tracking_number_is_news(shop: Shop, receiver: Receiver, platform: CsCart) -> None:
    shop.order("1042")

    await shop.request(["create_shipment_post", {"order_id": "1042"}, {}, 0, False, 900])

    assert [event.object for event in _heard(receiver, platform)] == ["1042"]


async def test_customers_are_told_of_and_the_shops_people_are_not(
    shop: Shop, receiver: Receiver, platform: CsCart
) -> None:
    await shop.request(
        ["update_profile", "add", {"user_id": "42", "user_type": "C", "password1": "x"}, {}],
        ["update_profile", "update", {"email": "a@b.example"}, {"user_id": 43, "user_type": "C"}],
        ["update_profile", "update", {"user_id": "1", "user_type": "A"}, {}],
        ["update_profile", "update", {"user_id": "2", "user_type": "V"}, {}],
    )

    heard = _heard(receiver, platform)
    assert {(event.kind, event.action, event.object) for event in heard} == {
        (Kind.CUSTOMER, Action.CREATED, "42"),
        (Kind.CUSTOMER, Action.UPDATED, "43"),
    }
    assert "password1" not in str(_bodies(receiver))


@pytest.mark.parametrize("wanted", ["Y", "N"])
async def test_products_are_told_of_where_it_is_wanted(
    shop: Shop, receiver: Receiver, platform: CsCart, wanted: str
) -> None:
    shop.settings["products"] = wanted

    await shop.request(["update_product_post", {"product": "Чайник"}, 241, "ru", True])

    told = [(event.kind, event.object) for event in _heard(receiver, platform)]
    assert told == ([(Kind.PRODUCT, "241")] if wanted == "Y" else [])


async def test_the_full_form_has_the_order_without_what_is_secret(
    shop: Shop, receiver: Receiver, platform: CsCart
) -> None:
    shop.settings["form"] = "full"
    shop.order("1042", fields={"36": "подъезд 2", "37": ["x"]})
    shop.shipments["1042"] = [
        {"shipment_id": "9", "carrier": "sdek", "tracking_number": "RA1", "comments": "secret-x"},
        {"shipment_id": "10", "carrier": "sdek", "tracking_number": "RA2"},
    ]

    await shop.request(*checkout("1042"))

    [(_, raw)] = receiver.posts
    assert b"secret-" not in raw
    assert b"203.0.113" not in raw
    [event] = _heard(receiver, platform)
    assert event.payload
    facts = platform.facts(Kind.ORDER, event.payload)
    thin = platform.facts(Kind.ORDER, payload("order"))
    assert isinstance(facts, OrderFacts)
    assert isinstance(thin, OrderFacts)
    assert (facts.lines, facts.customer, facts.total) == (thin.lines, thin.customer, thin.total)
    assert facts.delivery == {**thin.delivery, "carrier": "sdek", "tracking": "RA2"}
    assert event.payload["fields"] == {"36": "подъезд 2"}


async def test_the_full_form_has_the_customer_without_the_password(
    shop: Shop, receiver: Receiver, platform: CsCart
) -> None:
    shop.settings["form"] = "full"
    shop.users["42"] = payload("user")

    await shop.request(["update_profile", "add", {"user_id": "42", "user_type": "C"}, {}])

    assert b"secret-" not in receiver.posts[0][1]
    [event] = _heard(receiver, platform)
    assert event.payload
    due = payload("user") | {"read_at": event.payload["read_at"]}
    assert platform.facts(Kind.CUSTOMER, event.payload) == platform.facts(Kind.CUSTOMER, due)


async def test_texts_that_are_no_utf_8_do_not_stop_the_event(
    shop: Shop, receiver: Receiver
) -> None:
    shop.settings["form"] = "full"
    shop.order("1042", notes="\ud83d\ude00 \u2028 </script>")

    await shop.request(*checkout("1042"))

    assert _bodies(receiver)[0]["order"]["notes"] == "😀 \u2028 </script>"


async def test_what_fails_waits_and_goes_again_by_the_cron(
    shop: Shop, receiver: Receiver, platform: CsCart
) -> None:
    shop.order("1042")
    receiver.status = 503
    _, logged = await shop.request(*checkout("1042"))
    assert "HTTP 503" in logged
    receiver.status = 200

    early = await shop.cron()
    await shop.query("UPDATE cscart_vestnik_events SET next_at = 0")
    later = await shop.cron()

    assert early == {"posted": 0, "left": 1, "problem": ""}
    assert later == {"posted": 1, "left": 0, "problem": ""}
    first, second = _heard(receiver, platform)
    assert first.key == second.key


async def test_while_nobody_answers_not_every_page_waits(shop: Shop, receiver: Receiver) -> None:
    await receiver.stop()
    for id_ in ("1", "2", "3"):
        shop.order(id_)
        await shop.request(*checkout(id_))
    info, _ = await shop.request(info=True)
    assert info == "vestnik_waiting: 3 (no answer)"

    await receiver.start(receiver.port)
    await shop.query("UPDATE cscart_vestnik_events SET next_at = 0")
    assert await shop.cron() == {"posted": 3, "left": 0, "problem": ""}

    assert [body["order_id"] for body in _bodies(receiver)] == ["1", "2", "3"]


async def test_a_slow_hub_holds_a_page_for_two_seconds_at_most(
    shop: Shop, receiver: Receiver
) -> None:
    shop.order("1042")
    receiver.delay = 10
    began = asyncio.get_running_loop().time()

    _, logged = await shop.request(*checkout("1042"))

    assert asyncio.get_running_loop().time() - began < 6
    assert "no answer" in logged


async def test_what_the_hub_cannot_read_is_not_told_again(shop: Shop, receiver: Receiver) -> None:
    shop.order("1042")
    receiver.status = 400

    await shop.request(*checkout("1042"))

    assert (await shop.cron())["left"] == 0


async def test_after_three_days_it_is_given_up(shop: Shop, receiver: Receiver) -> None:
    shop.order("1042")
    receiver.status = 404
    await shop.request(*checkout("1042"))
    await shop.query(
        "UPDATE cscart_vestnik_events SET next_at = 0, created_at = created_at - 260000000"
    )

    assert (await shop.cron())["left"] == 0


async def test_only_who_knows_the_key_may_start_it(shop: Shop, receiver: Receiver) -> None:
    shop.order("1042")
    receiver.status = 503
    await shop.request(*checkout("1042"))

    for key, due in (("wrong", "cron-key"), ("", "")):
        shop.settings["cron_key"] = due
        assert "problem" in await shop.cron(key=key)

    assert len(receiver.posts) == 1


async def test_a_ping_says_what_came_back(shop: Shop, receiver: Receiver, platform: CsCart) -> None:
    assert await shop.cron(mode="ping") == {"status": 200}

    assert _heard(receiver, platform) == []
    assert _bodies(receiver) == [{"event": "ping"}]


async def test_nothing_of_ours_stops_acheckout(shop: Shop, receiver: Receiver) -> None:
    shop.order("1042")

    page, logged = await shop.request(*checkout("1042"), then_no_database=True, page="Thank you")

    assert page == "Thank you"
    assert "RuntimeException" in logged
    assert not receiver.posts


async def test_without_an_address_or_a_secret_nothing_is_noted(
    shop: Shop, receiver: Receiver
) -> None:
    shop.order("1042")
    shop.settings["secret"] = ""

    await shop.request(*checkout("1042"))

    assert (await shop.cron())["left"] == 0


async def test_hooks_bear_any_number_of_arguments(shop: Shop) -> None:
    names = re.findall(r"^    '(\w+)',?$", (ADDON / "init.php").read_text(), re.MULTILINE)
    assert len(names) == 5

    _, logged = await shop.request(*([name] for name in names))

    assert logged == ""


def test_every_text_of_the_settings_is_there_in_both_languages() -> None:
    root = ADDON.parents[2]
    written = (ADDON / "addon.xml").read_text()
    items = set(re.findall(r'<item id="(\w+)">', written))
    for language in ("ru", "en"):
        texts = (root / "var" / "langs" / language / "addons" / "vestnik.po").read_text()
        named = set(re.findall(r'msgctxt "Settings\w+::vestnik::(?:form::)?(\w+)"', texts))
        assert named >= items
        assert named - items == {"general"}
        assert "vestnik_waiting" in texts


async def test_uninstalled_it_leaves_nothing_behind(shop: Shop) -> None:
    await shop.request(queries=queries("uninstall"))

    with sqlite3.connect(shop.db) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    database.close()
    assert "cscart_vestnik_events" not in tables
