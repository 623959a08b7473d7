"""What a running role holds open, passed down from its entry point: no globals, no locator."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from channels.http import ProviderHttp
from hub.accounts.book import AccountBook
from hub.config import Settings
from hub.content.catalog import Catalog
from hub.db import budget
from hub.db.pool import UNREACHABLE, Pool, open_pool
from hub.queue import ArqQueue, Queue, connect
from hub.shops.registry import Shop, register
from hub.tokens import Signer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hub:
    """Open while `open_hub` runs. `shops` by their number in the database."""

    settings: Settings
    db: Pool
    queue: Queue
    http: ProviderHttp
    shops: Mapping[int, Shop]
    accounts: AccountBook
    catalog: Catalog
    signer: Signer

    def shop(self, slug: str) -> Shop:
        """Raises `KeyError` for a shop the settings do not have."""
        for shop in self.shops.values():
            if shop.slug == slug:
                return shop
        raise KeyError(slug)


@asynccontextmanager
async def open_hub(
    settings: Settings, *, pool_size: int = 10, patience: timedelta | None = None
) -> AsyncIterator[Hub]:
    """Opens everything a role needs; waits for PostgreSQL, does not wait for Redis. `patience`: for one of the
    pool's connections, while all are in use.

    `settings.hub` must name a database, a Redis and a secret. Raises `TooFewConnections`.
    """
    db = await _pool(settings.hub.database_url.get_secret_value(), pool_size, patience)
    http = ProviderHttp(allow=settings.hub.outgoing_allow)
    queue = ArqQueue(connect(settings.hub.redis_url.get_secret_value()))
    try:
        await budget.check(
            db, pool_size, "max_connections of the server, or the limit of this user"
        )
        shops = await register(db, settings)
        catalog = Catalog({shop.id: shop.settings.locale for shop in shops.values()})
        await catalog.refresh(db)
        accounts = AccountBook(shops, http, db)
        signer = Signer.of(settings.hub)
        try:
            yield Hub(settings, db, queue, http, shops, accounts, catalog, signer)
        finally:
            await accounts.close()
    finally:
        await queue.close()
        await http.close()
        db.terminate()


async def _pool(url: str, size: int, patience: timedelta | None) -> Pool:
    """A role may start before its database; it says so every few seconds."""
    waited = 0
    while True:
        try:
            return await open_pool(url, size=size, patience=patience)
        except UNREACHABLE as error:
            if waited % 5 == 0:
                log.warning("database.unreachable", error=type(error).__name__)
            waited += 1
            await asyncio.sleep(1)
