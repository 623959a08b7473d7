"""The listening side: one socket, and a bound on everything that a connection may take."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from aiohttp import web

from hub.api.connection import Bounds, Connection, Doorkeeper
from hub.api.headers import Dress, dress

_BACKLOG = 1024


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
    app: web.Application,
    listening: socket.socket,
    *,
    grace: timedelta = timedelta(seconds=5),
    bounds: Bounds | None = None,
    dressed: Dress | None = None,
) -> AsyncIterator[None]:
    """Serves until left; requests under way then have `grace` to end. `dressed`: what answers wear that the
    connection gives by itself."""
    runner = web.AppRunner(app, shutdown_timeout=grace.total_seconds())
    await runner.setup()
    doorkeeper = Doorkeeper(bounds or Bounds(), dressed or dress(""))
    try:
        await _Site(runner, listening, doorkeeper).start()
        yield
    finally:
        await runner.cleanup()


class _Site(web.BaseSite):
    def __init__(
        self, runner: web.AppRunner, listening: socket.socket, doorkeeper: Doorkeeper
    ) -> None:
        super().__init__(runner)
        self._listening = listening
        self._doorkeeper = doorkeeper

    @property
    def name(self) -> str:
        return "vestnik"

    async def start(self) -> None:
        await super().start()
        manager = self._runner.server
        assert manager is not None  # noqa: S101 (a site needs a runner that is set up)
        connection = partial(Connection, manager, self._doorkeeper)
        self._server = await self._doorkeeper.loop.create_server(
            connection, sock=self._listening, backlog=_BACKLOG
        )
