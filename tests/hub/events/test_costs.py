"""What the statements of sources and events cost with many rows: no table is read through, no old part opened."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.config import OrderStatus, Settings
from hub.contacts import erasure
from hub.events import claims, objects, reading, views
from hub.events.model import Done
from hub.ids import new_id
from hub.resources import Hub
from hub.retention import rows, sources
from hub.sources import inbox, queries
from hub.sources.model import Action, Incoming, Kind, Result, Source, Via
from tests.hub.explained import Explained
from tests.hub.filling import filled

ROWS = 50_000
NOW = datetime.now(UTC)


@pytest.fixture
async def full(settings: Settings) -> AsyncIterator[Hub]:
    async with filled(settings, "events", _fill) as hub:
        yield hub


async def _fill(hub: Hub) -> None:
    """Every event is of an object of its own; one in a hundred failed, a few wait."""
    shop, source = hub.shop("main").id, new_id()
    async with hub.db.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        await connection.execute(
            "INSERT INTO source (id, shop_id, name, platform, secrets, seller)"
            " VALUES ($1, $2, 'shop', 'generic', '', 'shop')",
            source,
            shop,
        )
        await connection.execute(
            """
            INSERT INTO contact (id, shop_id, external_id)
            SELECT gen_random_uuid(), $1, 'c' || g FROM generate_series(1, $2::int) AS g
            """,
            shop,
            ROWS,
        )
        await connection.execute(
            """
            INSERT INTO shop_order (id, shop_id, external_id, number, status, told_status, currency, buyer_id)
            SELECT gen_random_uuid(), $1, external_id, external_id, 'shipped', 'shipped', 'RUB', id FROM contact
            """,
            shop,
        )
        await connection.execute(
            """
            INSERT INTO source_object (source_id, kind, object, shop_id, changed_at, order_id, contact_id)
            SELECT $2, 'order', external_id, $1, now(), id, buyer_id FROM shop_order
            """,
            shop,
            source,
        )
        await connection.execute(
            """
            INSERT INTO shop_event (id, shop_id, source_id, kind, action, object, via, payload, result, reason,
                                    contact_id)
            SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - n), 12, '0')
                    || '70008' || substr(md5(n::text), 1, 15))::uuid,
                   $1, $2, 'order', 'updated', external_id, 'hook', '{"a": 1}',
                   CASE WHEN n % 100 = 0 THEN 'failed' WHEN n <= 20 THEN 'waiting' ELSE 'applied' END, '',
                   CASE WHEN n % 100 > 0 THEN id END
              FROM (SELECT *, row_number() OVER () AS n FROM contact) AS c
            """,
            shop,
            source,
        )
        await connection.execute(
            """
            INSERT INTO shop_event_key (source_id, key, event_id)
            SELECT source_id, sha256(convert_to(object, 'UTF8')), id FROM shop_event
            """
        )


async def large_of(hub: Hub) -> set[str]:
    """Tables and partitions that are large. The others may be read through: it costs nothing."""
    rows = await hub.db.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > $1::int / 2", ROWS
    )
    return {r["relname"] for r in rows}


async def the_source(hub: Hub) -> Source:
    found = await queries.by_name(hub.db, hub.shop("main").id, "shop")
    assert found
    return found


def told(count: int, at: datetime) -> list[Incoming]:
    return [
        Incoming(Kind.ORDER, Action.UPDATED, f"c{n}", f"key-{n}", at, {"id": n})
        for n in range(1, count + 1)
    ]


async def test_what_comes_in_and_is_worked_on_reads_no_table_through(full: Hub) -> None:
    large, source, worker = await large_of(full), await the_source(full), new_id()
    async with full.db.acquire() as connection:
        explained = Explained(connection)
        db: Any = explained
        await inbox.add(db, source, told(1, NOW), Via.HOOK)
        await inbox.add(db, source, told(1, NOW), Via.HOOK)
        await inbox.add(db, source, told(100, NOW - timedelta(days=1)), Via.POLL)
        claimed = await claims.claim(db, worker, each=8, limit=32)
        await objects.known(db, source.id, Kind.ORDER, "c7")
        await objects.put(
            db, source.shop_id, source.id, Kind.ORDER, objects.Seen("c7", NOW, b"digest")
        )
        await claims.done(db, claimed[0], Done(Result.APPLIED))
        await claims.later(db, claimed[1], timedelta(minutes=1), "away")
        await claims.failed(db, claimed[2], "unreadable")
        await claims.free(db, worker)
        await claims.take_back(db)
        order_id = await full.db.fetchval("SELECT order_id FROM source_object LIMIT 1")
        await inbox.note_decision(db, source.shop_id, order_id, OrderStatus.CONFIRMED, 1, [])

    assert {"source_object", "shop_event_key", f"shop_event_{NOW:%Y_%m}"} <= large
    assert len(claimed) == 8
    assert len(explained.plans) >= 12
    assert not explained.read_through(large)


async def test_what_a_paused_source_has_to_ask_is_not_looked_through(full: Hub) -> None:
    await full.db.execute("UPDATE shop_event SET result = 'waiting', payload = NULL")
    await full.db.execute("UPDATE source SET paused_until = now() + interval '1 hour'")
    await full.db.execute("VACUUM ANALYZE shop_event")

    async def pages() -> tuple[int, int]:
        """How many events were taken, and what it cost."""
        async with full.db.acquire() as connection, connection.transaction():
            explained = Explained(connection, measured=True)
            db: Any = explained
            taken = await claims.claim(db, new_id(), each=8, limit=32)
            return len(taken), explained.pages[0][0]

    taken, looks = await pages()
    assert taken == 0
    assert looks < 100
    await full.db.execute("UPDATE source SET paused_until = NULL")
    taken, looks = await pages()
    assert taken == 8
    assert looks < 500


async def test_looking_reads_no_table_through(full: Hub) -> None:
    large, shop = await large_of(full), full.shop("main").id
    rows = await full.db.fetch("SELECT id FROM shop_event WHERE result = 'failed' LIMIT 1")
    filters: list[dict[str, Any]] = [
        {},
        {"kind": "order"},
        {"source": "shop"},
        {"object_": "c7"},
        {"object_": "c7", "kind": "order"},
        {"result": Result.FAILED},
        {"result": Result.WAITING},
        {"since": NOW + timedelta(hours=1)},
        {"until": NOW - timedelta(days=60)},
        {"before": rows[0]["id"]},
    ]
    async with full.db.acquire() as connection, connection.transaction():
        explained = Explained(connection, measured=True)
        db: Any = explained
        for given in filters:
            await views.page(db, shop, limit=51, **given)
        await views.standing(db, [shop], NOW)
        await views.by_id(db, shop, rows[0]["id"])
        await views.replay(db, shop, rows[0]["id"])
        await views.replay_many(db, shop, source="shop", since=NOW - timedelta(days=1))

    assert not explained.read_through(large)
    # A page of a list is a hundred pages of the disk or so, whatever is asked for.
    looks = [count for count, statement in explained.pages if "LIMIT $2" in statement][:-1]
    assert len(looks) == len(filters)
    assert max(looks) < 200, looks


async def test_reading_back_and_keeping_house_read_no_table_through(full: Hub) -> None:
    large, source = await large_of(full), await the_source(full)
    async with full.db.acquire() as connection:
        explained = Explained(connection)
        db: Any = explained
        await reading.claim(db, new_id())
        undated = [
            Incoming(Kind.ORDER, Action.UPDATED, f"c{n}", "", None, {"id": n}) for n in range(100)
        ]
        await reading._news(db, source, [(item, None) for item in undated])
        await rows.by_id("shop_event", unless="result = 'waiting'")(
            db, source.shop_id, NOW - timedelta(days=1), UUID(int=0)
        )
        await sources.keep_house(db, NOW)
        contact = await full.db.fetchval("SELECT contact_id FROM source_object LIMIT 1")
        await erasure._erase(db, full, source.shop_id, contact)

    assert not explained.read_through(large)
