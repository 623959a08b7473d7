"""Calls to providers as they are on the wire: what is written, how often, and what each broken answer comes to."""

import asyncio
import gzip
import ssl
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from channels.base import Retry
from channels.http import UNTRUSTED, BlockedAddress, NoReply, ProviderHttp, Reply
from tests.channels.authority import authority

SHORTLY = timedelta(seconds=0.3)
TOKEN = "c0ffee4815162342"
LOOPBACK = ip_network("127.0.0.0/8")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
_REPOSITORY = Path(__file__).parents[2]


@dataclass
class Wire:
    """A server of bare sockets: `answer`s one request after the other, a connection is closed after an
    answer that is not whole."""

    answer: Callable[[bytes], Awaitable[bytes]]
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0
    broken_off: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    talks: list[asyncio.Task[Any]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        this = asyncio.current_task()
        assert this
        self.talks.append(this)
        try:
            while True:
                request = await _request(reader)
                self.heard.append(request)
                answering = asyncio.ensure_future(self.answer(request))
                gone = asyncio.ensure_future(reader.read(1))
                await asyncio.wait([answering, gone], return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    answering.cancel()
                    self.broken_off += 1
                    return
                gone.cancel()
                await asyncio.wait([gone])
                answer = answering.result()
                writer.write(answer)
                if not _is_whole(answer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def _is_whole(answer: bytes) -> bool:
    head, _, content = answer.partition(b"\r\n\r\n")
    return head.endswith(b"Content-Length: %d" % len(content))


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


@asynccontextmanager
async def wire(
    answer: bytes | Callable[[bytes], Awaitable[bytes]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Wire]:
    async def the_same(_: bytes) -> bytes:
        assert isinstance(answer, bytes)
        return answer

    running = Wire(the_same if isinstance(answer, bytes) else answer)
    server = await asyncio.start_server(running.talk, "127.0.0.1", 0, ssl=tls)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for writer in running.writers:
            writer.close()
        await asyncio.gather(*running.talks)
        # TLS ends when the client agrees, which does so in a thread of its own.
        await asyncio.sleep(0.2 if tls else 0.01)


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    door = ProviderHttp(timeout=timedelta(seconds=5), allow=[LOOPBACK])
    yield door
    await door.close()


async def failure(call: Awaitable[Reply]) -> Retry:
    with pytest.raises(NoReply) as raised:
        await call
    assert TOKEN not in "".join(traceback.format_exception(raised.value))
    return raised.value.outcome


WAYS = pytest.mark.parametrize(
    "way", [{}, {"public_only": True}, {"long_poll": True}], ids=["fast", "guarded", "poll"]
)


@WAYS
@pytest.mark.parametrize(
    ("asked", "kind", "body"),
    [
        ({"json": {"text": "Скидки \n\"50%\"", "n": 2**70, "x": [None, True, 1.5]}},
         "application/json",
         '{"text":"Скидки \\n\\"50%\\"","n":1180591620717411303424,"x":[null,true,1.5]}'),
        ({"json": {1: "one"}}, "application/json", '{"1":"one"}'),
        ({"json": []}, "application/json", "[]"),
        ({"data": {"text": "Скидки & более", "empty": "", "plus": "+7"}},
         "application/x-www-form-urlencoded",
         "text=%D0%A1%D0%BA%D0%B8%D0%B4%D0%BA%D0%B8+%26+%D0%B1%D0%BE%D0%BB%D0%B5%D0%B5&empty=&plus=%2B7"),
        ({"data": {}}, "application/x-www-form-urlencoded", ""),
        ({"data": b"\x00\xff"}, "application/octet-stream", b"\x00\xff"),
        ({"data": b"{}", "headers": {"Content-Type": "application/json"}}, "application/json", "{}"),
    ],
    ids=["json", "json-keys", "json-empty", "form", "form-empty", "bytes", "named"],
)  # fmt: skip
async def test_what_is_written(
    http: ProviderHttp, way: dict[str, bool], asked: dict[str, Any], kind: str, body: str | bytes
) -> None:
    async with wire(OK) as server:
        await http.post(f"{server.url}/bot1:x/send?a=1#part", params={"q": "я &b"}, **asked, **way)

    line, headers, content = _parts(server.heard[0])
    assert line == "POST /bot1:x/send?a=1&q=%D1%8F+%26b HTTP/1.1"
    assert content == (body if isinstance(body, bytes) else body.encode())
    headers["accept-encoding"] = headers["accept-encoding"].replace(" ", "")
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "vestnik",
        "accept": "*/*",
        "accept-encoding": "gzip,deflate",
        "content-type": kind,
        "content-length": str(len(content)),
    }


@WAYS
async def test_a_call_without_a_body_says_so(http: ProviderHttp, way: dict[str, bool]) -> None:
    async with wire(OK) as server:
        await http.post(server.url, headers={"Authorization": "ключ"}, **way)
        await http.get(server.url, **way)

    (_, post, _), (line, get, _) = map(_parts, server.heard)
    assert (post["content-length"], post["authorization"]) == ("0", "ключ")
    assert line == "GET / HTTP/1.1"
    assert "content-length" not in get


def _parts(request: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, content = request.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    pairs = [header.split(": ", 1) for header in headers]
    return line, {name.lower(): value for name, value in pairs}, content


async def test_a_name_and_password_in_a_url_become_a_header(http: ProviderHttp) -> None:
    async with wire(OK) as server:
        await http.get(f"http://us:pa@127.0.0.1:{server.port}/")

    assert _parts(server.heard[0])[1]["authorization"] == "Basic dXM6cGE="


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    http = ProviderHttp()

    async with wire(OK) as server:
        reply = await http.get(server.url)

    assert reply.status == 200
    await http.close()


@WAYS
async def test_gzip_is_undone(http: ProviderHttp, way: dict[str, bool]) -> None:
    packed = gzip.compress('{"text": "Привет"}'.encode())
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"

    async with wire(head % len(packed) + packed) as server:
        reply = await http.get(server.url, **way)

    assert reply.json() == {"text": "Привет"}


async def test_a_header_beyond_ascii_spoils_no_answer(http: ProviderHttp) -> None:
    head = "HTTP/1.1 429 Too Many\r\nX-Why: Часто\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"

    async with wire(head.encode()) as server:
        reply = await http.get(server.url)

    assert (reply.status, reply.retry_after) == (429, timedelta(seconds=7))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "ServerDisconnectedError"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "ServerDisconnectedError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "ClientPayloadError"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", "ClientPayloadError"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n{}", "ClientPayloadError"),
        (b"220 mail.example.com ESMTP\r\n", "ClientResponseError"),
    ],
)
async def test_a_broken_answer_may_have_been_one_and_nothing_is_sent_twice(
    http: ProviderHttp, answer: bytes, reason: str
) -> None:
    def breaks(request: bytes) -> bool:
        return b"kept" not in request

    async def answers(request: bytes) -> bytes:
        return answer if breaks(request) else OK

    async with wire(answers) as server:
        fresh = await failure(http.post(f"{server.url}/{TOKEN}", data={"text": TOKEN}))
        await http.post(f"{server.url}/kept")
        on_a_kept_one = await failure(http.get(f"{server.url}/{TOKEN}"))
        await asyncio.sleep(0.1)

    assert fresh == on_a_kept_one == Retry(reason, maybe_sent=True)
    assert sum(map(breaks, server.heard)) == 2


async def test_a_connection_that_was_closed_while_idle_is_not_missed(http: ProviderHttp) -> None:
    async with wire(OK) as server:
        await http.post(server.url)
        server.writers[0].close()
        # Until its thread has heard of it.
        await asyncio.sleep(0.3)
        reply = await http.post(server.url)

    assert reply.status == 200
    assert (server.connections, len(server.heard)) == (2, 2)


async def test_connections_are_kept_for_the_next_call(http: ProviderHttp) -> None:
    async with wire(OK) as server:
        for _ in range(3):
            await http.post(server.url)

    assert server.connections == 1


async def test_who_gives_a_call_up_leaves_no_half_connection(http: ProviderHttp) -> None:
    async def slowly(request: bytes) -> bytes:
        await asyncio.sleep(0.1)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + request.split(b" ")[1][1:]

    async with wire(slowly) as server:
        tasks = [asyncio.create_task(http.post(f"{server.url}/{n}")) for n in range(4)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        gone = await asyncio.gather(*tasks, return_exceptions=True)
        replies = await asyncio.gather(*(http.post(f"{server.url}/{n}") for n in range(4, 8)))

    assert all(isinstance(one, asyncio.CancelledError) for one in gone)
    assert [reply.body for reply in replies] == [b"4", b"5", b"6", b"7"]


async def test_a_long_poll_that_is_given_up_ends_at_once(http: ProviderHttp) -> None:
    arrived = asyncio.Event()

    async def nothing_yet(_: bytes) -> bytes:
        arrived.set()
        await asyncio.sleep(60)
        return OK

    async with wire(nothing_yet) as server:
        task = asyncio.create_task(http.get(server.url, long_poll=True))
        await arrived.wait()
        task.cancel()
        await asyncio.wait(server.talks, timeout=5)

    assert server.broken_off == 1


async def test_a_host_gets_a_hundred_calls_at_once_and_the_others_wait(http: ProviderHttp) -> None:
    at_once = 0
    full, gate = asyncio.Event(), asyncio.Event()

    async def together(_: bytes) -> bytes:
        nonlocal at_once
        at_once += 1
        if at_once == 100:
            full.set()
        await gate.wait()
        return OK

    async with wire(together) as server, wire(OK) as other:
        tasks = [asyncio.create_task(http.post(server.url)) for _ in range(130)]
        await full.wait()
        await asyncio.sleep(0.2)
        most = at_once
        elsewhere = await http.post(other.url)
        waited = await failure(http.post(f"{server.url}/{TOKEN}", within=SHORTLY))
        gate.set()
        replies = await asyncio.gather(*tasks)

    assert most == 100
    assert elsewhere.status == 200
    assert waited == Retry("no-connection")
    assert {reply.status for reply in replies} == {200}
    assert server.connections <= 130


async def test_no_handshake_within_five_seconds_is_no_connection() -> None:
    async def silence(_: bytes) -> bytes:
        raise AssertionError

    http = ProviderHttp()
    async with wire(silence) as server:
        outcome = await failure(http.post(f"https://127.0.0.1:{server.port}/{TOKEN}"))

    assert outcome == Retry("no-connection")
    await http.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        f"http:///{TOKEN}",
        f"http://[::1/{TOKEN}",
        f"http://{TOKEN}:99999/",
        f"http://{TOKEN} /",
    ],
)
async def test_what_is_no_url_is_refused_without_repeating_it(http: ProviderHttp, url: str) -> None:
    with pytest.raises(BlockedAddress) as raised:
        await http.post(url, data={"text": TOKEN})

    assert TOKEN not in "".join(traceback.format_exception(raised.value))


async def test_a_bundle_of_certificates_is_trusted_as_a_whole(
    http: ProviderHttp, tmp_path: Path
) -> None:
    made, other = authority(tmp_path), authority(tmp_path, "Another Root CA")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"# Two of them\n" + other.ca_file.read_bytes() + made.ca_file.read_bytes())

    async with wire(OK, made.server) as server:
        reply = await http.get(f"https://127.0.0.1:{server.port}/", ca_file=bundle)

    assert reply.status == 200


async def test_ciphers_of_yesterday_are_spoken_where_the_server_knows_no_others(
    http: ProviderHttp, tmp_path: Path
) -> None:
    made = authority(tmp_path)
    made.server.maximum_version = ssl.TLSVersion.TLSv1_2
    made.server.set_ciphers("ECDHE-ECDSA-AES128-SHA256")

    async with wire(OK, made.server) as server:
        url = f"https://127.0.0.1:{server.port}/"
        replies = [await http.post(url, ca_file=made.ca_file) for _ in range(3)]

    assert [reply.status for reply in replies] == [200] * 3
    assert len(server.heard) == 3


async def test_a_server_whose_certificate_signs_itself_can_be_trusted(
    http: ProviderHttp, tmp_path: Path
) -> None:
    made = authority(tmp_path, signs_itself=True)

    async with wire(OK, made.server) as server:
        url = f"https://127.0.0.1:{server.port}/"
        reply = await http.post(url, ca_file=made.ca_file)
        outcome = await failure(http.post(f"{url}{TOKEN}"))

    assert reply.status == 200
    assert outcome == Retry(UNTRUSTED)
    assert len(server.heard) == 1


async def test_closing_ends_what_is_under_way_and_all_that_comes_later() -> None:
    arrived = asyncio.Event()

    async def never(_: bytes) -> bytes:
        arrived.set()
        await asyncio.sleep(60)
        return OK

    http = ProviderHttp()
    async with wire(never) as server:
        task = asyncio.create_task(http.post(f"{server.url}/{TOKEN}"))
        await arrived.wait()
        await http.close()
        outcome = await failure(task)
        with pytest.raises(RuntimeError):
            await http.post(server.url)

    assert outcome.maybe_sent
    assert len(server.heard) == 1


_ENDS = """
import asyncio
from channels.http import NoReply, ProviderHttp

async def main():
    http = ProviderHttp()
    try:
        await http.post("http://127.0.0.1:1/")
    except NoReply:
        pass
    await http.close()

asyncio.run(main())
"""


def test_a_process_that_called_ends_at_once_and_well() -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", _ENDS], cwd=_REPOSITORY, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[1] for process in running]

    assert said == [b""] * 4
    assert [process.returncode for process in running] == [0] * 4


def test_loading_the_door_loads_no_library_behind_it() -> None:
    script = "import sys, channels.http; print('pyreqwest' in sys.modules)"

    said = subprocess.check_output([sys.executable, "-c", script], cwd=_REPOSITORY, text=True)

    assert said == "False\n"


async def test_a_system_without_certificates_trusts_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    http, made = ProviderHttp(), authority(tmp_path)

    async with wire(OK) as server, wire(OK, made.server) as secured:
        reply = await http.get(server.url)
        outcome = await failure(http.post(f"https://127.0.0.1:{secured.port}/{TOKEN}"))

    assert reply.status == 200
    assert outcome == Retry(UNTRUSTED)
    assert secured.heard == []
    await http.close()
