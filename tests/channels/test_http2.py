"""The HTTP/2 door: many calls over one connection, and what each way of failing is taken for."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import trustme

from channels.base import Retry
from channels.http import MAX_REPLY_BYTES, BlockedAddress, NoReply, ProviderHttp, Reply
from channels.http2 import Http2
from tests.simulators.base import Fault
from tests.simulators.http2 import Http2Simulator, Request, Response

PATIENCE = timedelta(seconds=1)


class Server(Http2Simulator):
    """Answers with what it was asked; `/big` with more than is read, `/away` elsewhere."""

    async def answer(self, request: Request) -> Response:
        match request.path:
            case "/big":
                return Response(200, body=b" " * (MAX_REPLY_BYTES + 100_000))
            case "/away":
                return Response(302, {"location": "/echo"})
        seen = {
            "method": request.method,
            "body": request.body.decode(),
            "cookie": request.headers.get("cookie"),
            "agent": request.headers.get("user-agent"),
            "connection": request.connection,
        }
        headers = {"x-some-header": "1", "set-cookie": "session=1"}
        return Response(200, headers, json.dumps(seen).encode())


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as running:
        yield running


@pytest.fixture
async def door() -> AsyncIterator[Http2]:
    http = ProviderHttp(timeout=PATIENCE)
    door = http.http2()
    yield door
    await door.close()
    await http.close()


@asynccontextmanager
async def silent() -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Event]]:
    """Takes a connection and says nothing. Its URL; when it has heard something, and when the connection was closed."""
    greeted, over = asyncio.Event(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        greeted.set()
        await reader.read()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        over.set()

    listener = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/", greeted, over
    listener.close()
    await listener.wait_closed()


async def post(
    door: Http2,
    server: Server,
    path: str = "/echo",
    data: bytes = b"{}",
    within: timedelta | None = None,
) -> Reply:
    return await door.post(f"{server.url}{path}", headers={}, data=data, within=within)


async def failure(door: Http2, server: Server) -> Retry:
    with pytest.raises(NoReply) as raised:
        await post(door, server, "/echo?token=secret")
    assert "secret" not in repr(raised.value)
    return raised.value.outcome


async def test_an_answer_comes_with_status_body_and_lower_case_headers(
    server: Server, door: Http2
) -> None:
    reply = await post(door, server, data="Привет".encode())

    assert reply.status == 200
    assert reply.headers["x-some-header"] == "1"
    assert reply.json() == {
        "method": "POST",
        "body": "Привет",
        "cookie": None,
        "agent": "vestnik",
        "connection": 1,
    }


async def test_many_calls_at_once_share_one_connection(server: Server, door: Http2) -> None:
    await post(door, server)
    server.delay = 0.05

    calls = [
        door.post(f"{server.url}/echo", headers={}, data=b"", within=timedelta(seconds=20))
        for _ in range(200)
    ]
    replies = await asyncio.gather(*calls)

    assert {reply.json()["connection"] for reply in replies} == {1}
    assert 10 < server.most_at_once <= server.max_streams


async def test_a_big_request_goes_in_as_many_parts_as_the_server_takes(
    server: Server, door: Http2
) -> None:
    reply = await post(door, server, data=b"x" * 300_000)

    assert len(reply.json()["body"]) == 300_000


async def test_cookies_are_not_kept(server: Server, door: Http2) -> None:
    await post(door, server)

    assert (await post(door, server)).json()["cookie"] is None


async def test_redirects_are_not_followed(server: Server, door: Http2) -> None:
    assert (await post(door, server, "/away")).status == 302
    assert server.requests == 1


async def test_an_answer_that_is_too_long_is_cut(server: Server, door: Http2) -> None:
    reply = await door.post(f"{server.url}/big", headers={}, data=b"", within=timedelta(seconds=20))

    assert len(reply.body) == MAX_REPLY_BYTES
    assert (await post(door, server)).json()["connection"] == 2


async def test_a_refused_connection_means_that_nothing_was_sent(
    server: Server, door: Http2
) -> None:
    await server.stop()

    assert await failure(door, server) == Retry("no-connection")


async def test_a_name_that_does_not_exist_means_that_nothing_was_sent(door: Http2) -> None:
    with pytest.raises(NoReply) as raised:
        await door.post("http://no-such-host.invalid/", headers={}, data=b"")

    assert raised.value.outcome == Retry("no-connection")


async def test_silence_may_mean_that_it_was_sent(server: Server, door: Http2) -> None:
    server.fault = Fault(hang=True)

    assert await failure(door, server) == Retry("no-answer", maybe_sent=True)


async def test_a_call_that_waits_for_the_connection_was_not_sent() -> None:
    """Somebody takes the connection and says nothing: TLS is never agreed upon."""
    async with silent() as (url, _, over):
        door = Http2(timedelta(seconds=0.4))

        with pytest.raises(NoReply) as raised:
            await door.post(url, headers={}, data=b"")

        assert raised.value.outcome == Retry("no-connection")
        await door.close()
        await over.wait()


async def test_a_call_that_finds_no_free_stream_in_time_was_not_sent(
    server: Server, door: Http2
) -> None:
    server.max_streams = 3
    await post(door, server)
    server.fault = Fault(hang=True)

    # Those that have a place keep it for longer than the others wait for one.
    waits = [2 * PATIENCE] * 3 + [PATIENCE] * 2
    calls = (post(door, server, within=within) for within in waits)
    raised = await asyncio.gather(*calls, return_exceptions=True)

    outcomes = [none.outcome for none in raised if isinstance(none, NoReply)]
    assert [o.maybe_sent for o in outcomes] == [True] * 3 + [False] * 2


async def test_after_silence_the_next_call_takes_a_connection_of_its_own(
    server: Server, door: Http2
) -> None:
    server.faults.append(Fault(hang=True))
    await failure(door, server)

    assert (await post(door, server)).json()["connection"] == 2


async def test_one_call_that_is_never_answered_leaves_the_others(
    server: Server, door: Http2
) -> None:
    await post(door, server)
    server.delay = 0.7
    server.faults.append(Fault(hang=True))

    silent = asyncio.create_task(failure(door, server))
    await asyncio.sleep(0.4)
    replies = await asyncio.gather(*(post(door, server) for _ in range(5)))

    assert (await silent).maybe_sent
    assert {reply.json()["connection"] for reply in replies} == {1}


async def test_a_connection_that_breaks_may_have_carried_it(server: Server, door: Http2) -> None:
    server.faults.append(Fault(close=True))

    outcome = await failure(door, server)

    assert outcome.maybe_sent
    assert (await post(door, server)).status == 200
    assert server.requests == 2


async def test_a_stream_that_the_server_refuses_was_not_sent(server: Server, door: Http2) -> None:
    server.refuse_streams = 1

    outcome = await failure(door, server)

    assert not outcome.maybe_sent
    assert outcome.reason


async def test_a_server_that_goes_away_is_called_anew(server: Server, door: Http2) -> None:
    await post(door, server)
    server.go_away()
    await asyncio.sleep(0.05)

    assert (await post(door, server)).json()["connection"] == 2
    assert server.requests == 2


async def test_a_connection_that_was_closed_while_nothing_was_said_is_made_anew(
    server: Server, door: Http2
) -> None:
    await post(door, server)
    for connection in list(server.open):
        connection.abort()
    await asyncio.sleep(0.05)

    assert (await post(door, server)).json()["connection"] == 2
    assert server.requests == 2


async def test_a_renewed_connection_leaves_the_calls_under_way(server: Server, door: Http2) -> None:
    server.delay = 0.3
    early = asyncio.create_task(post(door, server))
    await asyncio.sleep(0.1)

    await door.renew()
    late = await post(door, server)

    assert (await early).json()["connection"] == 1
    assert late.json()["connection"] == 2
    await asyncio.sleep(0.05)
    assert len(server.open) == 1


async def test_a_call_that_is_cancelled_leaves_nothing_open(server: Server, door: Http2) -> None:
    server.fault = Fault(hang=True)
    call = asyncio.create_task(post(door, server))
    await asyncio.sleep(0.1)

    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.sleep(0.05)

    assert not server.open


async def test_a_call_that_is_cancelled_before_tls_is_agreed_upon_leaves_nothing_open(
    door: Http2,
) -> None:
    async with silent() as (url, greeted, over):
        call = asyncio.create_task(
            door.post(url, headers={}, data=b"", within=timedelta(seconds=30))
        )
        await greeted.wait()

        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

        async with asyncio.timeout(5):
            await over.wait()


async def test_something_that_does_not_speak_http2_may_have_taken_it(door: Http2) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"body")
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0, family=socket.AF_INET)
    port = listener.sockets[0].getsockname()[1]

    with pytest.raises(NoReply) as raised:
        await door.post(f"http://127.0.0.1:{port}/", headers={}, data=b"body")

    assert raised.value.outcome.maybe_sent
    listener.close()
    await listener.wait_closed()


@pytest.mark.parametrize("url", ["not a url", "ftp://example.com/secret"])
async def test_what_is_no_url_is_refused_without_repeating_it(door: Http2, url: str) -> None:
    with pytest.raises(BlockedAddress) as raised:
        await door.post(url, headers={}, data=b"")

    assert "secret" not in str(raised.value)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def _tls_server(authority: trustme.CA) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    authority.issue_cert("localhost").configure_cert(context)
    return Server(context)


async def test_over_tls_the_protocol_is_agreed_upon(authority: trustme.CA) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    door = Http2(PATIENCE, trusting)

    async with _tls_server(authority) as server:
        assert (await post(door, server)).status == 200
        await door.close()


async def test_a_certificate_of_nobody_means_that_nothing_was_sent(
    authority: trustme.CA, door: Http2
) -> None:
    async with _tls_server(authority) as server:
        assert await failure(door, server) == Retry("no-connection")
        assert server.requests == 0
