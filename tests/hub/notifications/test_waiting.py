"""What statements cost while very much waits for an account that is left alone: the same as ever."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from channels.base import Category, Channel
from hub.accounts import health
from hub.accounts.limits import RateLimits
from hub.api import metrics
from hub.ids import new_id
from hub.notifications import claims, recovery, steps, storage, tick
from hub.notifications.handout import HandOut
from hub.notifications.steps import NewDelivery
from hub.queue import connect
from hub.resources import Hub
from tests.hub.explained import Explained

ROWS = 30_000
"""Read through they are eight hundred pages, one by one by an index thirty thousand."""


@pytest.fixture
async def waiting(hub: Hub) -> Hub:
    shop = hub.shop("main").id
    async with hub.db.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        # Pages are counted: those of the tests before, in which rows were only deleted, would be among them.
        await connection.execute("TRUNCATE notification, delivery")
        await connection.execute(
            """
            INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, plan, skipped,
                                      ordering_key, collapse_key, expires_at)
            SELECT uuidv7(), $1, gen_random_uuid(), 'transactional', 'first', 'queued', '[]', '[]',
                   'o' || g, 'k' || g, now() + interval '1 hour'
              FROM generate_series(1, $2::int) AS g
            """,
            shop,
            ROWS,
        )
        await connection.execute(
            """
            INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category, ordering_key,
                                  due_at, handout_at, give_up_at, route)
            SELECT uuidv7(), $1, id, contact_id, contact_id, 'email', 'transactional', ordering_key,
                   now(), now() - interval '1 minute', now() + interval '1 hour', 'email/email//last'
              FROM notification
            """,
            shop,
        )
    await hub.db.execute("VACUUM ANALYZE notification, delivery")
    for account in hub.accounts.of(shop, Channel.EMAIL):
        await health.pause(
            hub.db, shop, account.name, refused=False, reason="", code="", failures=5
        )
    await hub.accounts.refresh(hub.db)
    return hub


@pytest.fixture
async def limits(hub: Hub) -> AsyncIterator[RateLimits]:
    redis = connect(hub.settings.hub.redis_url.get_secret_value())
    yield RateLimits(redis)
    await redis.aclose()


async def test_how_much_waits_makes_no_statement_slower(waiting: Hub, limits: RateLimits) -> None:
    hub = waiting
    [row] = await hub.db.fetch("SELECT * FROM delivery ORDER BY id LIMIT 1")
    shop, id_, notification = row["shop_id"], row["id"], row["notification_id"]
    async with hub.db.acquire() as connection:
        trial = connection.transaction()
        await trial.start()
        explained = Explained(connection, measured=True)
        db: Any = explained
        for category in Category:
            await HandOut(hub, limits).turn(db, [category])
        await recovery.hand_out_anew(db)
        await recovery.expired_leases(hub, db)
        await tick._steps_due(db)
        await tick._expired(db)
        await claims.claim(db, [id_], new_id())
        await claims.give_back(db, {id_: timedelta(0)}, new_id())
        await claims.hand_out_now(db, [id_])
        await steps.add(db, [_like(dict(row))], handout_after=timedelta(0))
        await steps.advance(db, [notification])
        await steps.let_pass(db, [notification])
        await storage.by_id(db, shop, notification)
        await storage.page(db, shop, limit=3)
        await storage.page(db, shop, status="queued", limit=3)
        await storage.page(db, shop, status="failed", limit=3)
        await storage.cancel(db, shop, notification)
        beside = len(explained.pages)
        await metrics.Backlog().refresh(replace(hub, db=db))
        await trial.rollback()

    # The metrics, which come after these, count up to a bound.
    assert [(pages, s) for pages, s in explained.pages[:beside] if pages > 400] == []
    assert [s for _, s in explained.pages[:beside] if "w.until" in s]
    assert len(explained.pages) > 20


def _like(row: dict[str, Any]) -> NewDelivery:
    known = {name: row[name] for name in NewDelivery._fields if name in row}
    return NewDelivery(**known | {"id": new_id(), "category": Category(row["category"])})
