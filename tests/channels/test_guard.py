"""The guard: what is the public internet and what is not."""

import asyncio
import socket
from ipaddress import ip_network

import pytest

from channels.guard import Blocked, PublicOnly

PUBLIC = ["8.8.8.8", "192.0.0.9", "2a00:1450:4010::8a", "::ffff:8.8.8.8", "64:ff9b::808:808"]
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
