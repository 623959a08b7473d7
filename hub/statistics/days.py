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
        until = await connection.fetchval(
            "SELECT until FROM delivery_day_until WHERE shop_id = $1", shop_id
        ) or await connection.fetchval(
            "SELECT hour FROM delivery_hour WHERE shop_id = $1 ORDER BY hour LIMIT 1", shop_id
        )
        if until is None:
            continue
        for _ in range(_AT_ONCE):
            start, end = day_of(until, shop.settings.zone)
            if end > now - READ_BY_THE_HOUR:
                break
            async with connection.transaction():
                await make_anew(connection, shop_id, start, end)
                await connection.execute(_REACHED, shop_id, end)
            until = end
        else:
            whole = False
    return whole


_REACHED = """
INSERT INTO delivery_day_until (shop_id, until) VALUES ($1, $2)
ON CONFLICT (shop_id) DO UPDATE SET until = excluded.until
"""


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
