"""A process tells that it lives, and who listens knows whom it has not heard for too long."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from hub import heartbeat
from hub.heartbeat import beating
from hub.watchdog import Watchdog

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")

ME = os.getpid()
PATIENCE, GRACE = timedelta(seconds=60), timedelta(minutes=5)
ANOTHER = [sys.executable, "-c"]


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """What listens at `NOTIFY_SOCKET`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(b"\0vestnik-test-%d" % ME)
        listening.setblocking(False)
        yield listening


def _environ(**more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": f"@vestnik-test-{ME}", **more}


def _said(listening: socket.socket) -> list[str]:
    said = []
    while True:
        try:
            said.append(listening.recv(4096).decode())
        except BlockingIOError:
            return said


async def test_it_beats_from_the_start_and_says_in_each_beat_that_it_is_ready(
    systemd: socket.socket,
) -> None:
    async with beating(_environ(WATCHDOG_USEC="30000", WATCHDOG_PID=str(ME))) as ready:
        await asyncio.sleep(0.05)
        before = _said(systemd)
        ready()
        await asyncio.sleep(0.05)

    assert set(before) == {"WATCHDOG=1"}
    first, *beats, last = _said(systemd)
    assert (first, set(beats), last) == ("READY=1", {"READY=1\nWATCHDOG=1"}, "STOPPING=1")


@pytest.mark.parametrize(
    "more",
    [{}, {"WATCHDOG_USEC": "30000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}],
    ids=["not asked for", "another process is meant", "not a number"],
)
async def test_without_a_watchdog_it_says_only_when_it_is_ready(
    systemd: socket.socket, more: dict[str, str]
) -> None:
    async with beating(_environ(**more)) as ready:
        ready()
        await asyncio.sleep(0.05)

    assert _said(systemd) == ["READY=1", "STOPPING=1"]


async def test_what_it_starts_cannot_speak_in_its_name(systemd: socket.socket) -> None:
    environ = _environ(WATCHDOG_USEC="30000", WATCHDOG_PID=str(ME), PATH="/bin")

    async with beating(environ):
        assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "address", ["", "@nobody-is-there", "/nowhere/socket", "/" + "long" * 40, "vsock:2:1", "name"]
)
async def test_where_nobody_listens_it_says_nothing_and_goes_on(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async with beating({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000"}) as ready:
        ready()
        await asyncio.sleep(0.02)


async def test_a_listener_who_stands_still_holds_nobody_up(systemd: socket.socket) -> None:
    async with asyncio.timeout(20), beating(_environ(WATCHDOG_USEC="30000")) as ready:
        for _ in range(2000):
            ready()


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    """That begins to listen at 0 s, for this process."""
    with closing(Watchdog(PATIENCE, GRACE)) as watchdog:
        watchdog.look(0)
        watchdog.expect(ME)
        yield watchdog


def _look(watchdog: Watchdog, begin: int, end: int) -> None:
    """Each second."""
    for second in range(begin, end):
        watchdog.look(second)


def _say(watchdog: Watchdog, *words: str) -> None:
    name = watchdog.environ[heartbeat.SOCKET]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking:
        speaking.sendto("\n".join(words).encode(), name.replace("@", "\0"))


def test_who_is_ready_and_then_silent_is_known(watchdog: Watchdog) -> None:
    _say(watchdog, heartbeat.READY)
    _look(watchdog, 1, 60)
    assert not watchdog.is_silent(ME)

    _look(watchdog, 60, 63)
    assert watchdog.is_silent(ME)


def test_who_speaks_now_and_then_is_not_silent(watchdog: Watchdog) -> None:
    _say(watchdog, heartbeat.READY, heartbeat.ALIVE)
    for minute in range(10):
        _look(watchdog, minute * 50, minute * 50 + 50)
        _say(watchdog, heartbeat.ALIVE)

    assert not watchdog.is_silent(ME)


def test_who_starts_has_more_time(watchdog: Watchdog) -> None:
    _look(watchdog, 1, 290)
    assert not watchdog.is_silent(ME)

    # A database that does not come is no fault of his.
    _say(watchdog, heartbeat.ALIVE)
    _look(watchdog, 290, 580)
    assert not watchdog.is_silent(ME)

    _look(watchdog, 580, 600)
    assert watchdog.is_silent(ME)


def test_a_machine_that_slept_or_is_slow_as_a_whole_is_nobodys_silence(watchdog: Watchdog) -> None:
    _say(watchdog, heartbeat.READY)
    _look(watchdog, 1, 20)

    watchdog.look(100_000)
    for look in range(15):
        watchdog.look(100_020 + 20 * look)

    assert not watchdog.is_silent(ME)


def test_another_process_cannot_speak_for_it_nor_drown_it(watchdog: Watchdog) -> None:
    _say(watchdog, heartbeat.READY)
    _look(watchdog, 1, 60)
    words = (
        "import socket, sys\n"
        "speaking = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "speaking.sendto(b'WATCHDOG=1', sys.argv[1].replace('@', '\\0'))"
    )
    subprocess.run([*ANOTHER, words, watchdog.environ[heartbeat.SOCKET]], check=True)

    _look(watchdog, 60, 62)
    assert not watchdog.is_silent(ME)
    _look(watchdog, 62, 64)
    assert watchdog.is_silent(ME)


async def test_a_heart_is_heard_by_the_watchdog() -> None:
    with closing(Watchdog(timedelta(seconds=1))) as watchdog:
        watchdog.expect(ME)
        running = asyncio.create_task(watchdog.run())
        async with beating(dict(watchdog.environ)) as ready:
            ready()
            await asyncio.sleep(1.5)
            assert not watchdog.is_silent(ME)
        await asyncio.sleep(1.5)
        assert watchdog.is_silent(ME)
        running.cancel()
