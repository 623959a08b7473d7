"""Calls over HTTP/2, for providers that speak nothing else: the part of `channels.http` that needs a library."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import httpx
from h2.errors import ErrorCodes
from h2.events import StreamReset
from h2.exceptions import H2Error

from channels.base import Retry
from channels.guard import Blocked, PublicOnly
from channels.http import CONNECT_TIMEOUT, MAX_REPLY_BYTES, BlockedAddress, NoReply, Reply

# An idle connection is not read from, so whether the provider has closed it meanwhile shows only at the next
# call, which then may or may not have arrived. Shorter than the memory of any router on the way.
_KEPT_IDLE = timedelta(minutes=2)


@dataclass(slots=True)
class _Line:
    """A connection; `calls` are under way on it, `proven`: it has carried an answer."""

    transport: httpx.AsyncHTTPTransport
    calls: int = 0
    proven: bool = False


@dataclass(slots=True)
class _Course:
    """How far one request has come. Its end goes out with the last byte of its body, and no provider acts on a
    request before that: what fails until `left` was not sent, what is cut off after `begun` may still go out."""

    begun: bool = False
    left: bool = False
    _stream: Any = None

    async def note(self, event: str, info: Mapping[str, Any]) -> None:
        match event:
            case "http2.send_request_body.started":
                self.begun = True
            case "http2.send_request_body.complete":
                self.left = True
            case "connection.connect_tcp.complete":
                self._stream = info["return_value"]
            case "connection.start_tls.failed":
                # Cut off from outside, the library forgets it: open until the provider ends it.
                await self._stream.aclose()


@dataclass(slots=True)
class Http2:
    """One account's own connection: opened at the first call, kept for the next ones, shared by all at once.

    What `ProviderHttp` promises holds here, too: no redirects, no cookies, nothing logged, an end to every
    call. To `https` the server must offer `h2` (ALPN), to `http` HTTP/2 is spoken without asking. `tls`: other
    than the system's certificates; `guard`: looks at every address before it is connected to.
    """

    timeout: timedelta
    tls: ssl.SSLContext | None = None
    guard: PublicOnly | None = None
    _line: _Line | None = field(default=None, init=False)

    async def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        data: bytes,
        within: timedelta | None = None,
    ) -> Reply:
        """One call. Raises `NoReply` when nothing readable came back, `BlockedAddress` for what is no URL, or when the
        guard refused.

        What is certain not to have reached the provider is "not sent": no connection, no place on it in time, or
        a stream of which the server says that it has not looked at it.
        """
        within = within or self.timeout
        course = _Course()
        try:
            async with asyncio.timeout(within.total_seconds()):
                request = _request(url, headers, data, course, connect=within / 2)
                if self.guard:
                    await _pin(request, self.guard)
                return await self._call(request, course)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            # Without the cause: its text is the URL.
            raise BlockedAddress("not a usable URL") from None
        except Blocked as error:
            raise BlockedAddress(str(error)) from None
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise NoReply(Retry("no-connection")) from None
        except TimeoutError:
            reason = "no-answer" if course.begun else "no-connection"
            raise NoReply(Retry(reason, maybe_sent=course.begun)) from None
        except (httpx.TransportError, H2Error) as error:
            maybe_sent = course.left and not _is_refused(error)
            raise NoReply(Retry(type(error).__name__, maybe_sent=maybe_sent)) from None
        except OSError:
            # The name was not found.
            raise NoReply(Retry("no-connection")) from None

    async def renew(self) -> None:
        """The next call opens a connection; those under way end on the one before."""
        if line := self._line:
            self._leave(line)
            await self._close_if_left(line)

    async def close(self) -> None:
        """Ends what is under way, too."""
        line, self._line = self._line, None
        if line:
            await line.transport.aclose()

    def _open(self) -> _Line:
        tls = self.tls or _system()
        limits = httpx.Limits(keepalive_expiry=_KEPT_IDLE.total_seconds())
        # The bare transport: a client on top of it would keep cookies and log every URL.
        transport = httpx.AsyncHTTPTransport(
            verify=tls, trust_env=False, http1=False, http2=True, limits=limits
        )
        return _Line(transport)

    def _leave(self, line: _Line) -> None:
        """Nothing new goes over this line. A call that was broken off leaves its stream open and perhaps half
        a frame in the connection, and the library would go on using it, even if it is dead."""
        if self._line is line:
            self._line = None

    async def _close_if_left(self, line: _Line) -> None:
        if line is not self._line and not line.calls:
            await line.transport.aclose()

    async def _call(self, request: httpx.Request, course: _Course) -> Reply:
        """A connection that the provider closed while it was idle shows so when it is used; nothing has left
        then, and a new one is opened."""
        line = self._line = self._line or self._open()
        try:
            return await self._over(line, request)
        except (httpx.TransportError, H2Error):
            if course.left or not line.proven:
                raise
        course.begun = False
        line = self._line = self._line or self._open()
        return await self._over(line, request)

    async def _over(self, line: _Line, request: httpx.Request) -> Reply:
        line.calls += 1
        try:
            reply = await _exchange(line.transport, request)
        except BaseException:
            self._leave(line)
            raise
        else:
            line.proven = True
            if len(reply.body) == MAX_REPLY_BYTES:
                self._leave(line)
            return reply
        finally:
            line.calls -= 1
            await self._close_if_left(line)


@cache
def _system() -> ssl.SSLContext:
    """Reading the system's certificates holds everybody else up for 40 ms."""
    return ssl.create_default_context()


async def _exchange(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> Reply:
    response = await transport.handle_async_request(request)
    body = bytearray()
    try:
        async for part in response.aiter_raw():
            body += part
            if len(body) >= MAX_REPLY_BYTES:
                break
    finally:
        await response.aclose()
    return Reply(response.status_code, dict(response.headers), bytes(body[:MAX_REPLY_BYTES]))


def _request(
    url: str, headers: Mapping[str, str], data: bytes, course: _Course, connect: timedelta
) -> httpx.Request:
    # Well before the whole call's end: the library tidies up best where it gives up by itself.
    timeouts = {"connect": min(connect, CONNECT_TIMEOUT).total_seconds()}
    return httpx.Request(
        "POST",
        url,
        headers={"User-Agent": "vestnik", **headers},
        content=data,
        extensions={"timeout": timeouts, "trace": course.note},
    )


async def _pin(request: httpx.Request, guard: PublicOnly) -> None:
    """To an address that was looked at: the library would look the name up once more, and might find another. It is
    the name all the same that is asked for and whose certificate counts. Raises `OSError`."""
    name = request.url.host
    [address, *_] = await guard.addresses_of(name)
    request.url = request.url.copy_with(host=address)
    request.extensions["sni_hostname"] = name


def _is_refused(error: Exception) -> bool:
    """REFUSED_STREAM: "closed prior to any processing" (RFC 9113, 8.7)."""
    match error.__cause__:
        case Exception(args=[StreamReset(error_code=ErrorCodes.REFUSED_STREAM)]):
            return True
    return False
