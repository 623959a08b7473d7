"""What the pages' statements cost with many rows: no table is read through."""

from collections import Counter
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from channels.base import Category
from hub.config import Settings
from hub.resources import Hub
from hub.statistics import live, queries
from hub.statistics.counting import Counting, count
from hub.statistics.model import Only, Span
from tests.hub.explained import Explained
from tests.hub.filling import filled

ROWS = 50_000
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
_APART = timedelta(seconds=40)
"""90 in an hour, over 23 days."""

_GROWING = {
    "delivery",
    "notification",
    "attempt",
    "receipt",
    "stock_request",
    "shop_event",
    "shop_order",
}


class Patient(Explained):
    async def execute(self, statement: str, *arguments: Any, timeout: float | None = None) -> Any:
        """As long as it takes."""
        return await super().execute(statement, *arguments)


def _filled(tables: Collection[str]) -> set[str]:
    """With their months in which there is much; the others are read as cheaply as their indexes."""
    of_month = Counter(f"{NOW - n * _APART:%Y_%m}" for n in range(ROWS))
    months = [month for month, rows in of_month.items() if rows > ROWS / 5]
    return {*tables, *(f"{table}_{month}" for table in tables for month in months)}


@pytest.fixture
async def full(settings: Settings) -> AsyncIterator[Hub]:
    async with filled(settings, "statistics", _fill) as hub:
        yield hub


async def _fill(hub: Hub) -> None:
    """One after the other up to now."""
    shop = hub.shop("main").id
    async with hub.db.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        for statement in _FILLING:
            await connection.execute(statement, shop, ROWS)


_ID = """(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(g::text), 1, 3) || '8'
 || substr(md5(g::text), 4, 15))::uuid"""
_AT = "now() - g * interval '40 seconds'"

_FILLING = (
    f"""
    INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, plan, skipped, template)
    SELECT {_ID}, $1, gen_random_uuid(), 'transactional', 'first', 'sent', '[]', '[]', 't'
      FROM (SELECT g, {_AT} AS at FROM generate_series(1, $2::int) AS g) AS s
    """,
    f"""
    INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category, status, reason,
                          account, due_at, handout_at, give_up_at, created_at, sent_at)
    SELECT {_ID}, $1, {_ID}, gen_random_uuid(), gen_random_uuid(), 'email', 'transactional',
           CASE WHEN g % 50 = 0 THEN 'failed' ELSE 'sent' END, CASE WHEN g % 50 = 0 THEN 'bounced' END,
           'mail', at, at, at, at, at
      FROM (SELECT g, {_AT} AS at FROM generate_series(1, $2::int) AS g) AS s
    """,
    f"""
    INSERT INTO attempt (id, shop_id, delivery_id, number, account, provider, outcome)
    SELECT {_ID}, $1, {_ID}, 1, 'mail', 'smtp', 'accepted'
      FROM (SELECT g, {_AT} AS at FROM generate_series(1, $2::int) AS g) AS s
    """,
    f"""
    INSERT INTO receipt (id, shop_id, delivery_id, account, status)
    SELECT {_ID}, $1, {_ID}, 'mail', CASE WHEN g % 50 = 0 THEN 'bounced' ELSE 'clicked' END
      FROM (SELECT g, {_AT} AS at FROM generate_series(1, $2::int) AS g) AS s
    """,
    f"""
    INSERT INTO shop_order (id, shop_id, external_id, number, status, told_status, currency)
    SELECT {_ID}, $1, g::text, g::text, 'delivered', 'delivered', 'RUB'
      FROM (SELECT g, {_AT} AS at FROM generate_series(1, $2::int / 5) AS g) AS s
    """,
    f"""
    INSERT INTO shop_event (id, shop_id, source_id, via, result)
    SELECT {_ID}, $1, gen_random_uuid(), 'hook', CASE g WHEN 7 THEN 'failed' ELSE 'applied' END
      FROM (SELECT g, {_AT} AS at FROM generate_series(1, $2::int) AS g) AS s
    """,
    """
    INSERT INTO stock_request (id, shop_id, order_id, status, opened_at, clock_from)
    SELECT o.id, $1, o.id, CASE WHEN o.external_id = '7' THEN 'open' ELSE 'answered' END, now(), now()
      FROM shop_order AS o WHERE $2::int > 0
    """,
)


async def test_home_reads_through_nothing(full: Hub) -> None:
    shop = full.shop("main").id
    async with full.db.acquire() as connection:
        explained = Explained(connection)
        db = cast("Any", explained)

        await live.queues(db, shop, NOW)
        await live.handed_over(db, shop, NOW)
        await live.questions(db, shop)
        await live.failed_events(db, shop)

    assert explained.plans
    assert explained.read_through(_filled(_GROWING)) == []


async def test_the_statistics_read_no_deliveries(full: Hub) -> None:
    await Counting(full).turn(NOW)
    await full.db.execute("ANALYZE")
    explained = Explained(full.db)
    db, shop = cast("Any", explained), full.shop("main").id
    span = Span(NOW - 90 * DAY, NOW, full.shop("main").settings.zone)

    await queries.report(db, shop, span, Only(category=Category.TRANSACTIONAL))
    troubles = await queries.troubles(db, shop, span)

    assert troubles
    for statement, plan in explained.plans:
        assert " on delivery_2" not in plan, statement
        assert " on notification" not in plan, statement
    assert explained.read_through(_filled({"attempt", "receipt"})) == []


async def test_an_hour_is_counted_without_looking_at_others(full: Hub) -> None:
    hour = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=30)
    async with full.db.acquire() as connection, connection.transaction():
        explained = Patient(connection)
        await count(cast("Any", explained), full.shops, hour, now=NOW)

    assert explained.read_through(_filled(_GROWING)) == []
    assert await full.db.fetchval("SELECT sum(clicked) FROM delivery_hour") > 80
