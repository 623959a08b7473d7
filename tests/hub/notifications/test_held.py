"""After a restoration: what was due waits for a word, and what becomes of it by which word."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.accounts.limits import RateLimits
from hub.db.pool import Connection
from hub.notifications import held, recovery, tick
from hub.resources import Hub
from tests.hub.notifications.conftest import Drive, Shop
from tests.hub.notifications.providers import Providers

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SMS: dict[str, Any] = {"content": {"text": "Привет"}, "channels": ["sms"]}


@pytest.fixture
async def db(hub: Hub, shop: Shop) -> AsyncIterator[Connection]:
    await shop.contact("anna", consents={"marketing": {"email": "subscribed"}})
    async with hub.db.acquire() as connection:
        yield connection


async def test_what_was_due_is_held_and_new_messages_go_out(
    shop: Shop, drive: Drive, db: Connection, providers: Providers
) -> None:
    due = (await shop.send(**SMS))["id"]
    later = (await shop.send(**SMS, send_at=(datetime.now(UTC) + HOUR).isoformat()))["id"]
    await drive.pass_time(MINUTE)

    assert await held.hold(db) == 1
    assert await held.hold(db) == 0
    new = (await shop.send(**SMS))["id"]
    # As a start does it.
    await recovery.take_back(drive.hub.db)
    await drive.all()

    assert await shop.status(new) == "sent"
    [delivery] = (await shop.story(due))["deliveries"]
    assert (delivery["status"], delivery["reason"]) == ("queued", "held")
    assert await shop.status(later) == "scheduled"
    assert len(providers.smsc.sent) == 1
    [waiting] = await held.waiting(db)
    assert (waiting.shop, waiting.category, waiting.count) == ("main", "transactional", 1)
    assert waiting.first < datetime.now(UTC) - MINUTE


async def test_from_when_the_lost_hub_stopped_it_is_sent_and_before_that_nobody_knows(
    shop: Shop, drive: Drive, db: Connection, providers: Providers
) -> None:
    before = (await shop.send(**SMS))["id"]
    await drive.pass_time(HOUR)
    after = (await shop.send(**SMS))["id"]
    await drive.pass_time(MINUTE)
    await held.hold(db)

    released = await held.release(db, datetime.now(UTC) - HOUR / 2)
    await drive.all()

    assert (released.sent, released.ended) == (1, 1)
    story = await shop.story(before)
    assert (story["status"], story["deliveries"][0]["reason"]) == ("unknown", "restored")
    story = await shop.story(after)
    assert (story["status"], story["deliveries"][0]["maybe_duplicate"]) == ("sent", False)
    assert await held.waiting(db) == []
    assert await held.release(db, held.BEGINNING) == held.Released()


async def test_all_of_it_may_be_the_second_copy_and_says_so(
    shop: Shop, drive: Drive, db: Connection
) -> None:
    id_ = (await shop.send(**SMS))["id"]
    await held.hold(db)

    await held.release(db, held.BEGINNING)
    await drive.all()

    story = await shop.story(id_)
    assert (story["status"], story["deliveries"][0]["maybe_duplicate"]) == ("sent", True)


async def test_what_ends_while_nobody_decides_is_not_called_expired(
    shop: Shop, drive: Drive, db: Connection
) -> None:
    """The hub that was lost may have sent it."""
    id_ = (await shop.send(**SMS, expires_at=(datetime.now(UTC) + HOUR).isoformat()))["id"]
    await held.hold(db)
    await db.execute("UPDATE notification SET expires_at = now() - interval '1 minute'")

    await tick._expired(db)

    assert await shop.status(id_) == "unknown"
    await held.release(db, held.BEGINNING)
    await drive.all()
    assert await shop.status(id_) == "unknown"


async def test_none_of_it_goes_out_by_any_channel(
    shop: Shop, drive: Drive, db: Connection, providers: Providers
) -> None:
    ids = [(await shop.send())["id"] for _ in range(3)]
    await held.hold(db)

    assert (await held.release(db, held.FOREVER)).ended == 3
    await drive.all()

    assert {await shop.status(id_) for id_ in ids} == {"unknown"}
    assert not providers.telegram.sent


@pytest.mark.parametrize(
    ("age", "category", "template"),
    [
        (11 * MINUTE, "security", {"content": {"text": "4711"}, "channels": ["sms"]}),
        (5 * HOUR, "transactional", SMS),
        (25 * HOUR, "marketing", {"template": "cart.abandoned", "data": {}, "channels": ["email"]}),
    ],
)
async def test_what_nobody_decides_on_is_never_sent_when_it_has_outlived_its_use(
    shop: Shop,
    drive: Drive,
    db: Connection,
    age: timedelta,
    category: str,
    template: dict[str, Any],
) -> None:
    old = (await shop.send(**template, category=category))["id"]
    await db.execute("UPDATE notification SET created_at = created_at - $1::interval", age)
    young = (await shop.send(**template, category=category))["id"]
    await held.hold(db)

    await held.end_outlived(db)
    await drive.all()

    assert await shop.status(old) == "unknown"
    assert await shop.status(young) == "queued"
    await held.release(db, held.BEGINNING)
    await drive.all()
    assert await shop.status(young) == "sent"


async def test_what_waits_behind_a_held_one_is_shown_and_goes_when_that_has_ended(
    shop: Shop, drive: Drive, db: Connection, providers: Providers
) -> None:
    """Its ordering key promises an order, and the held one may still go out."""
    await shop.send(**SMS, ordering_key="a")
    await shop.send(**SMS)
    await held.hold(db)
    behind = (await shop.send(**SMS, ordering_key="a"))["id"]
    await shop.send(**SMS, ordering_key="b")
    await drive.once()
    assert await shop.status(behind) == "queued"
    [waiting] = await held.waiting(db)
    assert (waiting.count, waiting.behind) == (2, 1)

    await db.execute("UPDATE held_delivery SET outlived_at = now()")
    await held.end_outlived(db)
    await drive.all()

    assert await shop.status(behind) == "sent"
    assert await held.waiting(db) == []


async def test_of_very_many_that_have_outlived_their_use_none_has_to_wait_for_minutes(
    hub: Hub, drive: Drive, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "_AT_ONCE", 10)
    await db.execute(
        """
        INSERT INTO delivery (id, shop_id, notification_id, contact_id, address_id, channel, category,
                              due_at, handout_at, give_up_at, route)
        SELECT uuidv7(), $1, uuidv7(), uuidv7(), uuidv7(), 'sms', 'transactional', now(), now(), now(), ''
          FROM generate_series(1, 35)
        """,
        hub.shop("main").id,
    )
    await db.execute(
        """
        WITH held AS (UPDATE delivery SET due_at = $1, handout_at = $1, reason = 'held' RETURNING id, shop_id)
        INSERT INTO held_delivery (delivery_id, shop_id, due_at, outlived_at)
        SELECT id, shop_id, now(), now() FROM held
        """,
        held.FOREVER,
    )
    one = tick.Tick(hub, RateLimits(drive.redis), drive.deliverer.hand_out)

    for _ in range(4):
        await one._turn(db)

    assert {r["status"] for r in await db.fetch("SELECT status FROM delivery")} == {"unknown"}


async def test_what_is_too_late_to_tell_expires_when_it_is_let_go(
    shop: Shop, drive: Drive, db: Connection, providers: Providers
) -> None:
    id_ = (await shop.send(**SMS))["id"]
    await db.execute("UPDATE notification SET created_at = created_at - interval '5 hours'")
    await held.hold(db)

    assert await held.release(db, held.BEGINNING) == held.Released(0, 1)
    await drive.all()

    assert await shop.status(id_) == "expired"
    assert not providers.smsc.sent


async def test_what_was_in_hand_is_held_and_marketing_is_not_repeated(
    shop: Shop, drive: Drive, db: Connection, providers: Providers
) -> None:
    ids = [
        (await shop.send(**SMS))["id"],
        (await shop.send(template="cart.abandoned", data={}, channels=["email"]))["id"],
    ]
    await db.execute("UPDATE delivery SET status = 'sending', attempt_count = 1")
    await db.execute(
        "INSERT INTO attempt (id, shop_id, delivery_id, number, account, provider)"
        " SELECT gen_random_uuid(), shop_id, id, 1, 'smsc', 'smsc' FROM delivery"
    )

    assert await held.hold(db) == 1
    await recovery.take_back(drive.hub.db)
    await drive.take_back()
    await drive.all()

    assert [await shop.status(id_) for id_ in ids] == ["queued", "unknown"]
    [attempt] = (await shop.story(ids[0]))["deliveries"][0]["attempts"]
    assert (attempt["outcome"], attempt["code"]) == ("unknown", "restored")
    assert not providers.smsc.sent


@pytest.mark.parametrize(("since", "goes_on"), [(held.BEGINNING, True), (held.FOREVER, False)])
async def test_a_cascade_goes_on_only_when_that_is_said(
    shop: Shop, drive: Drive, db: Connection, *, since: datetime, goes_on: bool
) -> None:
    cascade = {"until": "delivered", "wait": 60}
    id_ = (await shop.send(strategy="cascade", cascade=cascade, channels=["email", "sms"]))["id"]
    await drive.all()
    await drive.pass_time(2 * MINUTE)

    await held.hold(db)
    await tick._steps_due(db)
    assert len((await shop.story(id_))["deliveries"]) == 1
    await held.release(db, since)
    await tick._steps_due(db)

    assert len((await shop.story(id_))["deliveries"]) == (2 if goes_on else 1)


async def test_who_is_erased_or_cancels_meanwhile_gets_nothing(
    shop: Shop, drive: Drive, db: Connection, providers: Providers
) -> None:
    id_ = (await shop.send(**SMS))["id"]
    await held.hold(db)

    assert (await shop.api.post(f"/v1/notifications/{id_}/cancel")).status == 200

    assert await held.release(db, held.BEGINNING) == held.Released()
    await drive.all()
    assert await shop.status(id_) == "cancelled"
    assert not providers.smsc.sent
