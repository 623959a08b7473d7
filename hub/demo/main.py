"""The entry of `vestnik demo`: finds the hub and a key for it, and plays the story."""

import asyncio
import sys
from datetime import timedelta

import aiohttp

from channels.registry import SANDBOX
from hub.beside import check_shop, key_of, url_of
from hub.config import Locale, Settings
from hub.demo.client import Client, DemoFailed, alive
from hub.demo.story import Story


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
    check_shop(settings, shop)
    if key is None:
        # With a key it may be another hub's shop, whose accounts these settings do not know.
        _check_accounts(settings, shop)
    language = locale or settings.shops[shop].locale
    return asyncio.run(_run(settings, shop, url or url_of(settings), key, language, patience))


async def _run(
    settings: Settings, shop: str, url: str, key: str | None, locale: Locale, patience: timedelta
) -> int:
    async with aiohttp.ClientSession() as session:
        # Before the database: without a hub one would be started for nothing.
        await alive(session, url)
        async with key_of(settings, shop, key, "demo") as known:
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


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
