"""One running hub for all tests of a module, and a Telegram for each of them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.sending import Crowd, Place, SlowTelegram, running


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("place")
    with running(folder) as place:
        yield place


@pytest.fixture
async def telegram(place: Place) -> AsyncIterator[SlowTelegram]:
    """At the address that the hub of `place` knows."""
    telegram = SlowTelegram()
    await telegram.start(place.telegram_port)
    yield telegram
    await telegram.stop()


@pytest.fixture
async def crowd(place: Place, telegram: SlowTelegram) -> AsyncIterator[Crowd]:
    async with Crowd(telegram, place) as crowd:
        yield crowd
