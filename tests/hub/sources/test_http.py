"""Calls to platforms over real HTTP: what each answer comes to."""

from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network

import pytest
from aiohttp import web

from channels.http import ProviderHttp
from hub.sources.base import Impossible, Later, Trouble
from hub.sources.http import ShopHttp
from tests.simulators.base import Fault, Simulator


class Shop(Simulator):
    def routes(self, app: web.Application) -> None:
        self.proof = ""
        app.router.add_route("*", "/{rest:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        self.proof = request.headers.get("Authorization", "")
        return web.json_response({"method": request.method})


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop() as shop:
        yield shop


async def _free() -> None:
    pass


@pytest.fixture
async def http() -> AsyncIterator[ShopHttp]:
    door = ProviderHttp(allow=[ip_network("127.0.0.0/8")])
    yield ShopHttp(door, _free)
    await door.close()


async def test_login_and_password_go_as_utf_8(shop: Shop, http: ShopHttp) -> None:
    await http.get(shop.url, basic=("анна", "пароль:1"))

    assert shop.proof == f"Basic {b64encode('анна:пароль:1'.encode()).decode()}"


async def test_a_login_with_a_colon_is_no_login(shop: Shop, http: ShopHttp) -> None:
    with pytest.raises(Trouble, match="colon"):
        await http.get(shop.url, basic=("a:b", "c"))

    assert shop.requests == 0


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "credentials"),
        (402, "tariff"),
        (403, "credentials"),
        (423, "locked"),
        (301, "moved"),
        (308, "moved"),
    ],
)
async def test_what_somebody_has_to_mend(
    shop: Shop, http: ShopHttp, status: int, code: str
) -> None:
    shop.fault = Fault(status=status, headers={"Location": "https://elsewhere.example/"})

    with pytest.raises(Trouble) as trouble:
        await http.post(shop.url, json={})

    assert trouble.value.code == code


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [
        (429, {"Retry-After": "7"}, 7),
        (429, {}, 30),
        (420, {}, 30),
        (503, {"Retry-After": "7"}, 7),
        (503, {}, 30),
        (500, {}, 0),
        (408, {}, 0),
        (302, {"Location": "/maintenance"}, 0),
    ],
)
async def test_what_passes(
    shop: Shop, http: ShopHttp, status: int, headers: dict[str, str], after: int
) -> None:
    shop.fault = Fault(status=status, headers=headers)

    with pytest.raises(Later) as later:
        await http.get(shop.url)

    assert later.value.after == timedelta(seconds=after)
    # To be told when to come is no try.
    assert later.value.counts is (status not in (429, 420) and "Retry-After" not in headers)


@pytest.mark.parametrize("status", [400, 404, 410, 422])
async def test_what_it_will_never_do(shop: Shop, http: ShopHttp, status: int) -> None:
    shop.fault = Fault(status=status)

    with pytest.raises(Impossible):
        await http.put(shop.url, json={})


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_not_there_is_none(shop: Shop, http: ShopHttp, method: str) -> None:
    found = await http.found_json(shop.url, method=method)
    shop.fault = Fault(status=404)
    gone = await http.found_json(shop.url, method=method)

    assert (found, gone) == ({"method": method}, None)
