"""What is old goes: months as a whole, rows of shops that keep them less long, and nothing that is still needed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
from pydantic import SecretStr

from hub.config import HubSettings, Retention, Settings, Shop
from hub.contacts import history, queries
from hub.contacts.addresses import digest
from hub.contacts.history import Said
from hub.db import partitions
from hub.ids import new_id
from hub.resources import Hub
from hub.retention.keeper import Keeper
from hub.retention.plan import Kind, Times
from tests.hub.api.client import Api
from tests.hub.privacy.old import Past, id_at, months_of

NOW = datetime(2021, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)

LAST, KEPT = datetime(2020, 11, 30, 23, tzinfo=UTC), datetime(2020, 12, 2, tzinfo=UTC)
"""Half a year before the middle of June is the middle of December."""

MESSAGES = ("notification", "delivery", "attempt", "receipt", "sandbox_message")
EVENTS = ("event", "callback", "callback_attempt")


def ago(days: float) -> datetime:
    return NOW - days * DAY


@pytest.fixture
def settings(hub_database: str, redis_url: str) -> Settings:
    short = Retention(
        notifications=30 * DAY, attempts=10 * DAY, events=5 * DAY, sandbox=5 * DAY, heard=5 * DAY
    )
    return Settings(
        hub=HubSettings(
            database_url=SecretStr(hub_database),
            redis_url=SecretStr(redis_url),
            secret=SecretStr("only-for-the-tests-of-retention"),
        ),
        # By default: 180 days of notifications, 90 of attempts, 30 of events.
        shops={"main": Shop(), "short": Shop(retention=short)},
    )


@pytest.fixture
def past(hub: Hub) -> Past:
    """Without months of their own rows are in the default partition, where they go one by one."""
    return Past(hub)


@pytest.fixture
async def months(hub: Hub) -> AsyncIterator[None]:
    async with months_of(hub, ago(400), LAST, KEPT):
        yield


async def _parts(hub: Hub, table: str) -> list[str]:
    async with hub.db.acquire() as connection:
        return [part.name for part in await partitions.parts(connection, table)]


def test_the_longest_of_all_shops_counts() -> None:
    times = Times({1: Retention(), 2: Retention(heard=7 * DAY), 3: Retention(heard=400 * DAY)})

    assert times.longest(Kind.HEARD) == 400 * DAY
    assert times.sooner(Kind.HEARD) == [1, 2]
    assert times.sooner(Kind.NOTIFICATIONS) == []


@pytest.mark.usefixtures("months")
async def test_months_that_nobody_keeps_are_dropped(hub: Hub, past: Past) -> None:
    for at in (ago(400), LAST):
        await past.told(at)
        await past.event(at)
    kept = await past.told(KEPT)

    await Keeper(hub).turn(NOW)

    assert await past.counts(*MESSAGES) == [1, 1, 0, 0, 0]
    assert await hub.db.fetchval("SELECT id FROM notification") == kept
    assert await past.counts(*EVENTS) == [0, 0, 0]
    parts = await _parts(hub, "notification")
    assert "notification_2020_11" not in parts
    assert "notification_2020_12" in parts
    # What was dropped is counted, and written down.
    totals = await hub.db.fetch("SELECT month, provider, deliveries, cost FROM delivery_total")
    assert {
        (r["month"].isoformat(), r["provider"], r["deliveries"], r["cost"]) for r in totals
    } == {
        (f"{ago(400):%Y-%m}-01", "smsc", 1, 2),
        ("2020-11-01", "smsc", 1, 2),
    }
    dropped = await hub.db.fetch("SELECT object FROM audit WHERE action = 'data.dropped'")
    assert "delivery_2020_11" in {row["object"] for row in dropped}


async def test_a_shop_that_keeps_less_loses_row_by_row(hub: Hub, past: Past) -> None:
    for shop in ("main", "short"):
        await past.told(ago(40), shop=shop)
        await past.told(ago(15), shop=shop)
        await past.event(ago(6), shop=shop)

    await Keeper(hub).turn(NOW)

    assert await past.counts(*MESSAGES, shop="main") == [2, 2, 2, 2, 1]
    assert await past.counts(*MESSAGES, shop="short") == [1, 1, 0, 0, 0]
    assert await past.counts(*EVENTS, shop="main") == [1, 1, 1]
    assert await past.counts(*EVENTS, shop="short") == [0, 0, 0]
    assert await hub.db.fetchval("SELECT sum(deliveries) FROM delivery_total") == 1


async def test_what_lies_in_no_month_goes_as_well(hub: Hub, past: Past) -> None:
    await past.told(ago(400))
    await past.event(ago(400))

    await Keeper(hub).turn(NOW)

    assert await past.counts(*MESSAGES, *EVENTS) == [0] * 8


async def test_a_shop_that_left_the_settings_keeps_as_others_do(hub: Hub, past: Past) -> None:
    await hub.db.execute("INSERT INTO shop (slug) VALUES ('left') ON CONFLICT DO NOTHING")
    left = await hub.db.fetchval("SELECT id FROM shop WHERE slug = 'left'")
    for shop_id, days in ((left, 91), (left, 80)):
        await hub.db.execute(
            "INSERT INTO heard (id, shop_id, account, channel, event, address, digest, text, heard_at, received_at,"
            " handled_at) VALUES ($1, $2, 'a', 'sms', $3, '', '', '', now(), $4, now())",
            new_id(),
            shop_id,
            str(days),
            ago(days),
        )

    await Keeper(hub).turn(NOW)

    assert await hub.db.fetchval("SELECT event FROM heard") == "80"
    await hub.db.execute("DELETE FROM heard")
    await hub.db.execute("DELETE FROM shop WHERE slug = 'left'")


@pytest.mark.usefixtures("months")
@pytest.mark.parametrize(
    ("status", "delivery"), [("scheduled", "queued"), ("queued", "sending"), ("sent", "queued")]
)
async def test_what_is_still_to_be_sent_stays_and_the_rest_of_its_month_goes(
    hub: Hub, past: Past, status: str, delivery: str
) -> None:
    alive = await past.told(ago(400), status=status, delivery=delivery)
    await past.told(ago(400))
    await past.told(ago(400), shop="short")

    await Keeper(hub).turn(NOW)

    assert await past.counts("notification", "delivery") == [1, 1]
    assert await past.counts("notification", shop="short") == [0]
    assert await hub.db.fetchval("SELECT id FROM notification") == alive

    await hub.db.execute("UPDATE delivery SET status = 'sent'")
    await hub.db.execute("UPDATE notification SET status = 'sent'")
    await Keeper(hub).turn(NOW)
    assert await past.counts("notification", "delivery") == [0, 0]


@pytest.mark.usefixtures("months")
async def test_what_came_later_goes_with_what_it_is_about(hub: Hub, past: Past) -> None:
    """No erasure would find it any more."""
    await past.told(LAST, receipt_at=ago(20))

    await Keeper(hub).turn(NOW)

    assert await past.counts(*MESSAGES) == [0, 0, 0, 0, 0]


@pytest.mark.usefixtures("months")
async def test_a_month_in_use_is_left_alone_and_nobody_waits(hub: Hub, past: Past) -> None:
    await past.told(ago(400))
    reader = await hub.db.acquire()
    transaction = reader.transaction()
    await transaction.start()
    # As `pg_dump` holds it.
    await reader.execute("LOCK TABLE notification, delivery, attempt, receipt IN ACCESS SHARE MODE")
    keeping = asyncio.create_task(Keeper(hub).turn(NOW))

    longest = 0.0
    while not keeping.done():
        started = monotonic()
        await past.told(NOW)
        longest = max(longest, monotonic() - started)
        await asyncio.sleep(0)
    await keeping
    await transaction.rollback()
    await hub.db.release(reader)

    # Two statements may each meet one who waits for a fifth of a second.
    assert longest < 3
    assert await past.count("notification") > 1
    assert "notification_2020_11" in await _parts(hub, "notification")
    await Keeper(hub).turn(NOW)
    assert "notification_2020_11" not in await _parts(hub, "notification")


async def test_texts_and_updates_go_once_they_were_handled(hub: Hub, past: Past) -> None:
    shop = hub.shop("main").id
    for number, handled in enumerate((NOW, None)):
        await hub.db.execute(
            "INSERT INTO heard (id, shop_id, account, channel, event, address, digest, text, heard_at, received_at,"
            " handled_at) VALUES ($1, $2, 'a', 'sms', $3, '', '', '', now(), $4, $5)",
            new_id(),
            shop,
            str(number),
            ago(91),
            handled,
        )
        await hub.db.execute(
            "INSERT INTO bot_update (shop_id, account, event, chat, raw, received_at, handled_at)"
            " VALUES ($1, 'tg', $2, '', '{}', $3, $4)",
            shop,
            str(number),
            ago(4),
            handled,
        )

    await Keeper(hub).turn(NOW)

    assert await past.counts("heard", "bot_update") == [1, 1]
    assert await hub.db.fetchval("SELECT count(handled_at) FROM heard") == 0


async def test_old_orders_lose_their_person(hub: Hub, api: Api, past: Past) -> None:
    for name, role in (("buyer", "buyer"), ("seller", "seller")):
        await api.put(f"/v1/contacts/{name}", {"role": role, "name": f"Имя {name}"})
    line = {"id": "1", "title": "Чайник", "quantity": 1, "seller": {"external_id": "seller"}}
    for number in ("1", "2"):
        body = {
            "number": number,
            "status": "placed",
            "buyer": {"external_id": "buyer"},
            "currency": "RUB",
            "lines": [line],
            "delivery": {"address": "Лесная, 5", "method": "pickup"},
        }
        placed = (await api.put(f"/v1/orders/{number}", body)).json
        [request] = placed["stock_requests"]
        answer = {"lines": [{"id": "1", "confirmed": 1}], "by": "Света из магазина"}
        await api.post(f"/v1/stock-requests/{request['id']}/answer", answer)
    await hub.db.execute("UPDATE shop_order SET updated_at = $1 WHERE number = '1'", ago(1096))
    await hub.db.execute("UPDATE shop_order SET updated_at = $1 WHERE number = '2'", ago(1094))

    for _ in range(2):
        await Keeper(hub).turn(NOW)

    old, young = [(await api.get(f"/v1/orders/{number}")).json for number in ("1", "2")]
    assert (old["buyer"], old["delivery"]) == (None, {"method": "pickup"})
    assert old["stock_requests"][0]["lines"][0]["confirmed"] == 1
    assert old["stock_requests"][0]["lines"][0]["answered_by"] is None
    assert young["buyer"] == {"external_id": "buyer"}
    assert young["stock_requests"][0]["lines"][0]["answered_by"] == "Света из магазина"
    names = await hub.db.fetch("SELECT name FROM stock_answer ORDER BY id")
    assert [row["name"] for row in names] == ["", "Света из магазина"]


async def test_receivers_of_one_off_messages_go_after_their_messages(hub: Hub, past: Past) -> None:
    unused = await past.contact(at=ago(200), address="old@example.com")
    used = await past.contact(at=ago(200), address="used@example.com")
    await past.told(ago(20), contact=used)
    young = await past.contact(at=ago(20), address="young@example.com")
    known = await past.contact(at=ago(200))
    async with hub.db.acquire() as connection:
        await history.note(
            connection, [Said(unused, "marketing", "email", "unsubscribed", "one-click")]
        )

    await Keeper(hub).turn(NOW)

    left = {row["id"] for row in await hub.db.fetch("SELECT id FROM contact")}
    assert left == {used, young, known}
    # Whoever has left once is proven to have.
    found = await history.proofs(hub.db, hub.shop("main").id, "email", "old@example.com")  # type: ignore[arg-type]
    assert [proof.state for proof in found] == ["unsubscribed"]


async def test_who_is_written_to_at_this_moment_stays(hub: Hub, past: Past) -> None:
    await past.contact(at=ago(200), address="old@example.com")
    async with hub.db.acquire() as connection, connection.transaction():
        await queries.one_offs(
            connection, hub.shop("main").id, [digest("email", "old@example.com")]
        )

        await Keeper(hub).turn(NOW)

    assert await past.count("contact") == 1


async def test_proofs_have_an_end_as_well(hub: Hub, past: Past) -> None:
    for days in (1096, 1094):
        await hub.db.execute(
            "INSERT INTO consent_event (shop_id, contact_id, category, channel, via, erased_at)"
            " VALUES ($1, $2, 'marketing', 'email', 'api', $3)",
            hub.shop("main").id,
            id_at(ago(1100)),
            ago(days),
        )

    await Keeper(hub).turn(NOW)

    assert await hub.db.fetchval("SELECT erased_at FROM consent_event") == ago(1094)


async def test_many_go_in_portions(hub: Hub, past: Past) -> None:
    shop = hub.shop("short").id
    await hub.db.execute(
        """
        INSERT INTO attempt (id, shop_id, delivery_id, number, account, provider)
        SELECT (substr($2, 1, 18) || '-8000-' || lpad(to_hex(g), 12, '0'))::uuid, $1, gen_random_uuid(), 1, 'a', 'b'
          FROM generate_series(1, 1200) AS g
        """,
        shop,
        str(id_at(ago(20))),
    )

    await Keeper(hub).turn(NOW)

    assert await past.count("attempt", "short") == 0
