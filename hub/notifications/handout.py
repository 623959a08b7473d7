"""Gives due deliveries to workers: shops and routes take turns, and no route gets more than its accounts take.

What its accounts cannot take lies in its row and costs nothing, however much of it there is: rows that a worker
would only give back are not handed out.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import inf
from time import monotonic
from typing import Any
from uuid import UUID

from channels.base import Category
from hub.accounts.book import LiveAccount
from hub.accounts.choice import carriers
from hub.accounts.limits import RateLimits
from hub.db.plans import planned_once
from hub.db.pool import Connection, Db
from hub.notifications import claims, outlived, routes
from hub.notifications.load import CallSizes
from hub.notifications.model import waits_beyond
from hub.notifications.ordering import HELD_BACK
from hub.notifications.routes import Way
from hub.notifications.shares import JOBS
from hub.queue import BATCH, LANES, DueRoute, Lane, QueueAway
from hub.resources import Hub

# Jobs that may wait or be in hand in a lane before more are added: enough to keep workers busy, few enough
# that a wiped Redis costs little and that shops take turns.
_DEPTH: Mapping[Lane, int] = {Lane.SECURITY: 200, Lane.TRANSACTIONAL: 140, Lane.BULK: 24}

# When a delivery that was handed out and not claimed is handed out again.
_AGAIN: Mapping[Lane, timedelta] = {
    Lane.SECURITY: timedelta(seconds=10),
    Lane.TRANSACTIONAL: timedelta(seconds=30),
    Lane.BULK: timedelta(minutes=2),
}

_MOST = 20 * BATCH
"""Of one route in one turn."""

_FEW = BATCH // 5
"""In one turn, while a worker has as much of its accounts as it can hold."""

_UNNAMED = frozenset({Lane.BULK})
"""Lanes in which jobs name a route, not its deliveries: those are written once less, and nobody waits for them."""

_TRIAL_PACE = 10.0
_AHEAD = 1.25
"""A little more than its accounts take in that time, so that they never wait for us."""
_LEAST_PACE = 2.0
_LEAST_SLOW_PACE = 0.2
_STORED = 2.0
"""Seconds of its pace that may be made good at once."""

_BESIDE = 500
"""Rows looked at beyond those wanted: some are held back by an earlier one of their ordering key."""

_PEEK_EVERY = timedelta(seconds=1)
_PEEK = 500

_REMEMBERED = 10_000

Key = tuple[Category, int, str]
"""Category, shop, route."""


@dataclass(slots=True)
class _Pace:
    """How much of one route was handed out lately."""

    at: float
    stored: float | None = None
    window: int = BATCH
    peeked_at: float = float("-inf")
    searched_at: float = float("-inf")

    def room(self, now: float, rate: float | None, *, full: bool) -> int:
        """How many may be handed out now. `rate`: a second, None where nobody knows; then it is felt for: while no
        worker says that it is `full`, more and more."""
        self.window = _FEW if full else min(max(BATCH, self.window * 2), _MOST)
        if rate is None:
            return self.window
        most = max(1.0, rate * _STORED)
        since = now - self.at
        self.stored = most if self.stored is None else min(most, self.stored + since * rate)
        self.at = now
        return min(self.window, int(self.stored))

    def took(self, count: int) -> None:
        if self.stored is not None:
            self.stored -= count


@dataclass(frozen=True, slots=True)
class _Wanted:
    """`until`: only what is to give up by then. `apart`: only what is not like the others of its route. `slow`: its accounts
    are, and workers claim of it what they soon make."""

    key: Key
    most: int
    until: datetime | None = None
    apart: bool = False
    slow: bool = False


@dataclass(slots=True)
class _Chosen:
    """`free` can be sent, `held` wait for an earlier one of their ordering key, and `over` did so for too long."""

    free: list[UUID] = field(default_factory=list)
    held: list[UUID] = field(default_factory=list)
    over: list[UUID] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Lately:
    """What workers said within the last seconds. `full`: the buckets of which one holds as much as it can; `paces`:
    messages a second that they can give an account."""

    full: set[str]
    paces: Mapping[str, float]


class HandOut:
    """One per tick."""

    def __init__(self, hub: Hub, limits: RateLimits) -> None:
        self._hub = hub
        self._limits = limits
        self._paces: dict[Key, _Pace] = {}
        self._call_sizes = CallSizes()

    async def turn(
        self, connection: Connection, categories: Collection[Category] = LANES.keys()
    ) -> None:
        """One after the other, the urgent ones first. Raises `QueueAway`; nothing is lost by it."""
        depths = {c: await self._hub.queue.depth(LANES[c]) for c in categories}
        open_ = [c for c, depth in depths.items() if depth < _DEPTH[LANES[c]]]
        if not open_:
            return
        waiting = await waiting_routes(connection, list(self._hub.shops), open_)
        now = datetime.now(UTC)
        for category in open_:
            due = [
                (category, w.shop_id, w.route)
                for w in waiting
                if w.category is category and w.since <= now
            ]
            if due:
                await self._lane(connection, LANES[category], due, depths[category], now)

    async def _lane(
        self, connection: Connection, lane: Lane, due: Sequence[Key], depth: int, now: datetime
    ) -> None:
        lately = _Lately(await self._full(due), await self._limits.told())
        shares = _shares(due, (_DEPTH[lane] - depth) * BATCH)
        wanted = [w for key in due for w in self._wanted(key, shares[key], now, lately)]
        if depth >= JOBS[lane] // 2:
            # What gives up is many at once, and all of it is work for ourselves: it must not fill the lane.
            wanted = [w for w in wanted if w.until is None]
        wanted = [w for w in wanted if w.most > 0]
        if lane in _UNNAMED:
            wanted = await self._hand_out_unnamed(lane, wanted)
        await self._hand_out(connection, lane, wanted)

    async def _hand_out_unnamed(self, lane: Lane, wanted: Sequence[_Wanted]) -> list[_Wanted]:
        """Of routes whose deliveries are alike, jobs for so many of them; what is left has to be named."""
        named, clock = [], monotonic()
        for one in wanted:
            category, shop_id, text = one.key
            route = routes.read(text)
            if one.until or route is None or route.apart:
                named.append(one)
                continue
            full, rest = divmod(one.most, BATCH)
            # A job that is in hand for long had better be one of many.
            counts = [BATCH] * full + [BATCH if one.slow else rest] * bool(rest)
            await self._hub.queue.hand_out_due(lane, DueRoute(shop_id, category, text), counts)
            pace = self._pace(one.key)
            pace.took(one.most)
            if clock - pace.searched_at >= _PEEK_EVERY.total_seconds():
                # An earlier version did not set them apart.
                pace.searched_at = clock
                named.append(replace(one, most=_PEEK, apart=True))
        return named

    async def _full(self, due: Iterable[Key]) -> set[str]:
        """Of the accounts of these shops: those of which some worker holds as much as it can."""
        shops = {shop_id for _, shop_id, _ in due}
        buckets = {a.bucket for a in self._hub.accounts.all() if a.shop_id in shops}
        return await self._limits.full(sorted(buckets))

    def _wanted(self, key: Key, share: int, now: datetime, lately: _Lately) -> Iterable[_Wanted]:
        _, shop_id, text = key
        route = routes.read(text)
        found = routes.standing(self._hub.accounts, shop_id, route, now=now)
        pace, clock = self._pace(key), monotonic()
        if found.way is not Way.CLOSED:
            accounts: Sequence[LiveAccount] = found.accounts
            if route and not route.apart:
                # A reserve takes nothing off the one that is called first.
                accounts = carriers(self._hub.accounts, shop_id, route.channel, route.need, now)
            rate, slow = self._rate(accounts, lately.paces)
            if found.way is Way.TRIAL:
                rate, slow = _TRIAL_PACE, False
            is_full = any(account.bucket in lately.full for account in found.accounts)
            yield _Wanted(key, min(share, pace.room(clock, rate, full=is_full)), slow=slow)
        if clock - pace.peeked_at >= _PEEK_EVERY.total_seconds():
            # What is over by then costs its accounts nothing: it does not wait for their pace.
            pace.peeked_at = clock
            yield _Wanted(key, min(share, _PEEK), found.until or now - _beyond(key))

    def _pace(self, key: Key) -> _Pace:
        if len(self._paces) > _REMEMBERED:
            self._paces.clear()
        return self._paces.setdefault(key, _Pace(monotonic()))

    def _rate(
        self, accounts: Sequence[LiveAccount], paces: Mapping[str, float]
    ) -> tuple[float | None, bool]:
        """Messages a second, None where nobody knows, and whether it is because the accounts are slow that they are no
        more."""
        found, slow = 0.0, True
        for account in accounts:
            allowed, made = self._allowed(account), paces.get(account.key, inf)
            found += min(allowed, made)
            slow = slow and made < allowed
        if not accounts or found == inf:
            return None, False
        return max(found * _AHEAD, _LEAST_SLOW_PACE if slow else _LEAST_PACE), slow

    def _allowed(self, account: LiveAccount) -> float:
        """Messages a second, by its rate."""
        rate = account.limits.per_second
        if rate is None:
            return inf
        return rate * self._call_sizes.of(account)

    async def _hand_out(
        self, connection: Connection, lane: Lane, wanted: Sequence[_Wanted]
    ) -> None:
        if not wanted:
            return
        chosen = await _look(connection, wanted)
        await outlived.end(connection, {id_ for one in chosen for id_ in one.over})
        ids = [id_ for one in chosen for id_ in (*one.free, *one.held)]
        if not ids:
            return
        taken = await _take(connection, ids, _AGAIN[lane])
        for one, found in zip(wanted, chosen, strict=True):
            gone = len(taken.intersection(found.free))
            if one.until is None:
                self._paces[one.key].took(gone)
            elif gone == one.most:
                # There are more of them: the next turn goes on.
                self._paces[one.key].peeked_at = float("-inf")
        # After the commit: a worker is often faster than that, and does not wait for rows that are locked.
        free = [id_ for id_ in dict.fromkeys(i for one in chosen for i in one.free) if id_ in taken]
        try:
            await self._hub.queue.hand_out(lane, free)
        except QueueAway:
            await claims.hand_out_now(connection, free)
            raise


def _shares(due: Sequence[Key], room: int) -> Mapping[Key, int]:
    """Each shop as much as the others, and of that each of its routes."""
    by_shop = {
        shop_id: list(keys) for shop_id, keys in groupby(sorted(due), key=lambda key: key[1])
    }
    of_shop = room / len(by_shop)
    return {key: max(1, int(of_shop / len(keys))) for keys in by_shop.values() for key in keys}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A route with queued deliveries; `since`: when the foremost of them was to be handed out, or is."""

    shop_id: int
    category: Category
    route: str
    since: datetime


async def waiting_routes(
    db: Db, shops: Sequence[int], categories: Sequence[Category]
) -> list[Waiting]:
    """Every route there is, found by a leap from each one's first entry to the next one's: what lies in between is
    not looked at."""
    # Else PostgreSQL makes a plan each time, which takes it ten times as long as to look.
    async with planned_once(db) as connection:
        rows = await connection.fetch(
            """
            WITH RECURSIVE way AS (
                SELECT shop.id AS shop_id, c.category, found.*
                  FROM unnest($1::smallint[]) AS shop (id) CROSS JOIN unnest($2::text[]) AS c (category)
                 CROSS JOIN LATERAL (
                       SELECT d.route, d.handout_at FROM delivery AS d
                        WHERE d.shop_id = shop.id AND d.category = c.category AND d.status = 'queued'
                        ORDER BY d.route, d.handout_at LIMIT 1) AS found
                UNION ALL
                SELECT way.shop_id, way.category, found.*
                  FROM way
                 CROSS JOIN LATERAL (
                       SELECT d.route, d.handout_at FROM delivery AS d
                        WHERE d.shop_id = way.shop_id AND d.category = way.category AND d.status = 'queued'
                          AND d.route > way.route
                        ORDER BY d.route, d.handout_at LIMIT 1) AS found
            )
            SELECT shop_id, category, route, handout_at FROM way
            """,
            shops,
            categories,
        )
    return [Waiting(shop, Category(category), route, at) for shop, category, route, at in rows]


async def _look(connection: Connection, wanted: Sequence[_Wanted]) -> list[_Chosen]:
    """The foremost of each. Compared as whole rows and ordered by all of it, so that only one index will do: any
    other would be read through."""
    rows = await connection.fetch(
        f"""
        SELECT w.nth, d.id, d.handout_at, now() - d.give_up_at AS late, d.attempt_count > 0 AS again,
               {HELD_BACK} AS held
          FROM unnest($1::int[], $2::smallint[], $3::text[], $4::int[], $5::timestamptz[], $8::boolean[])
            AS w (nth, shop_id, route, most, until, apart)
         CROSS JOIN LATERAL (
               SELECT * FROM delivery AS d
                WHERE (d.shop_id, d.category, d.route, d.handout_at)
                      >= (w.shop_id, $6, w.route, '-infinity'::timestamptz)
                  AND (d.shop_id, d.category, d.route, d.handout_at) <= (w.shop_id, $6, w.route, now())
                  AND d.status = 'queued'
                ORDER BY d.shop_id, d.category, d.route, d.handout_at
                LIMIT w.most + $7) AS d
         WHERE (w.until IS NULL OR d.give_up_at <= w.until)
           AND (NOT w.apart OR d.attempt_count > 0 OR d.ordering_key IS NOT NULL)
         ORDER BY w.nth, d.handout_at
        """,  # noqa: S608 (a constant)
        list(range(len(wanted))),
        [shop_id for _, shop_id, _ in (w.key for w in wanted)],
        [route for _, _, route in (w.key for w in wanted)],
        [w.most for w in wanted],
        [w.until for w in wanted],
        wanted[0].key[0],
        _BESIDE,
        [w.apart for w in wanted],
    )
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row["nth"], []).append(row)
    return [
        _chosen(found.get(nth, []), one.most, _beyond(one.key)) for nth, one in enumerate(wanted)
    ]


def _beyond(key: Key) -> timedelta:
    """How much longer than until it was to give up a delivery of that route may wait for its turn."""
    category, _, text = key
    route = routes.read(text)
    return waits_beyond(category, has_next=route is None or route.has_next)


def _chosen(rows: Iterable[Mapping[str, Any]], most: int, beyond: timedelta) -> _Chosen:
    chosen, last = _Chosen(), None
    for row in rows:
        # What failed together is tried together: some providers recognise a repeat only of the whole call.
        together = row["again"] and row["handout_at"] == last
        if row["held"]:
            over = row["late"] >= beyond
            (chosen.over if over else chosen.held).append(row["id"])
        elif len(chosen.free) < most or together:
            chosen.free.append(row["id"])
            last = row["handout_at"]
        else:
            break
    return chosen


async def _take(db: Db, ids: Sequence[UUID], again_after: timedelta) -> set[UUID]:
    """Those of them that nobody else has at the moment; the tick comes back to them later."""
    rows = await db.fetch(
        """
        WITH no_wait AS MATERIALIZED (
            -- The commit does not wait for the disk: after a crash of PostgreSQL it is handed out once more.
            SELECT set_config('synchronous_commit', 'off', true)
        ), due AS (
            SELECT id FROM delivery
             WHERE id = ANY($1) AND status || '' = 'queued' AND handout_at <= now()
               FOR UPDATE SKIP LOCKED
        )
        UPDATE delivery AS d SET handout_at = now() + $2
          FROM due CROSS JOIN no_wait WHERE d.id = due.id AND d.id = ANY($1)
        RETURNING d.id
        """,
        ids,
        again_after,
    )
    return {r["id"] for r in rows}
