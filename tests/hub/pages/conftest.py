"""The API's fixtures, with a shop, an order and people who open links on their phones."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit
from uuid import UUID

import pytest
from multidict import CIMultiDictProxy

from hub.orders import links
from hub.orders.links import Asked
from hub.orders.model import Kind
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.conftest import api, hub, hub_database, key_for, settings, url

__all__ = ["api", "hub", "hub_database", "key_for", "settings", "url"]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class _Reading(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._hidden = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._hidden += tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


@dataclass(frozen=True)
class Page:
    """What somebody sees after opening a link or pressing a button."""

    status: int
    headers: CIMultiDictProxy[str]
    html: str
    path: str

    @property
    def text(self) -> str:
        return " ".join(" ".join(_Reading(self.html).words).split())

    def all(self, tag: str, **attrs: str) -> list[dict[str, str]]:
        return [
            found
            for name, found in _Reading(self.html).tags
            if name == tag and attrs.items() <= found.items()
        ]

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What a browser sends of the page's first form without its button."""
        return [
            (f["name"], f.get("value", ""))
            for f in self.all("input")
            if f["type"] in ("hidden", "text", "time") or "checked" in f
        ]


class Phone:
    """A browser without JavaScript and cookies. `path` is that of a link."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def open(self, path: str, **headers: str) -> Page:
        answer = await self._api.get(path, key=None, headers=headers)
        return Page(answer.status, answer.headers, answer.raw.decode(), path)

    async def send(self, path: str, fields: Sequence[tuple[str, str]]) -> Page:
        """Follows where it is sent to, as a browser does."""
        raw = urlencode(fields).encode()
        answer = await self._api.call("POST", path, raw=raw, headers=FORM, key=None)
        assert "Set-Cookie" not in answer.headers
        if answer.status == 303:
            return await self.open(urljoin(path, answer.headers["Location"]))
        return Page(answer.status, answer.headers, answer.raw.decode(), path)

    async def press(self, page: Page, button: str, fill: Mapping[str, str] | None = None) -> Page:
        """`button`: `name=value`. `fill`: fields by name, as the person sets them."""
        fill = fill or {}
        fields = [pair for pair in page.fields if pair[0] not in fill]
        name, _, value = button.partition("=")
        assert page.all("button", name=name, value=value)
        return await self.send(page.path, [*fields, *fill.items(), (name, value)])


@pytest.fixture
def phone(api: Api) -> Phone:
    return Phone(api)


LINES = [
    {"id": "1", "sku": "A-1", "title": "Чайник", "quantity": 2, "price": "1990.00"},
    {"id": "2", "sku": "B-7", "title": "Чай чёрный", "quantity": 1, "price": "310.50"},
]


class Orders:
    """A shop with one seller, one warehouse and two storekeepers, and its orders."""

    def __init__(self, api: Api, hub: Hub) -> None:
        self.api = api
        self.hub = hub

    async def people(self) -> None:
        await self._contact("s-7", role="seller", name="ИП Петрова", addresses={"email": "s@x.org"})
        for id_, name, phone in (
            ("anna", "Анна", "+79990000001"),
            ("boris", "Борис", "+79990000002"),
        ):
            await self._contact(
                id_, role="warehouse", name=name, warehouses=["wh-7"], addresses={"phone": phone}
            )
        await self.api.put("/v1/warehouses/wh-7", {"name": "Склад на Лесной"})

    async def _contact(self, external_id: str, **fields: Any) -> None:
        answer = await self.api.put(f"/v1/contacts/{external_id}", fields)
        assert answer.status == 201, answer.raw

    async def put(self, lines: Sequence[Mapping[str, Any]] = LINES, name: str = "o-1") -> Any:
        body = {
            "number": "1001",
            "lines": [
                {
                    **line,
                    "seller": {"external_id": "s-7"},
                    "warehouse": {"external_id": "wh-7"},
                }
                for line in lines
            ],
        }
        answer = await self.api.put(f"/v1/orders/{name}", body)
        assert answer.status in (200, 201), answer.raw
        return answer.json

    async def status(self, status: str, **more: Any) -> Any:
        answer = await self.api.post("/v1/orders/o-1/status", {"status": status, **more})
        assert answer.status == 200, answer.raw
        return answer.json

    async def get(self) -> Any:
        return (await self.api.get("/v1/orders/o-1")).json

    async def answers(self) -> dict[str, tuple[int | None, str | None]]:
        """By line: how many, and who said so."""
        [request] = (await self.get())["stock_requests"]
        return {line["id"]: (line["confirmed"], line["answered_by"]) for line in request["lines"]}

    async def link(self, external_id: str, kind: Kind = Kind.STOCK) -> str:
        """The path of the link that this person gets to the latest."""
        order = await self.get()
        [*_, about] = order["stock_requests" if kind is Kind.STOCK else "assemblies"]
        contact = (await self.api.get(f"/v1/contacts/{external_id}")).json["id"]
        asked = Asked(self.hub.shop("main").id, kind, UUID(about["id"]), UUID(contact))
        urls = await links.answer_urls(self.hub, self.hub.db, [asked])
        assert urls[asked].startswith("https://hub.example/a/")
        return urlsplit(urls[asked]).path


@pytest.fixture
async def orders(api: Api, hub: Hub) -> Orders:
    made = Orders(api, hub)
    await made.people()
    return made


Open = Callable[..., Awaitable[Page]]


@pytest.fixture
def anna(orders: Orders, phone: Phone) -> Open:
    """`await anna()`: an order is placed, and Anna opens her link."""

    async def open_(lines: Sequence[Mapping[str, Any]] = LINES) -> Page:
        await orders.put(lines)
        return await phone.open(await orders.link("anna"))

    return open_
