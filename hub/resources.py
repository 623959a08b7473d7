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
from hub.db.plans import BY_INDEX, PLANNED_ONCE
from hub.db.pool import UNFIT, UNREACHABLE, Pool, open_pool
from hub.queue import ArqQueue, Queue, connect
from hub.shops.registry import Shop, register
from hub.tokens import Signer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hub:
    """Open while `open_hub` runs. `planned` and `by_index`: as `db`, for what workers do to hundreds of rows at once; see
    `hub.db.plans`. `shops` by their number in the database."""

    settings: Settings
    db: Pool
    planned: Pool
    by_index: Pool
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
    settings: Settings,
    *,
    pool_size: int = 10,
    patience: timedelta | None = None,
    sends: bool = False,
) -> AsyncIterator[Hub]:
    """Opens everything a role needs; waits for PostgreSQL, does not wait for Redis. `patience`: for one of the
    pool's connections, while all are in use. `sends`: it will have those for sending, too.

    `settings.hub` must name a database, a Redis and a secret. Raises `TooFewConnections`.
    """
    needed = pool_size + (budget.SENDING if sends else 0)
    db, shops, catalog = await _database(settings, pool_size, patience, needed)
    url = settings.hub.database_url.get_secret_value()
    planned = await open_pool(url, size=budget.SENDING_PLANNED, session=PLANNED_ONCE)
    by_index = await open_pool(url, size=budget.SENDING_BY_INDEX, session=BY_INDEX)
    http = ProviderHttp(allow=settings.hub.outgoing_allow)
    queue = ArqQueue(connect(settings.hub.redis_url.get_secret_value()))
    try:
        accounts = AccountBook(shops, http, db)
        signer = Signer.of(settings.hub)
        try:
            yield Hub(
                settings, db, planned, by_index, queue, http, shops, accounts, catalog, signer
            )
        finally:
            await accounts.close()
    finally:
        await queue.close()
        await http.close()
        for pool in (db, planned, by_index):
            pool.terminate()


async def _database(
    settings: Settings, size: int, patience: timedelta | None, needed: int
) -> tuple[Pool, Mapping[int, Shop], Catalog]:
    """A role may start before its database, or just when it goes away; it says so every few seconds."""
    url, waited = settings.hub.database_url.get_secret_value(), 0
    while True:
        try:
            db = await open_pool(url, size=size, patience=patience)
            try:
                return db, *await _known(db, settings, needed)
            except BaseException:
                db.terminate()
                raise
        except UNFIT:
            raise
        except UNREACHABLE as error:
            if waited % 5 == 0:
                log.warning("database.unreachable", error=type(error).__name__)
            waited += 1
            await asyncio.sleep(1)


async def _known(db: Pool, settings: Settings, needed: int) -> tuple[Mapping[int, Shop], Catalog]:
    await budget.check(db, needed, "max_connections of the server, or the limit of this user")
    shops = await register(db, settings)
    catalog = Catalog({shop.id: shop.settings.locale for shop in shops.values()})
    await catalog.refresh(db)
    return shops, catalog
