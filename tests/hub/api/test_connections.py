"""What a connection may take: places, time and bytes; and that one request is never read as two."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic

import pytest

from hub.api import body
from hub.api.app import make_app
from hub.api.connection import Bounds
from hub.api.headers import dress
from hub.api.server import bind, serve
from hub.resources import Hub
from hub.shops.keys import Scope

KeyFor = Callable[..., Awaitable[str]]

GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
BOUNDS = Bounds(
    connections=3,
    head=timedelta(seconds=0.5),
    idle=timedelta(seconds=2),
    answer=timedelta(seconds=1),
)


@asynccontextmanager
async def served(hub: Hub, bounds: Bounds) -> AsyncIterator[int]:
    listening = bind("127.0.0.1", 0)
    port: int = listening.getsockname()[1]
    dressed = dress("https://hub.example")
    grace = timedelta(seconds=1)
    async with serve(make_app(hub), listening, grace=grace, bounds=bounds, dressed=dressed):
        yield port


@pytest.fixture
async def port(hub: Hub) -> AsyncIterator[int]:
    async with served(hub, BOUNDS) as port:
        yield port


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def at(cls, port: int) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, data: bytes = GET) -> bytes:
        self.writer.write(data)
        return await self.head()

    async def head(self) -> bytes:
        """Of the next answer; its body stays unread."""
        async with asyncio.timeout(5):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def end(self) -> bytes:
        """All that comes until the server closes."""
        async with asyncio.timeout(8):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
async def clients(port: int) -> AsyncIterator[Callable[[int], Awaitable[list[Client]]]]:
    opened: list[Client] = []

    async def open_(number: int) -> list[Client]:
        made = [await Client.at(port) for _ in range(number)]
        opened.extend(made)
        return made

    yield open_
    for one in opened:
        one.close()


Open = Callable[[int], Awaitable[list[Client]]]


async def test_one_connection_too_many_is_told_so(clients: Open) -> None:
    inside = await clients(3)
    for one in inside:
        assert b"200 OK" in await one.ask()

    [surplus] = await clients(1)
    answer = await surplus.end()

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"problem+json" in answer
    assert b"too many connections" in answer
    assert b"\r\nRetry-After: 1\r\n" in answer
    assert b"\r\nStrict-Transport-Security: " in answer
    inside[0].close()
    await asyncio.sleep(0.1)
    [welcome] = await clients(1)
    assert b"200 OK" in await welcome.ask()


async def test_who_has_waited_longest_for_nothing_makes_room(clients: Open) -> None:
    [idle] = await clients(1)
    await asyncio.sleep(1.1)
    busy = await clients(2)
    for one in busy:
        await one.ask()

    [new] = await clients(1)

    assert b"200 OK" in await new.ask()
    assert await idle.end() == b""
    for one in busy:
        assert b"200 OK" in await one.ask(b"\r\n" + GET)


async def test_a_head_that_trickles_in_is_cut_off(clients: Open) -> None:
    [slow] = await clients(1)
    began = monotonic()
    reading = asyncio.create_task(slow.end())
    slow.writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
    while not reading.done() and monotonic() - began < 5:
        slow.writer.write(b"X: y\r\n")
        await asyncio.sleep(0.1)
    answer = await reading

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"problem+json" in answer
    assert monotonic() - began < 4


async def test_a_second_head_on_the_same_connection_has_its_own_time(clients: Open) -> None:
    [client] = await clients(1)
    for _ in range(3):
        assert b"200 OK" in await client.ask()
        await asyncio.sleep(0.3)

    client.writer.write(b"GET /healthz HT")
    answer = await client.end()

    assert b"HTTP/1.1 408 " in answer


async def test_silence_is_cut_off(clients: Open) -> None:
    silent, heard = await clients(2)
    await heard.ask()
    began = monotonic()

    await silent.end()
    await heard.end()

    assert 1 < monotonic() - began < 4


async def test_headers_have_at_most_so_many_bytes_together(clients: Open) -> None:
    [client] = await clients(1)
    lines = b"".join(b"X-%d: %s\r\n" % (i, b"a" * 5000) for i in range(20))
    client.writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + lines)

    answer = await client.end()

    assert answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


async def test_who_never_reads_the_answer_is_cut_off(hub: Hub) -> None:
    async with served(hub, BOUNDS) as port:
        client = await Client.at(port)
        # More answers than fit between the two: nobody takes them.
        transport = client.writer.transport
        transport.pause_reading()  # type: ignore[attr-defined]
        client.writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 60)
        await asyncio.sleep(3)
        transport.resume_reading()  # type: ignore[attr-defined]

        got = await client.end()

        assert got.count(b"HTTP/1.1 200 OK") < 60
        client.close()


async def test_a_body_that_trickles_in_is_408(
    hub: Hub, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "_PATIENCE", timedelta(seconds=0.5))
    key = await key_for(Scope.ADMIN)
    head = "Host: a\r\nContent-Length: 1000\r\n"
    json = f"{head}Content-Type: application/json\r\nAuthorization: Bearer {key}\r\n"
    async with served(hub, BOUNDS) as port:
        client = await Client.at(port)
        began = monotonic()

        answer = await client.ask(f"POST /v1/keys HTTP/1.1\r\n{json}\r\n{{".encode())

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert monotonic() - began < 3
        client.close()


PAIR = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

SMUGGLED: dict[str, bytes] = {
    "both lengths": b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, the other way round": b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 35\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 35\r\n\r\n",
    "a signed length": b"Content-Length: +0\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a length in hex": b"Content-Length: 0x0\r\n\r\n",
    "a length with an underscore": b"Content-Length: 1_0\r\n\r\n",
    "a length in other digits": "Content-Length: ٠\r\n\r\n".encode(),
    "a length without a number": b"Content-Length:\r\n\r\n",
    "a space before the colon": b"Content-Length : 0\r\n\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked is not the last coding": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a vertical tab in the coding": b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a chunk's size that is signed": b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
    "a chunk's size in 0x": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "a chunk without its end": b"Transfer-Encoding: chunked\r\n\r\n1\r\naX0\r\n\r\n",
    "a bare line end in a header": b"X: a\nContent-Length: 0\r\n\r\n",
    "a carriage return in a header": b"X: a\rContent-Length: 0\r\n\r\n",
    "NUL in a header": b"X: a\0b\r\n\r\n",
    "a header without a name": b": x\r\n\r\n",
    "a name that is no token": b"Content-Length\xff: 0\r\n\r\n",
}


async def said_to(url: str, data: bytes) -> bytes:
    """All that the server says to it until it closes the connection."""
    client = await Client.at(int(url.rpartition(":")[2]))
    client.writer.write(data)
    answer = await client.end()
    client.close()
    return answer


@pytest.mark.parametrize("name", SMUGGLED)
async def test_one_request_is_never_read_as_two(url: str, name: str) -> None:
    """Where a proxy could see another end of the request, the connection ends with a refusal."""
    request = b"POST /u/nonsense HTTP/1.1\r\nHost: a\r\n" + SMUGGLED[name] + PAIR

    answer = await said_to(url, request)

    assert answer.count(b"HTTP/1.") == 1, answer
    assert answer.split()[1] == b"400"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/orders?cursor=" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 9000 + b"\r\n",
    ],
)
async def test_of_a_line_that_is_too_long_just_that_is_told(url: str, head: bytes) -> None:
    answer = await said_to(url, head + b"\r\n")

    assert answer.split()[1] == b"400"
    assert b"longer than 8190 bytes" in answer


async def test_a_body_of_a_request_without_one_is_not_the_next_request(url: str) -> None:
    hidden = PAIR.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(PAIR)

    answer = await said_to(url, request + PAIR + hidden)

    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert answer.count(b"HTTP/1.1 404 ") == 1
