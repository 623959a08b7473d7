"""Told to stop, the hub stops within 20 s, whoever hangs at that moment."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.process import alive
from tests.e2e.sending import Crowd, Place, SlowTelegram

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(120),
]


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    """Their Telegram takes calls and does not answer."""
    telegram = SlowTelegram()
    telegram.answers_after = 60
    place = Place(tmp_path)
    await telegram.start(place.telegram_port)
    try:
        await asyncio.to_thread(place.start)
        async with Crowd(telegram, place) as crowd:
            yield crowd
    finally:
        place.up.close()
        await telegram.stop()


async def test_it_stops_in_time_while_provider_and_database_hang(crowd: Crowd) -> None:
    place = crowd.place
    await crowd.tell(range(300))
    await crowd.arrived(40)
    pids = place.up.pids()
    place.freeze("postgres")

    code, took = await asyncio.to_thread(place.stop)

    assert code == 0
    assert took < 20
    assert not [name for name, pid in pids.items() if alive(pid)]
