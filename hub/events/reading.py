"""Catches up with platforms: what a hook that never came, or a hub that was down, has missed is read back."""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast
from uuid import UUID

import orjson
import structlog

from hub.accounts.limits import RateLimits
from hub.db.pool import UNREACHABLE, Connection, Db, transaction
from hub.events import objects, orders
from hub.events.model import digest_of
from hub.events.processing import troubled
from hub.queue import Lane
from hub.resources import Hub
from hub.sources import inbox, queries, service
from hub.sources.base import Ask, Impossible, Later, Page, Platform, Purpose, Reads, Trouble
from hub.sources.mapping import overridden
from hub.sources.model import Action, Incoming, Kind, OrderFacts, Source, Via
from hub.sources.registry import UnknownPlatform

log = structlog.get_logger()

LEASE = timedelta(minutes=5)
"""Renewed with every page; after it another worker reads on."""

PAUSES = tuple(timedelta(minutes=m) for m in (1, 2, 5, 15, 30))
"""Between readings that fail, one after the other."""

_AT_ONCE = 4
_PACE = timedelta(seconds=1)

_PAGES = 20
"""Of one kind in one turn: what is left comes in the next, after the other sources."""

_BEFORE = timedelta(minutes=10)
"""The first reading reaches back behind the source's own beginning: its clock is not ours."""

_OVERLAP = timedelta(minutes=2)

_OPEN = 500
"""Orders that are read again one by one, where a platform cannot tell what changed."""

_UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError)
"""Also by a bug in its module, which shall not stop the reading of all others."""


class _Read(Platform, Reads, Protocol):
    """A platform that can be read back."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one: events that were new, whether there is more to read at once, and what could not be read."""

    added: int
    more: bool
    problem: str = ""


class Reader:
    """One per worker process. `worker` names this process in its leases."""

    def __init__(self, hub: Hub, worker: UUID, limits: RateLimits) -> None:
        self._hub = hub
        self._worker = worker
        self._limits = limits
        self._busy = 0
        self.draining = False
        """Set at the end of the process: nothing more is taken."""

    async def run(self) -> None:
        """Until cancelled, at whatever point: each page is kept together with the place that it goes on from."""
        await free(self._hub.db, self._worker)
        try:
            async with asyncio.TaskGroup() as readings:
                while True:
                    if source := await self._claim():
                        self._busy += 1
                        readings.create_task(self._handle(source))
                    else:
                        await asyncio.sleep(_PACE.total_seconds())
        finally:
            # Others need not wait for the lease.
            with suppress(*UNREACHABLE):
                await free(self._hub.db, self._worker)

    async def _claim(self) -> Source | None:
        if self.draining or self._busy >= _AT_ONCE:
            return None
        try:
            return await claim(self._hub.db, self._worker)
        except UNREACHABLE as error:
            log.warning("reading.database_away", error=type(error).__name__)
            return None

    async def _handle(self, source: Source) -> None:
        try:
            await self._read(source)
        except UNREACHABLE as error:
            # The lease runs out, and it is read on from where it was.
            log.warning("reading.not_recorded", source=str(source.id), error=type(error).__name__)
        finally:
            self._busy -= 1

    async def _read(self, source: Source) -> None:
        began = datetime.now(UTC)
        try:
            reading = await read(self._hub, self._limits, source)
            await _done(self._hub.db, source, reading, began)
        except Later as later:
            if later.counts:
                await self._fail(source, later.reason, later.after)
            else:
                await _put_off(self._hub.db, source, later.after)
        except (Impossible, UnknownPlatform) as error:
            await self._fail(source, str(error))
        except Trouble as trouble:
            await troubled(self._hub, source, trouble)
            await _let_go(self._hub.db, source)
        except UNREACHABLE as error:
            # The lease runs out, and it is read on from where it was.
            log.warning("reading.broken_off", source=str(source.id), error=type(error).__name__)
        except Exception:
            log.exception("reading.bug", source=str(source.id), platform=source.platform)
            await self._fail(source, "a fault of the hub, which its log tells of")

    async def _fail(self, source: Source, reason: str, after: timedelta = timedelta(0)) -> None:
        log.info("reading.failed", source=str(source.id), reason=reason)
        await _failed(self._hub.db, source, reason, after)


async def read_once(hub: Hub, limits: RateLimits | None, source: Source) -> int:
    """One turn; how many events were new. Raises `Later`, `Trouble`, `Impossible`."""
    return (await read(hub, limits, source)).added


async def read(hub: Hub, limits: RateLimits | None, source: Source) -> Reading:
    """All kinds that the platform can be asked for, orders first: they are what people wait for. What else cannot be
    read, for want of rights, is no reason to stop. Raises `Later`, `Trouble`, `Impossible`."""
    platform = service.live(hub.signer, hub.http, source, limits, Lane.TRANSACTIONAL)
    if not isinstance(platform, Reads):
        return Reading(0, more=False)
    added, more, problem = 0, False, ""
    for kind in sorted(platform.reads, key=lambda kind: kind is not Kind.ORDER):
        try:
            found = await _read_kind(hub.db, source, cast(_Read, platform), kind)
        except (Trouble, Impossible) as error:
            if kind is Kind.ORDER:
                raise
            problem = f"{kind}: {error}"
            log.warning("reading.kind_refused", source=str(source.id), kind=kind)
        else:
            added, more = added + found.added, more or found.more
    return Reading(added, more, problem)


async def _read_kind(db: Db, source: Source, platform: _Read, kind: Kind) -> Reading:
    position = source.cursors.get(kind)
    since = source.read_at - _OVERLAP if source.read_at else source.created_at - _BEFORE
    open_: Sequence[str] = ()
    if kind is Kind.ORDER and platform.rereads_open:
        open_ = await objects.open_orders(db, source.id, _OPEN)
    added = 0
    for _ in range(_PAGES):
        ask = Ask(kind, since, Purpose.CATCH_UP, position, open_)
        page = await platform.read(ask)
        added += await _keep(db, source, platform, kind, page)
        if not page.more:
            return Reading(added, more=False)
        position = page.position
    return Reading(added, more=True)


async def _keep(db: Db, source: Source, platform: _Read, kind: Kind, page: Page) -> int:
    """The page's events and the place to go on from, in one transaction; how many were new."""
    read = [(item, _digest(platform, source, item)) for item in page.items]
    async with transaction(db) as connection:
        events = await _news(connection, source, read)
        kept = await inbox.add(connection, source, events, Via.POLL) if events else []
        await connection.execute(
            """
            UPDATE source
               SET cursors = jsonb_set(cursors, ARRAY[$2], $3),
                   read_due_at = CASE WHEN read_by IS NULL THEN read_due_at ELSE now() + $4::interval END
             WHERE id = $1
            """,
            source.id,
            kind,
            page.position,
            LEASE,
        )
    return sum(not one.duplicate for one in kept)


async def _news(
    connection: Connection, source: Source, read: Sequence[tuple[Incoming, bytes | None]]
) -> list[Incoming]:
    """What says something else than is known, each under a name that tells in which state it was read. Where no time
    says that, what was known of it then does: what went back to a former state is news as well."""
    rows = await connection.fetch(
        """
        SELECT o.kind, o.object, o.digest FROM unnest($2::text[], $3::text[]) AS t (kind, object)
          JOIN source_object AS o ON o.source_id = $1 AND o.kind = t.kind AND o.object = t.object
         WHERE o.digest IS NOT NULL AND o.deleted_at IS NULL
        """,
        source.id,
        [item.kind for item, _ in read],
        [item.object for item, _ in read],
    )
    known = {(row["kind"], row["object"]): row["digest"] for row in rows}
    return [
        replace(item, key=_key(item, known.get((str(item.kind), item.object), b"")))
        for item, digest in read
        if digest is None or known.get((str(item.kind), item.object)) != digest
    ]


def _digest(platform: Platform, source: Source, item: Incoming) -> bytes | None:
    """As it is kept of what was applied. None: it does not say by itself what it is now, or nobody can read it, which is
    found out when its turn comes."""
    if item.kind is None or item.payload is None or item.action is Action.DELETED:
        return None
    try:
        facts = platform.facts(item.kind, item.payload)
        facts = overridden(item.kind, item.payload, facts, source.mapping)
    except _UNREADABLE:
        return None
    return orders.digest_in(facts, source) if isinstance(facts, OrderFacts) else digest_of(facts)


def _key(item: Incoming, before: bytes) -> str:
    """Two changes may lie within one second: what it holds counts besides its time."""
    told = orjson.dumps(item.payload, option=orjson.OPT_SORT_KEYS, default=str)
    at = item.happened_at
    state = hashlib.sha256(told + before if at is None else told).hexdigest()
    return f"poll:{item.kind}:{item.object}:{at.isoformat() if at else ''}:{state}"


async def claim(db: Db, worker: UUID) -> Source | None:
    """The source whose reading is due for the longest time, for one worker alone."""
    row = await db.fetchrow(
        """
        UPDATE source SET read_by = $1, read_due_at = now() + $2::interval
         WHERE id = (SELECT id FROM source
                      WHERE read_due_at <= now() AND active AND deleted_at IS NULL
                        AND (paused_until IS NULL OR paused_until <= now())
                      ORDER BY read_due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING *
        """,
        worker,
        LEASE,
    )
    return queries.source_of(row) if row else None


async def free(db: Db, worker: UUID) -> None:
    """That worker is dead, or has ended: what it read is read on by others at once."""
    await db.execute(
        "UPDATE source SET read_due_at = now(), read_by = NULL WHERE read_by = $1", worker
    )


async def ask_now(db: Db, shop_id: int, source_id: UUID) -> None:
    """Has it read as soon as a worker can, also where it is paused. Under way, it goes on."""
    await db.execute(
        "UPDATE source SET read_due_at = now(), paused_until = NULL"
        " WHERE shop_id = $1 AND id = $2 AND read_by IS NULL",
        shop_id,
        source_id,
    )


async def _done(db: Db, source: Source, reading: Reading, began: datetime) -> None:
    """`read_at` is when it began: what changed while it was read is read the next time."""
    await db.execute(
        """
        UPDATE source
           SET read_by = NULL, failures = 0, paused_until = NULL, problem = $2,
               read_at = CASE WHEN $3 THEN read_at ELSE $4 END,
               read_due_at = CASE WHEN $3 THEN now() ELSE now() + poll_every END
         WHERE id = $1
        """,
        source.id,
        reading.problem,
        reading.more,
        began,
    )


async def _put_off(db: Db, source: Source, after: timedelta) -> None:
    """It goes on then; nothing has failed."""
    await db.execute(
        "UPDATE source SET read_by = NULL, read_due_at = now() + $2::interval WHERE id = $1",
        source.id,
        after,
    )


async def _let_go(db: Db, source: Source) -> None:
    """Until its pause is over."""
    await db.execute(
        "UPDATE source SET read_by = NULL, read_due_at = greatest(now(), paused_until) WHERE id = $1",
        source.id,
    )


async def _failed(db: Db, source: Source, reason: str, after: timedelta) -> None:
    await db.execute(
        """
        UPDATE source
           SET read_by = NULL, failures = failures + 1, problem = $2,
               read_due_at = greatest(paused_until, now() + $3::interval,
                                      now() + ($4::interval[])[least(failures + 1, cardinality($4))])
         WHERE id = $1
        """,
        source.id,
        reason,
        after,
        list(PAUSES),
    )
