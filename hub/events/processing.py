"""The loop that applies what platforms told, and tells them what was decided. What comes of an event is written in one
transaction with the event itself, so that a crash anywhere leaves all of it or nothing."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from hub.accounts.limits import RateLimits
from hub.db.pool import UNFIT, UNREACHABLE
from hub.errors import HubError
from hub.events import alarms, claims, writing
from hub.events.apply import apply
from hub.events.claims import Lost
from hub.events.model import PAUSES, Claimed, Done
from hub.orders.work import working
from hub.resources import Hub
from hub.shops.registry import Shop
from hub.sources import queries, service
from hub.sources.base import Fetches, Impossible, Later, Platform, Trouble, Unreadable
from hub.sources.mapping import overridden
from hub.sources.model import Action, Facts, Result, Source, Via
from hub.sources.registry import UnknownPlatform

log = structlog.get_logger()

_EACH = 8
_IN_ALL = 32

# The worker's connections are for many: two transactions of events at once.
_WRITERS = 2

_PACE = timedelta(milliseconds=100)
_LONGEST = timedelta(seconds=50)
_UNKNOWN_HERE = timedelta(minutes=1)

_PATIENT = timedelta(days=3)
"""So long an event may wait for its turn at a platform that is busy; after it, each time counts as a try."""

_TRIES_OF_A_BUG = 3

_TROUBLE_LEAST = timedelta(minutes=1)
_TROUBLE_MOST = timedelta(minutes=30)


class Processor:
    """One per worker process. `worker` names this process in its leases."""

    def __init__(self, hub: Hub, worker: UUID, limits: RateLimits) -> None:
        self._hub = hub
        self._worker = worker
        self._limits = limits
        self._busy: Counter[UUID] = Counter()
        """By source: one that is slow does not take the room of the others."""
        self._writing = asyncio.Semaphore(_WRITERS)
        self._ended = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False
        """Set at the end of the process: nothing more is taken."""

    async def run(self) -> None:
        """Until cancelled. A database that is away ends a turn, not the loop."""
        async with asyncio.TaskGroup() as events:
            while True:
                for claimed in await self._claim():
                    events.create_task(self._handle(claimed))
                await self._wait()

    async def drained(self) -> None:
        """When the events in hand have ended."""
        await self._idle.wait()

    async def _claim(self) -> list[Claimed]:
        room = _IN_ALL - self._busy.total()
        if self.draining or room <= 0:
            return []
        try:
            claimed = await claims.claim(
                self._hub.db, self._worker, self._busy, each=_EACH, limit=room
            )
        except UNREACHABLE as error:
            log.warning("events.database_away", error=type(error).__name__)
            await asyncio.sleep(1)
            return []
        for one in claimed:
            self._busy[one.source.id] += 1
            self._idle.clear()
        return claimed

    async def _wait(self) -> None:
        """A pace at most; less where an event that ended has made room."""
        self._ended.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PACE.total_seconds()):
                await self._ended.wait()
                # What ends together is asked for together.
                await asyncio.sleep(_PACE.total_seconds() / 10)

    async def _handle(self, claimed: Claimed) -> None:
        """Never raises, but for cancellation."""
        try:
            await handle(self._hub, claimed, self._limits, writing_turn=self._writing)
        except UNREACHABLE as error:
            # Not written down: the lease runs out, and it is done again.
            log.warning("event.not_recorded", error=type(error).__name__, event_id=str(claimed.id))
        except Exception:
            log.exception("event.not_handled", event_id=str(claimed.id))
        finally:
            self._busy -= Counter([claimed.source.id])
            self._ended.set()
            if not self._busy:
                self._idle.set()


async def handle(
    hub: Hub,
    claimed: Claimed,
    limits: RateLimits | None = None,
    *,
    writing_turn: asyncio.Semaphore | None = None,
) -> None:
    """All that comes of one event, and that it did. `writing_turn`: how many transactions may run at once.

    Raises what `UNREACHABLE` lists: nothing was written then.
    """
    try:
        async with asyncio.timeout(_LONGEST.total_seconds()):
            await _handled(hub, claimed, limits, writing_turn)
    except Lost:
        log.info("event.lost", event_id=str(claimed.id))
    except Later as later:
        await _later(hub, claimed, later.reason, later.after, counts=later.counts)
    except Trouble as error:
        await troubled(hub, claimed.source, error, writing=claimed.via is Via.WRITE)
        await _later(hub, claimed, error.code)
    except UnknownPlatform:
        # Another version of the hub made it, and will do it.
        await claims.later(hub.db, claimed, _UNKNOWN_HERE, "unknown-platform")
    except (HubError, Unreadable, Impossible) as error:
        log.info("event.failed", event_id=str(claimed.id), source=str(claimed.source.id))
        await claims.failed(hub.db, claimed, str(error))
    except (UNFIT, asyncpg.DataError):
        await claims.failed(hub.db, claimed, "it holds a value that cannot be stored")
    except asyncpg.TransactionRollbackError:
        # Two that waited for each other: the other one goes first.
        await _later(hub, claimed, "contended")
    except TimeoutError:
        await _later(hub, claimed, "too-slow")
    except UNREACHABLE:
        raise
    except Exception:
        log.exception("event.bug", event_id=str(claimed.id), source=str(claimed.source.id))
        if claimed.tries >= _TRIES_OF_A_BUG:
            await claims.failed(hub.db, claimed, _BUG)
        else:
            await _later(hub, claimed, "bug")


_BUG = "a fault of the hub, which its log tells of"


async def troubled(hub: Hub, source: Source, error: Trouble, *, writing: bool = False) -> None:
    """The platform refuses us: it is left alone for a while, longer each time, and the admins hear it once. `writing`:
    while it was told something."""
    log.warning("source.trouble", source=str(source.id), code=error.code)
    async with hub.db.acquire() as conn, conn.transaction():
        is_news = await queries.note_problem(
            conn,
            source.id,
            error.reason,
            writing=writing,
            least=_TROUBLE_LEAST,
            most=_TROUBLE_MOST,
        )
        shop = hub.shops.get(source.shop_id)
        if is_news and shop:
            await alarms.trouble(hub, conn, shop, source, error.reason)


async def _handled(
    hub: Hub,
    claimed: Claimed,
    limits: RateLimits | None,
    writing_turn: asyncio.Semaphore | None,
) -> None:
    shop = hub.shops.get(claimed.shop_id)
    if shop is None:
        raise Later("unknown-shop", _UNKNOWN_HERE)
    service.check_mapping(claimed.source)
    if claimed.via is Via.WRITE:
        done = await writing.write(hub, claimed, limits)
        async with hub.db.acquire() as conn, conn.transaction():
            await claims.done(conn, claimed, done)
        return
    payload, read_at = claimed.payload, None
    if claimed.action is Action.DELETED:
        await _apply(hub, shop, claimed, None, None, None, writing_turn)
        return
    platform = service.live(hub.signer, hub.http, claimed.source, limits)
    if payload is None:
        read_at = datetime.now(UTC)
        payload = await _fetched(hub, platform, claimed)
        if payload is None:
            async with hub.db.acquire() as conn, conn.transaction():
                await claims.done(conn, claimed, Done(Result.IGNORED, "gone"))
            return
    facts = platform.facts(claimed.kind, payload)
    facts = overridden(claimed.kind, payload, facts, claimed.source.mapping)
    read = payload if claimed.payload is None else None
    await _apply(hub, shop, claimed, facts, read, read_at, writing_turn)


async def _fetched(hub: Hub, platform: Platform, claimed: Claimed) -> Mapping[str, Any] | None:
    if not isinstance(platform, Fetches):
        raise Unreadable("it says nothing, and its platform cannot be asked")
    payload = await platform.fetch(claimed.kind, claimed.object)
    if claimed.source.problem:
        await queries.note_works(hub.db, claimed.source.id)
    return payload


async def _apply(
    hub: Hub,
    shop: Shop,
    claimed: Claimed,
    facts: Facts | None,
    payload: Mapping[str, Any] | None,
    read_at: datetime | None,
    writing_turn: asyncio.Semaphore | None,
) -> None:
    async with (
        writing_turn or nullcontext(),
        working(hub, shop, quiet=claimed.quiet, source=claimed.source.name) as work,
    ):
        done = await apply(work, claimed, facts, read_at=read_at)
        await claims.done(work.conn, claimed, done, payload)


async def _later(
    hub: Hub,
    claimed: Claimed,
    reason: str,
    after: timedelta = timedelta(0),
    *,
    counts: bool = True,
) -> None:
    """After the last pause it has failed."""
    if not counts and datetime.now(UTC) - claimed.received_at < _PATIENT:
        await claims.later(hub.db, claimed, max(PAUSES[0], after), reason, counts=False)
        return
    if claimed.tries > len(PAUSES):
        await claims.failed(hub.db, claimed, reason)
        return
    await claims.later(hub.db, claimed, max(PAUSES[claimed.tries - 1], after), reason)
