"""The guard: what is the public internet and what is not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from channels.guard import Blocked, PublicOnly
from channels.http import BlockedAddress, NoReply, ProviderHttp
from hub.outgoing import inner_host

PUBLIC = ["8.8.8.8", "192.0.1.1", "2a00:1450:4010::8a", "::ffff:8.8.8.8", "64:ff9b::808:808"]
INNER = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "::127.0.0.1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b:1::808:808",
    "::ffff:169.254.169.254",
    "2002:a9fe:a9fe::1",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "64:ff9b::a83f:8110",
    "192.0.0.192",
    "::ffff:192.0.0.192",
    "192.88.99.1",
    "198.18.0.1",
    "203.0.113.1",
    "0.1.2.3",
    "2a00:1450::5efe:a00:1",
    "2a00:1450::200:5efe:a00:1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "100::1",
    "ff0e::1",
    "1::1",
    "4000::1",
    "fe00::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_let_through(address: str) -> None:
    assert PublicOnly().permits(address)


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_are_not_however_they_are_written(address: str) -> None:
    assert not PublicOnly().permits(address)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.0/8", "::ffff:127.0.0.1"),
        ("::1/128", "::1"),
        ("fd00::/8", "fd00::1"),
        ("64:ff9b:1::/48", "64:ff9b:1::1"),
    ],
)
def test_a_network_that_is_allowed_is_let_through_and_no_other(network: str, address: str) -> None:
    guard = PublicOnly([ip_network(network)])

    assert guard.permits(address)
    assert not guard.permits("10.0.0.1")
    assert not guard.permits("fd99::1") or network == "fd00::/8"


async def test_no_socket_is_made_for_an_inner_address_and_its_name_stays_out_of_the_error() -> None:
    guard = PublicOnly()
    loop = asyncio.get_running_loop()
    [address, *_] = await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)

    with pytest.raises(Blocked, match="outgoing_allow") as error:
        guard.socket_factory(address)

    assert "127.0.0.1" not in str(error.value)


def test_a_permitted_address_gets_its_socket() -> None:
    guard = PublicOnly([ip_network("127.0.0.0/8")])
    address = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80))

    with guard.socket_factory(address) as made:
        assert made.family == socket.AF_INET


async def _resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """A name server that answers one after the other, the last one ever after."""
    left = list(answers)

    async def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
        if host.replace(".", "").isdigit():
            # An address already: this is how the loop connects to it.
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)


@pytest.fixture
async def inner() -> AsyncIterator[tuple[int, list[int]]]:
    """Something on the inner network: its port, and a list that grows with each connection."""
    seen: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], seen
    server.close()


WRITTEN = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "0",
    "localhost",
    "localhost.",
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
    "127\u30020\u30020\u30021",
    "user:password@127.0.0.1",
    "8.8.8.8@127.0.0.1",
]


@pytest.mark.parametrize("host", WRITTEN)
async def test_the_inner_network_is_not_reached_however_its_address_is_written(
    inner: tuple[int, list[int]], host: str
) -> None:
    port, seen = inner
    http = ProviderHttp()
    try:
        with pytest.raises((BlockedAddress, NoReply)):
            await http.get(f"http://{host}:{port}/", public_only=True)
    finally:
        await http.close()

    assert seen == []


async def test_a_name_that_changes_its_mind_gains_nothing(
    inner: tuple[int, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, seen = inner
    # What was public when somebody looked is inner when it is connected to.
    await _resolving(monkeypatch, ["127.0.0.1"])
    http = ProviderHttp()
    try:
        for _ in range(2):
            with pytest.raises(BlockedAddress):
                await http.get(f"http://rebound.example:{port}/", public_only=True)
    finally:
        await http.close()

    assert seen == []


async def test_among_several_addresses_the_inner_ones_are_passed_over(
    inner: tuple[int, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, seen = inner
    await _resolving(monkeypatch, ["10.0.0.1", "127.0.0.1", "192.168.0.1"])
    http = ProviderHttp(allow=[ip_network("127.0.0.1/32")])
    try:
        reply = await http.get(f"http://several.example:{port}/", public_only=True)
    finally:
        await http.close()

    assert (reply.body, seen) == (b"secret", [1])


async def test_no_proxy_of_the_environment_is_used(
    inner: tuple[int, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, seen = inner
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    await _resolving(monkeypatch, ["10.0.0.1"])
    http = ProviderHttp()
    try:
        with pytest.raises(BlockedAddress):
            await http.get("http://shop.example/", public_only=True)
    finally:
        await http.close()

    assert seen == []


@pytest.mark.parametrize("host", [*WRITTEN, "%31%32%37.0.0.1", "foo.localhost", "x.internal"])
def test_what_can_be_seen_of_a_url_is_seen_before_it_is_kept(host: str) -> None:
    assert inner_host(f"https://{host}/hook", ())


@pytest.mark.parametrize(
    "host", ["shop.example", "8.8.8.8", "xn--80ak6aa92e.com", "[2a00:1450::1]"]
)
def test_of_a_name_only_the_connection_tells(host: str) -> None:
    assert inner_host(f"https://{host}/hook", ()) is None
