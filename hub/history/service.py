"""Imports begun, fed, stopped and gone on with."""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg

from hub.audit import log as audit
from hub.audit.model import SYSTEM, Action, Actor
from hub.db.pool import Connection, Db, transaction
from hub.errors import Conflict, Fault, NotFound, Unprocessable
from hub.history import progress, queries, reading, rows, way
from hub.history.model import OPEN, Origin, Run, RunState, Taken
from hub.resources import Hub
from hub.shops.registry import Shop
from hub.sources import queries as sources
from hub.sources.model import Kind, Source
from hub.sources.registry import UnknownPlatform, platform_class
from hub.sources.service import OWN, own

_TRIES = 3
"""Of a portion that stood in a ring with other work."""


async def start(
    hub: Hub,
    shop: Shop,
    source_name: str,
    months: int,
    kinds: Sequence[Kind],
    *,
    by: Actor = SYSTEM,
    now: datetime | None = None,
) -> tuple[Run, bool]:
    """The hub reads these kinds (none: all there are) of so many months by itself; whether it is a new import. One
    that is asked for again while it is not over is gone on with.

    Raises `Unprocessable` (no such source, or one that cannot be read), `Conflict` (another one is under way).
    """
    source = await _source(hub.db, shop.id, source_name)
    wanted = _readable(source, kinds)
    fingerprint = f"{months} {' '.join(wanted)}"
    async with transaction(hub.db) as conn:
        await _alone(conn, source.id)
        for id_, its in await queries.open_ones(conn, source.id, Origin.SOURCE):
            if its != fingerprint:
                raise Conflict(f"another import of this source is under way: {id_}")
            return await _go_on(conn, shop.id, id_), False
        id_ = await queries.add(
            conn,
            shop.id,
            source.id,
            Origin.SOURCE,
            wanted,
            since=months_before(now or datetime.now(UTC), months),
            fingerprint=fingerprint,
        )
        await audit.record(conn, shop.id, by, Action.IMPORT_STARTED, id_, source=source.name)
        return await get(conn, shop.id, id_), True


async def start_rows(
    hub: Hub,
    shop: Shop,
    source_name: str,
    kind: Kind,
    *,
    total: int | None = None,
    fingerprint: str = "",
    by: Actor = SYSTEM,
) -> tuple[Run, bool]:
    """A program will bring rows of this kind; whether it is a new import. One with the same `fingerprint` that is not
    over is gone on with: its `done` says from which row.

    Raises `Unprocessable` (no such source).
    """
    if source_name == OWN:
        await own(hub.db, hub.signer, shop.id)
    source = await _source(hub.db, shop.id, source_name)
    async with transaction(hub.db) as conn:
        await _alone(conn, source.id)
        for id_, its in await queries.open_ones(conn, source.id, Origin.ROWS):
            if fingerprint and its == fingerprint:
                return await _go_on(conn, shop.id, id_), False
        id_ = await queries.add(
            conn,
            shop.id,
            source.id,
            Origin.ROWS,
            [kind],
            total=total,
            fingerprint=fingerprint,
        )
        await audit.record(conn, shop.id, by, Action.IMPORT_STARTED, id_, source=source.name)
        return await get(conn, shop.id, id_), True


async def get(db: Db, shop_id: int, id_: UUID) -> Run:
    """Raises `NotFound`."""
    run = await queries.by_id(db, shop_id, id_)
    if run is None:
        raise _no_run()
    return run


async def take_rows(
    hub: Hub,
    shop: Shop,
    id_: UUID,
    start_at: int,
    given: Sequence[Any],
    *,
    now: datetime | None = None,
) -> Run:
    """All of these rows or none, and the run is as far as that: said again after a lost answer, they are refused and
    not taken twice.

    Raises `NotFound`, `Conflict` (they do not follow the last ones, or the run does not take rows).
    """
    began = monotonic()
    run = await get(hub.db, shop.id, id_)
    source = await sources.by_id(hub.db, shop.id, run.source_id)
    if source is None:
        raise Conflict("its source was removed")
    _check_turn(run, start_at)
    [kind] = run.kinds
    facts, faults = await reading.of_rows(kind, given, first=start_at + 1)
    for tries_left in range(_TRIES - 1, -1, -1):
        try:
            async with transaction(hub.db) as conn:
                run = await _locked(conn, shop.id, id_)
                _check_turn(run, start_at)
                taken = await rows.take(hub, conn, shop, source, kind, facts)
                told = sorted((*faults, *taken.faults), key=lambda one: one.row)
                taken = replace(taken, faults=told)
                await note(conn, run, len(given), taken, run.position, now or datetime.now(UTC))
                run = await get(conn, shop.id, id_)
            break
        except asyncpg.DeadlockDetectedError:
            # Nothing was written; the other one is through by now.
            if not tries_left:
                raise
    await way.made(hub, began)
    return run


async def note(
    conn: Connection,
    run: Run,
    count: int,
    taken: Taken,
    position: Mapping[str, Any],
    now: datetime,
) -> None:
    """Writes down that the locked run is `count` rows further."""
    pace = progress.moved(run.pace, now, run.done + count if run.pace else run.done)
    unknown = sorted({*run.unknown_codes, *taken.unknown_codes})[:100]
    await queries.record(
        conn,
        run,
        count,
        taken,
        pace,
        {**position, **({"unknown_codes": unknown} if unknown else {})},
    )


async def pause(hub: Hub, shop_id: int, id_: UUID, *, by: Actor = SYSTEM) -> Run:
    """Raises `NotFound`, `Conflict` (it is over)."""
    return await _become(hub, shop_id, id_, RunState.PAUSED, OPEN, by, Action.IMPORT_PAUSED)


async def resume(hub: Hub, shop_id: int, id_: UUID, *, by: Actor = SYSTEM) -> Run:
    """Also one that has failed. Raises `NotFound`, `Conflict` (it is over)."""
    wanted = (*OPEN, RunState.FAILED)
    return await _become(hub, shop_id, id_, RunState.RUNNING, wanted, by, Action.IMPORT_RESUMED)


async def cancel(hub: Hub, shop_id: int, id_: UUID, *, by: Actor = SYSTEM) -> Run:
    """What it took over stays. Raises `NotFound`, `Conflict` (it is done)."""
    wanted = (*OPEN, RunState.FAILED, RunState.CANCELLED)
    return await _become(hub, shop_id, id_, RunState.CANCELLED, wanted, by, Action.IMPORT_CANCELLED)


async def finish(hub: Hub, shop_id: int, id_: UUID, *, by: Actor = SYSTEM) -> Run:
    """The program has brought all its rows; safe to say twice. Raises `NotFound`, `Conflict` (the hub reads it by
    itself, or it was cancelled)."""
    run = await get(hub.db, shop_id, id_)
    if run.origin is Origin.SOURCE:
        raise Conflict("the hub reads this import by itself and finds its end by itself")
    return await _become(hub, shop_id, id_, RunState.DONE, (*OPEN, RunState.DONE), by)


async def _become(
    hub: Hub,
    shop_id: int,
    id_: UUID,
    state: RunState,
    of: Sequence[RunState],
    by: Actor,
    action: Action | None = None,
) -> Run:
    async with transaction(hub.db) as conn:
        run = await _locked(conn, shop_id, id_)
        if run.state not in of:
            raise Conflict(f"this import is {run.state}")
        if run.state is not state:
            await queries.become(conn, id_, state)
            if action:
                await audit.record(conn, shop_id, by, action, id_)
        return await get(conn, shop_id, id_)


async def _go_on(conn: Connection, shop_id: int, id_: UUID) -> Run:
    """Running, and its rate counted anew: the time in which nobody brought anything is none of it."""
    await _locked(conn, shop_id, id_)
    await queries.become(conn, id_, RunState.RUNNING)
    return await get(conn, shop_id, id_)


async def _locked(conn: Connection, shop_id: int, id_: UUID) -> Run:
    run = await queries.lock(conn, shop_id, id_)
    if run is None:
        raise _no_run()
    return run


def _check_turn(run: Run, start_at: int) -> None:
    if run.origin is not Origin.ROWS:
        raise Conflict("the hub reads this import by itself")
    if run.state is not RunState.RUNNING:
        raise Conflict(f"this import is {run.state}")
    if run.done != start_at:
        raise Conflict(f"rows from {run.done} on are due, not from {start_at}")


async def _source(db: Db, shop_id: int, name: str) -> Source:
    source = await sources.by_name(db, shop_id, name)
    if source is None:
        raise Unprocessable(faults=[Fault("/source", "there is no source of this name")])
    return source


def _readable(source: Source, kinds: Sequence[Kind]) -> list[Kind]:
    """In the platform's order. Raises `Unprocessable`."""
    try:
        platform = platform_class(source.platform)
    except UnknownPlatform as error:
        raise Unprocessable(faults=[Fault("/source", str(error))]) from None
    can = tuple(getattr(platform, "reads", ()))
    if not can:
        reason = f"{source.platform} cannot be read back; bring a file: vestnik import file"
        raise Unprocessable(faults=[Fault("/source", reason)])
    if missing := [kind for kind in kinds if kind not in can]:
        reason = f"{source.platform} is not read for {missing[0]}s, only for {', '.join(can)}"
        raise Unprocessable(faults=[Fault("/kinds", reason)])
    return [kind for kind in can if kind in kinds or not kinds]


async def _alone(conn: Connection, source_id: UUID) -> None:
    """Two that begin an import of one source at once find each other."""
    await conn.execute("SELECT FROM source WHERE id = $1 FOR NO KEY UPDATE", source_id)


def months_before(now: datetime, months: int) -> datetime:
    """The same day that many months ago; of a shorter month its last one."""
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    last = monthrange(year, month + 1)[1]
    return now.replace(year=year, month=month + 1, day=min(now.day, last))


def _no_run() -> NotFound:
    return NotFound("there is no import with this id")
