"""The role `api`: serves until a signal comes."""

import asyncio
import resource
import signal
import socket
import sys
from datetime import timedelta

import structlog
import uvloop

from hub import garbage, heartbeat, logs
from hub.api.app import make_app
from hub.api.connection import Bounds
from hub.api.headers import dress
from hub.api.server import bind, serve
from hub.config import Settings
from hub.db import budget
from hub.resources import open_hub

log = structlog.get_logger()

_PATIENCE = timedelta(seconds=2)
"""While all connections are in use: then the client had better come again."""

_OWN_FILES = 200
"""Database, Redis, providers, logs."""


def run(settings: Settings) -> None:
    """Prints `ready http://HOST:PORT` once it listens; ends within 8 s of SIGTERM or SIGINT.

    Exits with 1 and one line on stderr where the address cannot be listened on.
    """
    logs.configure(settings.hub.log_level, role="api")
    host, port = settings.address
    try:
        listening = bind(host, port)
    except OSError as error:
        sys.stderr.write(f"cannot listen on {settings.hub.listen}: {error.strerror}\n")
        raise SystemExit(1) from None
    _make_room_for(settings.hub.max_connections)
    with listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(_as_bound(settings, listening), listening))


def _make_room_for(connections: int) -> None:
    """Each takes a file descriptor, and many systems give a process 1024 unless it asks for more."""
    needed = 2 * connections + _OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < needed:
        log.warning("api.few_files", allowed=most, needed=needed)


def _as_bound(settings: Settings, listening: socket.socket) -> Settings:
    """With the port there is, where any free one was asked for: links need it."""
    host, port = settings.address
    if port:
        return settings
    shown = f"[{host}]" if ":" in host else host
    listen = f"{shown}:{listening.getsockname()[1]}"
    return settings.model_copy(update={"hub": settings.hub.model_copy(update={"listen": listen})})


async def _serve(settings: Settings, listening: socket.socket) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 (a coroutine runs in one)
    told = asyncio.Event()

    def stop() -> None:
        # Asked twice, it still stops in order.
        if not told.is_set():
            told.set()
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        bounds = Bounds(connections=settings.hub.max_connections)
        dressed = dress(settings.public_url)
        async with (
            heartbeat.beating() as ready,
            open_hub(settings, pool_size=budget.API, patience=_PATIENCE) as hub,
            serve(make_app(hub), listening, bounds=bounds, dressed=dressed),
        ):
            garbage.look_seldom()
            sys.stdout.write(f"ready http://{settings.hub.listen}\n")
            sys.stdout.flush()
            ready()
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not told.is_set():
            raise
