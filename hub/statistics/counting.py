"""The loop that counts deliveries by the hour: beside the hot path, which writes nothing for it.

An hour is always counted as a whole and takes the place of its earlier count, so that doing it twice, or breaking it
off, changes nothing. Nothing tells which deliveries have moved: hours are counted anew at growing pauses instead.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic

import structlog

from hub.db.locks import alone
from hub.db.partitions import first_id
from hub.db.pool import Connection
from hub.resources import Hub
from hub.shops.registry import Shop
from hub.statistics import days, pace
from hub.statistics.pace import HOUR

log = structlog.get_logger()

_LOCK = 0x76657374_636E7473
_TURN = timedelta(seconds=2)
"""Of one turn; what is left comes in the next."""
_REST = 20
"""An hour that took long to count is left alone that many times as long."""
_PATIENCE = timedelta(minutes=5)
_DAYS_EVERY = timedelta(hours=1)
_BESIDE = timedelta(days=2)
"""Longer than a day has hours: of one that is made anew none is missing."""


class Counting:
    """One per worker process; one of them at a time has anything to do (advisory lock)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._rests: dict[datetime, float] = {}
        self._whole = False
        """Whether all that an earlier version left was counted."""
        self._days_at = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.turn(datetime.now(UTC))
            await asyncio.sleep(pace.PAUSE.total_seconds())

    async def turn(self, now: datetime) -> None:
        """What is due, the newest first. Safe to repeat, and to break off anywhere."""
        async with self._hub.db.acquire() as connection, alone(connection, _LOCK) as may:
            if not may:
                return
            end = monotonic() + _TURN.total_seconds()
            # Before what is counted goes to days that are not the shop's any more.
            await days.follow_zones(connection, self._hub.shops)
            for hour in await self._due(connection, now):
                if monotonic() > end:
                    return
                await self._count(connection, hour, now)
            self._whole = True
            if monotonic() > self._days_at and await days.put_together(
                connection, self._hub.shops, now
            ):
                self._days_at = monotonic() + _DAYS_EVERY.total_seconds()
                await days.drop_hours(connection, now - self._open - _BESIDE)

    @property
    def _open(self) -> timedelta:
        kept = [shop.settings.retention for shop in self._hub.shops.values()]
        return pace.kept_open(min(min(k.notifications, k.attempts) for k in kept))

    async def _due(self, connection: Connection, now: datetime) -> list[datetime]:
        """Of the hours that are still open; at first also older ones that nobody has counted yet."""
        since = pace.hour_of(now - self._open)
        oldest = await connection.fetchval("SELECT created_at FROM delivery ORDER BY id LIMIT 1")
        if oldest is None:
            return []
        first = pace.hour_of(oldest) if not self._whole else max(since, pace.hour_of(oldest))
        rows = await connection.fetch(
            """
            SELECT h.hour, c.counted_at
              FROM generate_series($1::timestamptz, $2::timestamptz, interval '1 hour') AS h (hour)
              LEFT JOIN delivery_hour_counted AS c ON c.made_hour = h.hour
             WHERE c.made_hour IS NULL OR h.hour >= $3
            """,
            first,
            pace.hour_of(now),
            since,
        )
        empty = await _without_any(connection, [r["hour"] for r in rows if not r["counted_at"]])
        await connection.execute(_COUNTED, empty, now)
        began = monotonic()
        self._rests = {hour: until for hour, until in self._rests.items() if until > began}
        passed = self._rests.keys() | set(empty)
        return pace.newest_first(
            r["hour"]
            for r in rows
            if r["hour"] not in passed and pace.is_due(r["hour"], r["counted_at"], now=now)
        )

    async def _count(self, connection: Connection, hour: datetime, now: datetime) -> None:
        began = monotonic()
        await count(connection, self._hub.shops, hour, now=now)
        took = monotonic() - began
        if took > pace.PAUSE.total_seconds() / _REST:
            self._rests[hour] = monotonic() + took * _REST


async def count(
    connection: Connection, shops: Mapping[int, Shop], hour: datetime, *, now: datetime
) -> None:
    """Counts the deliveries made in that hour, in place of what was counted of them before; the days that stand on it
    follow."""
    part = (first_id(hour), first_id(hour + HOUR))
    async with connection.transaction():
        touched = await _days_of(connection, shops, hour)
        for table in ("delivery_hour", "delivery_hour_error"):
            await connection.execute(f"DELETE FROM {table} WHERE made_hour = $1", hour)  # noqa: S608
        bounds = await connection.fetchrow(_BOUNDS, *part)
        if bounds and bounds["first"]:
            # They were made in the same month mostly: the others' parts are not opened.
            notifications = (bounds["first"], bounds["last"])
            patience = _PATIENCE.total_seconds()
            await connection.execute(_COUNT, *part, *notifications, hour, timeout=patience)
            await connection.execute(_ERRORS, *part, *notifications, hour, timeout=patience)
        for shop_id, start, end in touched | await _days_of(connection, shops, hour):
            await days.make_anew(connection, shop_id, start, end)
        await connection.execute(_COUNTED, [hour], now)


async def _days_of(
    connection: Connection, shops: Mapping[int, Shop], hour: datetime
) -> set[tuple[int, datetime, datetime]]:
    """The days with what was made in that hour in them: shop, beginning and end."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT h.shop_id, h.hour FROM delivery_hour AS h JOIN delivery_day_until AS d USING (shop_id)
         WHERE h.made_hour = $1 AND h.hour < d.until
        """,
        hour,
    )
    return {
        (r["shop_id"], *days.day_of(r["hour"], shops[r["shop_id"]].settings.zone))
        for r in rows
        if r["shop_id"] in shops
    }


async def _without_any(connection: Connection, hours: Sequence[datetime]) -> list[datetime]:
    """Those in which no delivery was made: at the first start, most of half a year."""
    rows = await connection.fetch(
        """
        SELECT t.hour FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[]) AS t (hour, first, next)
         WHERE NOT EXISTS (SELECT FROM delivery AS d WHERE d.id >= t.first AND d.id < t.next)
        """,
        hours,
        [first_id(hour) for hour in hours],
        [first_id(hour + HOUR) for hour in hours],
    )
    return [r["hour"] for r in rows]


_COUNTED = """
INSERT INTO delivery_hour_counted (made_hour, counted_at) SELECT hour, $2 FROM unnest($1::timestamptz[]) AS hour
ON CONFLICT (made_hour) DO UPDATE SET counted_at = excluded.counted_at
"""

_BOUNDS = """
SELECT min(notification_id::text)::uuid AS first, max(notification_id::text)::uuid AS last
  FROM delivery WHERE id >= $1 AND id < $2
"""

# A click is known by its receipt only. What was scheduled or held back did not wait until its time.
_COUNT = """
WITH clicked AS MATERIALIZED (
    SELECT DISTINCT delivery_id FROM receipt
     WHERE delivery_id >= $1 AND delivery_id < $2 AND status = 'clicked'
), facts AS (
    SELECT d.shop_id, date_trunc('hour', coalesce(d.sent_at, d.created_at)) AS hour, d.channel, d.category,
           coalesce(d.provider, '') AS provider, coalesce(d.account, '') AS account,
           coalesce(n.template, '') AS template, d.status, d.cost, d.sent_at IS NOT NULL AS went,
           c.delivery_id IS NOT NULL AS clicked,
           extract(epoch FROM d.sent_at - greatest(d.created_at, n.send_at, n.held_until)) AS wait
      FROM delivery AS d
      LEFT JOIN notification AS n ON n.id = d.notification_id AND n.id >= $3 AND n.id <= $4
      LEFT JOIN clicked AS c ON c.delivery_id = d.id
     WHERE d.id >= $1 AND d.id < $2
)
INSERT INTO delivery_hour
       (shop_id, made_hour, hour, channel, category, provider, account, template, made, sent, delivered, read,
        clicked, failed, doubtful, expired, withdrawn, waiting, timed, quick, soon, waited, cost)
SELECT shop_id, $5, hour, channel, category, provider, account, template, count(*),
       count(*) FILTER (WHERE went),
       count(*) FILTER (WHERE status IN ('delivered', 'read')),
       count(*) FILTER (WHERE status = 'read'),
       count(*) FILTER (WHERE clicked),
       count(*) FILTER (WHERE status = 'failed'),
       count(*) FILTER (WHERE status = 'unknown'),
       count(*) FILTER (WHERE status = 'expired'),
       count(*) FILTER (WHERE status IN ('suppressed', 'collapsed', 'cancelled')),
       count(*) FILTER (WHERE status IN ('queued', 'sending')),
       count(wait), count(*) FILTER (WHERE wait < 10), count(*) FILTER (WHERE wait < 60),
       coalesce(sum(greatest(wait, 0)), 0), coalesce(sum(cost), 0)
  FROM facts
 GROUP BY shop_id, hour, channel, category, provider, account, template
"""

_ERRORS = """
INSERT INTO delivery_hour_error
       (shop_id, made_hour, hour, channel, category, provider, account, template, status, reason, code, deliveries,
        delivery_id)
SELECT d.shop_id, $5, date_trunc('hour', coalesce(d.sent_at, d.created_at)), d.channel, d.category,
       coalesce(d.provider, ''), coalesce(d.account, ''), coalesce(n.template, ''), d.status,
       coalesce(d.reason, ''), coalesce(d.code, ''), count(*), (array_agg(d.id ORDER BY d.id DESC))[1]
  FROM delivery AS d
  LEFT JOIN notification AS n ON n.id = d.notification_id AND n.id >= $3 AND n.id <= $4
 WHERE d.id >= $1 AND d.id < $2
   AND (d.status IN ('failed', 'unknown', 'expired', 'suppressed')
        OR (d.status = 'queued'
            AND d.reason IN ('retrying', 'account_refused', 'account_paused', 'no_account', 'lost_by_provider',
                             'worker_died')))
 GROUP BY 1, 3, 4, 5, 6, 7, 8, 9, 10, 11
"""
