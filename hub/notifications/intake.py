"""Accepts notifications: many requests share a transaction, and each is answered after its commit."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog

from hub.audit.model import SYSTEM, Actor
from hub.db.pool import UNREACHABLE, Connection
from hub.errors import Conflict, HubError, Unavailable, Unprocessable
from hub.notifications import claims, routes, storage
from hub.notifications.lines import BodyOf, Line, Lines, Request, Result, Stored
from hub.notifications.model import ContactFacts, NotificationStatus
from hub.notifications.prepare import (
    Known,
    Planned,
    Prepared,
    also_refused,
    fitting,
    plan_one,
    prepare_planned,
)
from hub.notifications.receivers import Asked, receivers
from hub.notifications.request import NotificationIn
from hub.notifications.steps import Due
from hub.notifications.storage import IdempotencyKey
from hub.queue import LANES, Lane, QueueAway
from hub.resources import Hub
from hub.shops.registry import Shop

log = structlog.get_logger()

T = TypeVar("T")

_FLUSHERS = (Line.QUICK, Line.EITHER, Line.LONG, Line.SPARE)
"""Each has one transaction at a time: two for either kind, and one of them waits for nobody of the other. A third one for
batches: while two wait for PostgreSQL there is something to do."""
_ACCEPTED = 202
_AT_ONCE = 50
"""Notifications prepared before others have a turn."""
_PAUSE = timedelta(milliseconds=2)
_TICK_STEPS_IN = timedelta(seconds=15)
"""After this the tick hands out what this process has not."""

_GATHER = timedelta(milliseconds=10)
_LONGEST_GATHER = timedelta(milliseconds=200)
_IN_NO_TIME = 4
"""Jobs that are in hand at any time. For each one more that waits, fresh ones gather longer, so that busy workers get
fewer and larger jobs: to begin one costs them more than what is in it."""
_LAST_WORDS = timedelta(seconds=1)
_CONGESTED = 30
"""Jobs in a lane beyond which new work is left to the tick, where shops take turns."""


class Intake:
    """One per API process; `run` has to be under way for `accept` to answer."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._known = Known(hub.catalog, hub.accounts)
        self._waiting = Lines()
        self._running_keys: set[tuple[int, str, str]] = set()
        self._fresh: dict[Lane, list[UUID]] = {}
        self._handing = asyncio.Event()
        self._depths: dict[Lane, int] = dict.fromkeys(Lane, 0)
        """Jobs that were waiting or in hand when last something was handed out; with Redis away more than it bears."""

    async def accept(
        self,
        shop: Shop,
        items: Sequence[Asked],
        *,
        body_of: BodyOf,
        key: IdempotencyKey | None = None,
        by: Actor = SYSTEM,
        single: bool = True,
    ) -> Stored:
        """Answers once everything is committed, with what `body_of` makes of the results. Raises `HubError`:
        of a single one its own fault, else what concerns the whole call (an Idempotency-Key in use, too much
        waiting already, the database away)."""
        self._waiting.check_room(len(items))
        done: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        request = Request(shop, items, key, by, single, body_of, done)
        if key is None:
            return await self._waiting.served(request)
        running = (shop.id, key.path, key.key)
        if running in self._running_keys:
            raise Conflict("a request with this Idempotency-Key is still running")
        self._running_keys.add(running)
        try:
            return await self._waiting.served(request)
        finally:
            self._running_keys.discard(running)

    async def dry_run(self, shop: Shop, asked: NotificationIn) -> Prepared:
        """The same way without a trace: nothing is stored, nothing sent."""
        async with self._hub.db.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                [result] = await self._prepared(connection, shop, [asked], show=True)
            finally:
                await transaction.rollback()
        if isinstance(result, HubError):
            raise result
        return result

    async def run(self) -> None:
        """Until cancelled; requests that wait then are told to come back."""
        try:
            async with asyncio.TaskGroup() as group:
                for line in _FLUSHERS:
                    group.create_task(self._flush_for_ever(line))
                group.create_task(self._hand_out_for_ever())
        finally:
            for request in self._waiting:
                request.fail(Unavailable("the hub is stopping"))
            # What was accepted in the last moment need not wait for the tick.
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS.total_seconds()):
                    await self._hand_out_fresh()

    async def _flush_for_ever(self, line: Line) -> None:
        while True:
            batch = await self._waiting.take(line)
            try:
                await self._flush(batch)
            except asyncio.CancelledError:
                for request in batch:
                    request.fail(Unavailable("the hub is stopping"))
                raise
            except UNREACHABLE as error:
                log.warning("intake.database_away", error=type(error).__name__)
                for request in batch:
                    request.fail(Unavailable("the database is away, try again"))
            except Exception as error:  # noqa: BLE001 (told to the callers, who log it)
                await self._one_by_one(batch, error)

    async def _one_by_one(self, batch: list[Request], error: Exception) -> None:
        """One request's trouble must not be the others': each gets a transaction of its own."""
        if len(batch) == 1:
            batch[0].fail(error)
            return
        for request in batch:
            try:
                await self._flush([request])
            except Exception as alone:  # noqa: BLE001 (told to the caller, who logs it)
                request.fail(alone)

    async def _flush(self, batch: Sequence[Request]) -> None:
        async with self._hub.db.acquire() as connection, connection.transaction():
            stored = await storage.answers(connection, [(r.shop.id, r.key) for r in batch if r.key])
            fresh = [r for r in batch if not _replay(r, stored)]
            for shop, requests in _by_shop(fresh):
                asked = [item for r in requests for item in r.items]
                actors = [r.by for r in requests for _ in r.items]
                results = iter(await self._prepared(connection, shop, asked, actors))
                for request in requests:
                    request.results = [next(results) for _ in request.items]
            fresh = await self._claim_keys(connection, fresh)
            made = [p for r in fresh for p in r.results if isinstance(p, Prepared)]
            # Decided once: what this process does not hand out must not wait for it either.
            ours = not any(self._is_congested(lane) for lane in _lanes(made))
            after = _TICK_STEPS_IN if ours else timedelta(0)
            waiting = routes.kept_waiting(self._hub.accounts, made)
            await storage.add(connection, made, handout_after=after, waiting=waiting)
        for request in fresh:
            _answer(request)
        if ours:
            self._pass_on([p for p in made if p.id not in waiting])

    async def _claim_keys(
        self, connection: Connection, requests: Sequence[Request]
    ) -> list[Request]:
        """Stores the answers under their keys. Who loses a race against another process starts over, and
        then finds the winner's answer."""
        keyed = [r for r in requests if r.key and _remembered(r)]
        won = await storage.add_answers(
            connection,
            [
                (r.shop.id, r.key, _ACCEPTED, r.body_of(r.results), _contacts_of(r))
                for r in keyed
                if r.key
            ],
        )
        lost = [r for r in keyed if r.key and (r.shop.id, r.key.path, r.key.key) not in won]
        for request in lost:
            self._waiting.add(request)
        return [r for r in requests if r not in lost]

    async def _prepared(
        self,
        connection: Connection,
        shop: Shop,
        asked: Sequence[Asked],
        actors: Sequence[Actor] = (),
        *,
        show: bool = False,
    ) -> list[Result]:
        people = await receivers(
            connection, shop, asked, actors, self._hub.settings.hub.outgoing_allow
        )
        now, results = datetime.now(UTC), list[Result]()
        for start in range(0, len(asked), _AT_ONCE):
            if start:
                # A campaign's thousand must not hold up who has one to send: he has a dozen steps to go.
                await asyncio.sleep(self._waiting.quick_under_way and _PAUSE.total_seconds())
            some = slice(start, start + _AT_ONCE)
            results += self._results(shop, asked[some], people[some], now, show=show)
        return results

    def _results(
        self,
        shop: Shop,
        asked: Sequence[Asked],
        people: Sequence[ContactFacts | HubError],
        now: datetime,
        *,
        show: bool,
    ) -> list[Result]:
        plans = [
            self._planned(shop, item, person, now)
            for item, person in zip(asked, people, strict=True)
        ]
        fits = iter(_fitting([one for one in plans if isinstance(one, Planned)]))
        return [
            one
            if isinstance(one, HubError)
            else _alone(one.contact, prepare_planned, one, now=now, show=show, fits=next(fits))
            for one in plans
        ]

    def _planned(
        self, shop: Shop, item: Asked, person: ContactFacts | HubError, now: datetime
    ) -> Planned | HubError:
        if isinstance(item, HubError):
            return item
        if isinstance(person, Unprocessable):
            return also_refused(self._known, shop, item, person)
        if isinstance(person, HubError):
            return person
        return _alone(person, plan_one, self._known, shop, item, person, now=now)

    def pass_on(self, due: Sequence[Due]) -> None:
        """Hands out deliveries that something else than a request made due."""
        for item in due:
            self._fresh.setdefault(LANES[item.category], []).append(item.id)
        if self._fresh:
            self._handing.set()

    def _pass_on(self, made: Sequence[Prepared]) -> None:
        for prepared in made:
            if prepared.status != NotificationStatus.QUEUED:
                continue
            lane = LANES[prepared.category]
            self._fresh.setdefault(lane, []).extend(d.id for d in prepared.deliveries)
        if self._fresh:
            self._handing.set()

    async def _hand_out_for_ever(self) -> None:
        """Beside the answers, so that a slow Redis delays none of them."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._handing.wait()
                    # One job for what comes together: each costs Redis and worker a dozen round trips.
                    await asyncio.sleep(self._gather().total_seconds())
            self._handing.clear()
            await self._hand_out_fresh()

    def _gather(self) -> timedelta:
        waiting = max(depth for lane, depth in self._depths.items() if lane is not Lane.BULK)
        return min(_GATHER * (1 + max(0, waiting - _IN_NO_TIME)), _LONGEST_GATHER)

    def _is_congested(self, lane: Lane) -> bool:
        return self._depths[lane] > _CONGESTED

    async def _hand_out_fresh(self) -> None:
        for lane in Lane:
            ids = self._fresh.pop(lane, [])
            try:
                await self._hand_out(lane, ids)
            except asyncio.CancelledError:
                # Perhaps handed out already: twice does no harm.
                self._fresh.setdefault(lane, []).extend(ids)
                raise

    async def _hand_out(self, lane: Lane, ids: list[UUID]) -> None:
        try:
            if ids:
                await self._hub.queue.hand_out(lane, ids)
            if ids or self._is_congested(lane):
                self._depths[lane] = await self._hub.queue.depth(lane)
        except QueueAway:
            self._depths[lane] = _CONGESTED + 1
            if ids:
                with suppress(*UNREACHABLE):
                    await claims.hand_out_now(self._hub.db, ids)


def _alone(person: ContactFacts, make: Callable[..., T], *args: Any, **more: Any) -> T | HubError:
    try:
        return make(*args, **more)
    except HubError as error:
        return error
    except Exception:
        # What is stored of one person must not stop the others of a batch.
        log.exception("intake.cannot_be_prepared", contact=str(person.id))
        return HubError("it cannot be prepared; the reason was logged")


def _fitting(plans: Sequence[Planned]) -> list[bool]:
    try:
        return fitting(plans)
    except Exception:
        # Whose fault it is shows when they are tried one by one.
        log.exception("intake.cannot_be_tried_together")
        return [False] * len(plans)


def _by_shop(requests: Sequence[Request]) -> list[tuple[Shop, list[Request]]]:
    """In one order for everybody: their contacts are locked shop by shop."""
    shops: dict[int, tuple[Shop, list[Request]]] = {}
    for request in requests:
        shops.setdefault(request.shop.id, (request.shop, []))[1].append(request)
    return [shops[id_] for id_ in sorted(shops)]


def _lanes(made: Sequence[Prepared]) -> set[Lane]:
    return {LANES[p.category] for p in made}


def _replay(request: Request, stored: Mapping[tuple[int, str, str], Any]) -> bool:
    """Answers from memory, where this key was used before."""
    key = request.key
    found = stored.get((request.shop.id, key.path, key.key)) if key else None
    if not key or found is None:
        return False
    if found["fingerprint"] != key.fingerprint:
        request.fail(Unprocessable("this Idempotency-Key was used with another body"))
    else:
        request.answer(Stored(found["status"], found["body"], replayed=True))
    return True


def _remembered(request: Request) -> bool:
    """A single one that failed is not: the caller mends it and uses the same key."""
    return not (request.single and isinstance(request.results[0], HubError))


def _contacts_of(request: Request) -> list[UUID]:
    """Whose addresses stand in the answer: with the person it goes."""
    return list({p.contact_id for p in request.results if isinstance(p, Prepared)})


def _answer(request: Request) -> None:
    first = request.results[0]
    if request.single and isinstance(first, HubError):
        request.fail(first)
    elif not request.done.done():
        request.answer(Stored(_ACCEPTED, request.body_of(request.results)))
