"""Imports that the hub reads by itself: page by page, portion by portion, in whatever worker has time."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from hub.accounts.limits import RateLimits
from hub.db.pool import UNFIT, UNREACHABLE, transaction
from hub.history import queries, reading, rows, service, way
from hub.history.model import MOST_ROWS, Run, RunState, Taken
from hub.queue import Lane
from hub.resources import Hub
from hub.shops.registry import Shop
from hub.sources import queries as sources
from hub.sources.base import Ask, Impossible, Later, Page, Platform, Purpose, Reads, Trouble
from hub.sources.model import Kind, Source
from hub.sources.registry import UnknownPlatform
from hub.sources.service import live

log = structlog.get_logger()

_LOOK_EVERY = 1.0
_AGAIN = timedelta(seconds=5)


class _Stopped(Exception):
    """It was paused or cancelled, or another worker has it."""


class Importer:
    """One per worker; one import at a time. `lease`: how long it stays with a worker of whom nothing is heard."""

    def __init__(
        self, hub: Hub, worker: UUID, limits: RateLimits, *, lease: timedelta = queries.LEASE
    ) -> None:
        self._hub = hub
        self._worker = worker
        self._limits = limits
        self._lease = lease

    async def run(self) -> None:
        """Until cancelled."""
        # Whoever had this name before is dead.
        await queries.free(self._hub.db, self._worker)
        while True:
            if not await self.once():
                await asyncio.sleep(_LOOK_EVERY)

    async def once(self) -> bool:
        """One import as far as it goes; False: none is due."""
        run = await queries.claim(self._hub.db, self._worker, self._lease)
        if run is None:
            return False
        try:
            async with self._kept(run):
                await self._read(run)
        except _Stopped:
            pass
        except Later as error:
            wait = max(_AGAIN, error.after)
            await queries.later(self._hub.db, run.id, self._worker, wait, error.reason)
        except asyncpg.DeadlockDetectedError:
            await queries.later(self._hub.db, run.id, self._worker, _AGAIN, "deadlock")
        except (Trouble, Impossible, UnknownPlatform) as error:
            await self._fail(run, str(error))
        except Exception as error:
            if isinstance(error, UNREACHABLE) and not isinstance(error, UNFIT):
                raise
            log.exception("import.broken", run=str(run.id))
            await self._fail(run, "a bug: see the log")
        return True

    @asynccontextmanager
    async def _kept(self, run: Run) -> AsyncIterator[None]:
        """Ours as long as the context lasts: a page may take longer than the lease, of a slow shop whose orders are read
        one by one, and another worker would begin it anew, and we after him."""
        renewing = asyncio.create_task(self._renew(run))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def _renew(self, run: Run) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 4)
            # A database that is away is found out about with the next portion.
            with suppress(*UNREACHABLE):
                await queries.renew(self._hub.db, run, self._worker, self._lease)

    async def _fail(self, run: Run, reason: str) -> None:
        async with transaction(self._hub.db) as conn:
            if await queries.hold(conn, run, self._worker):
                await queries.become(conn, run.id, RunState.FAILED, reason)

    async def _read(self, run: Run) -> None:
        source = (await sources.many(self._hub.db, [run.source_id])).get(run.source_id)
        shop = self._hub.shops.get(run.shop_id)
        if source is None or shop is None:
            raise Later("the settings have no such shop", timedelta(minutes=1))
        platform = live(self._hub.signer, self._hub.http, source, self._limits, Lane.BULK)
        if not isinstance(platform, Reads):
            raise Impossible(f"{source.platform} cannot be read back")
        if run.total is None and not run.done:
            await queries.announce(self._hub.db, run, self._worker, await _total(platform, run))
        for kind in run.kinds:
            while kind not in run.position.get("over", ()):
                run = await self._page(shop, source, platform, run, kind)
        async with transaction(self._hub.db) as conn:
            if await queries.hold(conn, run, self._worker):
                await queries.become(conn, run.id, RunState.DONE)

    async def _page(self, shop: Shop, source: Source, platform: Any, run: Run, kind: Kind) -> Run:
        before = run.position.get("positions", {}).get(kind)
        page = _without(await platform.read(_ask(run, kind, before)), run.position.get("last", ()))
        # A page that was broken off is read again; what was taken of it is behind the run.
        at: int = run.position.get("skip", 0)
        while True:
            portion = page.items[at : at + MOST_ROWS]
            at += len(portion)
            last = at >= len(page.items)
            began = monotonic()
            run = await self._portion(
                shop, source, platform, run, portion, _after(run, kind, page, 0 if last else at)
            )
            await way.made(self._hub, began)
            if last:
                return run

    async def _portion(
        self,
        shop: Shop,
        source: Source,
        platform: Platform,
        run: Run,
        items: Sequence[Any],
        position: dict[str, Any],
    ) -> Run:
        facts, faults = await reading.of_page(source, platform, items, first=run.done + 1)
        async with transaction(self._hub.db) as conn:
            held = await queries.hold(conn, run, self._worker)
            if held is None:
                raise _Stopped
            taken = Taken()
            for kind in dict.fromkeys(item.kind for item in items if item.kind):
                mine = [(row, one) for row, one in facts if items[row - run.done - 1].kind is kind]
                taken += await rows.take(self._hub, conn, shop, source, kind, mine)
            taken += Taken(faults=faults)
            await service.note(conn, held, len(items), taken, position, datetime.now(UTC))
            return await service.get(conn, run.shop_id, run.id)


def _ask(run: Run, kind: Kind, position: Any) -> Ask:
    return Ask(kind, run.since or run.created_at, Purpose.HISTORY, position)


def _without(page: Page, last: Collection[str]) -> Page:
    """Pages by time overlap: what stood on the one before is not counted twice."""
    return replace(page, items=[item for item in page.items if item.object not in last])


def _after(run: Run, kind: Kind, page: Page, skip: int) -> dict[str, Any]:
    """The run's position once this much of the page is taken: behind it, or in its midst."""
    position = dict(run.position)
    if skip:
        return position | {"kind": kind, "skip": skip}
    before = position.get("positions", {})
    # One that promises more and gives nothing would be asked for ever.
    stands = not page.items and before.get(kind) == page.position
    position |= {
        "kind": kind,
        "skip": 0,
        "positions": {**before, str(kind): dict(page.position)},
        "last": [item.object for item in page.items],
    }
    if stands or not page.more:
        position["last"] = []
        position["over"] = [*position.get("over", ()), str(kind)]
    return position


async def _total(platform: Any, run: Run) -> int | None:
    """Of all kinds, where the platform says it of each."""
    total = 0
    for kind in run.kinds:
        page: Page = await platform.read(_ask(run, kind, None))
        if page.total is None and page.more:
            return None
        total += len(page.items) if page.total is None else page.total
    return total
