"""One client's connection: answers even broken HTTP in our own words, and is cut off when it takes too much.

Whoever connects may hold a place among `Bounds.connections`, some memory and nothing else, and only for so long:
a head that trickles in, a connection that idles and an answer that nobody reads all come to an end.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_server import Server

from hub.api import problems
from hub.api.headers import Dress
from hub.errors import HubError, Unavailable
from hub.ids import new_id

log = structlog.get_logger()

_LONGEST_LINE = 8190
_MOST_HEADERS = 100
_LINGERING = timedelta(seconds=2)
_FULL = timedelta(seconds=1)
"""How long somebody waits in vain before he makes room for others; and when these are told to come back."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What connections may take. Bodies have bounds of their own, where they are read."""

    connections: int = 1000
    """At once in this process."""
    head: timedelta = timedelta(seconds=10)
    """From the first byte of a request to the end of its headers."""
    head_bytes: int = 32 * 1024
    idle: timedelta = timedelta(seconds=75)
    """Between two requests: longer than web servers keep a connection they may still use (60 s)."""
    answer: timedelta = timedelta(seconds=60)
    """For an answer to be taken by the client."""


class Doorkeeper:
    """Who is in. All connections of one listening socket share it."""

    def __init__(self, bounds: Bounds, dressed: Dress) -> None:
        self.bounds = bounds
        self.dressed = dressed
        self.loop = asyncio.get_running_loop()
        self._inside: set[Connection] = set()
        self._surplus: set[Connection] = set()

    def lets_in(self, new: "Connection") -> bool:
        """Where all places are taken, whoever has waited longest for nothing gives his up."""
        if len(self._inside) >= self.bounds.connections and not self._make_room():
            self._surplus.add(new)
            if len(self._surplus) > self.bounds.connections:
                new.cut_off()
            return False
        self._inside.add(new)
        return True

    def left(self, gone: "Connection") -> None:
        self._inside.discard(gone)
        self._surplus.discard(gone)

    def _make_room(self) -> bool:
        before = self.loop.time() - _FULL.total_seconds()
        idle = [one for one in self._inside if one.waiting and one.waiting_since < before]
        if not idle:
            return False
        longest = min(idle, key=lambda one: one.waiting_since)
        self.left(longest)
        longest.cut_off()
        return True


class Connection(web.RequestHandler):
    """What aiohttp would answer as plain text under its own name, with a traceback in the log."""

    def __init__(self, manager: Server, doorkeeper: Doorkeeper) -> None:
        super().__init__(
            manager,
            loop=doorkeeper.loop,
            # Compressed bodies are refused, so nothing should unpack them first.
            auto_decompress=False,
            keepalive_timeout=doorkeeper.bounds.idle.total_seconds(),
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            max_headers=_MOST_HEADERS,
        )
        self._doorkeeper = doorkeeper
        self._bounds = doorkeeper.bounds
        self._head_bytes = 0
        self._head_ends: asyncio.TimerHandle | None = None
        self._turned_away = False
        self.waiting_since = 0.0

    @property
    def waiting(self) -> bool:
        """No request is being answered: none has come whole."""
        return self._waiter is not None and not self._waiter.done() and not self._turned_away

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.waiting_since = self._loop.time()
        if not self._doorkeeper.lets_in(self):
            full = Unavailable("there are too many connections right now", after=_FULL)
            self._turn_away(full)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._doorkeeper.left(self)
        self._head_is_over()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._turned_away:
            return
        super().data_received(data)
        if not self.waiting:
            self._head_is_over()
            return
        self._head_bytes += len(data)
        if self._head_bytes > self._bounds.head_bytes:
            too_large = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            most = f"the headers of a request have at most {self._bounds.head_bytes} bytes"
            self._turn_away(problems.of_status(too_large, most))
        elif data and self._head_ends is None:
            wait = self._bounds.head.total_seconds()
            self._head_ends = self._loop.call_later(wait, self._head_is_late)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPException):
            # What aiohttp refuses before it asks the application (an expectation on a path that is not there).
            resp = self._response(problems.of_status(resp.status))
        try:
            async with asyncio.timeout(self._bounds.answer.total_seconds()):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            self.cut_off()
            return resp, True
        finally:
            self.waiting_since = self._loop.time()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 (may quote what was sent)
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("connection.failed", error=type(exc).__name__)
            error = HubError()
        elif isinstance(exc, LineTooLong):
            words = f"the request's line, or that of a header, is longer than {_LONGEST_LINE} bytes"
            error = problems.of_status(status, words)
        else:
            error = problems.of_status(status, "this is not HTTP as RFC 9112 has it")
        response = self._response(error)
        response.force_close()
        return response

    def cut_off(self) -> None:
        """At once, whatever is still to be said."""
        if self.transport is not None:
            self.transport.abort()

    def _response(self, error: HubError) -> web.Response:
        request_id = str(new_id())
        response = problems.response_of(error, request_id)
        self._doorkeeper.dressed(response, request_id)
        return response

    def _head_is_over(self) -> None:
        self._head_bytes = 0
        if self._head_ends is not None:
            self._head_ends.cancel()
            self._head_ends = None

    def _head_is_late(self) -> None:
        self._head_ends = None
        if self.waiting:
            seconds = int(self._bounds.head.total_seconds())
            late = f"the headers of a request must arrive within {seconds} seconds"
            self._turn_away(problems.of_status(HTTPStatus.REQUEST_TIMEOUT, late))

    def _turn_away(self, error: HubError) -> None:
        """Answers without having heard the request out. The connection stays a moment, half closed: closed while
        something unread lies in it, it would take the answer with it."""
        self._turned_away = True
        self._head_is_over()
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        transport.write(_plain(self._response(error)))
        if transport.can_write_eof():
            transport.write_eof()
        self.close()
        self._loop.call_later(_LINGERING.total_seconds(), transport.abort)


def _plain(response: web.Response) -> bytes:
    """An answer as bytes, for where there is no request that it could belong to."""
    body = cast("bytes", response.body)
    headers = {**response.headers, "Content-Length": str(len(body)), "Connection": "close"}
    head = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body
