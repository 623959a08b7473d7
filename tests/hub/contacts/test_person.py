"""Erasing and exporting a person: what goes, what stays, what is told."""

from typing import Any
from uuid import UUID

import pytest

from hub.contacts.addresses import digest
from hub.ids import new_id
from hub.resources import Hub
from tests.hub.api.client import Api

BODY = {
    "name": "Анна",
    "addresses": {"email": "anna@example.com", "telegram": "42"},
    "consents": {"marketing": {"email": "subscribed"}},
}


async def _notified(hub: Hub, contact: UUID, status: str, *, delivery: str) -> UUID:
    """A notification with one delivery, an attempt, a receipt, and its text in the sandbox."""
    shop, notification, delivery_id = hub.shop("main").id, new_id(), new_id()
    async with hub.db.acquire() as conn, conn.transaction():
        await conn.execute(
            """
            INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, data, content,
                                      plan, skipped, meta, collapse_key)
            VALUES ($1, $2, $3, 'transactional', 'first', $4, '{"who": "Анна"}', '{"text": "Анна"}',
                    '[]', '[]', '{"who": "Анна"}', 'anna')
            """,
            notification,
            shop,
            contact,
            status,
        )
        await conn.execute(
            """
            INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category,
                                  status, due_at, handout_at, give_up_at)
            VALUES ($1, $2, $3, $4, $5, 'email', 'transactional', $6, now(), now(), now())
            """,
            delivery_id,
            shop,
            notification,
            contact,
            new_id(),
            delivery,
        )
        await conn.execute(
            """
            INSERT INTO attempt (id, shop_id, delivery_id, number, account, provider, detail)
            VALUES ($1, $2, $3, 1, 'mail', 'sandbox', 'anna@example.com is full')
            """,
            new_id(),
            shop,
            delivery_id,
        )
        await conn.execute(
            """
            INSERT INTO receipt (id, shop_id, delivery_id, account, status, detail)
            VALUES ($1, $2, $3, 'mail', 'failed', 'anna@example.com is full')
            """,
            new_id(),
            shop,
            delivery_id,
        )
        await conn.execute(
            """
            INSERT INTO sandbox_message (id, shop_id, delivery_id, channel, address, text)
            VALUES ($1, $2, $3, 'email', 'anna@example.com', 'Анна')
            """,
            new_id(),
            shop,
            delivery_id,
        )
        await conn.execute(
            """
            INSERT INTO idempotency (shop_id, path, key, fingerprint, status, body, contacts)
            VALUES ($1, '/v1/notifications', $2, '', 202, 'anna@example.com', ARRAY[$3::uuid])
            """,
            shop,
            str(notification),
            contact,
        )
    return notification


async def _put(api: Api, name: str = "b") -> UUID:
    return UUID((await api.put(f"/v1/contacts/{name}", BODY)).json["id"])


async def test_erased_is_204_and_then_404(api: Api) -> None:
    await _put(api)

    assert (await api.delete("/v1/contacts/b")).status == 204
    assert (await api.get("/v1/contacts/b")).status == 404
    assert (await api.delete("/v1/contacts/b")).status == 404


async def test_what_waits_is_cancelled_and_what_went_keeps_its_status(api: Api, hub: Hub) -> None:
    contact = await _put(api)
    waiting = await _notified(hub, contact, "queued", delivery="queued")
    held = await _notified(hub, contact, "scheduled", delivery="queued")
    sent = await _notified(hub, contact, "sent", delivery="sent")
    leaving = await _notified(hub, contact, "queued", delivery="sending")

    await api.delete("/v1/contacts/b")

    rows = await hub.db.fetch(
        """
        SELECT n.id, n.status, d.status AS delivery FROM notification AS n
          JOIN delivery AS d ON d.notification_id = n.id
        """
    )
    assert {r["id"]: (r["status"], r["delivery"]) for r in rows} == {
        waiting: ("cancelled", "cancelled"),
        held: ("cancelled", "cancelled"),
        sent: ("sent", "sent"),
        leaving: ("queued", "sending"),
    }


async def test_no_row_knows_the_person_afterwards(api: Api, hub: Hub) -> None:
    contact = await _put(api)
    await _notified(hub, contact, "sent", delivery="sent")
    await api.post("/v1/contacts/b/links", {"channel": "telegram"})
    await hub.db.execute(
        "INSERT INTO bot_update (shop_id, account, event, chat, raw)"
        """ VALUES ($1, 'tg', '1', '42', '{"text": "Анна"}')""",
        hub.shop("main").id,
    )

    await api.delete("/v1/contacts/b")

    for table in await _tables(hub):
        text = await hub.db.fetchval(
            f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t"
        )
        assert "Анна" not in text, table
        assert "anna" not in text, table
        assert b"anna@example.com".hex() not in text, table
    assert await hub.db.fetchval("SELECT count(*) FROM delivery") == 1


async def _tables(hub: Hub) -> list[str]:
    rows = await hub.db.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%\\_20%'"
    )
    return [row["tablename"] for row in rows]


async def test_who_was_suppressed_stays_so_by_the_digest_alone(api: Api, hub: Hub) -> None:
    await _put(api)
    await hub.db.execute(
        "INSERT INTO suppression (shop_id, channel, digest, reason) VALUES ($1, 'email', $2, 'bounced')",
        hub.shop("main").id,
        digest("email", "anna@example.com"),
    )

    await api.delete("/v1/contacts/b")

    assert await hub.db.fetchval("SELECT count(*) FROM suppression") == 1


async def test_others_keep_what_is_theirs(api: Api, hub: Hub) -> None:
    anna, boris = await _put(api), await _put(api, "c")
    await _notified(hub, anna, "sent", delivery="sent")
    kept = await _notified(hub, boris, "queued", delivery="queued")

    await api.delete("/v1/contacts/b")

    row = await hub.db.fetchrow("SELECT status, meta FROM notification WHERE id = $1", kept)
    assert row
    assert (row["status"], row["meta"]) == ("queued", {"who": "Анна"})
    assert await hub.db.fetchval("SELECT count(*) FROM idempotency") == 1
    assert await hub.db.fetchval("SELECT count(*) FROM sandbox_message") == 1


async def test_an_export_holds_everything(api: Api, hub: Hub) -> None:
    contact = await _put(api)
    first = await _notified(hub, contact, "sent", delivery="sent")
    await _notified(hub, contact, "queued", delivery="queued")
    await api.post("/v1/contacts/b/links", {"channel": "telegram"})

    answer = await api.get("/v1/contacts/b/export")

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    whole: dict[str, Any] = answer.json
    assert whole["contact"]["addresses"] == BODY["addresses"]
    assert whole["consents"][0]["source"] == "api"
    assert len(whole["links"]) == 1
    assert whole["suppressions"] == []
    assert whole["bot_updates"] == []
    notifications = whole["notifications"]
    assert len(notifications) == 2
    assert notifications[0]["id"] == str(first)
    assert notifications[0]["meta"] == {"who": "Анна"}
    [delivery] = notifications[0]["deliveries"]
    assert delivery["attempts"][0]["detail"] == "anna@example.com is full"
    assert delivery["receipts"][0]["status"] == "failed"
    assert delivery["sandbox"][0]["text"] == "Анна"


@pytest.mark.parametrize("count", [0, 100, 101])
async def test_an_export_of_many_pages_is_one_json(api: Api, hub: Hub, count: int) -> None:
    contact = await _put(api)
    await hub.db.execute(
        """
        INSERT INTO notification (id, shop_id, contact_id, category, strategy, status, plan, skipped)
        SELECT gen_random_uuid(), $1, $2, 'marketing', 'first', 'sent', '[]', '[]'
          FROM generate_series(1, $3)
        """,
        hub.shop("main").id,
        contact,
        count,
    )

    whole = (await api.get("/v1/contacts/b/export")).json

    assert len({n["id"] for n in whole["notifications"]}) == count
