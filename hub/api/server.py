"""The listening side: one socket, and connections that answer even broken HTTP in our own words."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from http import HTTPStatus

import structlog
from aiohttp import web

from hub.api import problems
from hub.errors import HubError
from hub.ids import new_id

log = structlog.get_logger()

_BACKLOG = 1024


class Connection(web.RequestHandler):
    """What aiohttp would answer as plain text under its own name, with a traceback in the log."""

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
        else:
            error = problems.of_status(status, "this is not HTTP as RFC 9112 has it")
        response = problems.response_of(error, str(new_id()))
        response.headers["Server"] = "vestnik"
        response.force_close()
        return response


def bind(host: str, port: int) -> socket.socket:
    """A socket nobody can connect to before `serve`. Raises `OSError`: the port is taken, or not ours."""
    [(family, kind, proto, _, address), *_] = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    listening = socket.socket(family, kind, proto)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening


@asynccontextmanager
async def serve(
    app: web.Application, listening: socket.socket, *, grace: timedelta = timedelta(seconds=5)
) -> AsyncIterator[None]:
    """Serves until left; requests under way then have `grace` to end."""
    runner = web.AppRunner(app, shutdown_timeout=grace.total_seconds())
    await runner.setup()
    try:
        await _Site(runner, listening).start()
        yield
    finally:
        await runner.cleanup()


class _Site(web.BaseSite):
    def __init__(self, runner: web.AppRunner, listening: socket.socket) -> None:
        super().__init__(runner)
        self._listening = listening

    @property
    def name(self) -> str:
        return "vestnik"

    async def start(self) -> None:
        await super().start()
        loop, manager = asyncio.get_running_loop(), self._runner.server
        assert manager is not None  # noqa: S101 (a site needs a runner that is set up)
        # Compressed bodies are refused, so nothing should unpack them first.
        connection = partial(Connection, manager, loop=loop, auto_decompress=False)
        self._server = await loop.create_server(connection, sock=self._listening, backlog=_BACKLOG)
