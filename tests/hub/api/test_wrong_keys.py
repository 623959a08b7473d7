"""Who tries wrong keys is slowed down, and nobody else with him."""

from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network

import pytest

from channels.guard import Network
from hub.api.app import make_app
from hub.api.server import bind, serve
from hub.config import Settings
from hub.resources import Hub
from hub.shops import keys
from hub.shops.keys import Scope
from tests.hub.api.client import Answer, Api
from tests.hub.api.test_frame import with_hub

KeyFor = Callable[..., Awaitable[str]]

LOOPBACK = (ip_network("127.0.0.0/8"),)


def wrong(number: int) -> str:
    return f"vst_{number:012}_" + "b" * 43


@pytest.fixture
def proxies() -> tuple[Network, ...]:
    return ()


@pytest.fixture
async def strict(
    hub: Hub, settings: Settings, key_for: KeyFor, proxies: tuple[Network, ...]
) -> AsyncIterator[Api]:
    """Two wrong keys a minute."""
    changed = with_hub(settings, wrong_keys=2, trusted_proxies=proxies)
    object.__setattr__(hub, "settings", changed)
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    async with (
        serve(make_app(hub), listening),
        Api(f"http://127.0.0.1:{port}", await key_for(Scope.ADMIN)) as api,
    ):
        yield api


async def tried(api: Api, number: int, forwarded: str = "") -> Answer:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return await api.get("/v1/keys", key=wrong(number), headers=headers)


async def test_after_too_many_wrong_keys_nothing_more_is_told(
    hub: Hub, strict: Api, key_for: KeyFor
) -> None:
    answers = [await tried(strict, number) for number in range(4)]

    assert [answer.status for answer in answers] == [401, 401, 429, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 30
    # Not even a good one: else it would be told from the wrong ones.
    assert (await strict.get("/v1/keys", key=await key_for(Scope.READ))).status == 429


async def test_a_key_that_was_good_before_goes_on(hub: Hub, strict: Api) -> None:
    _, text = await keys.create(hub.db, "main", [Scope.ADMIN])
    assert (await strict.get("/v1/keys", key=text)).status == 200
    for number in range(4):
        await tried(strict, number)

    assert (await strict.get("/v1/keys", key=text)).status == 200
    # Its beginning alone opens nothing, however often it is tried.
    assert (await strict.get("/v1/keys", key=text[:-1] + "~")).status in (401, 429)


async def test_what_is_no_key_at_all_counts_too(strict: Api) -> None:
    statuses = [(await strict.get("/v1/keys", key="nonsense")).status for _ in range(3)]

    assert statuses == [401, 401, 429]


async def test_without_proxies_nobody_hides_behind_a_header(strict: Api) -> None:
    answers = [await tried(strict, n, forwarded=f"203.0.113.{n}") for n in range(3)]

    assert [answer.status for answer in answers] == [401, 401, 429]


@pytest.mark.parametrize("proxies", [LOOPBACK])
async def test_behind_a_proxy_each_address_has_its_own_count(strict: Api) -> None:
    first = [await tried(strict, n, forwarded="203.0.113.1") for n in range(3)]
    other = await tried(strict, 8, forwarded="203.0.113.2")
    # The proxy adds its own peer at the end; what stands before that was made up.
    invented = await tried(strict, 9, forwarded="198.51.100.7, 203.0.113.1")
    through_two = await tried(strict, 9, forwarded="203.0.113.1, 127.0.0.9")

    assert [answer.status for answer in first] == [401, 401, 429]
    assert other.status == 401
    assert invented.status == 429
    assert through_two.status == 429


@pytest.mark.parametrize("proxies", [LOOPBACK])
async def test_a_network_of_ipv6_is_one_address(strict: Api) -> None:
    answers = [await tried(strict, n, forwarded=f"2001:db8:1:2::{n + 1}") for n in range(3)]
    other = await tried(strict, 8, forwarded="2001:db8:1:3::1")

    assert [answer.status for answer in answers] == [401, 401, 429]
    assert other.status == 401


@pytest.mark.parametrize("proxies", [LOOPBACK])
@pytest.mark.parametrize("header", ["", ",", "unknown", "203.0.113.1:80", "\xff", "a, b", "[::1]"])
async def test_a_strange_list_of_addresses_harms_nobody(strict: Api, header: str) -> None:
    assert (await tried(strict, 1, forwarded=header)).status == 401
