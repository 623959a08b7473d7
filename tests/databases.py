"""Databases of their own on the tests' server."""

import asyncio
from urllib.parse import urlsplit

import asyncpg

from hub.db.migrate import migrate


def migrated(database_url: str, name: str) -> str:
    """The URL of an empty one of that name, with the newest schema."""
    # A runner of our own: the tests' event loops stay as pytest-asyncio made them.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(_make(database_url, name))


async def _make(database_url: str, name: str) -> str:
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = urlsplit(database_url)._replace(path=f"/{name}").geturl()
    await migrate(url)
    return url
