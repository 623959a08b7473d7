"""Hears the heartbeats of child processes and knows which of them has been silent for too long.

They speak as to systemd (`hub.heartbeat`), over an abstract socket of Linux: its name is short however long the
path of the data folder is, nothing of it stays behind after kill -9, and nobody who tidies up /tmp can take it away
from a running hub. An abstract name has no owner, so the kernel says of each message which process sent it.
"""

import asyncio
import socket
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from hub import heartbeat

_GRACE = timedelta(minutes=5)
"""Until a process is ready: what it loads then may hold its event loop, and a disk may be slow."""

_LONGEST_LOOK = timedelta(seconds=1)
_LOOKS = 20
"""In the time that somebody may be silent."""

_AT_ONCE = 1000
"""Messages heard in one look, so that nobody can keep us listening for ever."""

_LONGEST_MESSAGE = 4096
_CREDENTIALS = struct.Struct("3i")
"""unix(7): process, user and group of the sender."""


@dataclass(slots=True)
class _Pulse:
    silent_for: float = 0.0
    """Seconds."""
    ready: bool = False


class Watchdog:
    """`environ` is what the processes need to be heard. Without Linux it is empty, and nobody is ever silent."""

    def __init__(self, patience: timedelta, grace: timedelta = _GRACE) -> None:
        """`patience`: how long a process that is ready may be silent; `grace`: one that is not ready yet."""
        self._patience, self._grace = patience, grace
        self._look_every = min(patience / _LOOKS, _LONGEST_LOOK)
        self._looked_at = monotonic()
        self._pulses: dict[int, _Pulse] = {}
        self._listening = _listening()
        self.environ: Mapping[str, str] = {}
        if self._listening:
            self.environ = {
                heartbeat.SOCKET: "@" + self._listening.getsockname()[1:].decode(),
                heartbeat.WITHIN: str(patience // timedelta(microseconds=1)),
            }

    def close(self) -> None:
        if self._listening:
            self._listening.close()

    def expect(self, pid: int) -> None:
        """From now on; it has just been started."""
        self._pulses[pid] = _Pulse()

    def forget(self, pid: int) -> None:
        self._pulses.pop(pid, None)

    def is_silent(self, pid: int) -> bool:
        """For too long."""
        pulse = self._pulses[pid]
        limit = self._patience if pulse.ready else self._grace
        return pulse.silent_for > limit.total_seconds()

    async def run(self) -> None:
        """Looks again and again, until cancelled."""
        while self._listening:
            await asyncio.sleep(self._look_every.total_seconds())
            self.look(monotonic())

    def look(self, now: float) -> None:
        """`now`: by the monotonic clock. Hears what was said and counts the silence of the others.

        A look counts for two at most. So a silence is made of time in which we ourselves were awake: after the
        machine slept or was paused as a whole, or while it is slow for everybody, nobody is blamed.
        """
        passed = min(now - self._looked_at, 2 * self._look_every.total_seconds())
        self._looked_at = now
        if self._hear():
            # A crowd of strangers leaves no room in the queue: that ours were not heard proves nothing.
            return
        for pulse in self._pulses.values():
            pulse.silent_for += passed

    def _hear(self) -> bool:
        """Whether a stranger spoke, too."""
        strangers = False
        for _ in range(_AT_ONCE):
            heard = self._next()
            if heard is None:
                break
            pid, words = heard
            if pulse := self._pulses.get(pid):
                pulse.silent_for = 0.0
                pulse.ready = pulse.ready or heartbeat.READY in words
            else:
                strangers = True
        return strangers

    def _next(self) -> tuple[int, list[str]] | None:
        """The sender's process and its words; None: all is heard."""
        if sys.platform != "linux" or not self._listening:
            return None
        try:
            data, about, _, _ = self._listening.recvmsg(
                _LONGEST_MESSAGE, socket.CMSG_SPACE(_CREDENTIALS.size)
            )
        except BlockingIOError:
            return None
        for level, kind, told in about:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                return _CREDENTIALS.unpack(told)[0], data.decode(errors="replace").splitlines()
        return 0, []


def _listening() -> socket.socket | None:
    if sys.platform != "linux":
        return None
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.setblocking(False)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    # unix(7): without a name the kernel finds one that is free.
    listening.bind("")
    return listening
