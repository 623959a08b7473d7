"""What rules cost with many that wait and much that was seen: no table is read through."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hub.contacts.model import Role
from hub.events import timers as going_off
from hub.orders.work import Work
from hub.resources import Hub
from hub.rules import facts, queries, timers
from hub.rules.model import Rule
from hub.shops.registry import Shop
from hub.sources.model import Kind
from tests.hub.explained import Explained

ROWS = 20_000
_ID = "md5(g::text)::uuid"


async def _fill(hub: Hub, shop: Shop) -> None:
    for statement in (
        f"""
        INSERT INTO rule_timer (id, shop_id, rule, event, kind, about, due_at)
        SELECT {_ID}, $1, 'r' || g % 200, 'cart.updated', 'cart', {_ID}::text || '/' || g,
               now() + g * interval '1 minute' - interval '10 minutes'
          FROM generate_series(1, {ROWS}) AS g
        """,
        f"""
        INSERT INTO rule (id, shop_id, name, event, audiences, template)
        SELECT {_ID}, s.id, 'r' || g, 'cart.updated', '{{buyer}}', 'cart.abandoned'
          FROM generate_series(1, {ROWS // 100}) AS g, (SELECT $1::smallint AS id) AS s
        """,
        """
        INSERT INTO source (id, shop_id, name, platform, secrets, seller)
        VALUES (gen_random_uuid(), $1, 'romashka', 'generic', '', 'x')
        """,
        f"""
        INSERT INTO source_object (source_id, kind, object, shop_id, facts)
        SELECT s.id, 'cart', g, $1, '{{"id": "1"}}'
          FROM source AS s, generate_series(1, {ROWS}) AS g
        """,
    ):
        await hub.db.execute(statement, shop.id)
    await hub.db.execute("ANALYZE")


async def test_no_table_is_read_through(hub: Hub, shop: Shop) -> None:
    await _fill(hub, shop)
    source: UUID = await hub.db.fetchval("SELECT id FROM source")
    rule = Rule("r1", "cart.updated", frozenset({Role.BUYER}), "cart.abandoned")

    async with hub.db.acquire() as connection, connection.transaction():
        explained: Any = Explained(connection)
        work = Work(hub, explained, shop, datetime.now(UTC))
        for timer in await timers.due(explained, 50):
            await going_off._go_off(work, timer)
        long_ago = work.now - timedelta(hours=1)
        await timers.put(explained, shop.id, rule, about=f"{source}/1", due_at=long_ago)
        [waiting] = await timers.due(explained, 50)
        await timers.postpone(explained, waiting, timedelta(minutes=1))
        await going_off._found(work, waiting)
        await timers.drop(explained, shop.id, Kind.CART, waiting.about)
        await facts.source_of(explained, source)
        await queries.by_name(explained, shop, "r1")

    # A shop's rules are few: they fit into a page or two, and reading those is the cheapest way.
    tables = ("rule_timer", "source_object", "notification")
    assert explained.read_through(tables) == []
    assert len(explained.plans) > 20
