"""What becomes of notifications, contacts and accounts, as the shop's backend is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from redis.asyncio import Redis

from channels.base import Category, Channel, Receipt, ReceiptStatus
from hub.accounts import health
from hub.contacts import links
from hub.contacts.addresses import digest
from hub.ids import new_id
from hub.notifications import receipts, recovery
from hub.preferences import suppressions
from hub.preferences.unsubscribe import unsubscribe_url
from hub.queue import Lane
from hub.resources import Hub
from hub.worker.main import work
from tests.hub.api.client import Api
from tests.hub.webhooks.backend import Backend
from tests.hub.webhooks.conftest import Subscribe

NOTIFICATIONS = ("sent", "delivered", "read", "failed", "expired", "undeliverable")
ANNA = {"external_id": "anna"}


@pytest.fixture
async def worker(hub: Hub) -> AsyncIterator[None]:
    """A whole one, with its clock."""
    async with Redis.from_url(hub.settings.hub.redis_url.get_secret_value()) as redis:
        await redis.flushdb()
    stopping = asyncio.Event()
    working = asyncio.create_task(work(hub, list(Lane), stopping, worker=new_id()))
    yield
    stopping.set()
    await working


@pytest.fixture
async def anna(api: Api) -> UUID:
    body = {"name": "Анна", "addresses": {"email": "anna@example.com", "telegram": "101"}}
    return UUID((await api.put("/v1/contacts/anna", body)).json["id"])


async def told(backend: Backend, number: int) -> list[Any]:
    """The bodies of so many callbacks, once they are there."""
    async with asyncio.timeout(15):
        while len(backend.calls) < number:
            backend.called.clear()
            await backend.called.wait()
    return [call.json for call in backend.calls]


@pytest.mark.usefixtures("worker", "anna")
async def test_a_notification_is_told_of_step_by_step_with_its_meta(
    api: Api, subscribe: Subscribe, backend: Backend, hub: Hub
) -> None:
    await subscribe(*(f"notification.{status}" for status in NOTIFICATIONS))
    asked = {
        "content": {"text": "Привет"},
        "recipient": ANNA,
        "channels": ["email"],
        "meta": {"order": 7},
    }

    id_ = (await api.post("/v1/notifications", asked)).json["id"]
    [sent] = await told(backend, 1)
    [row] = await hub.db.fetch("SELECT * FROM delivery")
    account = hub.accounts.get(row["shop_id"], row["account"])
    assert account
    for status in (ReceiptStatus.READ, ReceiptStatus.DELIVERED, ReceiptStatus.READ):
        await receipts.store(hub.db, hub.signer, account, [Receipt(status, key=str(row["id"]))])
    [_, read] = await told(backend, 2)

    assert (sent["type"], read["type"]) == ("notification.sent", "notification.read")
    assert sent["data"] == {
        "notification": {
            "id": id_,
            "status": "sent",
            "template": None,
            "category": "transactional",
        },
        "contact": ANNA,
        "delivery": {
            "id": str(row["id"]),
            "channel": "email",
            "provider": "sandbox",
            "account": "sandbox-email",
            "status": "sent",
            "reason": None,
            "code": None,
        },
        "meta": {"order": 7},
    }
    assert read["data"]["delivery"]["status"] == "read"


@pytest.mark.usefixtures("worker", "anna")
async def test_whom_nobody_can_reach_is_told_of_with_the_reasons(
    api: Api, subscribe: Subscribe, backend: Backend
) -> None:
    await subscribe("notification.undeliverable")

    body = {"content": {"text": "x"}, "recipient": ANNA, "channels": ["sms"]}
    answer = await api.post("/v1/notifications", body)
    [event] = await told(backend, 1)

    assert answer.json["status"] == "undeliverable"
    assert event["data"]["delivery"] is None
    assert {"channel": "sms", "reason": "no_address"} in event["data"]["skipped"]


@pytest.mark.usefixtures("worker", "anna")
async def test_what_expires_is_told_of(
    api: Api, subscribe: Subscribe, backend: Backend, hub: Hub
) -> None:
    await subscribe("notification.expired")
    body = {
        "content": {"text": "x"},
        "recipient": ANNA,
        "send_at": "2090-01-01T00:00:00Z",
        "expires_at": "2090-01-02T00:00:00Z",
    }

    await api.post("/v1/notifications", body)
    await hub.db.execute("UPDATE notification SET expires_at = now()")
    [event] = await told(backend, 1)

    assert event["data"]["notification"]["status"] == "expired"


@pytest.mark.usefixtures("anna")
async def test_where_nobody_listens_nothing_is_kept(
    api: Api, subscribe: Subscribe, hub: Hub
) -> None:
    await subscribe("account.paused")

    body = {"content": {"text": "x"}, "recipient": ANNA, "channels": ["sms"]}
    await api.post("/v1/notifications", body)

    assert await hub.db.fetchval("SELECT count(*) FROM event") == 0


@pytest.mark.usefixtures("worker")
async def test_a_bound_messenger_is_told_of_once(
    anna: UUID, subscribe: Subscribe, backend: Backend, hub: Hub
) -> None:
    await subscribe("contact.linked")
    token, shop_id = "t" * 32, hub.shop("main").id
    await hub.db.execute(
        "INSERT INTO contact_link (digest, shop_id, contact_id, channel, expires_at)"
        " VALUES (sha256($1), $2, $3, 'telegram', now() + interval '1 hour')",
        token.encode(),
        shop_id,
        anna,
    )

    for _ in range(2):
        async with hub.db.acquire() as conn, conn.transaction():
            await links.redeem(conn, shop_id, Channel.TELEGRAM, token, "555")
    events = await told(backend, 1)

    assert [event["data"] for event in events] == [{"contact": ANNA, "channel": "telegram"}]
    assert await hub.db.fetchval("SELECT count(*) FROM event") == 1


@pytest.mark.usefixtures("worker")
async def test_who_leaves_by_a_link_or_a_bot_is_told_of(
    api: Api, anna: UUID, subscribe: Subscribe, backend: Backend, hub: Hub
) -> None:
    await subscribe("contact.unsubscribed")
    page = urlsplit(unsubscribe_url(hub, anna, Channel.EMAIL, Category.MARKETING)).path

    for _ in range(2):
        assert (await api.call("POST", page, key=None)).status == 200
    await suppressions.suppress(
        hub.db,
        hub.shop("main").id,
        Channel.TELEGRAM,
        digest("telegram", "101"),
        suppressions.STOPPED,
    )
    events = await told(backend, 2)

    by_channel = {event["data"]["channel"]: event["data"] for event in events}
    assert by_channel == {
        "email": {
            "contact": ANNA,
            "channel": "email",
            "category": "marketing",
            "source": "one-click",
        },
        "telegram": {"contact": ANNA, "channel": "telegram", "category": None, "source": "bot"},
    }


@pytest.mark.usefixtures("worker", "anna")
async def test_an_address_that_is_given_up_is_told_of_once(
    api: Api, subscribe: Subscribe, backend: Backend, hub: Hub
) -> None:
    await subscribe("contact.blocked", "notification.sent")
    body = {"content": {"text": "x"}, "recipient": ANNA, "channels": ["email"]}
    await api.post("/v1/notifications", body)
    await told(backend, 1)
    [row] = await hub.db.fetch("SELECT * FROM delivery")
    account = hub.accounts.get(row["shop_id"], row["account"])
    assert account

    for status in (ReceiptStatus.BOUNCED, ReceiptStatus.COMPLAINED):
        receipt = Receipt(status, key=str(row["id"]), code="550")
        await receipts.store(hub.db, hub.signer, account, [receipt])
    [_, event] = await told(backend, 2)

    assert event["data"] == {
        "contact": ANNA,
        "channel": "email",
        "reason": "bounced",
        "code": "550",
    }
    assert await hub.db.fetchval("SELECT count(*) FROM event") == 2


@pytest.mark.usefixtures("worker")
async def test_a_pause_is_told_of_at_its_beginning_and_its_end(
    subscribe: Subscribe, backend: Backend, hub: Hub
) -> None:
    await subscribe("account.paused", "account.resumed")
    shop_id = hub.shop("main").id

    for failures in (1, 2):
        await health.pause(
            hub.db, shop_id, "mail", refused=True, reason="no money", code="9", failures=failures
        )
        await hub.db.execute("UPDATE account_state SET paused_until = now() - interval '1 second'")
    await told(backend, 1)
    for _ in range(2):
        await health.lift(hub.db, shop_id, "mail")
    paused, resumed = await told(backend, 2)

    assert paused["data"] | {"paused_until": ""} == {
        "account": "mail",
        "refused": True,
        "reason": "no money",
        "code": "9",
        "paused_until": "",
    }
    assert (resumed["type"], resumed["data"]) == ("account.resumed", {"account": "mail"})
    assert await hub.db.fetchval("SELECT count(*) FROM event") == 2


async def test_a_fresh_start_resumes_what_was_paused(subscribe: Subscribe, hub: Hub) -> None:
    await subscribe("account.resumed")
    await health.pause(
        hub.db, hub.shop("main").id, "mail", refused=False, reason="", code="", failures=1
    )

    await recovery.take_back(hub.db)

    assert await hub.db.fetchval("SELECT count(*) FROM callback") == 1


@pytest.mark.usefixtures("anna")
async def test_an_erased_person_is_erased_from_events_and_exported_before(
    api: Api, subscribe: Subscribe, backend: Backend, hub: Hub
) -> None:
    await subscribe("notification.undeliverable")
    body = {"content": {"text": "x"}, "recipient": ANNA, "channels": ["sms"], "meta": {"n": "Анна"}}
    await api.post("/v1/notifications", body)

    exported = (await api.get("/v1/contacts/anna/export")).json
    await api.delete("/v1/contacts/anna")

    [callback] = exported["callbacks"]
    assert callback["body"]["data"]["meta"] == {"n": "Анна"}
    for table in ("event", "callback"):
        assert await hub.db.fetchval(f"SELECT count(*) FROM {table}") == 0
