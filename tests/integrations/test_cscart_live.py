"""A CS-Cart shop connected as docs/sources/cscart.md says: its add-on posts to the hub, the hub reads the order, people hear."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub.accounts.limits import RateLimits
from hub.events import claims, reading, timers
from hub.events.processing import handle
from hub.history.running import Importer
from hub.ids import new_id
from hub.queue import connect
from hub.resources import Hub
from hub.sources import queries
from tests.hub.api.client import Api
from tests.hub.orders.conftest import Book
from tests.integrations.cscart_shop import Shop, checkout
from tests.integrations.php import missing
from tests.simulators.cscart import CsCart

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "php is here")

_STOREKEEPER = {
    "role": "warehouse",
    "name": "Борис",
    "warehouses": ["vendor-7"],
    "addresses": {"telegram": "72"},
}


@dataclass
class Market:
    """The shop as its API and its add-on show it: both know the same orders."""

    hub: Hub
    api: Api
    site: CsCart
    shop: Shop
    source: Mapping[str, Any]

    async def place(self, id_: str, **fields: Any) -> None:
        self.site.add_order(id_, **fields)
        await self._request(checkout(id_, self.site.orders[id_]["status"]))

    async def move(self, id_: str, code: str) -> None:
        before = self.site.orders[id_]["status"]
        self.site.move(id_, code)
        await self._request([["change_order_status_post", id_, code, before]])

    async def _request(self, hooks: list[list[Any]]) -> None:
        self.shop.orders = self.site.orders
        _, logged = await self.shop.request(*hooks)
        assert logged == ""
        await self.apply()

    async def apply(self) -> None:
        while claimed := await claims.claim(self.hub.db, new_id(), each=50, limit=50):
            for one in claimed:
                await handle(self.hub, one)

    async def read(self) -> None:
        """One turn of reading back, and what it brought applied."""
        row = await self.hub.db.fetchrow("SELECT * FROM source")
        assert row
        await reading.read_once(self.hub, None, queries.source_of(row))
        await self.apply()

    async def results(self) -> list[str]:
        """Of all events, the oldest first."""
        rows = await self.hub.db.fetch("SELECT result, reason FROM shop_event ORDER BY id")
        return [f"{row['result']} {row['reason']}".strip() for row in rows]


@pytest.fixture
async def site() -> AsyncIterator[CsCart]:
    async with CsCart() as site:
        yield site


@pytest.fixture(params=["thin", "full"])
async def market(
    hub: Hub, api: Api, site: CsCart, tmp_path: Path, request: pytest.FixtureRequest
) -> Market:
    answer = await api.post(
        "/v1/sources",
        {
            "name": "market",
            "platform": "cscart",
            "config": {"base_url": site.url, "login": site.login, "api_key": site.api_key},
            "mapping": {"statuses": {"S": "shipped", "P": "paid"}},
        },
    )
    assert answer.status == 201, answer.raw
    [hook] = answer.json["hooks"]
    shop = Shop(
        tmp_path / "shop.sqlite",
        {
            "url": api.url + urlsplit(hook["url"]).path,
            "secret": answer.json["secret"],
            "form": request.param,
            "customers": "Y",
            "products": "N",
            "cron_key": "cron-key",
        },
    )
    await shop.install()
    return Market(hub, api, site, shop, answer.json)


async def test_from_the_cart_to_the_tracking_number(market: Market, api: Api) -> None:
    book = Book(market.hub)
    await api.put("/v1/contacts/boris", _STOREKEEPER)

    await market.place("1042")

    assert await market.results() == ["applied"]
    order = (await api.get("/v1/orders/1042")).json
    assert order["status"] == "awaiting_stock"
    assert order["buyer"] == {"external_id": "42"}
    assert {line["seller"]["external_id"] for line in order["lines"]} == {"vendor-7"}
    assert "boris" in [told.contact for told in await book.told() if told.kind]
    buyer = (await api.get("/v1/contacts/42")).json
    assert buyer["name"] == "Анна Петрова"

    [question] = (await api.get("/v1/stock-requests")).json["items"]
    answered = await api.post(
        f"/v1/stock-requests/{question['id']}/answer",
        {
            "lines": [{"id": line["id"], "confirmed": line["quantity"]} for line in order["lines"]],
            "by": "boris",
        },
    )
    assert answered.status == 200, answered.raw
    market.site.ship("1042", "RA123")
    market.shop.shipments["1042"] = list(market.site.kept["shipments"].values())
    await market.move("1042", "S")

    assert await market.results() == ["applied", "applied"]
    [shipped] = [told for told in await book.told() if told.template == "order.shipped"]
    assert (shipped.contact, shipped.data["order"]["tracking"]) == ("42", "RA123")


async def test_what_is_posted_twice_is_told_once(market: Market) -> None:
    book = Book(market.hub)
    market.site.add_order("1042")
    market.shop.orders = market.site.orders
    good = market.shop.settings["url"]
    market.shop.settings["url"] = "http://127.0.0.1:9/hooks/x/events"
    await market.shop.request(*checkout("1042"))
    market.shop.settings["url"] = good

    for _ in range(2):
        await market.shop.query("UPDATE cscart_vestnik_events SET next_at = 0")
        await market.shop.cron()
        await market.apply()
    await market.move("1042", "O")

    assert await market.results() == ["applied", "repeated"]
    assert await book.who_heard("order.placed") + await book.who_heard("order.awaiting_stock")


async def test_of_two_vendors_each_has_his_own_order(market: Market, api: Api) -> None:
    market.site.add_order("1041", is_parent_order="Y")
    lines = market.site.orders["1041"]["products"]
    of_eight = {id_: row | {"company_id": "8"} for id_, row in lines.items()}
    market.site.add_order("1042", parent_order_id="1041")
    market.site.add_order("1043", parent_order_id="1041", company_id="8", products=of_eight)

    await market._request([*checkout("1041"), *checkout("1042"), *checkout("1043")])

    assert await market.results() == ["applied", "applied"]
    assert (await api.get("/v1/orders/1041")).status == 404
    for id_, vendor in (("1042", "vendor-7"), ("1043", "vendor-8")):
        order = (await api.get(f"/v1/orders/{id_}")).json
        assert {line["seller"]["external_id"] for line in order["lines"]} == {vendor}
        assert {line["warehouse"]["external_id"] for line in order["lines"]} == {vendor}


async def test_without_the_add_on_it_is_only_later(market: Market, api: Api) -> None:
    book = Book(market.hub)
    market.site.add_order("1042")

    await market.read()
    assert (await api.get("/v1/orders/1042")).json["status"] == "awaiting_stock"
    # Nothing has changed.
    await market.read()
    await market.read()
    assert await market.results() == ["applied"]

    market.site.move("1042", "S")
    await market.read()
    await market.read()

    assert await market.results() == ["applied", "applied"]
    assert await book.who_heard("order.shipped") == ["42"]


async def test_what_the_shelf_lacks_is_taken_out_in_the_shop_and_nobody_is_asked_again(
    market: Market, api: Api
) -> None:
    book = Book(market.hub)
    await api.put("/v1/contacts/boris", _STOREKEEPER)
    changed = await api.call(
        "PATCH",
        f"/v1/sources/{market.source['id']}",
        {
            "write_back": True,
            "mapping": {
                "statuses": {"S": "shipped", "P": "paid", "H": "confirmed"},
                "write_back": {"partially_confirmed": "H"},
            },
        },
    )
    assert changed.status == 200, changed.raw
    market.site.codes.add("H")
    await market.place("1042")
    order = (await api.get("/v1/orders/1042")).json
    [question] = (await api.get("/v1/stock-requests")).json["items"]
    lines = [{"id": line["id"], "confirmed": 1} for line in order["lines"]]
    await api.post(f"/v1/stock-requests/{question['id']}/answer", {"lines": lines, "by": "boris"})

    await market.apply()

    assert market.site.orders["1042"]["status"] == "H"
    amounts = {
        id_: str(row["amount"]) for id_, row in market.site.orders["1042"]["products"].items()
    }
    assert amounts == {"2790217341": "1", "318842067": "1"}
    told = len(await book.told())
    # The shop's own hooks tell of it, too, and so does its list.
    await market._request([["change_order_status_post", "1042", "H", "O"]])
    await market.read()
    assert len(await book.told()) == told
    order = (await api.get("/v1/orders/1042")).json
    assert order["status"] == "partially_confirmed"
    # What was ordered stays to be seen.
    assert [(line["id"], line["quantity"]) for line in order["lines"]] == [
        ("2790217341", 2),
        ("318842067", 1),
    ]


async def test_the_past_is_taken_over_quietly_and_goes_on_from_there(
    market: Market, api: Api
) -> None:
    book = Book(market.hub)
    now = time.time()
    for day in range(3, 60, 4):
        market.site.add_order(1000 + day, at=now - (60 - day) * 86400, status="S")
    market.site.add_user(42, timestamp=str(int(now) - 3 * 86400))
    market.site.add_product(241, timestamp=str(int(now) - 3 * 86400))

    run = (await api.post("/v1/imports", {"source": "market", "months": 1})).json
    redis = connect(market.hub.settings.hub.redis_url.get_secret_value())
    try:
        await Importer(market.hub, new_id(), RateLimits(redis)).once()
    finally:
        await redis.aclose()

    run = (await api.get(f"/v1/imports/{run['id']}")).json
    assert (run["state"], run["faulty"]) == ("done", 0)
    # Every fourth day of a month, and the customer and the product.
    assert run["added"] in (7 + 2, 8 + 2)
    assert run["total"] >= run["done"]
    assert (await api.get("/v1/orders/1059")).json["status"] == "shipped"
    assert (await api.get("/v1/orders/1003")).status == 404
    assert await book.told() == []

    await market.move("1059", "S")
    assert await book.told() == []
    await market.move("1059", "C")
    assert await book.who_heard("order.delivered") == ["42"]


async def test_who_left_a_cart_is_reminded_unless_it_is_gone(market: Market, api: Api) -> None:
    book = Book(market.hub)
    for user in ("42", "43", "44"):
        person = {
            "addresses": {"email": f"{user}@example.com"},
            "consents": {"marketing": {"email": {"state": "subscribed", "source": "test"}}},
        }
        assert (await api.put(f"/v1/contacts/{user}", person)).status == 201
    rule = {"event": "cart.updated", "audiences": ["buyer"], "template": "cart.abandoned"}
    assert (await api.put("/v1/rules/cart-abandoned", rule | {"delay": 60})).status == 201
    market.site.add_cart("41", at=time.time() - 86400)
    for user in ("42", "43", "44"):
        market.site.add_cart(user, user_data={"user_id": user, "email": f"{user}@example.com"})
    await market.read()

    # One of them buys, another one changes his mind.
    await market.place("1042", user_id="43")
    for user in ("43", "44"):
        del market.site.kept["carts"][user]
    await market.read()
    assert await book.who_heard("cart.abandoned") == []
    await market.hub.db.execute("UPDATE rule_timer SET due_at = now()")
    async with market.hub.db.acquire() as connection:
        await timers.due_rules(market.hub, connection)

    assert await book.who_heard("cart.abandoned") == ["42"]


async def test_nothing_secret_is_in_the_database(market: Market) -> None:
    await market.place("1042")

    rows = await market.hub.db.fetch("SELECT e::text AS row FROM shop_event AS e")
    rows += await market.hub.db.fetch("SELECT s::text AS row FROM source AS s")
    rows += await market.hub.db.fetch("SELECT o::text AS row FROM source_object AS o")
    whole = "".join(row["row"] for row in rows)
    assert "TEA-RED" in whole
    for secret in ("secret-", market.site.api_key, market.shop.settings["secret"]):
        assert secret not in whole
