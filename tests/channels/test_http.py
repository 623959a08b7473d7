"""The HTTP door: what each way of failing is taken for, and what never comes through."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web

from channels.base import Retry
from channels.http import (
    MAX_REPLY_BYTES,
    UNTRUSTED,
    BlockedAddress,
    NoReply,
    ProviderHttp,
    Reply,
    unclear,
)
from tests.channels.authority import authority
from tests.simulators.base import Fault, Simulator

PATIENCE = timedelta(seconds=2)
LOOPBACK = ip_network("127.0.0.0/8")


class Server(Simulator):
    """Answers with what it was asked; `/slowly` in two parts, `/big` without end, `/away` elsewhere."""

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/echo", self._echo)
        app.router.add_get("/slowly", self._slowly)
        app.router.add_get("/big", self._big)
        app.router.add_get("/half", self._half)
        app.router.add_get("/away", self._away)

    async def _echo(self, request: web.Request) -> web.Response:
        seen = {
            "method": request.method,
            "body": await request.text(),
            "cookie": request.headers.get("Cookie"),
            "type": request.content_type,
        }
        response = web.json_response(seen, headers={"X-Some-Header": "1"})
        response.set_cookie("session", "1")
        return response

    async def _slowly(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"first": 1, ')
        await asyncio.sleep(0.05)
        await response.write(b'"second": 2}')
        return response

    async def _big(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 1_000_000)
        except ConnectionError:
            return response

    async def _half(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async def _away(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/echo")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    door = ProviderHttp(timeout=PATIENCE)
    yield door
    await door.close()


async def failure(http: ProviderHttp, url: str) -> Retry:
    with pytest.raises(NoReply) as raised:
        await http.post(url, json={})
    assert url not in repr(raised.value)
    return raised.value.outcome


async def test_an_answer_comes_with_status_body_and_lower_case_headers(
    server: Server, http: ProviderHttp
) -> None:
    reply = await http.post(f"{server.url}/echo", json={"text": "Привет"})

    assert reply.status == 200
    assert reply.headers["x-some-header"] == "1"
    assert reply.json()["body"] == '{"text":"Привет"}'


async def test_an_answer_in_parts_is_read_to_its_end(server: Server, http: ProviderHttp) -> None:
    reply = await http.get(f"{server.url}/slowly")

    assert reply.json() == {"first": 1, "second": 2}


async def test_an_answer_without_end_is_cut(server: Server, http: ProviderHttp) -> None:
    reply = await http.get(f"{server.url}/big", within=timedelta(seconds=20))

    assert len(reply.body) == MAX_REPLY_BYTES


async def test_cookies_are_not_kept(server: Server, http: ProviderHttp) -> None:
    await http.get(f"{server.url}/echo")
    reply = await http.get(f"{server.url}/echo")

    assert reply.json()["cookie"] is None


async def test_redirects_are_not_followed(server: Server, http: ProviderHttp) -> None:
    reply = await http.get(f"{server.url}/away")

    assert reply.status == 302


async def test_a_refused_connection_means_that_nothing_was_sent(
    server: Server, http: ProviderHttp
) -> None:
    await server.stop()

    assert await failure(http, f"{server.url}/echo?token=secret") == Retry("no-connection")


async def test_a_name_that_does_not_exist_means_that_nothing_was_sent(http: ProviderHttp) -> None:
    outcome = await failure(http, "http://no-such-host.invalid/")

    assert outcome == Retry("no-connection")


async def test_silence_may_mean_that_it_was_sent(server: Server, http: ProviderHttp) -> None:
    server.fault = Fault(hang=True)

    assert await failure(http, f"{server.url}/echo") == Retry("no-answer", maybe_sent=True)


async def test_a_call_can_be_given_less_time(server: Server) -> None:
    patient = ProviderHttp()
    server.fault = Fault(hang=True)

    with pytest.raises(NoReply) as raised:
        await patient.post(f"{server.url}/echo", within=timedelta(seconds=0.1))

    assert raised.value.outcome.maybe_sent
    await patient.close()


async def test_a_connection_that_breaks_may_have_carried_it(
    server: Server, http: ProviderHttp
) -> None:
    server.fault = Fault(close=True)

    outcome = await failure(http, f"{server.url}/echo")

    assert outcome.maybe_sent


async def test_a_post_is_never_repeated_by_itself(server: Server, http: ProviderHttp) -> None:
    await http.post(f"{server.url}/echo")
    server.fault = Fault(close=True)

    await failure(http, f"{server.url}/echo")

    assert server.requests == 2


@pytest.mark.parametrize("value", ["secret\n", "secret\r\nX-More: 1", "sec\0ret"])
@pytest.mark.parametrize("public_only", [False, True])
async def test_a_header_that_cannot_be_written_has_not_left(
    http: ProviderHttp, server: Server, value: str, public_only: bool
) -> None:
    headers = {"Authorization": value}
    with pytest.raises(NoReply) as raised:
        await http.post(f"{server.url}/echo", headers=headers, public_only=public_only)

    assert raised.value.outcome == Retry("unusable-header")
    assert server.requests == 0


async def test_half_an_answer_may_mean_that_it_was_sent(server: Server, http: ProviderHttp) -> None:
    with pytest.raises(NoReply) as raised:
        await http.get(f"{server.url}/half")

    assert raised.value.outcome.maybe_sent


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433"])
async def test_a_guarded_call_reaches_nobody_inside(
    server: Server, http: ProviderHttp, host: str
) -> None:
    with pytest.raises((BlockedAddress, NoReply)) as raised:
        await http.post(f"http://{host}:{server.port}/echo?token=secret", public_only=True)

    assert server.requests == 0
    assert "secret" not in str(raised.value)
    assert host == "2130706433" or isinstance(raised.value, BlockedAddress)


async def test_a_guarded_call_reaches_an_allowed_network(server: Server) -> None:
    http = ProviderHttp(allow=[LOOPBACK])

    reply = await http.post(f"{server.url}/echo", public_only=True)

    assert reply.status == 200
    await http.close()


@pytest.mark.parametrize(
    "url",
    [
        *("not a url", "ftp://example.com/secret", "http://", "//example.com"),
        *("https://secret..example/", f"https://{'secret' * 20}.example/"),
    ],
)
async def test_what_is_no_url_is_refused_without_repeating_it(http: ProviderHttp, url: str) -> None:
    with pytest.raises(BlockedAddress) as raised:
        await http.post(url, public_only=True)

    assert "secret" not in str(raised.value)


async def test_unresolvable_is_not_blocked(http: ProviderHttp) -> None:
    with pytest.raises(NoReply) as raised:
        await http.post("http://no-such-host.invalid/", public_only=True)

    assert raised.value.outcome == Retry("no-connection")


async def test_something_that_is_not_http_may_have_taken_it(http: ProviderHttp) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, family=socket.AF_INET)
    port = server.sockets[0].getsockname()[1]

    outcome = await failure(http, f"http://127.0.0.1:{port}/")

    assert outcome.maybe_sent
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("status", "maybe_sent"),
    [
        (200, True),
        (204, True),
        (302, True),
        (400, False),
        (404, False),
        (408, True),
        (500, False),
        (502, True),
        (503, False),
        (504, True),
        (520, True),
    ],
)
def test_a_page_that_cannot_be_read_is_judged_by_its_status(status: int, maybe_sent: bool) -> None:
    outcome = unclear(Reply(status, {}, b"<html>"))

    assert outcome.maybe_sent is maybe_sent
    assert str(status) in outcome.reason


def test_too_many_requests_is_throttling() -> None:
    outcome = unclear(Reply(429, {"retry-after": "30"}, b""))

    assert outcome == Retry("throttled", timedelta(seconds=30), throttled=True)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a"', b"\xff\xfe\xfa", b"[" * 200_000], ids=lambda b: repr(b[:8])
)
def test_a_body_that_is_not_json_is_no_reply(body: bytes) -> None:
    with pytest.raises(NoReply) as raised:
        Reply(200, {}, body).json()

    assert raised.value.outcome.maybe_sent


@pytest.mark.parametrize(
    "body",
    [
        '{"id": 18446744073709551616}',
        "[-9223372036854775809, 9223372036854775807]",
        "[NaN, -Infinity, 1e400, 1E5, -0, 0.1]",
        '"\\ud800"',
        '"12345678901234567890"',
        '{"a": 1, "a": 2}',
        "[" * 900 + "]" * 900,
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_is_read_as_the_standard_library_reads_it(body: str, encoding: str) -> None:
    found = Reply(200, {}, body.encode(encoding)).json()

    assert repr(found) == repr(json.loads(body))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5),
        (" 5 ", 5),
        ("0", 0),
        ("99999999999", 86_400),
        ("", 0),
        ("-5", 0),
        ("soon", 0),
        ("5.5", 0),
        ("²", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0),
    ],
)
def test_retry_after_in_seconds_or_nonsense(value: str, seconds: int) -> None:
    reply = Reply(503, {"retry-after": value}, b"")

    assert reply.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "form",
    [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%a, %d %b %Y %H:%M:%S -0000",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ],
)
def test_retry_after_as_a_date_in_every_form_that_http_has(form: str) -> None:
    in_a_minute = datetime.now(UTC) + timedelta(minutes=1)

    wait = Reply(503, {"retry-after": in_a_minute.strftime(form)}, b"").retry_after

    assert timedelta(seconds=50) < wait <= timedelta(minutes=1)


def test_retry_after_as_a_date_and_never_longer_than_a_day() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    in_a_year = format_datetime(datetime.now(UTC) + timedelta(days=365), usegmt=True)

    soon = Reply(503, {"retry-after": in_a_minute}, b"").retry_after
    late = Reply(503, {"retry-after": in_a_year}, b"").retry_after

    assert timedelta(seconds=50) < soon <= timedelta(minutes=1)
    assert late == timedelta(days=1)


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[tuple[Server, Path]]:
    """A server whose certificate only the file beside it makes good."""
    made, server = authority(tmp_path), Server()
    server.tls = made.server
    async with server:
        yield server, made.ca_file


async def test_a_certificate_nobody_vouches_for_is_named_and_nothing_is_sent(
    http: ProviderHttp, secured: tuple[Server, Path]
) -> None:
    server, _ = secured

    with pytest.raises(NoReply) as none:
        await http.get(f"{server.url}/echo")

    assert none.value.outcome == Retry(UNTRUSTED)
    assert server.requests == 0


async def test_a_file_of_certificates_counts_for_its_own_calls_only(
    http: ProviderHttp, secured: tuple[Server, Path]
) -> None:
    server, ca_file = secured

    replies = [await http.get(f"{server.url}/echo", ca_file=ca_file) for _ in range(2)]

    assert [reply.status for reply in replies] == [200, 200]
    with pytest.raises(NoReply):
        await http.get(f"{server.url}/echo")


async def test_another_authoritys_file_is_of_no_use(
    http: ProviderHttp, secured: tuple[Server, Path], tmp_path: Path
) -> None:
    other = authority(tmp_path, "Another Root CA")

    with pytest.raises(NoReply) as none:
        await http.get(f"{secured[0].url}/echo", ca_file=other.ca_file)

    assert none.value.outcome == Retry(UNTRUSTED)
