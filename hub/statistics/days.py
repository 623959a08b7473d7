"""Hours are put together to days of their shop: a year is read as fast as a week."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hub.db.pool import Connection
from hub.shops.registry import Shop
from hub.statistics.model import COUNTS

READ_BY_THE_HOUR = timedelta(days=2)
"""How long at least; what is older is read by the day where it is not asked for by the hour."""

_AT_ONCE = 100
"""Days in one turn."""

_OF = "shop_id, channel, category, provider, account, template"
_WRONG = f"{_OF}, status, reason, code"

_ANEW = (
    "DELETE FROM delivery_day WHERE shop_id = $1 AND hour >= $2 AND hour < $3",
    "DELETE FROM delivery_day_error WHERE shop_id = $1 AND hour >= $2 AND hour < $3",
    f"""
    INSERT INTO delivery_day (hour, {_OF}, {", ".join(COUNTS)})
    SELECT $2, {_OF}, {", ".join(f"sum({name})" for name in COUNTS)}
      FROM delivery_hour WHERE shop_id = $1 AND hour >= $2 AND hour < $3 GROUP BY {_OF}
    """,  # noqa: S608 (constants)
    f"""
    INSERT INTO delivery_day_error (hour, {_WRONG}, deliveries, delivery_id)
    SELECT $2, {_WRONG}, sum(deliveries), max(delivery_id::text COLLATE "C")::uuid
      FROM delivery_hour_error WHERE shop_id = $1 AND hour >= $2 AND hour < $3 GROUP BY {_WRONG}
    """,  # noqa: S608 (constants)
)


async def put_together(connection: Connection, shops: Mapping[int, Shop], now: datetime) -> bool:
    """Makes the days that are over for `READ_BY_THE_HOUR`. Whether all of them are made; safe to break off."""
    whole = True
    for shop_id, shop in shops.items():
        until = await _begin_at(connection, shop_id, shop.settings.zone)
        if until is None:
            continue
        for _ in range(_AT_ONCE):
            _, end = day_of(until, shop.settings.zone)
            if end > now - READ_BY_THE_HOUR:
                break
            async with connection.transaction():
                await make_anew(connection, shop_id, until, end)
                await connection.execute(_REACHED, shop_id, end)
            until = end
        else:
            whole = False
    return whole


async def _begin_at(connection: Connection, shop_id: int, zone: ZoneInfo) -> datetime | None:
    """Where the last day ended, which in another zone was no midnight of this one; else where the first day begins.
    None: nothing was counted yet."""
    reached: datetime | None = await connection.fetchval(
        "SELECT until FROM delivery_day_until WHERE shop_id = $1", shop_id
    )
    if reached:
        return reached
    first = await connection.fetchval(
        "SELECT hour FROM delivery_hour WHERE shop_id = $1 ORDER BY hour LIMIT 1", shop_id
    )
    return day_of(first, zone)[0] if first else None


_REACHED = """
INSERT INTO delivery_day_until (shop_id, until) VALUES ($1, $2)
ON CONFLICT (shop_id) DO UPDATE SET until = excluded.until
"""


async def follow_zones(connection: Connection, shops: Mapping[int, Shop]) -> None:
    """Of a shop that has another zone by now, days are put together anew as far back as their hours are there. Older
    ones stay days of the former zone. Safe to break off: until then the hours themselves are read."""
    for row in await connection.fetch("SELECT shop_id, until, hours_since FROM delivery_day_until"):
        shop = shops.get(row["shop_id"])
        if shop and day_of(row["until"], shop.settings.zone)[0] != row["until"]:
            async with connection.transaction():
                await _go_back(connection, shop, row["until"], row["hours_since"])


async def _go_back(
    connection: Connection, shop: Shop, until: datetime, hours_since: datetime | None
) -> None:
    """To the first midnight from which on all hours are there."""
    since = hours_since or await connection.fetchval(
        "SELECT min(hour) FROM delivery_hour WHERE shop_id = $1", shop.id
    )
    if since is None:
        return
    start, end = day_of(since, shop.settings.zone)
    start = start if start == since else end
    cut = await connection.fetchval(_CUT, shop.id, start)
    if cut and cut < since:
        # The day that this midnight cuts, in the former zone, can be put together no more: it is left whole.
        start = day_of(start, shop.settings.zone)[1]
        cut = await connection.fetchval(_CUT, shop.id, start)
    if start >= until:
        return
    if cut and cut >= since:
        await make_anew(connection, shop.id, cut, start)
    for table in ("delivery_day", "delivery_day_error"):
        await connection.execute(
            f"DELETE FROM {table} WHERE shop_id = $1 AND hour >= $2",  # noqa: S608 (constants)
            shop.id,
            start,
        )
    await connection.execute(_REACHED, shop.id, start)


_CUT = "SELECT max(hour) FROM delivery_day WHERE shop_id = $1 AND hour < $2"


async def make_anew(connection: Connection, shop_id: int, start: datetime, end: datetime) -> None:
    """One day, of its hours."""
    for statement in _ANEW:
        await connection.execute(statement, shop_id, start, end)


async def drop_hours(connection: Connection, before: datetime) -> None:
    """Those that nothing becomes of any more: their days stay."""
    async with connection.transaction():
        for table in ("delivery_hour", "delivery_hour_error"):
            await connection.execute(
                f"""
                DELETE FROM {table} AS h USING delivery_day_until AS d
                 WHERE h.made_hour < $1 AND h.hour < least($1, d.until) AND d.shop_id = h.shop_id
                """,  # noqa: S608 (constants)
                before,
            )
        await connection.execute(
            "UPDATE delivery_day_until SET hours_since = greatest(hours_since, least($1, until))",
            before,
        )


def day_of(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """In which it falls there: its beginning and its end."""
    day = at.astimezone(zone).date()

    def midnight(plus: int) -> datetime:
        return datetime.combine(day + timedelta(days=plus), time(), zone).astimezone(UTC)

    return midnight(0), midnight(1)
