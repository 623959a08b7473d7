"""The hub's own PostgreSQL and Redis, alive and answering nobody: they are replaced, and nothing is lost."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.process import status
from tests.e2e.sending import Crowd, Place, eventually, running

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(180),
]

PATIENCE = 6
REPLACED = PATIENCE + 10 + 30
"""Seconds: silent, ended, started anew on a slow machine."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("silent-servers")
    with running(folder, VESTNIK_SERVER_SILENT_AFTER=str(PATIENCE)) as place:
        yield place


def _told(place: Place, server: str) -> list[str]:
    return [line for line in place.up.said if "server.silent" in line and f'"{server}"' in line]


async def _replaced(place: Place, server: str, pid: int) -> None:
    """By another process, with which the hub is at work again."""
    await eventually(lambda: place.up.pids().get(server, 0) not in (0, pid), within=REPLACED)
    await eventually(lambda: status(f"{place.url}/readyz") == 200, within=45)


@pytest.mark.parametrize("alone", [True, False], ids=["postmaster", "all of it"])
async def test_a_database_that_stands_still_is_replaced(
    place: Place, crowd: Crowd, alone: bool
) -> None:
    crowd.telegram.answers_after = 0.1
    pids, told = place.up.pids(), len(_told(place, "postgres"))
    await crowd.tell(range(300))
    await crowd.arrived(50)

    if alone:
        place.signal("postgres", signal.SIGSTOP)
    else:
        place.freeze("postgres")

    await _replaced(place, "postgres", pids["postgres"])
    await crowd.ended(within=60)
    assert len({sent.text for sent in crowd.telegram.sent}) == 300
    await crowd.check_arrivals()
    assert len(_told(place, "postgres")) == told + 1
    # Whoever waited for it was replaced by nobody.
    assert {**place.up.pids(), "postgres": 0} == {**pids, "postgres": 0}


async def test_a_redis_that_stands_still_is_replaced(place: Place, crowd: Crowd) -> None:
    crowd.telegram.answers_after = 0.1
    pid = place.up.pids()["redis"]
    await crowd.tell(range(300))
    await crowd.arrived(50)

    place.signal("redis", signal.SIGSTOP)

    await _replaced(place, "redis", pid)
    await crowd.ended(within=30)
    assert await crowd.check_arrivals() == 0
    assert len(_told(place, "redis")) == 1
