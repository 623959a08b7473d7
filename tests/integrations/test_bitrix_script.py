"""The 1C-Bitrix script's own code under php: what it posts, when, and what it does when nobody is there."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from channels.base import HookRequest
from hub.sources.base import Call
from hub.sources.http import ShopHttp
from hub.sources.model import Action, Incoming, Kind, OrderFacts
from hub.sources.platforms.bitrix import Bitrix, BitrixConfig
from hub.webhooks import signing
from tests.integrations.php import PHP, Receiver, missing, run
from tests.simulators.bitrix import payload

SCRIPT = Path(__file__).parents[2] / "integrations" / "bitrix/local/php_interface/vestnik"
STUBS = Path(__file__).parent / "bitrix_stubs.php"
SECRET = signing.new_secret()

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "php is here")

PLATFORM = Bitrix(BitrixConfig(), cast(ShopHttp, None), secret=SECRET)


def _heard(receiver: Receiver) -> list[Incoming]:
    """What the hub makes of all that came."""
    return [
        event
        for headers, body in receiver.posts
        for event in PLATFORM.hear(
            Call("events", HookRequest("POST", headers, {}, body)), now=datetime.now(UTC)
        ).events
    ]


def _order(**fields: Any) -> dict[str, Any]:
    """As the sale module has the order of `payloads/bitrix/order.json`."""
    return {
        "id": 512,
        "ACCOUNT_NUMBER": "2026-512",
        "siteId": "s1",
        "userId": 42,
        "STATUS_ID": "N",
        "paid": False,
        "canceled": False,
        "REASON_CANCELED": None,
        "DATE_INSERT": "2026-12-01T12:00:00+03:00",
        "price": 4990,
        "currency": "RUB",
        "USER_DESCRIPTION": "Позвоните за час",
        "properties": [
            {"CODE": "FIO", "value": "Анна Петрова"},
            {"CODE": "EMAIL", "value": "anna@example.com"},
            {"CODE": "PVZ", "value": "MSK77"},
            {"CODE": "FILES", "value": ["secret-file"]},
            {"CODE": "", "value": "secret-nameless"},
        ],
        "basket": [
            {
                "id": 901,
                "productId": 77,
                "PRODUCT_XML_ID": "0f3c#1",
                "NAME": "Чайник, красный",
                "quantity": 2.0,
                "price": 1990,
                "PURCHASING_PRICE": "secret-price",
                "properties": {"CML2_ARTICLE": {"VALUE": "TEA-RED"}},
            }
        ],
        "shipments": [
            {"system": True, "id": 610},
            {
                "system": False,
                "id": 611,
                "STATUS_ID": "DN",
                "DEDUCTED": "N",
                "TRACKING_NUMBER": None,
                "DELIVERY_NAME": "СДЭК",
                "storeId": 0,
            },
        ],
    } | fields


@dataclass
class Site:
    """Each call is one request of its own, as in PHP; the database stays."""

    folder: Path
    orders: dict[str, Any] = field(default_factory=dict)
    users: dict[str, Any] = field(default_factory=dict)

    @property
    def db(self) -> Path:
        return self.folder / "site.sqlite"

    def set_up(self, url: str, secret: str = SECRET, *, customers: bool = True) -> None:
        """The script as it is, with somebody's settings beside it."""
        shutil.copy(SCRIPT / "vestnik.php", self.folder)
        written = (SCRIPT / "settings.php").read_text()
        written = written.replace("'url' => ''", f"'url' => '{url}'")
        written = written.replace("'secret' => ''", f"'secret' => '{secret}'")
        if not customers:
            written = written.replace("'customers' => true", "'customers' => false")
        (self.folder / "settings.php").write_text(written)

    async def request(self, *save: tuple[int, bool], **more: Any) -> tuple[str, str]:
        """What the page says, and what was logged."""
        given = {
            "db": str(self.db),
            "script": str(self.folder),
            "orders": self.orders,
            "users": self.users,
            "save": save,
        }
        return await run(STUBS, given | more)

    def query(self, statement: str) -> list[Any]:
        with sqlite3.connect(self.db) as database:
            rows = database.execute(statement).fetchall()
        database.close()
        return rows


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
def site(tmp_path: Path, receiver: Receiver) -> Site:
    site = Site(tmp_path, {"512": _order()})
    site.set_up(f"{receiver.url}/hooks/token/events")
    return site


async def test_an_order_that_is_saved_several_times_is_one_event(
    site: Site, receiver: Receiver
) -> None:
    page, logged = await site.request((512, True), (512, False), (512, False), page="Thank you")

    assert page == "Thank you"
    assert logged == "agent: \\Vestnik\\Shop::agent(); every 300\n"
    [event] = _heard(receiver)
    assert (event.kind, event.action, event.object) == (Kind.ORDER, Action.CREATED, "512")
    assert event.happened_at
    assert abs(datetime.now(UTC) - event.happened_at) < timedelta(seconds=30)
    assert site.query("SELECT * FROM b_vestnik_event") == []


async def test_the_order_is_told_as_the_hub_reads_it(site: Site, receiver: Receiver) -> None:
    await site.request((512, True))

    [event] = _heard(receiver)
    assert event.payload
    facts = PLATFORM.facts(Kind.ORDER, event.payload)
    due = payload("order")["order"]
    due["items"] = due["items"][:1]
    due |= {"phone": "", "address": "", "read_at": event.payload["read_at"]}
    assert facts == PLATFORM.facts(Kind.ORDER, due)
    assert isinstance(facts, OrderFacts)
    assert event.payload["properties"] == {
        "FIO": "Анна Петрова",
        "EMAIL": "anna@example.com",
        "PVZ": "MSK77",
    }
    assert b"secret-" not in receiver.posts[0][1]


async def test_flags_are_told(site: Site, receiver: Receiver) -> None:
    site.orders["512"] = _order(paid=True, canceled=True, REASON_CANCELED="Передумал")

    await site.request((512, False))

    [event] = _heard(receiver)
    assert event.action is Action.UPDATED
    assert event.payload
    facts = PLATFORM.facts(Kind.ORDER, event.payload)
    assert isinstance(facts, OrderFacts)
    assert facts.codes == (("N",), ("paid",), ("canceled",), ("shipment:DN",))
    assert facts.reason == "Передумал"


def _user(*groups: int) -> dict[str, Any]:
    return {
        "ID": "42",
        "NAME": "Анна",
        "LAST_NAME": "Петрова",
        "EMAIL": "anna@example.com",
        "PERSONAL_PHONE": "+79991234567",
        "PASSWORD": "secret-hash",
        "CHECKWORD": "secret-word",
        "groups": [str(group) for group in groups],
    }


async def test_users_are_told_of_and_administrators_are_not(site: Site, receiver: Receiver) -> None:
    site.users = {"42": _user(2, 5), "1": _user(1, 2)}

    await site.request(
        users_saved=[
            ["OnAfterUserAdd", {"ID": 42, "RESULT": 42, "PASSWORD": "secret-plain"}],
            ["OnAfterUserUpdate", {"ID": 1, "RESULT": True}],
            ["OnAfterUserUpdate", {"ID": 43, "RESULT": False}],
        ]
    )

    [event] = _heard(receiver)
    assert (event.kind, event.action, event.object) == (Kind.CUSTOMER, Action.CREATED, "42")
    assert event.payload
    due = payload("customer")["customer"] | {"language_id": "", "read_at": event.payload["read_at"]}
    assert PLATFORM.facts(Kind.CUSTOMER, event.payload) == PLATFORM.facts(Kind.CUSTOMER, due)
    assert b"secret-" not in receiver.posts[0][1]


async def test_guests_who_share_one_user_are_not_one_person(site: Site, receiver: Receiver) -> None:
    """One-click purchases and orders of other marketplaces belong to the sale module's anonymous user."""
    site.users["42"] = _user(3) | {"EMAIL": "anonymous_k3x9q@example.com"}

    await site.request((512, True), users_saved=[["OnAfterUserUpdate", {"ID": 42, "RESULT": True}]])

    [event] = _heard(receiver)
    assert event.payload
    facts = PLATFORM.facts(Kind.ORDER, event.payload)
    assert isinstance(facts, OrderFacts)
    assert facts.customer
    assert (facts.customer.id, facts.customer.email) == ("", "anna@example.com")


async def test_users_are_not_told_of_where_it_is_not_wanted(site: Site, receiver: Receiver) -> None:
    site.set_up(f"{receiver.url}/hooks/token/events", customers=False)
    site.users = {"42": _user(2)}

    await site.request(users_saved=[["OnAfterUserAdd", {"ID": 42, "RESULT": 42}]])

    assert not receiver.posts


async def test_what_fails_waits_and_goes_again_by_the_agent(site: Site, receiver: Receiver) -> None:
    receiver.status = 503
    _, logged = await site.request((512, True))
    assert "HTTP 503" in logged
    receiver.status = 200

    await site.request(agent=True)
    assert len(receiver.posts) == 1
    site.query("UPDATE b_vestnik_event SET NEXT_AT = 0")
    site.orders["512"] = _order(STATUS_ID="P")
    again, _ = await site.request(agent=True)

    assert again == "\\Vestnik\\Shop::agent();"
    first, second = _heard(receiver)
    assert first.key == second.key
    assert second.payload
    assert second.payload["status_id"] == "P"
    assert site.query("SELECT * FROM b_vestnik_event") == []


async def test_while_nobody_answers_not_every_page_waits(site: Site, receiver: Receiver) -> None:
    site.orders |= {"513": _order(id=513), "514": _order(id=514)}
    await receiver.stop()
    for id_ in (512, 513, 514):
        await site.request((id_, True))
    tried = site.query("SELECT OBJECT_ID FROM b_vestnik_event WHERE TRIES > 0")
    assert tried == [(512,)]

    await receiver.start(receiver.port)
    site.query("UPDATE b_vestnik_event SET NEXT_AT = 0")
    await site.request(agent=True)

    assert [event.object for event in _heard(receiver)] == ["512", "513", "514"]


async def test_a_slow_hub_holds_a_page_for_two_seconds_at_most(
    site: Site, receiver: Receiver
) -> None:
    receiver.delay = 10
    began = asyncio.get_running_loop().time()

    _, logged = await site.request((512, True))

    assert asyncio.get_running_loop().time() - began < 6
    assert "no answer" in logged


@pytest.mark.parametrize(("status", "left"), [(400, 0), (404, 1)])
async def test_what_cannot_be_read_is_not_told_again(
    site: Site, receiver: Receiver, status: int, left: int
) -> None:
    receiver.status = status

    await site.request((512, True))

    assert len(site.query("SELECT * FROM b_vestnik_event")) == left


async def test_after_three_days_it_is_given_up(site: Site, receiver: Receiver) -> None:
    receiver.status = 404
    await site.request((512, True))
    site.query("UPDATE b_vestnik_event SET NEXT_AT = 0, CREATED_AT = CREATED_AT - 260000000")

    await site.request(agent=True)

    assert site.query("SELECT * FROM b_vestnik_event") == []


async def test_an_order_that_is_gone_is_not_told_of(site: Site, receiver: Receiver) -> None:
    site.orders = {}

    await site.request((512, True))

    assert not receiver.posts
    assert site.query("SELECT * FROM b_vestnik_event") == []


async def test_nothing_of_ours_stops_an_order(site: Site, receiver: Receiver) -> None:
    page, logged = await site.request((512, True), no_database=True, page="Thank you")

    assert page == "Thank you"
    assert "RuntimeException" in logged
    assert not receiver.posts


async def test_a_ping_says_what_came_back(site: Site, receiver: Receiver) -> None:
    out, _ = await site.request(ping=True)

    assert out == "200"
    assert _heard(receiver) == []
    assert [json.loads(body) for _, body in receiver.posts] == [{"event": "ping"}]


async def test_without_an_address_or_a_secret_nothing_is_noted(
    site: Site, receiver: Receiver
) -> None:
    site.set_up("", "")

    _, logged = await site.request((512, True))

    assert logged == ""
    assert not receiver.posts


def test_it_is_php() -> None:
    assert PHP
    for name in ("vestnik.php", "settings.php"):
        subprocess.run([PHP, "-l", str(SCRIPT / name)], check=True, capture_output=True)
