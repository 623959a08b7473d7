"""The role `api`: serves until a signal comes."""

import asyncio
import signal
import socket
import sys

import uvloop

from hub import logs
from hub.api.app import make_app
from hub.api.server import bind, serve
from hub.config import Settings
from hub.resources import open_hub


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
    with listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(_as_bound(settings, listening), listening))


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
        async with open_hub(settings) as hub, serve(make_app(hub), listening):
            sys.stdout.write(f"ready http://{settings.hub.listen}\n")
            sys.stdout.flush()
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not told.is_set():
            raise
