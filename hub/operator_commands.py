"""`vestnik operators`: links into the console, and who is there, for whoever sits at the machine."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.audit.machine import at_machine
from hub.config import Settings, SettingsError
from hub.db.migrate import migrate
from hub.db.pool import Pool, open_pool
from hub.embedded import address
from hub.embedded.borrowed import database_url
from hub.errors import InvalidInput
from hub.operators import invitations, queries
from hub.operators.model import Membership, Role, login_of
from hub.shops.registry import register


def link(settings: Settings, shop: str | None, role: str) -> int:
    """`vestnik operators link`: the address alone on stdout. Without a shop: for all of them."""
    return asyncio.run(_link(settings, shop, Membership(Role(role))))


def listed(settings: Settings) -> int:
    """`vestnik operators list`."""
    return asyncio.run(_list(settings))


def reset(settings: Settings, login: str) -> int:
    """`vestnik operators reset`: an address that sets the password of `login` anew."""
    return asyncio.run(_reset(settings, login))


async def _link(settings: Settings, shop: str | None, membership: Membership) -> int:
    if shop is not None and shop not in settings.shops:
        known = ", ".join(settings.shops)
        raise SettingsError(f"--shop {shop}: must be one of the settings' shops: {known}")
    async with _database(settings) as db:
        shops = await register(db, settings)
        id_ = next((id_ for id_, one in shops.items() if one.slug == shop), None)
        token = await invitations.invite(db, id_, membership, by=at_machine())
    _say(f"{_base(settings)}{invitations.PATH}{token}")
    return 0


async def _list(settings: Settings) -> int:
    async with _database(settings) as db:
        shops = await register(db, settings)
        found = await queries.listed(db)
    for one in found:
        roles = ",".join(
            f"{shops[id_].slug}:{m.role}" for id_, m in one.operator.shops.items() if id_ in shops
        )
        seen = f"seen {one.seen_at:%Y-%m-%d %H:%M}" if one.seen_at else "no session"
        second = "second factor" if one.operator.totp else "password only"
        _say(
            f"{one.operator.login}  {roles or '-'}  {second}  {seen}  {one.operator.name}".rstrip()
        )
    return 0


async def _reset(settings: Settings, login: str) -> int:
    known = login_of(login)
    if known is None:
        raise InvalidInput(
            "this is no e-mail address; `vestnik operators list` shows those there are"
        )
    async with _database(settings) as db:
        token = await invitations.reset(db, known, by=at_machine())
    _say(f"{_base(settings)}{invitations.PATH}{token}")
    return 0


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Pool]:
    """With the newest schema."""
    async with database_url(settings) as url:
        await migrate(url)
        async with await open_pool(url, size=1) as db:
            yield db


def _base(settings: Settings) -> str:
    """Where people reach the hub: as the settings say, else where it listens on this machine."""
    return settings.hub.public_url or address.url(settings.data) or settings.public_url


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
