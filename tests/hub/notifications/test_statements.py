"""What the hot statements cost with many rows: no table is read through, no old part opened."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.base import Category, Receipt, ReceiptStatus
from hub.config import Settings
from hub.contacts import erasure
from hub.ids import new_id
from hub.notifications import attempts, claims, facts, outcomes, receipts, steps, storage
from hub.notifications.model import DeliveryStatus
from hub.notifications.settle import Settled
from hub.queue import DueRoute
from hub.resources import Hub
from tests.hub.explained import Explained
from tests.hub.filling import filled

ROWS = 50_000


@pytest.fixture
async def full(settings: Settings) -> AsyncIterator[Hub]:
    async with filled(settings, "sending", _fill) as hub:
        yield hub


async def _fill(hub: Hub) -> None:
    shop = hub.shop("main").id
    async with hub.db.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
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
            INSERT INTO address (id, shop_id, contact_id, kind, value, digest)
            SELECT gen_random_uuid(), $1, id, 'email', external_id || '@example.com',
                   sha256(convert_to(external_id, 'UTF8')) FROM contact
            """,
            shop,
        )
        await connection.execute(
            """
            INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, plan, skipped,
                                      collapse_key)
            SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - row_number() OVER ()), 12, '0')
                    || '70008' || substr(md5(c.id::text), 1, 15))::uuid,
                   $1, c.id, 'transactional', 'first', 'sent', '[]', '[]', 'k'
              FROM contact AS c
            """,
            shop,
        )
        await connection.execute(
            """
            INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category,
                                  status, account, provider_id, ordering_key, due_at, handout_at, give_up_at)
            SELECT n.id, $1, n.id, n.contact_id, a.id, 'email', 'transactional', 'sent', 'mail',
                   n.id::text, 'o', now(), now(), now()
              FROM notification AS n JOIN address AS a ON a.contact_id = n.contact_id
            """,
            shop,
        )
        await connection.execute(
            """
            INSERT INTO attempt (id, shop_id, delivery_id, number, account, provider)
            SELECT id, $1, id, 1, 'mail', 'smtp' FROM delivery
            """,
            shop,
        )
        await connection.execute(
            """
            INSERT INTO heard (id, shop_id, account, channel, event, address, digest, text, heard_at, handled_at)
            SELECT id, $1, 'wa', 'whatsapp', id::text, value, digest, 'hello', now(), now() FROM address
            """,
            shop,
        )


async def large_of(hub: Hub) -> set[str]:
    """Tables and partitions that are large. The others may be read through: it costs nothing."""
    rows = await hub.db.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > $1::int / 2", ROWS
    )
    return {r["relname"] for r in rows}


async def test_no_hot_statement_reads_a_big_table_through(full: Hub) -> None:
    shop, large = full.shop("main").id, await large_of(full)
    rows = await full.db.fetch(
        "SELECT id, notification_id, contact_id FROM delivery ORDER BY id DESC LIMIT 200"
    )
    ids = [r["id"] for r in rows]
    account = next(a for a in full.accounts.all() if a.name == "mail")
    told = [Receipt(ReceiptStatus.DELIVERED, provider_id=str(id_)) for id_ in ids]
    async with full.db.acquire() as connection, full.by_index.acquire() as another:
        explained, foremost = Explained(connection), Explained(another)
        db: Any = explained
        await facts.by_external_id(db, shop, [f"c{n}" for n in range(200)])
        await facts.by_id(db, [r["contact_id"] for r in rows])
        await claims.claim(db, ids, new_id())
        due = DueRoute(shop, Category.TRANSACTIONAL, "telegram/telegram//last")
        await claims.claim_due(foremost, due, 200, new_id())  # type: ignore[arg-type]
        await claims.renew(db, ids, new_id())
        await claims.give_back(db, dict.fromkeys(ids, timedelta(0)), new_id())
        await attempts.write_not_made(db, ids, new_id())
        await attempts.write_unknown(db, ids, "worker-died")
        await attempts.write_taken(db, ids)
        await storage.by_id(db, shop, rows[0]["notification_id"])
        await storage.page(db, shop, limit=50)
        await storage.page(db, shop, contact="c5", limit=50)
        await storage.page(db, shop, since=datetime.now(UTC) + timedelta(hours=1), limit=50)
        await steps.advance(db, {r["notification_id"] for r in rows})
        await receipts._find(db, full.signer, account, told)
        await erasure._erase(db, full, shop, rows[0]["contact_id"])

    assert len(large) == 6
    assert len(explained.plans) >= 10
    assert len(foremost.plans) == 1
    assert not explained.read_through(large)
    assert not foremost.read_through(large)


async def test_a_backlog_that_nobody_has_counted_yet_is_claimed_by_id(full: Hub) -> None:
    """Statistics say that nothing is queued; then all of it is."""
    await full.db.execute("UPDATE delivery SET status = 'queued'")
    ids = [r["id"] for r in await full.db.fetch("SELECT id FROM delivery LIMIT 500")]

    async with full.db.acquire() as connection:
        explained = Explained(connection)
        await claims.claim(explained, ids, new_id())  # type: ignore[arg-type]

    [(_, plan)] = explained.plans
    assert "handout" not in plan

    due = DueRoute(full.shop("main").id, Category.TRANSACTIONAL, "telegram/telegram//last")
    await full.db.execute(
        "UPDATE delivery SET status = 'queued', route = $1, category = $2, handout_at = now(), attempt_count = 0,"
        " ordering_key = NULL",
        due.route,
        due.category,
    )
    async with full.by_index.acquire() as connection:
        explained = Explained(connection)
        await claims.claim_due(explained, due, 500, new_id())  # type: ignore[arg-type]

    [(_, plan)] = explained.plans
    found = plan[plan.index("CTE due") : plan.index("CTE claimed")]
    assert "Merge Append" in found
    assert "->  Sort" not in found
    # Each of the others by its id, not all of them in their order.
    assert "Merge Append" not in plan[plan.index("CTE claimed") :]
    assert await full.db.fetchval("SELECT count(*) FROM delivery WHERE status = 'sending'") == 500


async def test_whom_much_is_told_costs_no_more_to_tell(full: Hub) -> None:
    """As all orders to one chat, each with a key of its own, after a day without its messenger."""
    one = await full.db.fetchval("SELECT id FROM contact LIMIT 1")
    await full.db.execute(
        "UPDATE notification SET contact_id = $1, collapse_key = id::text, status = 'queued'", one
    )
    await full.db.execute("UPDATE delivery SET status = 'queued', ordering_key = NULL")
    ids = [r["id"] for r in await full.db.fetch("SELECT id FROM delivery ORDER BY id LIMIT 100")]

    async with full.db.acquire() as connection, connection.transaction():
        explained = Explained(connection, measured=True)
        await claims.claim(explained, ids, new_id())  # type: ignore[arg-type]

    [(pages, _)] = explained.pages
    assert pages < 100 * len(ids)


async def test_what_a_campaign_repeats_is_planned_once_a_connection(full: Hub) -> None:
    """And by index, even if the tables were empty when it was."""
    worker = new_id()
    account = next(a for a in full.accounts.all() if a.name == "mail")
    due = DueRoute(full.shop("main").id, Category.TRANSACTIONAL, "email/email//last")
    plans = []
    async with full.by_index.acquire() as ordered, full.planned.acquire() as connection:
        for most in (100, 120, 140):
            await full.db.execute(
                "UPDATE delivery SET status = 'queued', route = $1, handout_at = now(), attempt_count = 0,"
                " ordering_key = NULL, provider_id = NULL",
                due.route,
            )
            claimed = await claims.claim_due(ordered, due, most, worker)
            assert len(claimed) == most
            begun = await attempts.begin(connection, [claimed], account, new_id(), worker)
            pairs = [(c, Settled(c.id, DeliveryStatus.SENT, word="accepted")) for c in claimed]
            by_account = outcomes._by_account(pairs, begun)
            await outcomes._record_sent(connection, by_account, begun, worker)
        for one in (ordered, connection):
            plans += await one.fetch(
                "SELECT statement, custom_plans, generic_plans FROM pg_prepared_statements"
                " WHERE statement ~ 'claimed|begun|moved' AND statement !~ 'pg_prepared_statements'"
            )

    assert len(plans) == 3
    for plan in plans:
        assert (plan["custom_plans"], plan["generic_plans"]) == (0, 3), plan["statement"]


async def test_what_a_worker_has_in_hand_is_joined_with_its_outcomes_once(full: Hub) -> None:
    """Statistics know of no leases, so PostgreSQL would go through all outcomes for each delivery."""
    worker = new_id()
    rows = await full.db.fetch("SELECT id FROM delivery ORDER BY id DESC LIMIT 500")
    ids = [r["id"] for r in rows]
    await full.db.execute(
        "UPDATE delivery SET status = 'queued', ordering_key = NULL WHERE id = ANY($1)", ids
    )
    claimed = await claims.claim(full.db, ids, worker)
    account = next(a for a in full.accounts.all() if a.name == "mail")
    sent = [
        (c, Settled(c.id, DeliveryStatus.SENT, provider_id=str(c.id), word="accepted"))
        for c in claimed
    ]
    failed = [(c, Settled(c.id, DeliveryStatus.FAILED, reason="refused")) for c in claimed]
    begun = await attempts.begin(full.db, [claimed], account, new_id(), worker)
    async with full.db.acquire() as connection:
        explained = Explained(connection)
        db: Any = explained
        for write in (
            lambda: claims.give_back(db, dict.fromkeys(ids, timedelta(0)), worker),
            lambda: outcomes._move(db, failed, {}, worker),
            lambda: outcomes._record_sent(db, outcomes._by_account(sent, begun), begun, worker),
            lambda: attempts.begin(db, [claimed], account, new_id(), worker),
        ):
            trial = connection.transaction()
            await trial.start()
            await write()
            await trial.rollback()

    assert len(claimed) == 500
    back, moved, recorded, tried = (plan for _, plan in explained.plans)
    recorded = recorded[recorded.index("CTE moved") : recorded.index("CTE told")]
    for plan in (back, moved, recorded, tried):
        assert "Function Scan" in plan
        assert "Nested Loop" not in plan
