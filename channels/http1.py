"""Calls over HTTP/1.1 by reqwest: the part of `channels.http` that needs a library.

It costs a third of the processor time of a client in Python, and works beside the event loop, in a thread that the
first call starts and that holds up no process that ends.
"""

import atexit
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    BodyDecodeError,
    BuilderError,
    ConnectError,
    DecodeError,
    PoolTimeoutError,
    ReadError,
    RequestError,
)
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from channels.base import Retry
from channels.http import (
    CONNECT_TIMEOUT,
    MAX_REPLY_BYTES,
    BlockedAddress,
    Call,
    NoReply,
    Reply,
)

_PER_HOST = 100
_KEPT_IDLE = timedelta(seconds=15)

_WITHOUT_BODY = frozenset({"GET", "HEAD"})
_ORIGIN = re.compile(r"https?://[^/?#\\]+", re.IGNORECASE)

# The library has a few kinds of errors and tells the rest in texts: those of hyper and of rustls.
_CONNECTING = "client error (Connect)"
_BEFORE_TLS = frozenset({"tcp connect error", "dns error"})

# What such failures have always been called; guarded calls, which have another library, call them so, too.
_BROKEN: Mapping[type[RequestError], str] = {
    BodyDecodeError: "ClientPayloadError",
    ReadError: "ClientPayloadError",
    DecodeError: "ClientResponseError",
    ConnectError: "ServerDisconnectedError",
}
_BROKEN_OTHERWISE = "ClientOSError"

# Its thread wakes the loop and then waits a moment for the interpreter; one that is gone by then aborts the process.
atexit.register(time.sleep, 0.05)

_Host = tuple[str, Path | None]
"""Scheme, host and port as they are written, and the certificates it is called with."""


class _NoTerms(Exception):
    """Nothing was sent, for there could be no TLS between this library and that server."""


@dataclass(slots=True)
class Http1:
    """Connections of all adapters: to each host a hundred at once, kept for the next calls; more calls wait in line.

    What `ProviderHttp` promises holds here. A call that is given up may still go out: its connection is used by
    nobody else before it has come to an end. `otherwise`: for hosts with which there can be no TLS, as reqwest knows
    no ciphers of yesterday and no certificate that signs itself; whom to trust after all is decided there.
    """

    otherwise: Callable[[Call], Awaitable[Reply]]
    _clients: dict[_Host, Client] = field(default_factory=dict, init=False)
    _strange: set[_Host] = field(default_factory=set, init=False)
    _closed: bool = field(default=False, init=False)

    async def call(self, call: Call) -> Reply:
        """Raises `NoReply` when nothing readable came back, `BlockedAddress` for what is no URL."""
        if self._closed:
            raise RuntimeError("the connections are closed")
        host = _host(call)
        if host not in self._strange:
            try:
                return await self._call(host, call)
            except _NoTerms:
                pass
        reply = await self.otherwise(call)
        self._strange.add(host)
        return reply

    async def close(self) -> None:
        """Ends what is under way, too."""
        self._closed = True
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    async def _call(self, host: _Host, call: Call) -> Reply:
        client = self._clients.get(host)
        if client is None:
            client = self._clients[host] = _open(call.ca_file)
        try:
            async with _request(client, call) as response:
                body = await response.body_reader.read(MAX_REPLY_BYTES)
                return Reply(response.status, _headers(response), bytes(body or b""))
        except RequestError as error:
            # Without the cause: it holds the URL.
            raise _failure(error) from None


def _host(call: Call) -> _Host:
    origin = _ORIGIN.match(call.url)
    if origin is None:
        raise BlockedAddress("not a usable URL")
    return origin[0], call.ca_file


def _open(ca_file: Path | None) -> Client:
    """One for each host, since the library counts connections by client."""
    builder = (
        ClientBuilder()
        .http1_only()
        .no_proxy()
        .follow_redirects(False)
        .user_agent("vestnik")
        .connect_timeout(CONNECT_TIMEOUT)
        .max_connections(_PER_HOST)
        .pool_max_idle_per_host(_PER_HOST)
        .pool_idle_timeout(_KEPT_IDLE)
        # gzip and deflate are undone.
        .brotli(False)
        .zstd(False)
    )
    if ca_file:
        builder.add_root_certificate_pem(ca_file.read_bytes())
    try:
        return builder.build()
    except BuilderError:
        # This system has no certificates.
        raise _NoTerms from None


def _request(client: Client, call: Call) -> StreamRequest:
    try:
        request = client.request(call.method, call.url)
        if call.params:
            request.query(call.params)
    except ValueError:
        raise BlockedAddress("not a usable URL") from None
    for name, value in call.headers.items():
        request.header(name, value)
    if call.body:
        request.body_bytes(call.body)
    elif call.method not in _WITHOUT_BODY:
        # The library leaves it out, some servers insist on it.
        request.header("Content-Length", "0")
    return request.timeout(call.within).build_streamed()


def _headers(response: Response) -> dict[str, str]:
    try:
        return dict(response.headers.items())
    except ValueError:
        # One beyond ASCII; the others are kept.
        return {name: value for name in response.headers if (value := _header(response, name))}


def _header(response: Response, name: str) -> str | None:
    try:
        return response.get_header(name)
    except ValueError:
        return None


def _failure(error: RequestError) -> NoReply | _NoTerms:
    """The library itself sends nothing twice but what it had not begun to write."""
    # The first names the URL.
    causes = [cause["message"] for cause in (error.details["causes"] or ())[1:]]
    in_time = not isinstance(error, TimeoutError)
    if _CONNECTING in causes and in_time and _BEFORE_TLS.isdisjoint(causes):
        return _NoTerms()
    if _CONNECTING in causes or isinstance(error, PoolTimeoutError):
        return NoReply(Retry("no-connection"))
    if not in_time:
        return NoReply(Retry("no-answer", maybe_sent=True))
    return NoReply(Retry(_BROKEN.get(type(error), _BROKEN_OTHERWISE), maybe_sent=True))
