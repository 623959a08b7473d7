"""What every simulator of an HTTP provider has in common: a real server, faults on demand, what was taken."""

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that the simulator took, as its receiver would see it."""

    to: str
    text: str
    subject: str = ""
    html: str = ""
    provider_id: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """How the server misbehaves: `status`/`body` instead of an answer, never answering, closing the connection.

    `after_taking`: the message is taken first, so a repeat would be a double. A body of bytes goes out as it is, in
    no encoding that is named.
    """

    status: int = 0
    body: str | bytes = "<html><body>Bad Gateway</body></html>"
    content_type: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    close: bool = False
    after_taking: bool = False


class Simulator:
    """`async with SomeSimulator() as sim:`; subclasses add routes in `routes` and call `self.take(Sent(...))`.

    `fault` applies to every request until it is None again; `faults` are used up one request each, first.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.requests: int = 0
        self.fault: Fault | None = None
        self.faults: deque[Fault] = deque()
        self.delay: float = 0.0
        self.tls: ssl.SSLContext | None = None
        """Serves https where it is set before the start."""
        self._runner: web.AppRunner | None = None
        self.port = 0

    def routes(self, app: web.Application) -> None:
        raise NotImplementedError

    def take(self, sent: Sent) -> None:
        self.sent.append(sent)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """`port`: the one of an earlier run, to come back at the same address."""
        app = web.Application(middlewares=[self._misbehave], client_max_size=32 * 1024 * 1024)
        self.routes(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self.tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            if self.tls:
                # TLS ends when the client agrees, which does so in a thread of its own.
                await asyncio.sleep(0.2)
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests += 1
        fault = self.faults.popleft() if self.faults else self.fault
        if self.delay:
            await asyncio.sleep(self.delay)
        if fault is None:
            response: web.StreamResponse = await handler(request)
            return response
        if fault.after_taking:
            await handler(request)
        if fault.close:
            assert request.transport is not None
            request.transport.close()
            raise asyncio.CancelledError
        if fault.hang:
            await asyncio.sleep(3600)
        return web.Response(
            status=fault.status,
            body=fault.body if isinstance(fault.body, bytes) else fault.body.encode(),
            content_type=fault.content_type,
            charset=None if isinstance(fault.body, bytes) else "utf-8",
            headers=fault.headers,
        )
