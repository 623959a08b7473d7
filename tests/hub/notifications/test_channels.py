"""An order status by every provider, and what the providers tell of it later."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog

from channels.base import Channel
from hub.accounts.hooks import token_of
from hub.accounts.limits import RateLimits
from hub.content.catalog import Catalog
from hub.ids import new_id
from hub.notifications import attempts, claims, delivery, outcomes, receipts
from hub.notifications.delivery import Deliverer
from hub.notifications.rendering import message_for
from hub.notifications.settle import settle
from hub.notifications.sorting import in_hand
from hub.resources import Hub
from tests.hub.api.client import Answer, Api
from tests.hub.notifications.conftest import Drive, Shop
from tests.hub.notifications.providers import CALLBACK_SECRET, Providers
from tests.simulators import sms_ru, smsc
from tests.simulators.base import Sent
from tests.simulators.unisender_go import TOKEN as UNIGO_TOKEN
from tests.simulators.unisender_go import event, signed
from tests.simulators.webpush import Browser


@pytest.mark.usefixtures("working")
async def test_an_order_status_reaches_everybody_by_their_own_channel(
    shop: Shop, providers: Providers
) -> None:
    browser = json.loads(providers.webpush.subscribe(Browser("galya")))
    people = {
        "t": {"telegram": "101"},
        "v": {"vk": "201"},
        "e": {"email": "e@example.com"},
        "s": {"phone": "+79990000009"},
        "f": {"push": [{"provider": "fcm", "token": "device-1"}]},
        "w": {"push": [{"provider": "webpush", "subscription": browser}]},
        "i": {"push": [{"provider": "apns", "token": "a1" * 32}]},
        "r": {"push": [{"provider": "rustore", "token": "bk3RNwTe3H-anna"}]},
    }
    for name, addresses in people.items():
        await shop.contact(name, addresses=addresses)

    ids = {name: (await shop.send(name))["id"] for name in people}
    stories = {name: await shop.becomes(id_, "sent") for name, id_ in ids.items()}

    taken = {
        "t": providers.telegram,
        "v": providers.vk,
        "e": providers.unisender_go,
        "s": providers.smsc,
        "f": providers.fcm,
        "w": providers.webpush,
        "i": providers.apns,
        "r": providers.rustore,
    }
    for name, simulator in taken.items():
        [sent] = simulator.sent
        assert "Заказ 1001" in f"{sent.subject} {sent.text}", name
        assert "отправлен" in f"{sent.subject} {sent.text}", name
        [delivery] = stories[name]["deliveries"]
        assert delivery["provider_id"] == sent.provider_id
        assert [a["outcome"] for a in delivery["attempts"]] == ["accepted"]
    assert [s["deliveries"][0]["account"] for s in stories.values()] == [
        "tg",
        "vk",
        "mail",
        "smsc",
        "fcm",
        "web",
        "ios",
        "rustore",
    ]


async def test_each_device_of_a_person_goes_by_its_own_provider(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    devices = [
        {"provider": "apns", "token": "a1" * 32},
        {"provider": "rustore", "token": "bk3RNwTe3H-anna"},
        {"provider": "fcm", "token": "device-1"},
    ]
    await shop.contact("d", addresses={"push": devices})
    providers.apns.unregistered.add("a1" * 32)

    sent = await shop.send("d")
    await drive.all()

    story = await shop.story(sent["id"])
    assert {d["account"]: d["status"] for d in story["deliveries"]} == {
        "ios": "failed",
        "rustore": "sent",
        "fcm": "sent",
    }
    assert [m.to for m in providers.rustore.sent] == ["bk3RNwTe3H-anna"]
    assert [m.to for m in providers.fcm.sent] == ["device-1"]


async def test_a_campaign_sends_its_letter_once_and_everybody_gets_his_own(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    letter = {
        "category": "marketing",
        "subject": "{{ contact.name }}, скидки",
        "html": "<p>Здравствуйте, {{ contact.name }}! {{ sum|money }}</p>"
        "<a href='{{ links.unsubscribe }}'>Отписаться</a>",
    }
    assert (await shop.api.put("/v1/templates/spring.sale/email/ru", letter)).status == 200
    names = [f"Анна {n}" for n in range(24)] + ["{{f0}}"]
    for n, name in enumerate(names):
        await shop.contact(
            f"p{n}",
            name=name,
            addresses={"email": f"p{n}@example.com"},
            consents={"marketing": {"email": "subscribed"}},
        )

    for n in range(len(names)):
        await shop.send(f"p{n}", template="spring.sale", channels=["email"], data={"sum": 100 + n})
    await drive.all()

    told = {sent.to: sent for sent in providers.unisender_go.sent}
    for n, name in enumerate(names):
        sent = told[f"p{n}@example.com"]
        assert sent.subject == f"{name}, скидки"
        assert sent.html.startswith(f"<p>Здравствуйте, {name}! {100 + n}\xa0₽</p><a href='https://")
        assert sent.text.startswith(f"Здравствуйте, {name}! {100 + n} ₽\n\n[Отписаться](<https://")
    assert len({sent.html.partition("/u/")[2] for sent in told.values()}) == len(names)
    assert sorted(len(c["recipients"]) for c in providers.unisender_go.calls) == [1, 24]
    many = max(providers.unisender_go.calls, key=lambda call: len(call["recipients"]))
    assert "Анна" not in many["body"]["html"]


async def test_a_template_may_be_used_as_soon_as_it_is_stored(
    hub: Hub, shop: Shop, drive: Drive, providers: Providers
) -> None:
    """Workers look once a second for what shops have stored."""
    one_who_has_not_looked = replace(hub, catalog=Catalog())
    letter = {"subject": "Скидки", "html": "<p>{{ contact.name }}</p>"}
    assert (await shop.api.put("/v1/templates/spring.sale/email/ru", letter)).status == 200
    sent = await shop.send("anna", template="spring.sale", channels=["email"], data={})
    [row] = await drive.rows(sent["id"])

    worker = Deliverer(one_who_has_not_looked, new_id(), RateLimits(drive.redis))
    await worker.deliver([row["id"]])

    assert await shop.status(sent["id"]) == "sent"


@pytest.mark.parametrize("bug", [False, True])
async def test_what_is_wrong_with_one_letter_of_a_campaign_is_that_ones_alone(
    hub: Hub,
    shop: Shop,
    drive: Drive,
    providers: Providers,
    monkeypatch: pytest.MonkeyPatch,
    bug: bool,
) -> None:
    if bug:
        monkeypatch.setattr(delivery, "filled", lambda *_, **__: 1 // 0)
    letter = {"subject": "Скидки", "html": "<p>{{ contact.name }}: {{ sum|money }}</p>"}
    assert (await shop.api.put("/v1/templates/spring.sale/email/ru", letter)).status == 200
    sent = []
    for n in range(24):
        address = {"email": f"p{n}@example.com"}
        await shop.contact(f"p{n}", name=f"Анна {n}", addresses=address)
        sent.append(
            await shop.send(f"p{n}", template="spring.sale", channels=["email"], data={"sum": n})
        )
    bad = UUID(sent[7]["id"])
    await hub.db.execute("UPDATE notification SET data = '{}' WHERE id = $1", bad)

    await drive.all()

    assert len(providers.unisender_go.sent) == 23
    [failed] = (await shop.story(str(bad)))["deliveries"]
    assert (failed["status"], failed["reason"]) == ("failed", "cannot_render")


@pytest.mark.usefixtures("working")
async def test_the_second_accounts_carry_when_the_first_ones_refuse(
    shop: Shop, providers: Providers
) -> None:
    providers.unisender_go.token = "another"
    providers.smsc.token = "another"

    mail = await shop.send("boris", channels=["email"])
    text = await shop.send("boris", channels=["sms"])
    stories = [await shop.becomes(sent["id"], "sent") for sent in (mail, text)]

    assert [
        [(a["account"], a["outcome"]) for a in s["deliveries"][0]["attempts"]] for s in stories
    ] == [
        [("mail", "refused"), ("plain-mail", "accepted")],
        [("smsc", "refused"), ("sms-ru", "accepted")],
    ]
    assert [m.to for m in providers.smtp.sent] == ["boris@example.com"]
    assert [m.to for m in providers.sms_ru.sent] == ["79990000002"]


async def test_a_notification_tells_its_whole_story(
    shop: Shop, drive: Drive, providers: Providers
) -> None:
    sent = await shop.send("boris", channels=["sms"], meta={"a": [1]}, ordering_key="o-1")
    await drive.all()

    story = await shop.story(sent["id"])
    [delivery] = story["deliveries"]

    assert story["contact"] == "boris"
    assert story["meta"] == {"a": [1]}
    assert story["plan"] == [{"channel": "sms", "address": "+79990000002"}]
    assert {s["channel"]: s["reason"] for s in story["skipped"]}["telegram"] == "no_address"
    assert delivery["address"] == "+79990000002"
    assert delivery["cost"] == "3.5"
    assert delivery["provider_id"] == providers.smsc.sent[0].provider_id
    assert delivery["attempts"][0]["finished_at"]


class Hooks:
    """Providers' calls to `/hooks/{token}`."""

    def __init__(self, hub: Hub, api: Api) -> None:
        self._hub = hub
        self._api = api

    def path(self, account: str) -> str:
        live = self._hub.accounts.get(self._hub.shop("main").id, account)
        assert live
        return f"/hooks/{token_of(self._hub.signer, 'main', live.name)}"

    async def call(self, account: str, body: bytes, kind: str = "application/json") -> Answer:
        return await self._api.post(
            self.path(account), raw=body, headers={"Content-Type": kind}, key=None
        )

    async def smsc(self, sent: Sent, status: str, **more: str) -> Answer:
        call_id, _, phone = sent.provider_id.partition(":")
        form = {"id": call_id, "phone": phone, "status": status} | more
        return await self.call("smsc", smsc.callback(form, CALLBACK_SECRET), _FORM)

    async def sms_ru(self, sent: Sent, code: int, at: int = 1_790_000_000) -> Answer:
        entry = f"sms_status\n{sent.provider_id}\n{code}\n{at}"
        return await self.call("sms-ru", sms_ru.callback([entry]), _FORM)


_FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def hooks(hub: Hub, api: Api) -> Hooks:
    return Hooks(hub, api)


async def sent_by(shop: Shop, drive: Drive, channel: str, **more: Any) -> str:
    """The id of a notification to Boris that its provider has taken."""
    id_: str = (await shop.send("boris", channels=[channel], **more))["id"]
    await drive.all()
    return id_


async def test_signed_receipts_move_a_letter_forward(
    shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    id_ = await sent_by(shop, drive, "email")
    [letter] = providers.unisender_go.sent

    told = []
    for status in ("sent", "delivered", "opened", "delivered"):
        body = providers.unisender_go.receipt(event(letter, status))
        assert (await hooks.call("mail", body)).status == 200
        told.append(await shop.status(id_))

    assert told == ["sent", "delivered", "read", "read"]
    [delivery] = (await shop.story(id_))["deliveries"]
    assert [r["status"] for r in delivery["receipts"]] == ["sent", "delivered", "read"]
    assert delivery["delivered_at"].startswith("2026-11-01T10:00:00")


async def test_a_forged_receipt_is_refused_and_changes_nothing(
    shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    id_ = await sent_by(shop, drive, "email")
    [letter] = providers.unisender_go.sent
    body = providers.unisender_go.receipt(event(letter, "delivered"))
    text = await sent_by(shop, drive, "sms")
    call_id, _, phone = providers.smsc.sent[0].provider_id.partition(":")
    unsigned = smsc.callback({"id": call_id, "phone": phone, "status": "1"})

    answers = [
        await hooks.call("mail", body.replace(b'"delivered"', b'"opened"')),
        await hooks.call("smsc", unsigned, _FORM),
        await hooks.call("sms-ru", sms_ru.callback(["sms_status\n1\n103\n1"], "forged"), _FORM),
    ]

    assert [a.status for a in answers] == [401, 401, 401]
    assert answers[0].json["type"]
    assert [await shop.status(i) for i in (id_, text)] == ["sent", "sent"]


async def test_sms_receipts_of_both_providers_are_understood(
    shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    first = await sent_by(shop, drive, "sms")
    await hooks.smsc(providers.smsc.sent[0], "1", ts="1790000000", cost="4.2")
    providers.smsc.token = "another"
    second = (await shop.send("boris", channels=["sms"]))["id"]
    await drive.all()
    await hooks.sms_ru(providers.sms_ru.sent[0], 103)

    stories = [await shop.story(i) for i in (first, second)]

    assert [s["status"] for s in stories] == ["delivered", "delivered"]
    assert stories[0]["deliveries"][0]["cost"] == "4.2"
    assert stories[0]["deliveries"][0]["receipts"][0]["time"].startswith("2026-09-21")


async def test_the_same_receipt_twice_is_one(
    shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    id_ = await sent_by(shop, drive, "email")
    told = event(providers.unisender_go.sent[0], "delivered")

    await hooks.call("mail", providers.unisender_go.receipt(told, told))
    await hooks.call("mail", providers.unisender_go.receipt(told))

    [delivery] = (await shop.story(id_))["deliveries"]
    assert len(delivery["receipts"]) == 1


async def test_what_happened_last_counts_however_receipts_arrive(
    shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    earlier, later = str(int(datetime.now(UTC).timestamp()) - 60), "1990000000"
    bounced = await sent_by(shop, drive, "sms")
    await hooks.smsc(providers.smsc.sent[0], "20", ts=later)
    await hooks.smsc(providers.smsc.sent[0], "1", ts=earlier)
    arrived = await sent_by(shop, drive, "sms", data={"order": {"number": "1002"}})
    await hooks.smsc(providers.smsc.sent[1], "1", ts=later)
    await hooks.smsc(providers.smsc.sent[1], "20", ts=earlier)

    assert await shop.status(bounced) == "failed"
    assert await shop.status(arrived) == "delivered"


async def test_a_receipt_before_our_own_note_is_kept_and_found(
    hub: Hub, shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    id_ = await sent_by(shop, drive, "sms")
    await hub.db.execute("UPDATE delivery SET provider_id = NULL")
    await hooks.smsc(providers.smsc.sent[0], "1")
    assert await shop.status(id_) == "sent"

    await hub.db.execute("UPDATE delivery SET provider_id = $1", providers.smsc.sent[0].provider_id)
    async with hub.db.acquire() as connection:
        await receipts.match_strays(connection)

    story = await shop.story(id_)
    assert story["status"] == "delivered"
    assert [r["status"] for r in story["deliveries"][0]["receipts"]] == ["delivered"]


async def test_a_receipt_during_the_call_leaves_the_outcome_its_facts(
    hub: Hub, shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    """The provider tells of the delivery before it answers the call."""
    sent = await shop.send("boris", channels=["email"])
    account = hub.accounts.of(hub.shop("main").id, Channel.EMAIL)[0]
    [row] = await drive.rows(sent["id"])
    [claimed] = await claims.claim(hub.db, [row["id"]], drive.worker)
    begun = await attempts.begin(hub.db, [[claimed]], account, new_id(), drive.worker)
    [accepted] = await account.adapter.send([message_for(hub, claimed, str(new_id()))])
    [letter] = providers.unisender_go.sent

    await hooks.call("mail", providers.unisender_go.receipt(event(letter, "delivered")))
    [row] = await drive.rows(sent["id"])
    assert (row["status"], row["account"], row["provider"]) == ("delivered", "mail", "unisender_go")
    settled = settle(in_hand(claimed, account), accepted, now=datetime.now(UTC))
    await outcomes.record(hub.db, [(claimed, settled)], begun, drive.worker)

    story = await shop.story(sent["id"])
    assert story["status"] == "delivered"
    assert story["deliveries"][0]["provider_id"] == letter.provider_id
    assert story["deliveries"][0]["account"] == "mail"
    assert story["deliveries"][0]["attempts"][0]["outcome"] == "accepted"


async def test_a_bounce_suppresses_the_address_and_opens_the_next_channel(
    hub: Hub, shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    sent = await shop.send("boris", channels=["email", "sms"])
    await drive.all()
    letter = providers.unisender_go.sent[0]

    bounce = event(letter, "hard_bounced", "err_user_unknown", "550 no such user")
    await hooks.call("mail", providers.unisender_go.receipt(bounce))
    await drive.all()

    story = await shop.story(sent["id"])
    assert [(d["channel"], d["status"], d["reason"]) for d in story["deliveries"]] == [
        ("email", "failed", "bounced"),
        ("sms", "sent", None),
    ]
    assert story["status"] == "sent"
    again = await shop.send("boris", channels=["email"])
    assert {"channel": "email", "reason": "suppressed"} in again["skipped"]
    assert await hub.db.fetchval("SELECT reason FROM suppression") == "bounced"


async def test_a_bounce_after_days_sends_old_news_to_nobody(
    shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    sent = await shop.send("boris", channels=["email", "sms"])
    await drive.all()
    await drive.pass_time(timedelta(days=3))

    bounce = event(providers.unisender_go.sent[0], "hard_bounced", "err_user_unknown")
    await hooks.call("mail", providers.unisender_go.receipt(bounce))
    await drive.all()

    assert await shop.status(sent["id"]) == "failed"
    assert not providers.smsc.sent


@pytest.mark.parametrize(
    ("status", "reason"), [("spam", "suppressed"), ("unsubscribed", "unsubscribed")]
)
async def test_who_complains_or_leaves_at_the_provider_gets_no_more_marketing(
    status: str, reason: str, shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    await shop.contact("boris", consents={"marketing": {"email": "subscribed"}})
    await shop.send("boris", template="cart.abandoned", data={}, channels=["email"])
    await drive.all()

    told = event(providers.unisender_go.sent[0], status)
    await hooks.call("mail", providers.unisender_go.receipt(told))

    again = await shop.send("boris", template="cart.abandoned", data={}, channels=["email"])
    assert again["status"] == "undeliverable"
    assert {"channel": "email", "reason": reason} in again["skipped"]


async def test_what_the_provider_lost_is_sent_again(
    shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    id_ = await sent_by(shop, drive, "email")
    lost = event(providers.unisender_go.sent[0], "soft_bounced", "err_lost")
    await hooks.call("mail", providers.unisender_go.receipt(lost))
    assert await shop.status(id_) == "queued"

    await drive.pass_time(timedelta(minutes=1))
    await drive.all()

    story = await shop.story(id_)
    assert story["status"] == "sent"
    # By the other account: the first one has just lost it.
    assert [a["account"] for a in story["deliveries"][0]["attempts"]] == ["mail", "plain-mail"]
    assert len(providers.smtp.sent) == 1


async def test_what_was_lost_too_late_takes_the_next_channel(
    shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    sent = await shop.send("boris", channels=["email", "sms"])
    await drive.all()
    await drive.pass_time(timedelta(minutes=5))

    lost = event(providers.unisender_go.sent[0], "soft_bounced", "err_lost")
    await hooks.call("mail", providers.unisender_go.receipt(lost))
    await drive.all()

    story = await shop.story(sent["id"])
    assert [(d["channel"], d["status"]) for d in story["deliveries"]] == [
        ("email", "failed"),
        ("sms", "sent"),
    ]


async def test_a_bad_event_is_left_out_and_the_others_of_its_call_count(
    shop: Shop, drive: Drive, hooks: Hooks, providers: Providers
) -> None:
    id_ = await sent_by(shop, drive, "email")
    told = {
        "event_name": "transactional_email_status",
        "event_data": event(providers.unisender_go.sent[0], "delivered"),
    }
    rubbish = [{"events": ["b@example.com", told]}, "c@example.com"]

    with structlog.testing.capture_logs() as logs:
        answer = await hooks.call("mail", signed({"events_by_user": rubbish}, UNIGO_TOKEN))

    assert answer.status == 200
    assert await shop.status(id_) == "delivered"
    assert [(one["account"], one["events"]) for one in logs if "left_out" in one["event"]] == [
        ("mail", 2)
    ]
    assert "example.com" not in str(logs)


@pytest.mark.parametrize("account", ["mail", "smsc", "sms-ru", "tg", "vk", "max", "fcm", "rustore"])
async def test_nonsense_at_a_hook_is_never_our_error(account: str, hooks: Hooks) -> None:
    bodies = (b"", b"{", b"[]", b"null", b"\xff\x00", b'{"auth":"x"}', b"id=1&phone=&status=1")
    for body in bodies:
        for kind in ("application/json", _FORM, "multipart/form-data"):
            assert (await hooks.call(account, body, kind)).status < 500, (body, kind)


async def test_an_unknown_hook_is_not_there(hooks: Hooks, api: Api) -> None:
    assert (await api.post("/hooks/nobody", raw=b"{}", key=None)).status == 404
