"""Accounts of which somebody outside says where they call: every address is looked at before it is connected to."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trustme

from channels.base import Channel
from channels.http import BlockedAddress, ProviderHttp
from channels.registry import adapter_class, build
from tests.channels.authority import authority
from tests.channels.test_http2 import PATIENCE, Server
from tests.simulators.smpp import SmppSimulator
from tests.simulators.smtp import SmtpSimulator
from tests.simulators.telegram import TOKEN

PUBLIC = "93.184.216.34"


@pytest.fixture
async def guarded() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp(public_only=True)
    yield http
    await http.close()


@pytest.fixture
async def local() -> AsyncIterator[ProviderHttp]:
    """One that may call this machine."""
    http = ProviderHttp(
        allow=(ip_network("127.0.0.0/8"), ip_network("::1/128")), public_only=True, timeout=PATIENCE
    )
    yield http
    await http.close()


@pytest.fixture
async def inner() -> AsyncIterator[tuple[int, list[int]]]:
    """Something on the inner network: its port, and a list that grows with each connection."""
    seen: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(1)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], seen
    server.close()


SETTINGS: dict[tuple[Channel, str], dict[str, Any]] = {
    (Channel.TELEGRAM, "bot_api"): {"token": TOKEN, "base_url": "http://localhost:{port}"},
    (Channel.EMAIL, "smtp"): {"from": "a@shop.example", "host": "localhost", "port": "{port}"},
    (Channel.SMS, "smpp"): {"login": "shop", "base_url": "smpp://localhost:{port}"},
}


@pytest.mark.parametrize("account", SETTINGS)
async def test_the_inner_network_is_not_called(
    guarded: ProviderHttp, inner: tuple[int, list[int]], account: tuple[Channel, str]
) -> None:
    port, seen = inner
    given = {name: value.format(port=port) for name, value in SETTINGS[account].items()}
    adapter = build(*account, adapter_class(*account).Config.model_validate(given), guarded)

    try:
        assert not (await adapter.check()).ok
    except BlockedAddress:
        assert account[0] is Channel.TELEGRAM
    await adapter.close()

    assert seen == []


async def test_nor_is_it_over_http2(guarded: ProviderHttp, inner: tuple[int, list[int]]) -> None:
    port, seen = inner
    door = guarded.http2()

    with pytest.raises(BlockedAddress, match="outgoing_allow"):
        await door.post(f"http://localhost:{port}/", headers={}, data=b"")
    await door.close()

    assert seen == []


async def test_what_was_looked_at_is_what_is_connected_to(
    local: ProviderHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server may say something else the next time it is asked."""
    assert local.guard
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
        if host == "127.0.0.1":
            # An address already: this is how the loop connects to it.
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else PUBLIC
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async with SmtpSimulator() as server:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
        opened = await local.guard.connected("shop.example", server.port)
        assert opened.getpeername() == ("127.0.0.1", server.port)
        opened.close()

    assert asked == ["shop.example"]


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_mail_server_is_called_by_its_name(
    local: ProviderHttp, tmp_path: Path, security: str
) -> None:
    trusted = authority(tmp_path)
    tls = trusted.server
    server = SmtpSimulator(tls=tls) if security == "tls" else SmtpSimulator(starttls=tls)
    async with server:
        given = {
            "from": "a@shop.example",
            "host": "127.0.0.1",
            "port": server.port,
            "security": security,
            "ca_file": str(trusted.ca_file),
        }
        config = adapter_class(Channel.EMAIL, "smtp").Config.model_validate(given)
        adapter = build(Channel.EMAIL, "smtp", config, local)
        found = await adapter.check()
        await adapter.close()

    assert found.ok, found.text


async def test_an_smsc_is_called(local: ProviderHttp) -> None:
    async with SmppSimulator() as smsc:
        given = {"login": "shop", "password": "secret", "host": "localhost", "port": smsc.port}
        config = adapter_class(Channel.SMS, "smpp").Config.model_validate(given)
        adapter = build(Channel.SMS, "smpp", config, local)
        found = await adapter.check()
        await adapter.close()

    assert found.ok, found.text


async def test_over_http2_the_certificate_of_the_name_counts(local: ProviderHttp) -> None:
    of_tests = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    of_tests.issue_cert("localhost").configure_cert(context)
    door = local.http2()
    door.tls = ssl.create_default_context()
    of_tests.configure_trust(door.tls)

    async with Server(context) as server:
        reply = await door.post(f"{server.url}/echo", headers={}, data=b"{}")
        await door.close()

    assert reply.status == 200
