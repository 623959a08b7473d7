"""The entry of `vestnik demo`: finds the hub and a key for it, and plays the story."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp

from channels.registry import SANDBOX
from hub.audit.machine import at_machine
from hub.config import Locale, Settings, SettingsError
from hub.db.pool import open_pool
from hub.demo.client import Client, DemoFailed, alive
from hub.demo.story import Story
from hub.embedded import address
from hub.embedded.borrowed import database_url
from hub.shops import keys


def run(
    settings: Settings,
    *,
    shop: str,
    url: str | None,
    key: str | None,
    locale: Locale | None,
    patience: timedelta,
) -> int:
    """0 when all of it has happened. Raises `DemoFailed` and `SettingsError`."""
    if shop not in settings.shops:
        known = ", ".join(settings.shops)
        raise SettingsError(f"--shop {shop}: must be one of the settings' shops: {known}")
    if key is None:
        # With a key it may be another hub's shop, whose accounts these settings do not know.
        _check_accounts(settings, shop)
    language = locale or settings.shops[shop].locale
    return asyncio.run(_run(settings, shop, url or _address(settings), key, language, patience))


async def _run(
    settings: Settings, shop: str, url: str, key: str | None, locale: Locale, patience: timedelta
) -> int:
    async with aiohttp.ClientSession() as session:
        # Before the database: without a hub one would be started for nothing.
        await alive(session, url)
        async with _key(settings, shop, key) as known:
            await Story(Client(session, url, known), locale, patience, _say).tell()
    return 0


def _check_accounts(settings: Settings, shop: str) -> None:
    own = [a.name for a in settings.shops[shop].accounts if a.provider != SANDBOX]
    if own:
        raise DemoFailed(
            f"the shop {shop!r} has accounts ({', '.join(own)}), and the demonstration writes to people"
            " who do not exist: it needs the sandbox (a hub without accounts, such as"
            " `vestnik up --data ./demo`)"
        )


def _address(settings: Settings) -> str:
    """Of the hub that runs on this data, else of one that is started by these settings."""
    if running := address.url(settings.data):
        return running
    host, port = settings.address
    if not port:
        raise SettingsError(
            f"hub.listen = {settings.hub.listen!r}: a free port is known to the hub alone, and none runs on"
            f" {settings.data}; start it with `vestnik up`, or say where it is with --url"
        )
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def _key(settings: Settings, shop: str, given: str | None) -> AsyncIterator[str]:
    """The one that was given, else one that is made for this run and revoked after it."""
    if given:
        yield given
        return
    async with database_url(settings) as url, await open_pool(url, size=1) as db:
        made, text = await keys.create(db, shop, [keys.Scope.ADMIN], "demo", by=at_machine())
        try:
            yield text
        finally:
            await keys.revoke(db, shop, made.id, by=at_machine())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
