"""From a due delivery to its recorded outcome, whatever providers do; time passes in the data."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from channels.base import Adapter, Category, Channel, Message, Outcome
from channels.sms.sms_ru import SmsRu, _HandedOver
from hub.accounts import book, health, recent
from hub.accounts.book import LiveAccount
from hub.ids import new_id
from hub.notifications import attempts, claims, leases, outcomes, tick
from hub.notifications.claims import Claimed
from hub.notifications.leases import Job
from hub.notifications.model import DeliveryStatus
from hub.notifications.settle import Settled
from hub.queue import DueRoute
from hub.resources import Hub
from tests.hub.api.client import Api
from tests.hub.notifications.conftest import Drive, Shop, notification
from tests.hub.notifications.providers import Providers
from tests.simulators.base import Fault
from tests.simulators.smtp import Accident

MINUTE = timedelta(minutes=1)
MARKETING: dict[str, Any] = {"template": "cart.abandoned", "data": {}}


def text(channel: str, words: str = "Привет", **more: Any) -> dict[str, Any]:
    return {"content": {"text": words}, "channels": [channel]} | more


async def letter_in_hand(hub: Hub, shop: Shop, drive: Drive) -> tuple[str, Claimed, LiveAccount]:
    """A notification's delivery that the worker has claimed, and the account that carries it."""
    id_ = (await shop.send(channels=["email"]))["id"]
    [row] = await drive.rows(id_)
    [claimed] = await claims.claim(hub.db, [row["id"]], drive.worker)
    account = hub.accounts.get(claimed.shop_id, "mail")
    assert account
    return id_, claimed, account


async def tried(shop: Shop, id_: str) -> list[tuple[str, str | None, str | None]]:
    """(account, outcome, code) of every attempt of every delivery."""
    story = await shop.story(id_)
    return [
        (a["account"], a["outcome"], a["code"]) for d in story["deliveries"] for a in d["attempts"]
    ]


async def ends(shop: Shop, id_: str) -> list[tuple[str, str, str | None]]:
    story = await shop.story(id_)
    return [(d["channel"], d["status"], d["reason"]) for d in story["deliveries"]]


# -- retries ---------------------------------------------------------------------------------


async def test_a_failed_call_comes_again_after_a_growing_pause(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("telegram")))["id"]
    providers.telegram.fault = Fault(status=500)
    pauses = []
    for _ in range(3):
        await drive.once()
        [row] = await drive.rows(id_)
        pauses.append((row["due_at"] - row["updated_at"]).total_seconds())
        await drive.pass_time(timedelta(seconds=20))

    providers.telegram.fault = None
    await drive.all()

    assert pauses[0] < pauses[1] < pauses[2]
    assert await shop.status(id_) == "sent"
    assert [outcome for _, outcome, _ in await tried(shop, id_)] == ["retry"] * 3 + ["accepted"]


async def test_a_provider_that_asks_for_patience_gets_it(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("telegram")))["id"]
    providers.telegram.flood(timedelta(seconds=90), 101)

    await drive.once()

    [row] = await drive.rows(id_)
    assert row["due_at"] - row["updated_at"] >= timedelta(seconds=88)
    assert row["status"] == "queued"


async def test_several_told_to_wait_at_once_mean_the_whole_account(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    await shop.contact("boris", addresses={"telegram": "102"})
    await shop.contact("vera", addresses={"telegram": "103"})
    providers.telegram.add_person(103)
    for person in ("anna", "boris"):
        await shop.send(person, **text("telegram"))
    providers.telegram.flood(timedelta(seconds=90))
    await drive.once()
    asked = providers.telegram.requests

    await shop.send("vera", **text("telegram"))
    await drive.once()

    assert providers.telegram.requests == asked


async def test_two_told_to_wait_while_others_are_written_to_hold_up_nobody_else(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    """As groups, each with a limit of its own, on a busy morning."""
    for name, number in (("boris", 102), ("vera", 103), ("gleb", 104)):
        await shop.contact(name, addresses={"telegram": str(number)})
        providers.telegram.add_person(number)
    for number in (101, 102):
        providers.telegram.flood(timedelta(seconds=90), number)
    for person in ("anna", "vera", "boris"):
        await shop.send(person, **text("telegram"))
        await drive.once()

    other = (await shop.send("gleb", **text("telegram")))["id"]
    await drive.once()

    assert await shop.status(other) == "sent"


async def test_one_told_to_wait_holds_up_nobody_else(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    await shop.contact("boris", addresses={"telegram": "102"})
    await shop.send(**text("telegram"))
    providers.telegram.flood(timedelta(seconds=90), 101)
    await drive.once()

    other = (await shop.send("boris", **text("telegram")))["id"]
    await drive.once()

    assert await shop.status(other) == "sent"


@pytest.mark.parametrize(
    ("provider", "refused"),
    [
        # It refuses an equal text to an equal number for a minute.
        ("sms_ru", ("sms-ru", "retry", "sms-ru-231")),
        ("smsc", ("smsc", "retry", "throttled")),
    ],
)
async def test_who_gets_the_same_text_twice_holds_up_nobody_else(
    hub: Hub,
    shop: Shop,
    drive: Drive,
    providers: Providers,
    provider: str,
    refused: tuple[str, str, str],
) -> None:
    _only(hub, provider)
    providers.smsc.equals_refused = True
    await shop.send(**text("sms"))
    await drive.once()
    again = (await shop.send(**text("sms")))["id"]
    await drive.once()
    other = (await shop.send("boris", **text("sms")))["id"]

    await drive.once()

    assert await tried(shop, again) == [refused]
    assert await shop.status(other) == "sent"


async def test_calls_of_several_that_smsc_refuses_mean_the_whole_account(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """What it says then is what it says of an equal call."""
    _only(hub, "smsc")
    providers.smsc.crowded = True
    for person in ("anna", "boris"):
        await shop.send(person, **text("sms", f"Для {person}"))
    await drive.once()
    calls = len(providers.smsc.calls)

    await shop.send(**text("sms", "Ещё"))
    await drive.once()

    assert calls == 2
    assert len(providers.smsc.calls) == calls


def _only(hub: Hub, provider: str) -> None:
    """Of the accounts for SMS."""
    key = (hub.shop("main").id, Channel.SMS)
    hub.accounts._by_channel[key] = tuple(
        account for account in hub.accounts.of(*key) if account.provider == provider
    )


async def test_a_repeat_by_another_process_is_known_as_one(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    key = (hub.shop("main").id, Channel.SMS)
    [account] = [one for one in hub.accounts.of(*key) if one.provider == "sms_ru"]
    hub.accounts._by_channel[key] = (account,)
    id_ = (await shop.send(**text("sms")))["id"]
    providers.sms_ru.faults.append(Fault(status=504, after_taking=True))
    await drive.once()

    cast("SmsRu", account.adapter)._handed_over = _HandedOver()
    await drive.hurry()
    await drive.once()

    assert [outcome for _, outcome, _ in await tried(shop, id_)] == ["maybe_sent", "accepted"]
    assert await shop.status(id_) == "sent"
    assert len(providers.sms_ru.sent) == 1


async def test_after_its_patience_the_next_channel_takes_over(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("telegram", channels=["telegram", "sms"])))["id"]
    providers.telegram.fault = Fault(status=500)
    for _ in range(4):
        await drive.once()
        await drive.pass_time(MINUTE)
    await drive.all()

    assert await ends(shop, id_) == [("telegram", "failed", "gave_up"), ("sms", "sent", None)]
    assert await shop.status(id_) == "sent"


async def test_a_refused_receiver_is_suppressed_and_the_next_channel_writes(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("telegram", channels=["telegram", "vk"])))["id"]
    providers.telegram.block(101)

    await drive.all()

    assert await ends(shop, id_) == [
        ("telegram", "failed", "recipient_refused"),
        ("vk", "sent", None),
    ]
    again = await shop.send()
    assert {"channel": "telegram", "reason": "suppressed"} in again["skipped"]


async def test_refused_content_suppresses_nobody(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("telegram", "я" * 5000, channels=["telegram", "email"])))["id"]

    await drive.all()

    assert [status for _, status, _ in await ends(shop, id_)] == ["failed", "sent"]
    assert (await ends(shop, id_))[0][2] == "message_refused"
    assert await hub.db.fetchval("SELECT count(*) FROM suppression") == 0


async def test_a_refused_account_rests_and_the_next_one_carries(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.smsc.token = "another"
    first = (await shop.send(**text("sms")))["id"]
    await drive.all()
    second = (await shop.send("boris", **text("sms")))["id"]
    await drive.all()

    assert [a[:2] for a in await tried(shop, first)] == [
        ("smsc", "refused"),
        ("sms-ru", "accepted"),
    ]
    assert [a[:2] for a in await tried(shop, second)] == [("sms-ru", "accepted")]
    refused = {"account": "smsc", "reason": "refused", "code": "2"}
    for id_ in (first, second):
        [delivery] = (await shop.story(id_))["deliveries"]
        assert refused.items() <= delivery["instead_of"].items()
        assert delivery["instead_of"]["detail"]
        assert delivery["attempts"][-1]["instead_of"] == delivery["instead_of"]
    [delivery] = (await shop.story(first))["deliveries"]
    assert delivery["attempts"][0]["instead_of"] is None
    state = await hub.db.fetchrow("SELECT account, refused, code FROM account_state")
    assert dict(state or {}) == {"account": "smsc", "refused": True, "code": "2"}


async def test_without_a_second_account_the_next_channel_carries(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.telegram.token = "1:revoked"
    id_ = (await shop.send(**text("telegram", channels=["telegram", "vk"])))["id"]

    await drive.all()

    assert await ends(shop, id_) == [("telegram", "failed", "account_paused"), ("vk", "sent", None)]


async def test_the_last_channel_waits_for_its_account_and_loses_nothing(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.telegram.token = "1:revoked"
    id_ = (await shop.send(**text("telegram")))["id"]
    await drive.all()
    assert await shop.status(id_) == "queued"

    providers.telegram.token = "1:test"
    await drive.pass_time(timedelta(seconds=31))
    await drive.all()

    assert await shop.status(id_) == "sent"


async def test_a_provider_that_is_down_is_left_alone_and_comes_back_gradually(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    port = providers.smsc.port
    await providers.smsc.stop()
    ids = []
    for n in range(recent.IN_A_ROW + 2):
        contact = await shop.contact(f"c{n}", addresses={"phone": f"+7999000020{n}"})
        ids.append((await shop.send(contact, **text("sms", f"Заказ {n}")))["id"])
        await drive.once()
    paused = await hub.db.fetchrow("SELECT account, refused FROM account_state")
    assert dict(paused or {}) == {"account": "smsc", "refused": False}
    await drive.hurry()
    await drive.all()
    assert {await shop.status(i) for i in ids} == {"sent"}
    assert len(providers.sms_ru.sent) == len(ids)

    await providers.smsc.start(port)
    await drive.pass_time(timedelta(seconds=11))
    for n in range(3):
        await shop.send("boris", **text("sms", f"Снова {n}"))
        await drive.all()

    assert len(providers.smsc.sent) == 3
    assert await hub.db.fetchval("SELECT count(*) FROM account_state") == 0


async def test_what_comes_back_gets_one_delivery_at_first_however_many_jobs_there_are(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    main = hub.shop("main").id
    await health.pause(hub.db, main, "smsc", refused=False, reason="x", code="x", failures=1)
    await drive.pass_time(timedelta(seconds=11))
    jobs: list[list[UUID]] = []
    for job in range(3):
        ids = []
        for n in range(3):
            contact = await shop.contact(f"c{job}{n}", addresses={"phone": f"+7999000{job}00{n}"})
            ids.append((await shop.send(contact, **text("sms", f"Заказ {job}{n}")))["id"])
        jobs.append([row["id"] for i in ids for row in await drive.rows(i)])
    providers.smsc.delay = 0.3

    await asyncio.gather(*(drive.deliverer.deliver(job) for job in jobs))

    assert len(providers.smsc.sent) == 1
    assert len(providers.sms_ru.sent) == 8
    rows = await hub.db.fetch("SELECT instead_of FROM attempt WHERE account = 'sms-ru'")
    assert [r["instead_of"]["reason"] for r in rows] == ["coming_back"] * 8


async def test_what_an_account_may_not_send_now_comes_back_with_a_time(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """Telegram: 25 a second; a burst of as many."""
    for n in range(40):
        providers.telegram.add_person(1000 + n)
    items = [
        notification(
            {"external_id": f"p{n}", "addresses": {"telegram": f"{1000 + n}"}}, **text("telegram")
        )
        for n in range(40)
    ]
    assert (await shop.api.post("/v1/notifications/batch", {"notifications": items})).status == 202

    await drive.once()

    rows = await hub.db.fetch(
        "SELECT due_at - updated_at AS wait, attempt_count FROM delivery WHERE status = 'queued'"
    )
    assert 20 <= len(providers.telegram.sent) <= 30
    assert len(rows) == 40 - len(providers.telegram.sent)
    assert all(timedelta(0) < r["wait"] < timedelta(seconds=2) for r in rows)
    assert {r["attempt_count"] for r in rows} == {0}


async def test_whom_the_account_may_not_write_to_yet_has_no_pause_from_it(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """His second begins when he is written to: else the account does nothing while all of them wait for it."""
    for n in range(40):
        providers.telegram.add_person(1000 + n)
        person = {"external_id": f"p{n}", "addresses": {"telegram": f"{1000 + n}"}}
        await shop.send(person, **text("telegram"))
    await drive.once()
    at_first = len(providers.telegram.sent)
    assert at_first < 40
    # The account may write again, and no second is over.
    await drive.redis.delete(f"vestnik:rate:{hub.shop('main').id}:tg")
    await hub.db.execute("UPDATE delivery SET due_at = now() WHERE status = 'queued'")
    kept = [key async for key in drive.redis.scan_iter("vestnik:to:*")]
    assert len(kept) <= at_first

    await drive.once()

    assert len(providers.telegram.sent) == 40


async def test_one_receiver_is_written_to_once_a_second(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    ids = [(await shop.send(**text("telegram", f"Заказ {n}")))["id"] for n in range(3)]

    await drive.once()

    rows = [row for i in ids for row in await drive.rows(i)]
    assert sorted(r["status"] for r in rows) == ["queued", "queued", "sent"]
    assert len(providers.telegram.sent) == 1


async def test_an_account_that_asks_for_patience_is_held_as_a_whole(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.sms_ru.code = 0
    # A clear word; that of error 9 has two meanings.
    providers.smsc.fault = Fault(status=429, headers={"Retry-After": "60"})
    first = (await shop.send(**text("sms")))["id"]
    await drive.once()
    calls = len(providers.smsc.calls)
    second = (await shop.send("boris", **text("sms", "Другое")))["id"]
    await drive.once()

    assert len(providers.smsc.calls) == calls
    [row] = await drive.rows(second)
    assert row["status"] == "queued"
    assert row["attempt_count"] == 0
    assert await shop.status(first) == "queued"
    assert await hub.db.fetchval("SELECT count(*) FROM account_state") == 0


# -- what may have been sent -----------------------------------------------------------------


async def test_an_unclear_order_message_is_repeated_and_marked(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.telegram.faults.append(Fault(status=502, after_taking=True))
    id_ = (await shop.send(**text("telegram")))["id"]
    await drive.once()
    await drive.pass_time(timedelta(seconds=3))
    await drive.all()

    [delivery] = (await shop.story(id_))["deliveries"]
    assert delivery["status"] == "sent"
    assert delivery["maybe_duplicate"] is True
    assert len(providers.telegram.sent) == 2


async def test_unclear_marketing_is_never_repeated(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.telegram.faults.append(Fault(status=502, after_taking=True))
    await shop.contact("anna", consents={"marketing": {"telegram": "subscribed"}})
    id_ = (await shop.send(**MARKETING, channels=["telegram"]))["id"]
    await drive.once()
    await drive.hurry()
    await drive.all()

    assert await shop.status(id_) == "unknown"
    assert len(providers.telegram.sent) == 1


@pytest.mark.parametrize("template", ["order.shipped", "cart.abandoned"])
async def test_a_provider_that_knows_repeats_gets_one_and_shows_one(
    template: str, shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.vk.faults.append(Fault(status=502, after_taking=True))
    await shop.contact("anna", consents={"marketing": {"vk": "subscribed"}})
    id_ = (await shop.send(template=template, channels=["vk"]))["id"]
    await drive.once()
    await drive.pass_time(timedelta(seconds=30))
    await drive.all()

    [delivery] = (await shop.story(id_))["deliveries"]
    assert (delivery["status"], delivery["maybe_duplicate"]) == ("sent", False)
    assert len(providers.vk.sent) == 1
    assert len(delivery["attempts"]) == 2


async def test_an_unclear_call_is_repeated_by_the_same_account(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    """The other one would not know that it is a repeat."""
    providers.unisender_go.faults.append(Fault(status=502, after_taking=True))
    await shop.contact("anna", consents={"marketing": {"email": "subscribed"}})
    ids = [
        (await shop.send(channels=["email"]))["id"],
        (await shop.send("boris", channels=["email"]))["id"],
    ]
    await drive.once()
    await drive.pass_time(timedelta(seconds=3))
    await drive.all()

    for id_ in ids:
        assert [account for account, _, _ in await tried(shop, id_)] == ["mail", "mail"]
        assert [d["maybe_duplicate"] for d in (await shop.story(id_))["deliveries"]] == [False]
    assert len(providers.unisender_go.sent) == 2
    assert not providers.smtp.sent


async def test_an_account_that_breaks_off_call_after_call_is_left_for_the_next_one(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    """By an order message, marked; a campaign stays with who knows repeats."""
    providers.unisender_go.fault = Fault(close=True)
    await shop.contact("anna", consents={"marketing": {"email": "subscribed"}})
    campaign = (await shop.send(**MARKETING, channels=["email"]))["id"]
    order = (await shop.send("boris", channels=["email"]))["id"]
    await drive.once()
    for _ in range(3):
        # The longest pause after the third call is 13 s.
        await drive.pass_time(timedelta(seconds=14))
        await drive.all()

    assert [a for a, _, _ in await tried(shop, order)] == ["mail", "mail", "mail", "plain-mail"]
    [delivery] = (await shop.story(order))["deliveries"]
    assert (delivery["status"], delivery["maybe_duplicate"]) == ("sent", True)
    assert {a for a, _, _ in await tried(shop, campaign)} == {"mail"}


@pytest.mark.parametrize("all_of_them", [True, False])
@pytest.mark.parametrize("template", ["order.shipped", "cart.abandoned"])
async def test_what_is_recognised_as_a_whole_call_only_is_no_repeat_in_parts(
    template: str, all_of_them: bool, hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.unisender_go.faults.append(Fault(status=502, after_taking=True))
    subscribed = {"marketing": {"email": "subscribed"}}
    ids = []
    for n in range(3):
        contact = await shop.contact(
            f"c{n}", addresses={"email": f"c{n}@example.com"}, consents=subscribed
        )
        ids.append((await shop.send(contact, template=template, channels=["email"]))["id"])
    await drive.once()
    assert len(providers.unisender_go.calls) == 1
    await drive.hurry()
    if not all_of_them:
        await hub.db.execute(
            "UPDATE delivery SET due_at = now() + interval '1 hour' WHERE notification_id = $1",
            UUID(ids[2]),
        )

    await drive.once()

    stories = [await shop.story(id_) for id_ in ids[:2]]
    marks = {d["maybe_duplicate"] for story in stories for d in story["deliveries"]}
    statuses = {story["status"] for story in stories}
    arrived = len(providers.unisender_go.sent)
    if all_of_them:
        assert (statuses, marks, arrived) == ({"sent"}, {False}, 3)
    elif template == "order.shipped":
        assert (statuses, marks, arrived) == ({"sent"}, {True}, 5)
    else:
        assert (statuses, arrived) == ({"unknown"}, 3)


async def test_what_was_one_call_is_tried_together_on_the_way_back(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.unisender_go.faults.append(Fault(status=502, after_taking=True))
    ids = []
    for n in range(3):
        contact = await shop.contact(f"c{n}", addresses={"email": f"c{n}@example.com"})
        ids.append((await shop.send(contact, channels=["email"]))["id"])
    await drive.once()
    main = hub.shop("main").id
    await health.pause(hub.db, main, "mail", refused=False, reason="x", code="x", failures=1)
    await drive.pass_time(timedelta(seconds=11))

    await drive.once()

    stories = [await shop.story(id_) for id_ in ids]
    assert {d["maybe_duplicate"] for s in stories for d in s["deliveries"]} == {False}
    assert len(providers.unisender_go.sent) == 3
    assert not providers.smtp.sent


async def in_doubt(shop: Shop, drive: Drive, providers: Providers, since: timedelta) -> str:
    """A letter of which nobody knows since when it may be there; it is due again."""
    providers.unisender_go.faults.append(Fault(status=502, after_taking=True))
    id_ = str((await shop.send(channels=["email"]))["id"])
    await drive.once()
    await drive.hub.db.execute("UPDATE attempt SET started_at = now() - $1::interval", since)
    await drive.hurry()
    return id_


@pytest.mark.parametrize(("seconds", "marked"), [(50, False), (56, True), (61, True)])
async def test_a_repeat_is_decided_on_while_there_is_time_to_make_it(
    seconds: int, marked: bool, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """The provider recognises it for a minute."""
    id_ = await in_doubt(shop, drive, providers, timedelta(seconds=seconds))

    await drive.once()

    [delivery] = (await shop.story(id_))["deliveries"]
    assert (delivery["status"], delivery["maybe_duplicate"]) == ("sent", marked)


async def test_a_repeat_that_waited_too_long_for_its_turn_is_not_made_without_a_mark(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "_IN_HAND", timedelta(seconds=1.5))
    id_ = await in_doubt(shop, drive, providers, timedelta(seconds=57.5))
    account = hub.accounts.get(hub.shop("main").id, "mail")
    assert account
    gate = drive.deliverer._gate(account)
    places = await gate.enter(1000)
    waits = asyncio.create_task(drive.once())
    while (await drive.rows(id_))[0]["status"] != "sending":  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.sleep(1.6)
    gate.leave(places)
    await waits

    assert len(providers.unisender_go.calls) == 1
    assert (await tried(shop, id_))[1:] == [("mail", "retry", "repeat-too-late")]

    await drive.hurry()
    await drive.once()

    [delivery] = (await shop.story(id_))["deliveries"]
    assert (delivery["status"], delivery["maybe_duplicate"]) == ("sent", True)


async def test_an_order_message_does_not_wait_for_long_to_be_recognised(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """Its account is left alone: for a moment it is waited for, then another one carries it, marked."""
    providers.unisender_go.faults.append(Fault(status=502, after_taking=True))
    id_ = (await shop.send(channels=["email"]))["id"]
    await drive.once()
    main = hub.shop("main").id
    await health.pause(hub.db, main, "mail", refused=False, reason="x", code="x", failures=1)
    await hub.accounts.refresh(hub.db)
    await drive.hurry()
    await drive.once()
    assert len(await tried(shop, id_)) == 1

    await hub.db.execute("UPDATE attempt SET started_at = started_at - interval '15 s'")
    await drive.hurry()
    await drive.all()

    assert [a for a, _, _ in await tried(shop, id_)] == ["mail", "plain-mail"]
    [delivery] = (await shop.story(id_))["deliveries"]
    assert (delivery["status"], delivery["maybe_duplicate"]) == ("sent", True)
    assert delivery["instead_of"]["reason"] == "paused"


async def test_a_claimed_delivery_is_read_in_the_order_of_its_columns(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    [delivery] = await drive.rows((await shop.send(channels=["email"]))["id"])

    [row] = await hub.db.fetch(
        claims._CLAIM, drive.worker, claims.LEASE, claims.SESSION, [delivery["id"]]
    )

    put_together = ("channel", "category", "contact", "instead_of")
    own = claims.Claimed._fields[: -len(put_together)]
    assert claims.Claimed._fields == own + put_together
    assert tuple(row.keys())[: len(own)] == own
    assert tuple(row.keys())[len(own) :] == (
        *("channel", "category", "consent", "role", "name", "external_id", "attributes"),
        *("contact_locale", "timezone", "preferences"),
    )


async def test_before_a_call_and_after_it_one_row_each_is_written(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """The attempt says what the delivery would; what the provider takes ends with the delivery."""
    id_ = (await shop.send(**text("telegram")))["id"]
    providers.telegram.delay = 0.5
    under_way = asyncio.create_task(drive.once())
    while not (begun := await hub.db.fetch("SELECT xmin, * FROM attempt")):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    [row] = await drive.rows(id_)
    assert (row["status"], row["attempt_count"], row["account"]) == ("sending", 0, None)
    assert (await shop.story(id_))["deliveries"][0]["attempts"][0]["outcome"] is None
    await under_way

    assert await hub.db.fetch("SELECT xmin, * FROM attempt") == begun
    [row] = await drive.rows(id_)
    assert (row["status"], row["attempt_count"], row["account"]) == ("sent", 1, "tg")
    [attempt] = (await shop.story(id_))["deliveries"][0]["attempts"]
    assert (attempt["number"], attempt["outcome"]) == (1, "accepted")
    assert attempt["finished_at"] >= attempt["time"]


async def test_of_a_worker_that_dies_in_a_call_its_attempt_tells(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    id_, claimed, account = await letter_in_hand(hub, shop, drive)
    batch_key = new_id()
    await attempts.begin(hub.db, [[claimed]], account, batch_key, drive.worker)

    await hub.db.execute("UPDATE delivery SET leased_until = now() - interval '1 second'")
    await drive.take_back()

    [row] = await drive.rows(id_)
    assert (row["account"], row["provider"]) == (account.name, account.provider)
    assert (row["attempt_count"], row["batch_key"]) == (1, batch_key)
    assert row["route"].endswith("/apart")
    [attempt] = (await shop.story(id_))["deliveries"][0]["attempts"]
    assert (attempt["outcome"], attempt["code"]) == ("unknown", "worker-died")


async def test_of_calls_that_a_missing_database_held_up_none_stays_open(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    """Begun, as far as the database knows; its answer was lost on the way, so nobody called."""
    id_, claimed, account = await letter_in_hand(hub, shop, drive)
    await attempts.begin(hub.db, [[claimed]], account, new_id(), drive.worker)

    with drive.deliverer.leases.left_for_later(Job(), [claimed.id]):
        raise ConnectionResetError
    keeping = asyncio.create_task(drive.deliverer.leases.keep())
    while (await drive.rows(id_))[0]["status"] == "sending":  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    keeping.cancel()
    await drive.hurry()
    await drive.all()

    [delivery] = (await shop.story(id_))["deliveries"]
    assert [(a["number"], a["outcome"], a["code"]) for a in delivery["attempts"]] == [
        (1, "retry", "database-away"),
        (2, "accepted", None),
    ]


async def test_outcomes_of_several_accounts_wait_for_each_row_in_its_turn(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    """Receipts lock in the order of ids; whoever has a later one already would wait for them in a ring."""
    deliveries = []
    for channel in ("telegram", "email", "telegram"):
        deliveries += await drive.rows((await shop.send(**text(channel)))["id"])
    first, second, third = await claims.claim(hub.db, [d["id"] for d in deliveries], drive.worker)
    begun: dict[UUID, attempts.Begun] = {}
    for name, claimed in (("tg", first), ("mail", second), ("tg", third)):
        account = hub.accounts.get(claimed.shop_id, name)
        assert account
        begun |= await attempts.begin(hub.db, [[claimed]], account, new_id(), drive.worker)
    pairs = [
        (c, Settled(c.id, DeliveryStatus.SENT, word="accepted")) for c in (first, second, third)
    ]

    async with hub.db.acquire() as receipts, receipts.transaction():
        await receipts.execute("SELECT FROM delivery WHERE id = $1 FOR UPDATE", second.id)
        recording = asyncio.create_task(outcomes.record(hub.db, pairs, begun, drive.worker))
        while not await hub.db.fetchval(  # noqa: ASYNC110
            "SELECT count(*) FROM pg_locks WHERE NOT granted"
        ):
            await asyncio.sleep(0.02)
        free = "SELECT id FROM delivery WHERE id = ANY($1) FOR UPDATE SKIP LOCKED"
        [left] = await receipts.fetch(free, [first.id, third.id])
        assert left["id"] == third.id
    await recording

    assert [(await drive.rows(str(c.notification_id)))[0]["status"] for c, _ in pairs] == [
        "sent"
    ] * 3


async def test_that_it_may_be_a_double_is_known_before_the_call(
    hub: Hub, shop: Shop, drive: Drive
) -> None:
    """Should the worker die in it, nobody else could tell."""
    id_, claimed, account = await letter_in_hand(hub, shop, drive)

    doubtful = claimed._replace(maybe_duplicate=True)
    await attempts.begin(hub.db, [[doubtful]], account, new_id(), drive.worker)

    assert (await drive.rows(id_))[0]["maybe_duplicate"] is True


async def test_once_nobody_knows_repeats_any_more_the_rule_of_doubles_counts(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    consents = {"marketing": {"vk": "subscribed"}}
    await shop.contact("anna", consents=consents)
    providers.vk.faults.append(Fault(status=502, after_taking=True))
    campaign = (await shop.send(**MARKETING, channels=["vk"]))["id"]
    await drive.once()
    providers.vk.faults.append(Fault(status=502, after_taking=True))
    await shop.contact("c", addresses={"vk": "202"})
    order = (await shop.send("c", channels=["vk"]))["id"]
    await drive.once()

    await drive.pass_time(timedelta(hours=2))
    await drive.all()

    assert await shop.status(campaign) == "unknown"
    [delivery] = (await shop.story(order))["deliveries"]
    assert (delivery["status"], delivery["maybe_duplicate"]) == ("sent", True)


async def test_an_outcome_known_late_still_counts(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """The database was away longer than the lease: the tick took it for dead, and then the worker wrote."""
    id_ = (await shop.send(**text("telegram")))["id"]
    providers.telegram.delay = 0.5
    under_way = asyncio.create_task(drive.once())
    while not await hub.db.fetchval("SELECT count(*) FROM attempt"):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await hub.db.execute("UPDATE delivery SET leased_until = now() - interval '1 second'")
    await drive.take_back()
    assert (await drive.rows(id_))[0]["reason"] == "worker_died"
    await under_way

    await drive.all()

    assert await shop.status(id_) == "sent"
    assert len(providers.telegram.sent) == 1


async def test_what_a_dead_worker_claimed_and_never_called_goes_out_unmarked(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("telegram")))["id"]
    [row] = await drive.rows(id_)
    await claims.claim(hub.db, [row["id"]], new_id())
    await hub.db.execute("UPDATE delivery SET leased_until = now() - interval '1 second'")

    await drive.take_back()
    await drive.all()

    [delivery] = (await shop.story(id_))["deliveries"]
    assert (delivery["status"], delivery["maybe_duplicate"]) == ("sent", False)


@pytest.mark.parametrize("waited", ["in its row", "for this machine"])
async def test_what_waited_for_its_account_is_no_sign_of_a_full_machine(
    waited: str, hub: Hub, shop: Shop, drive: Drive
) -> None:
    """Or every campaign of the process would go one step at a time while one account has much to do."""
    id_ = (await shop.send(**text("email")))["id"]
    await hub.db.execute("UPDATE delivery SET due_at = now() - interval '1 minute'")
    [row] = await drive.rows(id_)
    handed_out_at = datetime.now(UTC) if waited == "in its row" else row["due_at"]

    await drive.deliverer.deliver([row["id"]], handed_out_at)

    pause = drive.deliverer._way._pause()
    assert (pause > timedelta(0)) == (waited == "for this machine")
    assert await shop.status(id_) == "sent"


async def test_of_many_workers_one_sends(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("telegram")))["id"]
    [row] = await drive.rows(id_)

    await asyncio.gather(*(drive.deliverer.deliver([row["id"]]) for _ in range(5)))

    assert len(providers.telegram.sent) == 1
    assert len(await tried(shop, id_)) == 1


# -- order, collapse, ends -------------------------------------------------------------------


async def test_messages_of_one_key_leave_in_order_even_when_the_first_has_to_wait(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    ids = [(await shop.send(**text("email", f"Шаг {n}", ordering_key="o")))["id"] for n in range(3)]
    providers.unisender_go.faults.append(Fault(status=503))
    await drive.once()
    assert [await shop.status(i) for i in ids] == ["queued"] * 3

    for _ in range(4):
        await drive.hurry()
        await drive.once()

    sent = [m.text for m in providers.unisender_go.sent + providers.smtp.sent]
    assert sorted(sent) == ["Шаг 0", "Шаг 1", "Шаг 2"]
    rows = [(await drive.rows(i))[0] for i in ids]
    assert [r["status"] for r in rows] == ["sent"] * 3
    assert rows[0]["sent_at"] < rows[1]["sent_at"] < rows[2]["sent_at"]


async def test_a_key_waits_for_the_fall_back_of_its_first(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.telegram.block(101)
    first = await shop.send(**text("telegram", channels=["telegram", "sms"], ordering_key="o"))
    second = await shop.send(**text("vk", "Потом", ordering_key="o"))

    await drive.once()
    assert await shop.status(second["id"]) == "queued"
    await drive.all()

    rows = [(await drive.rows(i))[-1] for i in (first["id"], second["id"])]
    assert [r["status"] for r in rows] == ["sent", "sent"]
    assert rows[0]["sent_at"] < rows[1]["sent_at"]


async def test_another_key_waits_for_nobody(shop: Shop, drive: Drive) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    await shop.send(**text("email", ordering_key="a", send_at=later.isoformat()))
    other = await shop.send(**text("email", ordering_key="b"))
    boris = await shop.send("boris", **text("email", ordering_key="a"))

    await drive.all()

    assert [await shop.status(s["id"]) for s in (other, boris)] == ["sent", "sent"]


async def test_a_newer_status_replaces_one_that_has_not_left(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    old = await shop.send(**text("email", "Собран", collapse_key="o"))
    other = await shop.send("boris", **text("email", "Другой", collapse_key="o"))
    new = await shop.send(**text("email", "Отправлен", collapse_key="o"))
    await drive.all()
    newest = await shop.send(**text("email", "Прибыл", collapse_key="o"))
    await drive.all()

    statuses = [await shop.status(s["id"]) for s in (old, other, new, newest)]
    assert statuses == ["collapsed", "sent", "sent", "sent"]
    assert "Собран" not in [m.text for m in providers.unisender_go.sent]


async def test_what_is_over_before_it_is_sent_expires(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    sent = await shop.send(**text("email", channels=["email", "sms"], expires_at=soon.isoformat()))

    await drive.pass_time(timedelta(minutes=6))
    await drive.all()

    assert await shop.status(sent["id"]) == "expired"
    assert not providers.unisender_go.sent
    assert not providers.smsc.sent


# -- what changes between planning and sending -----------------------------------------------


async def test_quiet_hours_that_begin_in_between_hold_and_use_no_time_up(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("email", channels=["email", "sms"])))["id"]
    providers.unisender_go.fault = providers.smsc.fault = Fault(status=503)
    await drive.once()
    [before] = await drive.rows(id_)
    now = datetime.now(UTC)
    hours = {"from": f"{now:%H:%M}", "to": f"{now + timedelta(hours=5):%H:%M}"}
    await shop.contact("anna", timezone="UTC", preferences={"quiet_hours": hours})
    await drive.hurry()
    await drive.once()

    story = await shop.story(id_)
    [row] = await drive.rows(id_)
    assert story["status"] == "scheduled"
    assert story["held_until"] is not None
    assert row["give_up_at"] - before["give_up_at"] > timedelta(hours=4)

    providers.unisender_go.fault = None
    await shop.contact("anna", preferences={"quiet_hours": None})
    await drive.pass_time(row["due_at"] - datetime.now(UTC))
    await drive.all()
    assert await ends(shop, id_) == [("email", "sent", None)], await tried(shop, id_)


async def test_consent_withdrawn_in_between_counts(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    await shop.contact("anna", consents={"marketing": {"email": "subscribed"}})
    id_ = (await shop.send(**MARKETING, channels=["email"]))["id"]
    await shop.contact("anna", consents={"marketing": {"email": "unsubscribed"}})

    await drive.all()

    assert await ends(shop, id_) == [("email", "suppressed", "unsubscribed")]
    assert await shop.status(id_) == "undeliverable"
    assert not providers.unisender_go.sent


async def test_an_address_suppressed_in_between_is_not_written_to(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("email", channels=["email", "sms"])))["id"]
    await hub.db.execute(
        "INSERT INTO suppression (shop_id, channel, digest, reason)"
        " SELECT shop_id, 'email', digest, 'bounced' FROM address WHERE value LIKE 'anna@%'"
    )

    await drive.all()

    assert await ends(shop, id_) == [("email", "suppressed", "suppressed"), ("sms", "sent", None)]


async def test_who_was_erased_in_between_is_written_to_no_more(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("email", channels=["email", "sms"])))["id"]
    assert (await shop.api.delete("/v1/contacts/anna")).status == 204

    await drive.all()

    story = await shop.story(id_)
    assert story["status"] == "cancelled"
    assert story["contact"] is None
    assert not providers.unisender_go.sent


async def test_one_that_cannot_be_rendered_does_not_stop_its_batch(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    bad = (await shop.send(channels=["email"]))["id"]
    good = (await shop.send("boris", channels=["email"]))["id"]
    await hub.db.execute("UPDATE notification SET data = '{}' WHERE id = $1", UUID(bad))

    await drive.all()

    assert await ends(shop, bad) == [("email", "failed", "cannot_render")]
    assert await shop.status(good) == "sent"


class Broken:
    """An adapter with a bug, around a good one."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.wrong = "raises"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        if self.wrong == "raises":
            raise RuntimeError("a bug")
        return []


@pytest.mark.parametrize("wrong", ["raises", "counts wrongly"])
async def test_an_adapter_with_a_bug_is_its_accounts_trouble_alone(
    wrong: str, hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    main = hub.shop("main").id
    [account] = hub.accounts.of(main, Channel.TELEGRAM)
    broken = Broken(account.adapter)
    broken.wrong = wrong
    swap(hub, replace(account, adapter=cast(Adapter, broken)))
    ill = (await shop.send(**text("telegram")))["id"]
    well = (await shop.send("boris", **text("email")))["id"]

    await drive.once()

    assert await shop.status(well) == "sent"
    assert await tried(shop, ill) == [("tg", "maybe_sent", "bug")]
    assert await shop.status(ill) == "queued"


def swap(hub: Hub, account: LiveAccount) -> None:
    """Puts another account in the place of the one of the same name."""
    book = hub.accounts
    key = (account.shop_id, account.channel)
    book._by_name[account.shop_id, account.name] = account
    book._by_channel[key] = tuple(
        account if a.name == account.name else a for a in book._by_channel[key]
    )


async def test_what_a_provider_says_is_written_however_odd_it_is(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    body = '{"ok": false, "error_code": 400, "description": "Bad\\u0000 \\ud800 request"}'
    providers.telegram.faults.append(Fault(status=400, body=body, content_type="application/json"))
    ill = (await shop.send(**text("telegram")))["id"]
    well = (await shop.send("boris", **text("email")))["id"]

    await drive.once()

    assert await shop.status(ill) == "failed"
    assert await shop.status(well) == "sent"


# -- strategies ------------------------------------------------------------------------------


async def test_all_goes_by_every_channel_and_one_may_fail(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.telegram.block(101)
    id_ = (await shop.send(strategy="all", channels=["telegram", "vk", "email", "sms"]))["id"]

    await drive.all()

    statuses = {channel: status for channel, status, _ in await ends(shop, id_)}
    assert statuses == {"telegram": "failed", "vk": "sent", "email": "sent", "sms": "sent"}
    assert await shop.status(id_) == "sent"


async def test_a_cascade_takes_the_next_channel_when_the_wait_is_over(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    sent = await shop.send(
        strategy="cascade",
        cascade={"until": "delivered", "wait": 600},
        channels=["email", "telegram", "sms"],
    )
    await drive.all()
    assert [(p["channel"], p["until"]) for p in sent["plan"]] == [
        ("email", "delivered"),
        ("telegram", "sent"),
        ("sms", "delivered"),
    ]
    await steps_due(hub)
    assert len(await ends(shop, sent["id"])) == 1

    await drive.pass_time(timedelta(minutes=10))
    await steps_due(hub)
    await drive.all()
    assert [c for c, _, _ in await ends(shop, sent["id"])] == ["email", "telegram"]

    # Telegram tells no more than that it took it: the cascade ends there.
    await drive.pass_time(timedelta(minutes=10))
    await steps_due(hub)
    assert len(await ends(shop, sent["id"])) == 2
    assert await hub.db.fetchval("SELECT count(*) FROM notification WHERE step_at IS NOT NULL") == 0


async def steps_due(hub: Hub) -> None:
    """As the tick does it."""
    async with hub.db.acquire() as connection:
        await tick._steps_due(connection)


async def test_a_dead_device_is_suppressed_and_the_others_get_it(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    devices = [{"provider": "fcm", "token": f"device-{n}"} for n in range(3)]
    await shop.contact("d", addresses={"push": devices})
    providers.fcm.unregistered.add("device-1")
    id_ = (await shop.send("d"))["id"]

    await drive.all()

    assert sorted(m.to for m in providers.fcm.sent) == ["device-0", "device-2"]
    assert await shop.status(id_) == "sent"
    again = await shop.send("d")
    assert [p["address"] for p in again["plan"]] == ["device-0", "device-2"]


async def test_equal_texts_of_many_go_in_one_call_where_the_provider_takes_it(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    items = [
        notification(
            {"external_id": f"v{n}", "addresses": {"vk": str(201 + n)}}, **text("vk", "Всем")
        )
        for n in range(3)
    ]
    await shop.api.post("/v1/notifications/batch", {"notifications": items})

    await drive.all()

    assert [method for method, _ in providers.vk.calls].count("messages.send") == 1
    assert [m.text for m in providers.vk.sent] == ["Всем"] * 3


async def test_shops_with_accounts_of_one_name_keep_their_own(
    hub: Hub, shop: Shop, drive: Drive, key_for: Any, url: str, providers: Providers
) -> None:
    """One job may hold deliveries of both."""
    main, other = hub.shop("main").id, hub.shop("other").id
    [sandbox] = hub.accounts.of(other, Channel.EMAIL)
    hub.accounts._by_channel[other, Channel.EMAIL] = (replace(sandbox, name="mail"),)
    mine = (await shop.send(**text("email", "Моё")))["id"]
    async with Api(url, await key_for("admin", shop="other")) as api:
        theirs = await Shop(api).send(
            {"external_id": "x", "addresses": {"email": "x@example.com"}}, **text("email", "Их")
        )
        await drive.once()
        kept = await api.get("/v1/sandbox/messages")

    assert main != other
    assert [m["text"] for m in kept.json["items"]] == ["Их"]
    assert [m.text for m in providers.unisender_go.sent] == ["Моё"]
    assert await shop.status(mine) == "sent"
    assert theirs["status"] == "queued"


async def test_the_unsubscribe_link_of_a_letter_works_with_one_click(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.unisender_go.token = "another"
    await shop.contact("anna", consents={"marketing": {"email": "subscribed"}})
    await shop.send(**MARKETING, channels=["email"])
    await drive.all()
    [letter] = providers.smtp.sent
    headers = letter.extra["letter"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = headers["List-Unsubscribe"].strip("<>").split(">")[0]

    answer = await shop.api.post(
        urlsplit(link).path,
        raw=b"List-Unsubscribe=One-Click",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        key=None,
    )

    assert link.startswith("https://hub.example/u/")
    assert link in letter.text
    assert answer.status == 200
    again = await shop.send(**MARKETING, channels=["email"])
    assert {"channel": "email", "reason": "unsubscribed"} in again["skipped"]


async def test_a_slow_mail_server_is_left_with_an_answer_that_may_be_a_double(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    providers.unisender_go.token = "another"
    providers.smtp.accident = Accident("DATA", after_taking=True)
    id_ = (await shop.send(**text("email")))["id"]
    await drive.once()
    await drive.once()

    assert (await tried(shop, id_))[-1][:2] == ("plain-mail", "maybe_sent")
    providers.smtp.accident = None
    await drive.pass_time(timedelta(seconds=30))
    await drive.all()
    [delivery] = (await shop.story(id_))["deliveries"]
    assert (delivery["status"], delivery["maybe_duplicate"]) == ("sent", True)


async def test_a_cancelled_message_no_longer_holds_back_its_key(hub: Hub, shop: Shop) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    first = await shop.send(**text("email", ordering_key="a", send_at=later.isoformat()))
    second = await shop.send(**text("email", "Потом", ordering_key="a"))

    answer = await shop.api.post(f"/v1/notifications/{first['id']}/cancel")

    assert answer.status == 200
    assert await hub.db.fetchval(
        "SELECT handout_at <= now() FROM delivery WHERE notification_id = $1", UUID(second["id"])
    )


async def test_the_foremost_of_a_route_are_claimed_by_whoever_comes(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """First tries that wait for nobody; each once, however many ask."""
    sent = [(await shop.send(**text("vk")))["id"]]
    await shop.contact("c", addresses={"vk": "202"})
    sent.append((await shop.send("c", **text("vk")))["id"])
    keyed = (await shop.send("c", **text("vk"), ordering_key="k"))["id"]
    due = DueRoute(hub.shop("main").id, Category.TRANSACTIONAL, "vk/vk//last")
    await hub.db.execute("UPDATE delivery SET handout_at = now()")

    await asyncio.gather(*(drive.deliverer.deliver_due(due, 1) for _ in range(5)))

    assert [await shop.status(id_) for id_ in sent] == ["sent", "sent"]
    assert await shop.status(keyed) == "queued"
    assert len(providers.vk.sent) == 2


async def test_what_is_tried_again_is_set_apart(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    id_ = (await shop.send(**text("telegram")))["id"]
    for _ in range(2):
        providers.telegram.faults.append(Fault(status=500))
        await drive.hurry()
        await drive.once()

    [row] = await drive.rows(id_)
    assert (row["status"], row["route"]) == ("queued", "telegram/telegram//last/apart")
    await drive.hurry()
    due = DueRoute(row["shop_id"], Category.TRANSACTIONAL, row["route"])
    await drive.deliverer.deliver_due(due, 10)
    assert await shop.status(id_) == "queued"


async def test_nobody_calls_for_what_it_holds_no_longer(
    shop: Shop, drive: Drive, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process stood still between the attempt and the call, for longer than a lease."""
    id_ = (await shop.send(**text("telegram")))["id"]
    begin, ahead = attempts.begin, timedelta(0)

    async def begin_and_stand_still(*given: Any) -> Any:
        nonlocal ahead
        begun = await begin(*given)
        ahead = claims.LEASE
        return begun

    monkeypatch.setattr(attempts, "begin", begin_and_stand_still)
    monkeypatch.setattr(leases, "monotonic", lambda: monotonic() + ahead.total_seconds())
    await drive.once()

    assert providers.telegram.sent == []
    [attempt] = (await shop.story(id_))["deliveries"][0]["attempts"]
    assert (attempt["outcome"], attempt["code"]) == ("retry", "lease-ran-out")


async def test_a_lease_is_renewed_once_it_has_lasted_a_while(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = (await shop.send(**text("telegram")))["id"]
    providers.telegram.delay = 1.0
    under_way = asyncio.create_task(drive.once())
    while not await hub.db.fetchval("SELECT count(*) FROM attempt"):  # noqa: ASYNC110
        await asyncio.sleep(0.02)

    async def renewed(later: timedelta) -> bool:
        before = (await drive.rows(id_))[0]["leased_until"]
        monkeypatch.setattr(leases, "monotonic", lambda: monotonic() + later.total_seconds())
        await drive.deliverer.leases.renew()
        return bool((await drive.rows(id_))[0]["leased_until"] > before)

    assert not await renewed(timedelta(seconds=2))
    assert await renewed(timedelta(seconds=12))
    await under_way
    assert await shop.status(id_) == "sent"
