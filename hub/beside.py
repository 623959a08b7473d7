"""Commands that talk to a running hub over its API: where it listens, and a key for as long as they run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.audit.machine import at_machine
from hub.config import Settings, SettingsError
from hub.db.pool import open_pool
from hub.embedded import address
from hub.embedded.borrowed import database_url
from hub.shops import keys


def check_shop(settings: Settings, shop: str) -> None:
    """Raises `SettingsError`."""
    if shop not in settings.shops:
        known = ", ".join(settings.shops)
        raise SettingsError(f"--shop {shop}: must be one of the settings' shops: {known}")


def url_of(settings: Settings) -> str:
    """Of the hub that runs on this data, else of one that is started by these settings. Raises `SettingsError`."""
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
async def key_of(settings: Settings, shop: str, given: str | None, name: str) -> AsyncIterator[str]:
    """The one that was given, else one named `name` that is made for this run and revoked after it.

    Run it in the main thread. No connection is held meanwhile: the hub may be started anew.
    """
    if given:
        yield given
        return
    async with database_url(settings) as url, await open_pool(url, size=1) as db:
        made, text = await keys.create(db, shop, [keys.Scope.ADMIN], name, by=at_machine())
    try:
        yield text
    finally:
        async with database_url(settings) as url, await open_pool(url, size=1) as db:
            await keys.revoke(db, shop, made.id, by=at_machine())
