"""Tells whoever started this process that it is ready and that its event loop turns, by sd_notify(3).

systemd listens where a unit has `Type=notify` or `WatchdogSec=`, and `vestnik up` listens to its roles.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

SOCKET = "NOTIFY_SOCKET"
"""In the environment: where to say it, a path or `@` and an abstract name."""

WITHIN = "WATCHDOG_USEC"
"""In the environment: who says nothing for so many microseconds is taken for dead."""

FOR = "WATCHDOG_PID"
"""In the environment: which process is meant by `WITHIN`; left out, the one that reads it."""

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"

# Two of them may be late or lost.
_BEATS = 3


@asynccontextmanager
async def beating(
    environ: MutableMapping[str, str] = os.environ,
) -> AsyncIterator[Callable[[], None]]:
    """Beats as long as the context lasts; gives what to call once the process does its work.

    Where nobody listens it does nothing. The variables are taken out of `environ`, so that no program that this
    process starts speaks in its name.
    """
    address = environ.pop(SOCKET, "")
    within = _within(environ.pop(WITHIN, ""), environ.pop(FOR, ""))
    heart = _Heart(address if address[:1] in ("/", "@") else "")
    # Of the event loop and no thread: a loop that stands still is what is to be noticed.
    task = asyncio.create_task(heart.beat(within / _BEATS)) if within else None
    try:
        yield heart.ready
    finally:
        if task:
            task.cancel()
        heart.say(STOPPING)


def _within(microseconds: str, pid: str) -> timedelta | None:
    """None: nobody waits for this process's beats."""
    if pid not in ("", str(os.getpid())):
        return None
    length = int(microseconds) if microseconds.isascii() and microseconds.isdigit() else 0
    return timedelta(microseconds=length) if length else None


class _Heart:
    def __init__(self, address: str) -> None:
        """`address`: empty where nobody listens."""
        self._address = address.replace("@", "\0", 1) if address.startswith("@") else address
        self._ready = False

    async def beat(self, pause: timedelta) -> None:
        while True:
            # Said again each time: whoever was stopped or overrun for a moment has missed the first.
            self.say(*([READY] if self._ready else []), ALIVE)
            await asyncio.sleep(pause.total_seconds())

    def ready(self) -> None:
        self._ready = True
        self.say(READY)

    def say(self, *words: str) -> None:
        """Without waiting: a listener who stands still must not hold us up, and one who is gone hears nothing."""
        if not self._address:
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking,
        ):
            speaking.setblocking(False)
            speaking.sendto("\n".join(words).encode(), self._address)
