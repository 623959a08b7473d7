"""Roles that live and do nothing any more are replaced; those that are only busy, or were stopped with all others, are
not."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.process import eventually as soon
from tests.e2e.process import status
from tests.e2e.sending import Crowd, Place, eventually, running

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the watchdog needs Linux"),
    pytest.mark.timeout(180),
]

ROLES = ("api", "worker", "bots")
PATIENCE = 8
REPLACED = PATIENCE + 5 + 30
"""Seconds: silent, told to end, started anew on a slow machine."""

SYSTEMD = f"vestnik-silence-{os.getpid()}"


@pytest.fixture(scope="module")
def systemd() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{SYSTEMD}")
        listening.settimeout(PATIENCE)
        yield listening


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, systemd: socket.socket) -> Iterator[Place]:
    # A longer path than the name of a socket may be.
    folder: Path = tmp_path_factory.mktemp("silence") / ("long" * 30)
    folder.mkdir()
    watched = {
        "VESTNIK_SILENT_AFTER": str(PATIENCE),
        "NOTIFY_SOCKET": f"@{SYSTEMD}",
        "WATCHDOG_USEC": "3000000",
    }
    with running(folder, **watched) as place:
        # The supervisor was ready before them, and who starts may be silent for longer.
        soon(lambda: any("bots.started" in line for line in place.up.said), 30)
        yield place


@pytest.fixture
def pids(place: Place) -> Mapping[str, int]:
    """Of the roles, as they are at first."""
    return _roles(place)


def _roles(place: Place) -> dict[str, int]:
    found = place.up.all_pids()
    return {role: found[role] for role in ROLES}


def _are_new(place: Place, before: Mapping[str, int], *roles: str) -> bool:
    now = place.up.pids()
    return all(now.get(role, before[role]) != before[role] for role in roles)


def test_the_supervisor_tells_its_own_that_it_lives(place: Place, systemd: socket.socket) -> None:
    end = time.monotonic() + PATIENCE
    while systemd.recv(4096) != b"READY=1\nWATCHDOG=1":
        assert time.monotonic() < end


async def test_the_work_of_a_worker_that_stands_still_goes_on(
    place: Place, crowd: Crowd, pids: Mapping[str, int]
) -> None:
    crowd.telegram.answers_after = 0.1
    await crowd.tell(range(600))
    await crowd.arrived(100)

    place.signal("worker", signal.SIGSTOP)
    await crowd.tell(range(1000, 1050))

    await eventually(lambda: _are_new(place, pids, "worker"), within=REPLACED)
    await crowd.ended(within=30)
    assert len({sent.text for sent in crowd.telegram.sent}) == 650
    await crowd.check_arrivals()
    assert _roles(place) | {"worker": 0} == {**pids, "worker": 0}
    told = [line for line in place.up.said if "role.silent" in line]
    assert len(told) == 1
    assert '"which": "worker"' in told[0]


async def test_api_and_bots_that_stand_still_are_replaced(
    place: Place, crowd: Crowd, pids: Mapping[str, int]
) -> None:
    place.signal("api", signal.SIGSTOP)
    place.signal("bots", signal.SIGSTOP)

    await eventually(lambda: _are_new(place, pids, "api", "bots"), within=REPLACED)
    await eventually(lambda: status(f"{place.url}/readyz") == 200, within=45)
    await crowd.tell([1])
    await crowd.ended(within=30)
    assert place.up.pids()["worker"] == pids["worker"]


async def test_roles_at_full_load_and_with_a_silent_database_are_left_alone(
    place: Place, crowd: Crowd, pids: Mapping[str, int]
) -> None:
    crowd.telegram.answers_after = 0.1
    for begin in range(0, 3000, 1000):
        await crowd.tell(range(begin, begin + 1000))
    await crowd.arrived(500)
    place.freeze("postgres")
    await asyncio.sleep(PATIENCE + 2)
    place.thaw()

    await crowd.ended(within=60)
    assert _roles(place) == pids


async def test_who_was_stopped_together_with_all_others_is_left_alone(
    place: Place, crowd: Crowd, pids: Mapping[str, int]
) -> None:
    stopped = [place.up.process.pid, *pids.values()]
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(PATIENCE + 2)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)

    await crowd.tell([1])
    await crowd.ended(within=30)
    await asyncio.sleep(PATIENCE / 2)
    assert _roles(place) == pids
