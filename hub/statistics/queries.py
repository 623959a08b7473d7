"""Reads the counts. Every statement names its shop and a span of time, and reads no delivery."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from hub.db.pool import Db
from hub.logs import redact
from hub.statistics.days import day_of
from hub.statistics.model import (
    COUNTS,
    EVERYTHING,
    Counts,
    Line,
    Only,
    Point,
    Report,
    Span,
    Step,
    Trouble,
)

_ONLY = "/* only */"
"""Where it says what is counted, if that is not everything: what is asked for stands in the statement, because
PostgreSQL would have to think of the rest in a plan for every case."""


def _rows(what: str, columns: str) -> str:
    """From $2 to $5: of `delivery_day` between $3 and $4, of `delivery_hour` before and behind."""
    return f"""(
    SELECT {columns} FROM delivery_day{what} WHERE shop_id = $1 AND hour >= $3 AND hour < $4 {_ONLY}
     UNION ALL
    SELECT {columns} FROM delivery_hour{what} WHERE shop_id = $1 AND hour >= $2 AND hour < $3 {_ONLY}
     UNION ALL
    SELECT {columns} FROM delivery_hour{what} WHERE shop_id = $1 AND hour >= $4 AND hour < $5 {_ONLY}
)"""  # noqa: S608 (constants)


def _sums(names: Iterable[str]) -> str:
    """As what they are sums of, so that sums of them are made as fast. Adding decimals takes longer than all the rest, and
    most messages cost nothing."""
    plain = {"cost": "sum(cost) FILTER (WHERE cost <> 0)", "waited": "sum(waited)"}
    return ", ".join(f"coalesce({plain.get(n, f'sum({n})::int')}, 0) AS {n}" for n in names)


# Few rows are left of many before they are put into tables; `grouping` says into which.
_LINES = f"""
WITH counted AS (
    SELECT channel, provider, account, template, {_sums(COUNTS)}
      FROM {_rows("", f"channel, provider, account, template, {', '.join(COUNTS)}")} AS counted
     GROUP BY channel, provider, account, template
)
SELECT grouping(channel, provider, template) AS kind, channel, provider, account, template, {_sums(COUNTS)}
  FROM counted
 GROUP BY GROUPING SETS ((), (channel), (channel, provider, account), (template))
"""  # noqa: S608 (constants)

# A bit each for what a row is not of.
_TOTAL, _CHANNEL, _PROVIDER, _TEMPLATE = 0b111, 0b011, 0b001, 0b110

_DRAWN = ("made", "sent", "delivered", "read", "clicked", "failed", "cost")

# Which day it is in the shop is asked once for each hour.
_POINTS = f"""
WITH counted AS (
    SELECT hour, {_sums(_DRAWN)} FROM {_rows("", f"hour, {', '.join(_DRAWN)}")} AS counted GROUP BY hour
)
SELECT date_trunc($6, hour, $7) AS at, {_sums(_DRAWN)} FROM counted GROUP BY 1 ORDER BY 1
"""  # noqa: S608 (constants)

_KEYS = "channel, provider, account, status, reason, code"
_ERROR_ROW = f"{_KEYS}, category, template, delivery_id"

# The latest one is looked up where the latest of its kind are: comparing the ids of all takes longer than the rest.
_TROUBLES = f"""
WITH top AS (
    SELECT {_KEYS}, sum(deliveries)::int AS deliveries, max(hour) AS latest
      FROM {_rows("_error", f"hour, {_KEYS}, deliveries")} AS counted
     GROUP BY {_KEYS}
     ORDER BY sum(deliveries) DESC, {_KEYS}
     LIMIT $6
)
SELECT {_KEYS}, top.deliveries, one.delivery_id, coalesce(r.detail, a.detail, '') AS said
  FROM top
 CROSS JOIN LATERAL (
       SELECT e.delivery_id
         FROM (SELECT {_ERROR_ROW} FROM delivery_day_error WHERE shop_id = $1 AND hour = top.latest AND hour >= $3 AND hour < $4
                UNION ALL
               SELECT {_ERROR_ROW} FROM delivery_hour_error WHERE shop_id = $1 AND hour = top.latest AND (hour < $3 OR hour >= $4)) AS e
        WHERE (e.channel, e.provider, e.account, e.status, e.reason, e.code)
              = (top.channel, top.provider, top.account, top.status, top.reason, top.code) {_ONLY}
        ORDER BY e.delivery_id DESC LIMIT 1) AS one
  LEFT JOIN LATERAL (
       SELECT nullif(detail, '') AS detail FROM attempt
        WHERE delivery_id = one.delivery_id AND id >= one.delivery_id AND outcome <> 'accepted'
        ORDER BY id DESC LIMIT 1) AS a ON true
  LEFT JOIN LATERAL (
       SELECT nullif(detail, '') AS detail FROM receipt
        WHERE delivery_id = one.delivery_id AND id >= one.delivery_id AND status IN ('failed', 'bounced', 'complained')
        ORDER BY id DESC LIMIT 1) AS r ON true
 ORDER BY top.deliveries DESC, {_KEYS}
"""  # noqa: S608 (constants)

_PHONE = re.compile(r"\d{10,15}")


async def report(db: Db, shop_id: int, span: Span, only: Only = EVERYTHING) -> Report:
    time = await _time(db, shop_id, span)
    of: dict[int, list[Mapping[str, Any]]] = {}
    for row in await _fetch(db, _LINES, only, shop_id, *time):
        of.setdefault(row["kind"], []).append(dict(row))
    # Counted is by the hours of UTC, which in some zones begin at half past.
    zone = "UTC" if span.step is Step.HOUR else str(span.zone)
    points = await _fetch(db, _POINTS, only, shop_id, *time, span.step, zone)
    [total] = of[_TOTAL]
    return Report(
        total=_counts(total),
        points=[Point(**row) for row in points],
        channels=_lines(of.get(_CHANNEL, []), "channel"),
        providers=_lines(of.get(_PROVIDER, []), "channel", "provider", "account"),
        templates=_lines(of.get(_TEMPLATE, []), "template"),
    )


async def troubles(
    db: Db,
    shop_id: int,
    span: Span,
    only: Only = EVERYTHING,
    *,
    limit: int = 30,
) -> list[Trouble]:
    """The most frequent first."""
    time = await _time(db, shop_id, span)
    rows = await _fetch(db, _TROUBLES, only, shop_id, *time, limit)
    return [Trouble(**{**row, "said": _harmless(row["said"])}) for row in rows]


async def counted_at(db: Db) -> datetime | None:
    """When the present was last counted; None: never."""
    at: datetime | None = await db.fetchval(
        "SELECT counted_at FROM delivery_hour_counted ORDER BY made_hour DESC LIMIT 1"
    )
    return at


async def _time(db: Db, shop_id: int, span: Span) -> tuple[datetime, datetime, datetime, datetime]:
    """From when, from when by the day, until when by the day, until when: days that are not whole in it are read by the
    hour, as long as their hours are there."""
    made = await db.fetchrow(
        "SELECT until, hours_since FROM delivery_day_until WHERE shop_id = $1", shop_id
    )
    by_the_hour = (span.since, span.since, span.since, span.until)
    if not made:
        return by_the_hour
    kept_since = made["hours_since"] or span.since
    first, last = span.since, span.until
    if span.since >= kept_since:
        if span.step is Step.HOUR:
            return by_the_hour
        start, end = day_of(span.since, span.zone)
        first = start if start == span.since else end
    begun, _ = day_of(span.until, span.zone)
    if begun >= kept_since:
        last = begun
    last = min(last, made["until"])
    return (span.since, first, last, span.until) if first < last else by_the_hour


async def _fetch(db: Db, statement: str, only: Only, *arguments: Any) -> list[Any]:
    asked = {name: value for name in _FILTERS if (value := getattr(only, name)) is not None}
    where = "".join(f" AND {name} = ${len(arguments) + n}" for n, name in enumerate(asked, 1))
    return await db.fetch(statement.replace(_ONLY, where), *arguments, *asked.values())


_FILTERS = tuple(field.name for field in fields(Only))


def _counts(row: Mapping[str, Any]) -> Counts:
    return Counts(**{name: row[name] for name in COUNTS})


def _lines(rows: Sequence[Mapping[str, Any]], *key: str) -> list[Line]:
    lines = [Line(tuple(row[name] for name in key), _counts(row)) for row in rows]
    return sorted(lines, key=lambda line: (-line.counts.made, line.key))


def _harmless(said: str) -> str:
    """A provider may quote the receiver, who has nothing to do with what went wrong."""
    return _PHONE.sub("[hidden]", redact(said))
