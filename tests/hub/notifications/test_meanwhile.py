"""What happens while a message waits for its turn, is in a worker's hand or perhaps with its provider."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest

from channels.base import Accepted, Category, Channel, Message, Outcome, Receipt, ReceiptStatus
from hub.accounts import health
from hub.accounts.book import LiveAccount
from hub.accounts.limits import RateLimits
from hub.db.pool import transaction
from hub.ids import id_at, new_id
from hub.notifications import attempts, claims, delivery, outcomes, prepare, receipts, service, tick
from hub.notifications.handout import HandOut
from hub.notifications.leases import Job
from hub.notifications.model import DeliveryStatus
from hub.notifications.request import ContentIn
from hub.notifications.settle import Settled
from hub.notifications.sorting import ended_before_sending
from hub.notifications.steps import Due
from hub.resources import Hub
from tests.hub.notifications.conftest import Drive, Shop
from tests.hub.notifications.providers import Providers
from tests.hub.notifications.test_delivery import MARKETING, ends, letter_in_hand, text, tried
from tests.hub.notifications.test_handout import Handed
from tests.simulators.base import Fault

AGREED = {"marketing": {"email": "subscribed", "vk": "subscribed"}}
RESTED = "UPDATE delivery SET leased_until = now() - interval '1 second' WHERE status = 'sending'"


def plain_mail(hub: Hub) -> LiveAccount:
    """The only account for letters from now on: it recognises no repeat and has no limits."""
    key = hub.shop("main").id, Channel.EMAIL
    hub.accounts._by_channel[key] = tuple(
        a for a in hub.accounts.of(*key) if a.name == "plain-mail"
    )
    account = hub.accounts.get(key[0], "plain-mail")
    assert account
    return account


def slow(monkeypatch: pytest.MonkeyPatch, account: LiveAccount, seconds: float) -> None:
    send = account.adapter.send

    async def slowly(_self: Any, messages: list[Message]) -> list[Outcome]:
        await asyncio.sleep(seconds)
        return await send(messages)

    monkeypatch.setattr(type(account.adapter), "send", slowly)


async def in_hand(drive: Drive, id_: str) -> None:
    """Returns once a worker has it, and has come as far with it as it can."""
    while (await drive.rows(id_))[0]["status"] != "sending":  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)


class Turnstile:
    """Nobody's turn comes at that account until `open`."""

    def __init__(self, drive: Drive, account: LiveAccount) -> None:
        self._drive = drive
        self._gate = drive.deliverer._gate(account)
        self._places = 0

    async def close(self) -> None:
        self._places = await self._gate.enter(1000)

    async def arrives(self, id_: str) -> asyncio.Task[Any]:
        """A job that waits there with that notification's delivery."""
        [row] = await self._drive.rows(id_)
        job = asyncio.create_task(self._drive.deliverer.deliver([row["id"]]))
        await in_hand(self._drive, id_)
        return job

    def open(self) -> None:
        self._gate.leave(self._places)


# -- perhaps sent -------------------------------------------------------------------------------------------------------


async def perhaps_sent(shop: Shop, drive: Drive, providers: Providers, **more: Any) -> str:
    """Telegram took it, and the answer was lost."""
    providers.telegram.faults.append(Fault(status=502, after_taking=True))
    id_ = str((await shop.send(**text("telegram", **more)))["id"])
    await drive.once()
    assert len(providers.telegram.sent) == 1
    return id_


async def test_what_perhaps_had_left_is_not_called_cancelled(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = await perhaps_sent(shop, drive, providers)

    answer = await shop.api.post(f"/v1/notifications/{id_}/cancel")

    assert answer.status == 409
    assert await ends(shop, id_) == [("telegram", "unknown", "maybe_sent")]
    await drive.hurry()
    await drive.all()
    assert len(providers.telegram.sent) == 1


async def test_cancelled_before_its_second_try_of_a_clear_answer_it_is_cancelled(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.telegram.faults.append(Fault(status=429))
    id_ = (await shop.send(**text("telegram")))["id"]
    await drive.once()
    assert [outcome for _, outcome, _ in await tried(shop, id_)] == ["retry"]

    assert (await shop.api.post(f"/v1/notifications/{id_}/cancel")).status == 200

    assert await shop.status(id_) == "cancelled"


async def test_what_perhaps_had_left_is_not_called_collapsed(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = await perhaps_sent(shop, drive, providers, collapse_key="k")

    newer = (await shop.send(**text("telegram", "Новое", collapse_key="k")))["id"]
    await drive.hurry()
    await drive.all()

    assert (await shop.status(id_), await shop.status(newer)) == ("unknown", "sent")
    assert [s.text for s in providers.telegram.sent] == ["Привет", "Новое"]


@pytest.mark.parametrize("by", ["worker", "tick"])
async def test_what_perhaps_had_left_before_its_end_is_not_called_expired(
    by: str, hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    id_ = await perhaps_sent(shop, drive, providers, expires_at=end)
    clear = (await shop.send("boris", **text("email"), expires_at=end))["id"]
    await drive.pass_time(timedelta(hours=2))

    if by == "worker":
        await drive.all()
    else:
        async with hub.db.acquire() as connection:
            await tick._expired(connection)

    assert await ends(shop, id_) == [("telegram", "unknown", "maybe_sent")]
    assert await shop.status(id_) == "unknown"
    assert await shop.status(clear) == "expired"
    assert len(providers.telegram.sent) == 1


@pytest.mark.parametrize("channels", [["telegram"], ["telegram", "email"]])
async def test_what_perhaps_had_left_when_its_time_is_over_is_told_by_the_next_channel_or_unknown(
    channels: list[str], shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = await perhaps_sent(shop, drive, providers, channels=channels)
    await drive.pass_time(timedelta(hours=4, minutes=1))

    await drive.all()

    left, *others = await ends(shop, id_)
    assert left == ("telegram", "unknown", "gave_up")
    assert others == ([("email", "sent", None)] if len(channels) > 1 else [])
    assert await shop.status(id_) == ("sent" if others else "unknown")
    assert len(providers.telegram.sent) == 1


async def test_what_perhaps_had_left_by_an_account_that_waits_for_a_person_takes_the_next_channel(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = await perhaps_sent(shop, drive, providers, channels=["telegram", "email"])
    main = hub.shop("main").id
    await health.pause(hub.db, main, "tg", refused=True, reason="", code="401", failures=7)
    await hub.accounts.refresh(hub.db)
    await drive.hurry()

    await drive.all()

    assert await ends(shop, id_) == [("telegram", "unknown", "gave_up"), ("email", "sent", None)]
    assert await shop.status(id_) == "sent"


async def test_cancelled_on_the_next_channel_it_goes_by_none(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    """It perhaps left by the first."""
    id_ = await perhaps_sent(shop, drive, providers, channels=["telegram", "email"])
    await drive.pass_time(timedelta(minutes=1))
    await drive.once()
    assert [status for _, status, _ in await ends(shop, id_)] == ["unknown", "queued"]

    answer = await shop.api.post(f"/v1/notifications/{id_}/cancel")

    assert answer.status == 409
    assert await shop.status(id_) == "unknown"
    await drive.all()
    assert [status for _, status, _ in await ends(shop, id_)] == ["unknown", "cancelled"]


@pytest.mark.parametrize("why", ["time", "consent", "address"])
async def test_marketing_that_perhaps_had_left_goes_by_no_other_channel(
    why: str, shop: Shop, drive: Drive, providers: Providers
) -> None:
    await shop.contact("anna", consents=AGREED)
    providers.vk.faults.append(Fault(status=502, after_taking=True))
    id_ = (await shop.send(**MARKETING, channels=["vk", "email"]))["id"]
    await drive.once()
    [row] = await drive.rows(id_)
    match why:
        case "time":
            await drive.pass_time(row["give_up_at"] - row["created_at"] + timedelta(minutes=1))
        case "consent":
            await shop.contact("anna", consents={"marketing": {"vk": "unsubscribed"}})
        case "address":
            await shop.contact("anna", addresses={"vk": None})
    await drive.hurry()

    await drive.all()

    assert (len(providers.vk.sent), len(providers.unisender_go.sent)) == (1, 0)
    assert await ends(shop, id_) == [("vk", "unknown", "maybe_sent")]


# -- a turn that does not come ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", ["transactional", "marketing"])
async def test_what_waited_for_its_turn_until_it_was_not_worth_telling_is_not_sent(
    category: str, shop: Shop, drive: Drive, providers: Providers
) -> None:
    await shop.contact("anna", consents=AGREED)
    more = MARKETING if category == "marketing" else {"content": {"text": "Привет"}}
    id_ = (await shop.send(**more, channels=["vk"]))["id"]
    hours = timedelta(hours=24 if category == "marketing" else 4)
    await drive.pass_time(hours + timedelta(minutes=1))

    await drive.all()

    assert providers.vk.sent == []
    assert await ends(shop, id_) == [("vk", "failed", "gave_up")]
    assert await shop.status(id_) == "failed"


@pytest.mark.parametrize("after", [timedelta(minutes=5), timedelta(hours=5)])
async def test_a_turn_that_comes_late_costs_no_other_channel_while_it_is_worth_telling(
    after: timedelta, shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("telegram", channels=["telegram", "sms"])))["id"]
    await drive.pass_time(after)

    await drive.all()

    late = [("telegram", "failed", "gave_up"), ("sms", "sent", None)]
    soon = [("telegram", "sent", None)]
    assert await ends(shop, id_) == (late if after > timedelta(hours=4) else soon)


async def test_a_worker_whose_clock_is_fast_gives_up_nothing_that_was_not_tried(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    id_ = (await shop.send(**text("telegram")))["id"]
    [claimed] = await claims.claim(hub.db, [(await drive.rows(id_))[0]["id"]], drive.worker)

    assert ended_before_sending(claimed, datetime.now(UTC) + timedelta(hours=9)) is None


async def test_who_waits_behind_one_of_its_key_gives_up_in_its_time(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """The one in front has another day."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    first = (await shop.send(**text("email", ordering_key="a", send_at=tomorrow)))["id"]
    behind = (await shop.send(**text("email", ordering_key="a")))["id"]
    last = (await shop.send(**text("email", ordering_key="a", channels=["email", "sms"])))["id"]
    await drive.pass_time(timedelta(hours=3))
    async with hub.db.acquire() as connection:
        handing = HandOut(hub, RateLimits(drive.redis))
        await handing.turn(connection, [Category.TRANSACTIONAL])
        assert await shop.status(behind) == "queued"
        await drive.pass_time(timedelta(hours=1, minutes=1))
        await handing.turn(connection, [Category.TRANSACTIONAL])

    assert await ends(shop, behind) == [("email", "failed", "gave_up")]
    assert await shop.status(behind) == "failed"
    assert [status for _, status, _ in await ends(shop, last)] == ["failed", "queued"]
    assert await shop.status(first) == "scheduled"
    await drive.once()
    assert (providers.unisender_go.sent, providers.smsc.sent) == ([], [])


async def test_a_wait_for_an_account_ends_with_the_time_of_the_message(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    id_ = (await shop.send(**text("telegram")))["id"]
    account = hub.accounts.get(hub.shop("main").id, "tg")
    assert account
    await RateLimits(drive.redis).hold(account.bucket, timedelta(hours=9))

    await drive.once()

    [row] = await drive.rows(id_)
    assert row["status"] == "queued"
    assert row["due_at"] == row["handout_at"] == row["give_up_at"]


@pytest.mark.parametrize(("asked", "leaves"), [(5, False), (60, True)])
async def test_where_the_provider_asks_for_more_patience_than_there_is_the_next_channel_is_taken(
    asked: int, leaves: bool, hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """Also of those that were not what it was asked about."""
    id_ = (await shop.send(**text("telegram", channels=["telegram", "email"])))["id"]
    account = hub.accounts.get(hub.shop("main").id, "tg")
    assert account
    await RateLimits(drive.redis).hold(account.bucket, timedelta(seconds=asked))

    await drive.all()

    left = [("telegram", "failed", "gave_up"), ("email", "sent", None)]
    assert await ends(shop, id_) == (left if leaves else [("telegram", "queued", None)])
    assert providers.telegram.sent == []


# -- an address that changes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [True, False])
async def test_a_bounce_is_about_the_address_that_was_written_to(
    changed: bool, hub: Hub, shop: Shop, drive: Drive
) -> None:
    await shop.contact("anna", addresses={"email": "typo@example.com"})
    id_ = (await shop.send(channels=["email"]))["id"]
    await drive.all()
    value = "right@example.com" if changed else "typo@example.com"
    # Said once more it is no change.
    await shop.contact("anna", addresses={"email": {"value": value, "verified": True}})
    account = hub.accounts.get(hub.shop("main").id, "mail")
    assert account
    [row] = await drive.rows(id_)

    bounced = Receipt(ReceiptStatus.BOUNCED, key=str(row["id"]), code="550")
    await receipts.store(hub.db, hub.signer, account, [bounced])

    assert await shop.status(id_) == "failed"
    again = await shop.send(channels=["email"])
    assert again["status"] == ("queued" if changed else "undeliverable")


async def test_an_address_that_is_not_verified_any_more_is_not_written_to(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(channels=["email"]))["id"]
    await shop.contact("anna", addresses={"email": {"value": "eve@example.com", "verified": False}})

    await drive.all()

    assert providers.unisender_go.sent == []
    assert await ends(shop, id_) == [("email", "suppressed", "unverified")]


async def test_a_group_that_became_one_already_written_to_spoils_nothing(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    plain_mail(hub)
    providers.telegram.add_group(-5)
    providers.telegram.upgrade_group(-5, -1005)
    await shop.send({"address": {"channel": "telegram", "value": "-1005"}}, content={"text": "a"})
    await drive.all()
    old = {"address": {"channel": "telegram", "value": "-5"}}
    moved = (await shop.send(old, content={"text": "b"}))["id"]
    letter = (await shop.send(**text("email")))["id"]

    await drive.once()
    await drive.hurry()
    await drive.all()

    assert (await shop.status(moved), await shop.status(letter)) == ("sent", "sent")
    assert len(providers.smtp.sent) == 1


# -- a newer one of the same key ----------------------------------------------------------------------------------------


async def test_what_was_in_hand_when_the_newer_came_does_not_follow_it(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    turn = Turnstile(drive, plain_mail(hub))
    old = (await shop.send(**text("email", "old", collapse_key="k")))["id"]
    providers.smtp.answers["MAIL"] = "451 try again later"
    await turn.close()
    job = await turn.arrives(old)
    await shop.send(**text("email", "new", collapse_key="k"))
    turn.open()
    await job

    providers.smtp.answers.clear()
    await drive.hurry()
    await drive.all()

    assert len(providers.smtp.sent) == 1
    assert await shop.status(old) == "collapsed"


async def test_of_two_accepted_at_the_same_moment_the_older_gives_way(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """Neither transaction sees the other's."""
    main = hub.shop("main")
    anna = await hub.db.fetchval("SELECT id FROM contact WHERE external_id = 'anna'")
    more: dict[str, Any] = {"content": ContentIn(text="x"), "collapse_key": "k"}
    async with AsyncExitStack() as stack:
        for _ in range(2):
            connection = await stack.enter_async_context(transaction(hub.db))
            await service.send(hub, connection, main, anna, None, {}, **more)

    await drive.all()

    rows = await hub.db.fetch("SELECT status FROM delivery ORDER BY notification_id")
    assert [r["status"] for r in rows] == ["collapsed", "sent"]


async def test_what_a_collapsed_one_held_back_goes_at_once(hub: Hub, shop: Shop) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await shop.send(**text("email", ordering_key="a", collapse_key="k", send_at=later))
    held = (await shop.send(**text("email", "Потом", ordering_key="a")))["id"]

    await shop.send(**text("email", "Новое", collapse_key="k"))

    assert await hub.db.fetchval(
        "SELECT handout_at <= now() FROM delivery WHERE notification_id = $1", UUID(held)
    )


async def test_one_that_came_too_late_itself_replaces_nothing(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    old = (await shop.send(**text("email", "old", collapse_key="k")))["id"]
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    late = await shop.send(**text("email", "new", collapse_key="k", expires_at=past))
    assert late["status"] == "expired"

    await drive.all()

    assert await shop.status(old) == "sent"


@pytest.fixture
def fast_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[None]]:
    """Inside of it notifications are accepted by a machine whose clock is half a minute fast."""

    @contextmanager
    def fast() -> Iterator[None]:
        with monkeypatch.context() as patch:
            ahead = timedelta(seconds=30)
            patch.setattr(prepare, "new_id", lambda: id_at(datetime.now(UTC) + ahead))
            yield

    return fast


FastClock = Callable[[], AbstractContextManager[None]]


async def test_what_another_machine_with_a_fast_clock_accepted_before_is_not_newer(
    shop: Shop, drive: Drive, fast_clock: FastClock
) -> None:
    with fast_clock():
        first = (await shop.send(**text("email", "assembled", collapse_key="k")))["id"]
    await drive.all()
    assert await shop.status(first) == "sent"

    second = (await shop.send(**text("email", "shipped", collapse_key="k")))["id"]
    await drive.all()

    assert await shop.status(second) == "sent"


@pytest.mark.parametrize("in_hand", [False, True])
async def test_what_another_machine_with_a_fast_clock_accepted_before_is_replaced(
    in_hand: bool, hub: Hub, shop: Shop, drive: Drive, fast_clock: FastClock
) -> None:
    with fast_clock():
        first = (await shop.send(**text("email", "assembled", collapse_key="k")))["id"]
    ids = [row["id"] for row in await drive.rows(first)]
    if in_hand:
        assert len(await claims.claim(hub.db, ids, drive.worker)) == 1

    second = (await shop.send(**text("email", "shipped", collapse_key="k")))["id"]
    await claims.give_back(hub.db, dict.fromkeys(ids, timedelta(0)), drive.worker)
    await drive.all()

    assert await shop.status(first) == "collapsed"
    assert await shop.status(second) == "sent"


async def test_in_one_key_the_database_says_what_was_accepted_first(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers, fast_clock: FastClock
) -> None:
    with fast_clock():
        first = (await shop.send(**text("email", "1", ordering_key="a")))["id"]
    second = (await shop.send(**text("email", "2", ordering_key="a")))["id"]
    with fast_clock():
        third = (await shop.send(**text("email", "3", ordering_key="a")))["id"]
    await hub.db.execute("UPDATE delivery SET handout_at = now()")

    queue = Handed()
    handing = HandOut(replace(hub, queue=cast("Any", queue)), RateLimits(drive.redis))
    async with hub.db.acquire() as connection:
        await handing.turn(connection, [Category.TRANSACTIONAL])
    assert queue.ids == [row["id"] for row in await drive.rows(first)]
    await drive.all()

    assert [letter.text.strip() for letter in providers.unisender_go.sent] == ["1", "2", "3"]
    assert {await shop.status(id_) for id_ in (first, second, third)} == {"sent"}


async def test_the_next_of_a_key_is_what_was_accepted_next(
    hub: Hub, shop: Shop, drive: Drive, fast_clock: FastClock
) -> None:
    ids = [(await shop.send(**text("email", ordering_key="a")))["id"]]
    with fast_clock():
        ids.append((await shop.send(**text("email", ordering_key="a")))["id"])
    ids.append((await shop.send(**text("email", ordering_key="a")))["id"])
    first, second, _ = [(await drive.rows(id_))[0]["id"] for id_ in ids]
    [claimed] = await claims.claim(hub.db, [first], drive.worker)
    settled = Settled(first, DeliveryStatus.FAILED, reason="message_refused")

    due = await outcomes.record(hub.db, [(claimed, settled)], {}, drive.worker)

    assert [one.id for one in due] == [second]


@pytest.mark.parametrize("stopped", ["cancelled", "collapsed"])
async def test_what_is_known_late_to_have_left_is_not_unknown(
    stopped: str, hub: Hub, shop: Shop, drive: Drive
) -> None:
    """Its worker stood still, was taken for dead, and has its answer after all."""
    id_ = (await shop.send(**text("email", collapse_key="k")))["id"]
    [row] = await drive.rows(id_)
    [claimed] = await claims.claim(hub.db, [row["id"]], drive.worker)
    account = plain_mail(hub)
    begun = await attempts.begin(hub.db, [[claimed]], account, new_id(), drive.worker)
    await hub.db.execute(RESTED)
    await drive.take_back()
    if stopped == "cancelled":
        assert (await shop.api.post(f"/v1/notifications/{id_}/cancel")).status == 409
    else:
        await shop.send(**text("email", "new", collapse_key="k"))
    assert await shop.status(id_) == "unknown"

    sent = Settled(claimed.id, DeliveryStatus.SENT, "accepted", provider_id="x")
    await drive.deliverer._record([(claimed, sent)], begun)

    assert await shop.status(id_) == "sent"


# -- in hand for long ---------------------------------------------------------------------------------------------------


async def test_whose_time_is_over_while_it_waits_for_its_turn_is_not_sent(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_FRESH", 0.5)
    turn = Turnstile(drive, plain_mail(hub))
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    id_ = (await shop.send(**text("email", expires_at=soon)))["id"]
    await turn.close()
    job = await turn.arrives(id_)
    await asyncio.sleep(2)
    turn.open()
    await job

    await drive.all()

    assert providers.smtp.sent == []
    assert await shop.status(id_) == "expired"


async def test_a_job_that_lasts_looks_again_who_may_be_told(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_LOOKED_AT_FOR", 0.5)
    account = plain_mail(hub)
    slow(monkeypatch, account, 0.3)
    count = account.limits.concurrency * 4
    for n in range(count):
        address = {"email": f"p{n}@example.com"}
        await shop.contact(f"p{n}", addresses=address, consents=AGREED)
        await shop.send(f"p{n}", **MARKETING, channels=["email"])
    job = asyncio.create_task(drive.once())
    while not providers.smtp.sent:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    for n in range(count):
        await shop.contact(f"p{n}", consents={"marketing": {"email": "unsubscribed"}})
    await job
    sent = len(providers.smtp.sent)

    await drive.all()

    assert sent < count
    assert len(providers.smtp.sent) == sent
    statuses = await hub.db.fetch("SELECT status, count(*) FROM delivery GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in statuses] == [("sent", sent), ("suppressed", count - sent)]


async def test_of_two_jobs_of_one_worker_one_sends_it(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has waited so long that its lease was taken for a dead worker's."""
    monkeypatch.setattr(delivery, "_FRESH", 0.5)
    turn = Turnstile(drive, plain_mail(hub))
    id_ = (await shop.send(**text("email")))["id"]
    await turn.close()
    first = await turn.arrives(id_)
    await hub.db.execute(RESTED)
    await drive.take_back()
    await asyncio.sleep(1)
    second = await turn.arrives(id_)
    turn.open()
    await asyncio.gather(first, second)

    assert len(providers.smtp.sent) == 1
    assert await shop.status(id_) == "sent"


async def test_a_call_that_is_not_made_takes_nothing_out_of_another_jobs_hand(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first job's account was paused while it stood still; the second one's is another."""
    account = plain_mail(hub)
    gate = drive.deliverer._gate(account)
    for _ in range(account.limits.concurrency):
        assert await gate.begins()
    id_ = (await shop.send(**text("email")))["id"]
    [row] = await drive.rows(id_)
    first = asyncio.create_task(drive.deliverer.deliver([row["id"]]))
    await in_hand(drive, id_)
    await hub.db.execute(RESTED)
    await drive.take_back()
    key = hub.shop("main").id, Channel.EMAIL
    other = hub.accounts.get(key[0], "mail")
    assert other
    hub.accounts._by_channel[key] = (other,)
    slow(monkeypatch, other, 2)
    second = asyncio.create_task(drive.deliverer.deliver([row["id"]]))
    await in_hand(drive, id_)
    monkeypatch.setattr(gate, "_is_left", lambda: True)
    await first

    assert (await drive.rows(id_))[0]["status"] == "sending"
    await second
    assert await shop.status(id_) == "sent"


async def test_what_is_given_back_after_an_outage_is_taken_from_nobody(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim never reached the database, and another job claims it while it is given back."""
    slow(monkeypatch, plain_mail(hub), 0.3)
    id_ = (await shop.send(**text("email")))["id"]
    [row] = await drive.rows(id_)
    with drive.deliverer.leases.left_for_later(Job(), [row["id"]]):
        raise ConnectionResetError
    write_not_made, jobs = attempts.write_not_made, []

    async def and_meanwhile(*given: Any) -> None:
        await write_not_made(*given)
        jobs.append(asyncio.create_task(drive.deliverer.deliver([row["id"]])))
        await in_hand(drive, id_)

    monkeypatch.setattr(attempts, "write_not_made", and_meanwhile)
    await drive.deliverer.leases._give_back_left()
    await asyncio.gather(*jobs)
    await drive.hurry()
    await drive.all()

    assert len(providers.smtp.sent) == 1
    assert await shop.status(id_) == "sent"


# -- outcomes -----------------------------------------------------------------------------------------------------------


async def test_whoever_is_cancelled_while_outcomes_are_written_takes_nobody_along(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    letters = [await letter_in_hand(hub, shop, drive) for _ in range(2)]
    recorder = drive.deliverer._recorder
    await recorder._turn.acquire()
    writing = []
    for _, claimed, account in letters:
        begun = await attempts.begin(hub.db, [[claimed]], account, new_id(), drive.worker)
        settled = Settled(claimed.id, DeliveryStatus.SENT, "accepted")
        writing.append(asyncio.create_task(recorder.put([(claimed, settled)], begun)))
    await asyncio.sleep(0.05)
    writing[0].cancel()
    await asyncio.sleep(0.05)
    recorder._turn.release()
    await writing[1]

    assert [await shop.status(id_) for id_, _, _ in letters] == ["sent", "sent"]


async def test_what_became_due_is_handed_out_once_and_by_somebody_who_is_still_there(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = [Due(Category.MARKETING, new_id())]
    ready = asyncio.Event()

    async def written(*_: object) -> list[Due]:
        await ready.wait()
        return due

    monkeypatch.setattr(outcomes, "record", written)
    settled: Any = Settled(new_id(), DeliveryStatus.SENT, "accepted")
    recorder = drive.deliverer._recorder
    waiting = [asyncio.create_task(recorder.put([(settled, settled)], {})) for _ in range(3)]
    await asyncio.sleep(0.05)
    waiting[0].cancel()
    ready.set()

    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(told[0], asyncio.CancelledError)
    assert told[1:] == [due, []]


async def test_that_outcomes_cannot_be_written_is_told_to_everybody_who_waits(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = drive.deliverer._recorder
    monkeypatch.setattr(recorder, "_write", lambda *_: 1 // 0)
    settled: Any = Settled(new_id(), DeliveryStatus.SENT, "accepted")

    told = await asyncio.gather(
        *(recorder.put([(settled, settled)], {}) for _ in range(3)), return_exceptions=True
    )

    assert [type(error) for error in told] == [ZeroDivisionError] * 3


async def test_an_outcome_that_does_not_fit_is_kept_without_what_the_provider_said(
    hub: Hub, shop: Shop, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so are the others of its transaction, whole."""
    account = plain_mail(hub)
    send = account.adapter.send

    async def with_a_price(_self: Any, messages: list[Message]) -> list[Outcome]:
        outcomes = await send(messages)
        wild = any("дикая" in m.text for m in messages)
        # asyncpg packs digits by fours; a number of this size fits no numeric.
        return [Accepted("x", Decimal("1E+999999")) for _ in messages] if wild else outcomes

    monkeypatch.setattr(type(account.adapter), "send", with_a_price)
    wild = (await shop.send(**text("email", "дикая цена")))["id"]
    tame = (await shop.send("boris", **text("email")))["id"]

    await drive.once()

    assert (await shop.status(wild), await shop.status(tame)) == ("sent", "sent")


async def test_what_is_stored_of_one_person_holds_up_no_other(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    bad = (await shop.send(**text("email")))["id"]
    good = (await shop.send("boris", **text("email")))["id"]
    await hub.db.execute(
        """
        UPDATE contact SET timezone = 'Europe/Nowhere',
                           preferences = '{"quiet_hours": {"from": "01:00", "to": "02:00"}}'
         WHERE external_id = 'anna'
        """
    )

    await drive.once()

    assert (await shop.status(good), await shop.status(bad)) == ("sent", "queued")
    [row] = await drive.rows(bad)
    assert row["due_at"] > datetime.now(UTC) + timedelta(minutes=1)
