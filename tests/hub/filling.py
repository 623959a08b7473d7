"""A hub with many rows, which are made once for all tests of a file."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
from pydantic import SecretStr

from hub.config import Settings
from hub.db.migrate import migrate
from hub.resources import Hub, open_hub


@asynccontextmanager
async def filled(
    settings: Settings, name: str, fill: Callable[[Hub], Awaitable[None]]
) -> AsyncIterator[Hub]:
    """Over a database that `fill` has filled: the first call of that `name` has it done, each gets a copy of its own,
    with what ANALYZE counted."""
    url = settings.hub.database_url.get_secret_value()
    server = await asyncpg.connect(url)
    whole, copy = f"filled_{name}", f"copy_{name}"
    try:
        if not await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", whole):
            await server.execute(f"DROP DATABASE IF EXISTS {whole}_by_halves WITH (FORCE)")
            await server.execute(f"CREATE DATABASE {whole}_by_halves")
            at = _at(settings, f"{whole}_by_halves")
            await migrate(at.hub.database_url.get_secret_value())
            # Looking up each row's foreign keys is half of the filling; a copy does not take this over.
            await server.execute(
                f"ALTER DATABASE {whole}_by_halves SET session_replication_role = replica"
            )
            async with open_hub(at) as hub:
                await fill(hub)
                await hub.db.execute("ANALYZE")
                # So that what a copy begins with does not depend on when it is made.
                await hub.db.execute("CHECKPOINT")
            await server.execute(f"ALTER DATABASE {whole}_by_halves RENAME TO {whole}")
        await server.execute(f"CREATE DATABASE {copy} TEMPLATE {whole} STRATEGY file_copy")
        try:
            async with open_hub(_at(settings, copy)) as hub:
                yield hub
        finally:
            await server.execute(f"DROP DATABASE {copy} WITH (FORCE)")
    finally:
        await server.close()


def _at(settings: Settings, name: str) -> Settings:
    url = urlsplit(settings.hub.database_url.get_secret_value())._replace(path=f"/{name}").geturl()
    own = settings.hub.model_copy(update={"database_url": SecretStr(url)})
    return settings.model_copy(update={"hub": own})
