"""What the command line does by itself, with a database for a moment: migrate, API keys, and scrubbing."""

import asyncio
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from uuid import UUID

from hub.audit import log as audit
from hub.audit.machine import at_machine
from hub.audit.model import Action
from hub.config import Settings, SettingsError
from hub.db.migrate import migrate
from hub.db.pool import Pool, open_pool
from hub.embedded.borrowed import database_url
from hub.errors import NotFound
from hub.retention import tidy
from hub.shops import keys
from hub.shops.registry import register


def bring_up_to_date(settings: Settings) -> int:
    """`vestnik migrate`."""
    return asyncio.run(_migrate(settings))


def create_key(settings: Settings, shop: str, scopes: Collection[str], name: str) -> int:
    """`vestnik keys create`: the key alone on stdout, so that a script can take it from there."""
    return asyncio.run(_create(settings, shop, [keys.Scope(scope) for scope in scopes], name))


def list_keys(settings: Settings, shop: str) -> int:
    """`vestnik keys list`: newest first."""
    return asyncio.run(_list(settings, shop))


def revoke_key(settings: Settings, shop: str, key: str) -> int:
    """`vestnik keys revoke`; `key` is its id, its beginning as `list` shows it, or the whole key."""
    return asyncio.run(_revoke(settings, shop, key))


def scrub(settings: Settings) -> int:
    """`vestnik scrub`: 1 where something is left to do."""
    return asyncio.run(_scrub(settings))


async def _scrub(settings: Settings) -> int:
    async with database_url(settings) as url:
        await migrate(url)
        async with await open_pool(url, size=1) as db, db.acquire() as connection:
            left = [line async for line in tidy.scrub(connection)]
            async with connection.transaction():
                await audit.record(connection, None, at_machine(), Action.DATA_SCRUBBED)
    for line in left:
        _say(line)
    if not left:
        _say("nothing of what was erased is in the files of the database any more")
    return 1 if left else 0


async def _migrate(settings: Settings) -> int:
    async with database_url(settings) as url:
        applied = await migrate(url)
    steps = ", ".join(str(number) for number in applied)
    _say(f"applied: {steps}" if applied else "the schema is up to date")
    return 0


async def _create(settings: Settings, shop: str, scopes: list[keys.Scope], name: str) -> int:
    async with _database(settings, shop) as db:
        _, text = await keys.create(db, shop, scopes, name, by=at_machine())
    _say(text)
    return 0


async def _list(settings: Settings, shop: str) -> int:
    async with _database(settings, shop) as db:
        found = await keys.listed(db, shop)
    for key in found:
        used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else used
        scopes = ",".join(sorted(key.scopes))
        _say(f"{key.id}  {key.prefix}…  {scopes}  {state}  {key.name}".rstrip())
    return 0


async def _revoke(settings: Settings, shop: str, key: str) -> int:
    async with _database(settings, shop) as db:
        await keys.revoke(db, shop, await _key_id(db, shop, key), by=at_machine())
    return 0


async def _key_id(db: Pool, shop: str, key: str) -> UUID:
    beginning = "_".join(key.rstrip("…").split("_")[:2])
    for known in await keys.listed(db, shop):
        if beginning == known.prefix or key == str(known.id):
            return known.id
    raise NotFound(f"shop {shop!r} has no such key; `vestnik keys list` shows those there are")


@asynccontextmanager
async def _database(settings: Settings, shop: str) -> AsyncIterator[Pool]:
    """With the newest schema and the shops of the settings in it."""
    if shop not in settings.shops:
        known = ", ".join(settings.shops)
        raise SettingsError(f"--shop {shop}: must be one of the settings' shops: {known}")
    async with database_url(settings) as url:
        await migrate(url)
        async with await open_pool(url, size=1) as db:
            await register(db, settings)
            yield db


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
