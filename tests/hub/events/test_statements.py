"""What the hot statements cost with many events: no table is read through, however many wait or were told."""

from typing import Any

import pytest

from hub.contacts import erasure
from hub.contacts.forgetting import ORDER_STEPS, STEPS
from hub.events import claims, objects
from hub.ids import new_id
from hub.resources import Hub
from hub.sources import inbox, queries, service
from hub.sources.model import Action, Incoming, Kind, Source, Via
from tests.hub.explained import Explained

ROWS = 50_000


@pytest.fixture
async def full(hub: Hub) -> Source:
    """A source that told of 50,000 orders; every tenth event waits."""
    shop = hub.shop("main").id
    source = await service.own(hub.db, hub.signer, shop)
    async with hub.db.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        await connection.execute(
            """
            INSERT INTO shop_event (id, shop_id, source_id, kind, action, object, via, happened_at, payload, result,
                                    contact_id)
            SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - g), 12, '0')
                    || '70008' || substr(md5(g::text), 1, 15))::uuid,
                   $1, $2, 'order', 'updated', g::text, 'hook', now(), '{"id": 1}',
                   CASE WHEN g % 10 = 0 THEN 'waiting' ELSE 'applied' END,
                   CASE WHEN g % 10 <> 0 THEN gen_random_uuid() END
              FROM generate_series(1, $3::int) AS g
            """,
            shop,
            source.id,
            ROWS,
        )
        await connection.execute(
            """
            INSERT INTO source_object (source_id, kind, object, shop_id, changed_at, contact_id)
            SELECT $1, 'order', g::text, $2, now(), gen_random_uuid() FROM generate_series(1, $3::int) AS g
            """,
            source.id,
            shop,
            ROWS,
        )
        await connection.execute(
            """
            INSERT INTO shop_event_key (source_id, key, event_id)
            SELECT $1, sha256(convert_to(g::text, 'UTF8')), gen_random_uuid()
              FROM generate_series(1, $2::int) AS g
            """,
            source.id,
            ROWS,
        )
    await hub.db.execute("ANALYZE shop_event, source_object, shop_event_key")
    return source


async def _large(hub: Hub) -> set[str]:
    rows = await hub.db.fetch(
        "SELECT relname FROM pg_class WHERE reltuples >= $1 AND relkind = 'r'", ROWS / 2
    )
    return {row["relname"] for row in rows}


async def test_nothing_is_read_through(hub: Hub, full: Source) -> None:
    large = await _large(hub)
    told = [
        Incoming(Kind.ORDER, Action.UPDATED, str(n), f"new-{n}", None, {"id": n}) for n in range(20)
    ]
    known = Incoming(Kind.ORDER, Action.UPDATED, "7", "7", None, {"id": 7})
    async with hub.db.acquire() as connection, connection.transaction():
        explained = Explained(connection)
        db: Any = explained
        worker = new_id()
        await inbox.add(db, full, [*told, known], Via.HOOK)
        await inbox.add(db, full, told, Via.POLL)
        [claimed, *_] = await claims.claim(db, worker, each=8, limit=32)
        await objects.known(db, full.id, Kind.ORDER, claimed.object)
        await claims.free(db, worker)
        await claims.take_back(db)
        await queries.of_hook(db, full.id)
        for step in STEPS:
            if "shop_event" in step.statement or "source_object" in step.statement:
                await db.execute(step.statement, [new_id()])
        for statement in ORDER_STEPS:
            if "source_object" in statement:
                await db.execute(statement, [new_id()])

    assert len(large) == 3
    assert len(explained.plans) >= 12
    assert explained.read_through(large) == []


async def test_a_claim_looks_at_what_it_takes(hub: Hub, full: Source) -> None:
    """And not at all that waits."""
    async with hub.db.acquire() as connection, connection.transaction():
        explained = Explained(connection, measured=True)
        db: Any = explained
        taken = await claims.claim(db, new_id(), each=8, limit=32)

    assert len(taken) == 8
    assert explained.pages[0][0] < 500


async def test_an_erasure_looks_for_words_only_where_nobody_knows_whose_they_are(
    hub: Hub, full: Source
) -> None:
    shop = hub.shop("main").id
    async with hub.db.acquire() as connection, connection.transaction():
        explained = Explained(connection)
        db: Any = explained
        await erasure._forget_told(db, shop, ["someone@example.com", "+79991234567"])

    assert len(explained.plans) == 1
    assert explained.read_through(await _large(hub)) == []
