"""The benchmark's rig in small: its shop, a few of its people and its sink, with the hub in this process."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

import bench
from bench.rig import SETTINGS, TOKEN, Rig, furnish, process
from hub.api.app import make_app
from hub.api.server import bind, serve
from hub.resources import Hub, open_hub
from hub.settings_file import load
from hub.shops import keys
from hub.shops.keys import Scope
from tests.databases import migrated

ROOT = Path(bench.__file__).parent.parent
_DATABASE = "vestnik_bench"
_PEOPLE = 20


@pytest.fixture(scope="session")
def bench_database(database_url: str) -> str:
    """Migrated once."""
    return migrated(database_url, _DATABASE)


@pytest.fixture
async def sink() -> AsyncIterator[str]:
    command = (sys.executable, "-m", "bench.sink")
    with process(*command, cwd=ROOT) as (_, port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def hub(bench_database: str, redis_url: str, sink: str, tmp_path: Path) -> AsyncIterator[Hub]:
    file = tmp_path / "vestnik.toml"
    file.write_text(SETTINGS.format(sink=sink, token=TOKEN))
    environ = {
        "VESTNIK_DATABASE_URL": bench_database,
        "VESTNIK_REDIS_URL": redis_url,
        "VESTNIK_SECRET": "only-for-the-tests-of-the-benchmark",
    }
    async with open_hub(load(file, data=tmp_path, environ=environ)) as hub:
        yield hub


@pytest.fixture
async def rig(
    hub: Hub, bench_database: str, redis_url: str, sink: str, tmp_path: Path
) -> AsyncIterator[Rig]:
    await hub.db.execute("TRUNCATE contact, suppression, template_version CASCADE")
    _, key = await keys.create(hub.db, "main", [Scope.ADMIN])
    listening = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with serve(make_app(hub), listening), asyncpg.create_pool(bench_database) as db:
        made = Rig(tmp_path, {}, url, key, sink, db, redis_url, bench_database)
        await furnish(made, _PEOPLE)
        await made.empty()
        yield made
