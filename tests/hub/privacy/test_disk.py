"""What the disk knows of the erased: less after a day, nothing after `vestnik scrub`."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from channels.base import Channel
from hub import commands
from hub.config import ChannelOrder, HubSettings, Settings, Shop
from hub.db.migrate import migrate
from hub.embedded.folder import locked
from hub.embedded.servers import Servers
from hub.resources import Hub
from hub.retention.keeper import Keeper
from tests.hub.privacy.life import OTHER, PEOPLE, Life

MARKS = [mark for person in PEOPLE for mark in person.marks]


@pytest.fixture
async def data(tmp_path: Path) -> AsyncIterator[Path]:
    """A folder of its own, so that only this test writes into it."""
    with locked(tmp_path):
        yield tmp_path


@pytest.fixture
async def settings(data: Path) -> AsyncIterator[Settings]:
    servers = Servers(data)
    await servers.start()
    await migrate(servers.urls.database)
    yield Settings(
        hub=HubSettings(
            database_url=SecretStr(servers.urls.database),
            redis_url=SecretStr(servers.urls.redis),
            secret=SecretStr("only-for-the-tests-of-the-disk"),
            public_url="https://hub.example",
        ),
        shops={
            "main": Shop(channels=ChannelOrder(transactional=tuple(Channel))),
            "other": Shop(),
        },
        data=data,
    )
    await servers.stop()


def _holds(data: Path, marks: Iterable[str]) -> dict[str, list[str]]:
    """{file: those of the marks that are in it}."""
    found: dict[str, list[str]] = {}
    for file in data.rglob("*"):
        if not file.is_file():
            continue
        content = file.read_bytes().lower()
        if hits := [mark for mark in marks if mark.encode() in content]:
            found[str(file.relative_to(data))] = hits
    return found


async def test_what_was_erased_leaves_the_disk(
    life: Life, hub: Hub, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await hub.db.execute("ANALYZE")
    await hub.db.execute("CHECKPOINT")
    before = await asyncio.to_thread(_holds, data, MARKS)
    # Neither Redis nor a log ever had anything.
    assert before
    assert all(file.startswith("postgres/cluster/") for file in before)

    await life.erase()
    await Keeper(hub).turn(datetime.now(UTC) + timedelta(hours=1))

    # PostgreSQL's samples of values are its own rows, in reach of whoever reads the database.
    assert await _samples(hub) == 0
    assert await hub.db.fetchval("SELECT count(*) FROM erasure WHERE tidied_at IS NULL") == 0

    started = time.monotonic()
    assert await asyncio.to_thread(commands.scrub, hub.settings) == 0
    assert time.monotonic() - started < 60

    assert "nothing of what was erased" in capsys.readouterr().out
    assert await asyncio.to_thread(_holds, data, MARKS) == {}
    assert await asyncio.to_thread(_holds, data, OTHER.marks)
    assert await hub.db.fetchval("SHOW wal_recycle") == "on"
    assert await hub.db.fetchval("SELECT actor FROM audit WHERE action = 'data.scrubbed'") == "cli"


async def _samples(hub: Hub) -> int:
    found: int = await hub.db.fetchval(
        """
        SELECT count(*) FROM pg_stats
         WHERE schemaname = 'public'
           AND (most_common_vals::text ILIKE ANY($1) OR histogram_bounds::text ILIKE ANY($1))
        """,
        [f"%{mark}%" for mark in MARKS],
    )
    return found
